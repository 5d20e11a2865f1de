#!/usr/bin/env bash
# What an idle WebSocket costs the API, and how soon transitions are told, in both forms:
#
#   sockets.sh [SOCKETS]      20,000 without it, or as many as the limit of open files allows
#
# Each socket watches ten users. After a minute of pings alone the API's memory is read; then 1,000 transitions a second
# go to ten sockets each. Writes deploy/bench/results/sockets.json, or sockets-SOCKETS.json for another number.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
usual=20000
sockets=${1:-$usual}
idle=${IDLE_SECONDS:-60}
rate=${RATE:-1000}
seconds=${LOAD_SECONDS:-20}
timeout=7200

alone sockets.sh "$sockets"

result=$bench/results/sockets$([ "$sockets" = "$usual" ] || printf '%s' "-$sockets").json
# What else has a file open in the API: connections to PostgreSQL and Redis, threads.
spare=150
ulimit -n "$(ulimit -H -n)"
if [ "$(ulimit -n)" != unlimited ] && [ "$((sockets + spare))" -gt "$(ulimit -n)" ]; then
  sockets=$(($(ulimit -n) - spare))
  say "The limit of $(ulimit -n) open files allows $sockets sockets."
fi

export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own RUST_LOG=info
export LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
measure() { # FORM PORT API_PID
  local line
  line=$("$programs/lastseen-bench" sockets --address "127.0.0.1:$2" --api "$3" --count "$sockets" --timeout "$timeout" \
    --idle "$idle" --rate "$rate" --seconds "$seconds")
  line="{\"form\": \"$1\", ${line#\{}"
  say "  $line"
  printf '%s\n' "$line" >>"$work/lines"
}

say "Distributed: $((sockets * 2)) users, $sockets sockets…"
export REDIS_URL=$TEST_REDIS_URL DATABASE_URL=${TEST_DATABASE_URL%/*}/bench
"$(postgres_bin)/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE bench'
"$programs/lastseen-bench" crowd --count "$((sockets * 2))" --timeout "$timeout"
port=$(random_port)
LASTSEEN_BIND=127.0.0.1:$port "$programs/lastseen-api" serve >"$work/api.log" 2>&1 &
api=$!
pids+=("$api")
answers "$port"
measure distributed "$port" "$api"
kill "$api"
unset REDIS_URL

say "Stand-alone: $((sockets * 2)) users, $sockets sockets…"
export DATABASE_URL=sqlite://$work/data/lastseen.db
mkdir "$work/data"
"$programs/lastseen-bench" crowd --count "$((sockets * 2))" --timeout "$timeout"
port=$(random_port)
LASTSEEN_BIND=127.0.0.1:$port LASTSEEN_ADMIN_PASSWORD="benchmark battery staple" "$programs/lastseen-api" standalone >"$work/standalone.log" 2>&1 &
api=$!
pids+=("$api")
answers "$port"
measure stand-alone "$port" "$api"

mkdir -p "$bench/results"
{
  printf '{\n  "sockets": %s, "watched_by_each": 10, "idle_seconds": %s, "rate": %s, "seconds": %s,\n  "forms": [\n' "$sockets" "$idle" "$rate" "$seconds"
  sed 's/^/    /; $! s/$/,/' "$work/lines"
  printf '  ],\n  "cpu": "%s", "cores": %s\n}\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
} >"$result"
say "Numbers: $result"
