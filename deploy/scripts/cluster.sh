#!/usr/bin/env bash
# Builds and starts the distributed form on this machine: a private PostgreSQL and Redis, one API, two workers.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
bash "$scripts/setup.sh" test
bash "$scripts/page.sh"
cargo build --release --bin lastseen-api --bin lastseen-worker
exec bash "$scripts/services.sh" with-services --appendonly bash "$scripts/cluster-processes.sh"
