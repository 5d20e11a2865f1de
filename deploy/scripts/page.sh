#!/usr/bin/env bash
# Builds the page in web/ where there is one and this machine can; says so where it can't.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root/web" 2>/dev/null && [ -f package.json ] || exit 0
bash "$scripts/setup.sh" page
if [ "$(node_major)" -lt "$needed_node" ] || ! have npm; then
  exit 0
fi
# Installing again takes its time; npm leaves a copy of the lock it installed from.
if ! [ node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --no-audit --no-fund
fi
npm run build
