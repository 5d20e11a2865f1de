#!/usr/bin/env bash
# The long fault suite: thousands of users, programs that are killed, Redis, PostgreSQL and the ways to them that fail; and all
# scenarios on a Redis Cluster. What it promises and what was seen is in docs/RELIABILITY.md. Takes twenty minutes or more.
#
#   TEST_OLDER_PROGRAMS   a folder with lastseen-api and lastseen-worker of an older version, which are replaced under load
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ -z "${TEST_OLDER_PROGRAMS:-}" ] || TEST_OLDER_PROGRAMS=$(realpath "$TEST_OLDER_PROGRAMS")
cd "$root"
if [ -z "${TEST_DATABASE_URL:-}" ]; then
  bash "$scripts/setup.sh" test
  cargo build --workspace
  # A server of its own, one of whose processes is killed.
  small_disk=()
  [ "$(id -u)" != 0 ] || small_disk=(--small-disk)
  exec bash "$scripts/services.sh" with-services --cluster "${small_disk[@]}" bash "$scripts/test-faults.sh"
fi
# One after the other: each wants the machine for itself.
skip=()
[ -n "${TEST_SMALL_TABLESPACE:-}" ] || {
  say "Not run: a full disk, which root alone can mount."
  skip=(--skip a_disk_is_full)
}
[ -n "${TEST_OLDER_PROGRAMS:-}" ] || {
  say "Not run: programs of an older version that are replaced; TEST_OLDER_PROGRAMS names no folder of them."
  skip+=(--skip older_programs)
}
cargo test -p lastseen-api --test scenarios -- --test-threads 1 --nocapture faults:: --ignored "${skip[@]}"
cargo test -p lastseen-api --test scenarios -- --test-threads 4 cluster:: --include-ignored
cargo test -p lastseen-shared --test engine -- --test-threads 2 fleets:: killed::
