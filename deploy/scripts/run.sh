#!/usr/bin/env bash
# Builds and starts the stand-alone program: API, page and jobs in one process, its data in ./data.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
bash "$scripts/setup.sh" build
bash "$scripts/page.sh"
cargo build --release --bin lastseen-api

address=${LASTSEEN_BIND:-localhost:8000}
say "
Lastseen will answer on http://$address, its data is in $root/data.
At the first start it makes the admin and shows the name and the password below, once.
Ctrl-C ends it.
"
exec "$(target_dir)/release/lastseen-api" standalone
