#!/usr/bin/env bash
# For working on it: the stand-alone program (a debug build, on port 8000, its data in ./data) and the page's development server
# on http://localhost:5173. The page changes as its files are saved; the program is built and started again when its are, and
# goes on running as it is where it does not build. Ctrl-C ends both.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
bash "$scripts/setup.sh" build

program=
page=
stamp=$(mktemp)
clean_up() {
  local pid
  for pid in $program $page; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in $program $page; do wait "$pid" 2>/dev/null || true; done
  rm -f "$stamp"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if have npm && [ "$(node_major)" -ge "$needed_node" ]; then
  [ -d web/node_modules ] || (cd web && npm ci --no-audit --no-fund)
  # node itself, so that it is what the signal reaches.
  (cd web/app && exec node ../node_modules/vite/bin/vite.js) &
  page=$!
else
  say "Node.js $needed_node with npm is not there: the page is not served."
fi

has_changed() {
  [ -n "$(find Cargo.toml Cargo.lock api shared worker migrations -newer "$stamp" -type f -print -quit)" ]
}

while true; do
  touch "$stamp"
  if cargo build -p lastseen-api; then
    if [ -n "$program" ]; then
      kill -TERM "$program" 2>/dev/null || true
      wait "$program" 2>/dev/null || true
    fi
    "$(target_dir)/debug/lastseen-api" standalone &
    program=$!
  fi
  until has_changed; do sleep 1; done
  say "
Something has changed."
done
