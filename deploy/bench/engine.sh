#!/usr/bin/env bash
# What the stand-alone program's engine costs, and how fast the program starts:
#
#   engine.sh [SESSIONS…]      1000 10000 100000 1000000 without them
#
# For each number of sessions bytes a session, time of a heartbeat and of an expiry, bytes that a
# heartbeat writes to the journal, and time to load it, by `lastseen-bench engine`. Then, for each
# number in STARTS (100000 1000000), a SQLite database of so many users who are online, made by
# `lastseen-bench crowd`, and the time from the program's start to its first answer, the median of
# five. The first start has all their log-ins still to write into the database; it is told apart.
# Last the size of the stripped release binary. Writes deploy/bench/results/engine.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
[ $# -gt 0 ] || set -- 1000 10000 100000 1000000

(cd "$root" && cargo build --release -p lastseen-api -p lastseen-worker -p lastseen-bench)
unset REDIS_URL
export RUST_LOG=info LASTSEEN_ADMIN_PASSWORD="benchmark battery staple"
export LASTSEEN_INACTIVITY_TIMEOUT=7200s LASTSEEN_TIMEOUT_MAX=14400s

# Starts the program and prints how long it took to its first answer.
start() { # PORT
  local began
  began=$(date +%s%3N)
  LASTSEEN_BIND=127.0.0.1:$1 "$programs/lastseen-api" standalone >>"$work/log" 2>&1 &
  pid=$!
  pids=("$pid")
  until curl -s -o /dev/null "http://127.0.0.1:$1/healthz"; do sleep 0.005; done
  took=$(($(date +%s%3N) - began))
}
stop() {
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  pids=()
}

for sessions in "$@"; do
  say "$sessions sessions…"
  line=$(TMPDIR=$work "$programs/lastseen-bench" engine --count "$sessions")
  say "  $line"
  printf '%s\n' "$line" >>"$work/sessions"
done

: >"$work/starts"
for users in ${STARTS:-100000 1000000}; do
  say "The program's start, with $users users who are online…"
  mkdir "$work/data"
  export DATABASE_URL=sqlite://$work/data/lastseen.db
  "$programs/lastseen-bench" crowd --count "$users" --timeout 7200
  port=$(random_port)
  start "$port"
  first=$took
  # Until the log-ins are in the database.
  until_projected "$port" "$users"
  resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")
  stop
  : >"$work/took"
  for _ in 1 2 3 4 5; do
    start "$port"
    printf '%s\n' "$took" >>"$work/took"
    stop
  done
  line="{\"users\": $users, \"first_start_ms\": $first, \"start_ms\": $(median <"$work/took"), \"resident_kb\": $resident}"
  say "  $line"
  printf '%s\n' "$line" >>"$work/starts"
  rm -rf "$work/data"
done

strip -o "$work/stripped" "$programs/lastseen-api"
size=$(stat -c %s "$work/stripped")
say "The stripped program has $size bytes."

mkdir -p "$bench/results"
{
  printf '{\n  "engine": [\n'
  sed 's/^/    /; $! s/$/,/' "$work/sessions"
  printf '  ],\n  "starts": [\n'
  sed 's/^/    /; $! s/$/,/' "$work/starts"
  printf '  ],\n  "stripped_bytes": %s,\n  "cpu": "%s", "cores": %s\n}\n' "$size" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
} >"$bench/results/engine.json"
say "Numbers: $bench/results/engine.json"
