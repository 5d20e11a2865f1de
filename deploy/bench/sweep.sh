#!/usr/bin/env bash
# How long a sweep takes, and what it does to heartbeats beside it; and what Redis and the projector take for the sessions:
#
#   sweep.sh [SESSIONS]      1,000,000 without it
#
# 10,000 of the sessions fall due at once, with 1, 2 and 4 workers; then all of them, with two, while others send heartbeats
# at half of what the API can take. Writes deploy/bench/results/sweep.json, or sweep-SESSIONS.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
sessions=${1:-1000000}
some=$((sessions / 100))
rounds=${ROUNDS:-5}
seconds=${LOAD_SECONDS:-8}
timeout=7200
alone sweep.sh "$sessions"

export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own RUST_LOG=warn TOKENS=$work/tokens
export LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
# The bench pushes the sweeps itself.
export LASTSEEN_SWEEP_CRON="0 0 0 1 1 *"
export REDIS_URL=$TEST_REDIS_URL DATABASE_URL=${TEST_DATABASE_URL%/*}/sweep
"$(postgres_bin)/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE sweep'

say "$sessions sessions…"
"$programs/lastseen-bench" crowd --count "$sessions" --timeout "$timeout"
workers=()
workers_are() { # NUMBER
  local n
  for pid in "${workers[@]}"; do
    kill -TERM "$pid"
    wait "$pid" || true
  done
  workers=()
  for ((n = 0; n < $1; n++)); do
    LASTSEEN_WORKER_BIND=127.0.0.1:$(random_port) "$programs/lastseen-worker" >>"$work/worker.log" 2>&1 &
    workers+=("$!")
    pids+=("$!")
  done
  sleep 3
}
export LASTSEEN_RESUME_WINDOW=1s
workers_are 1
projected=$("$programs/lastseen-bench" caught-up)
say "  projected: $projected"
# What the projector has is forgotten a few seconds later, and the stream at second 15 of the minute.
entries() { redis-cli -u "$REDIS_URL" --scan --pattern '*transitions*' | while read -r key; do redis-cli -u "$REDIS_URL" XLEN "$key"; done | awk '{ n += $1 } END { print n + 0 }'; }
for ((tries = 0; tries < 90; tries++)); do
  [ "$(entries)" -gt 100 ] || break
  sleep 1
done
memory=$(redis-cli -u "$REDIS_URL" INFO memory | tr -d '\r' | sed -n 's/^used_memory://p')
say "  Redis: $((memory / sessions)) bytes a session, $(entries) transitions in the streams"
unset LASTSEEN_RESUME_WINDOW

redis-cli -u "$REDIS_URL" CONFIG SET slowlog-log-slower-than 5000 >/dev/null
: >"$work/sweeps"
for number in 1 2 4; do
  workers_are "$number"
  # Workers begin by holding engine and database against each other.
  sleep "$((sessions / 20000))"
  for ((round = 0; round < rounds; round++)); do
    swept=$("$programs/lastseen-bench" sweep --first "$((sessions - some + 1))" --count "$some" --within "$((some / 1000 + 5))")
    say "  $number workers: $swept"
    printf '{"workers": %s, "online": %s, %s\n' "$number" "$sessions" "${swept#\{}" >>"$work/sweeps"
  done
done

# All but 20,000 at most, who send heartbeats.
beating=$((sessions / 10 < 20000 ? sessions / 10 : 20000))
workers_are 2
sleep "$((sessions / 10000))"
"$programs/lastseen-bench" tokens --count "$beating" --timeout "$timeout" >"$TOKENS"
start_api
load "$port" 64 >/dev/null
pace=$(pause_for "$(load "$port" 64 | of per_second)" 64)
quiet=$(PACE_US=$pace load "$port" 64)
say "  heartbeats at half of the most: $quiet"
redis-cli -u "$REDIS_URL" SLOWLOG RESET >/dev/null
redis-cli -u "$REDIS_URL" CONFIG RESETSTAT >/dev/null
within=$((sessions / 8000 + 15))
"$programs/lastseen-bench" sweep --first "$((beating + 1))" --count "$((sessions - beating))" --within "$within" >"$work/all" &
sweep=$!
# The load begins when they fall due, and ends while the database is written.
sleep "$((within - 1))"
during=$(PACE_US=$pace seconds=${DURING:-20} load "$port" 64)
wait "$sweep"
all=$(cat "$work/all")
slow=$(redis-cli -u "$REDIS_URL" SLOWLOG LEN)
say "  all: $all"
say "  heartbeats during it: $during"
say "  commands of Redis that took more than 5 ms: $slow"
[ "$slow" = 0 ] || redis-cli -u "$REDIS_URL" SLOWLOG GET 3 | cut -c1-100 | head -30 >&2

write sweep "$sessions" 1000000 <<END
  "sessions": $sessions, "rounds": $rounds,
  "redis_bytes_a_session": $((memory / sessions)),
  "projected": $projected,
  "sweeps": [
$(sed 's/^/    /; $! s/$/,/' "$work/sweeps")
  ],
  "all": $all,
  "heartbeats_quiet": ${quiet:-null},
  "heartbeats_during": ${during:-null},
  "redis_commands_over_5_ms": $slow
END
