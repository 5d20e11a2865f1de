#!/usr/bin/env bash
# What a log-in takes beside its hash, and what heartbeats lose while log-ins take all the hashing that there is:
#
#   logins.sh [USERS]      100,000 without it
#
# First log-ins one after the other, of passwords hashed at bcrypt's least cost, so that what is left is everything else.
# Then heartbeats with 64 connections, quiet and beside log-ins with 16 connections of passwords hashed at the usual cost,
# in turns: medians of five rounds. wrk, API, Redis and PostgreSQL share the machine's cores. Writes
# deploy/bench/results/logins.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
users=${1:-100000}
rounds=${ROUNDS:-5}
seconds=${LOAD_SECONDS:-8}
timeout=7200
cost=${COST:-12}

alone logins.sh "$users"

export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own RUST_LOG=warn LASTSEEN_RATE_LIMITS=off
export LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
export REDIS_URL=$TEST_REDIS_URL TOKENS=$work/tokens USERS=$users PASSWORD="correct horse battery staple"
redis=$(redis-cli -u "$REDIS_URL" INFO server | tr -d '\r' | sed -n 's/^process_id://p')
data=$("$(postgres_bin)/psql" -qAtX "$TEST_DATABASE_URL" -c 'SHOW data_directory')
postgres=$(head -n 1 "$data/postmaster.pid")

# Users whose passwords are hashed at a cost, and an API beside them: the cost that counts is the stored hash's.
serve() { # DATABASE COST
  redis-cli -u "$REDIS_URL" FLUSHALL >/dev/null
  export DATABASE_URL=${TEST_DATABASE_URL%/*}/$1
  "$(postgres_bin)/psql" -qX "$TEST_DATABASE_URL" -c "CREATE DATABASE $1"
  "$programs/lastseen-bench" crowd --count "$users" --timeout "$timeout" --password "$PASSWORD" --cost "$2"
  port=$(random_port)
  LASTSEEN_BIND=127.0.0.1:$port setpriv --pdeathsig KILL "$programs/lastseen-api" serve >"$work/api.log" 2>&1 &
  api=$!
  pids+=("$api")
  until curl -fs -o /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 "$api" 2>/dev/null || die "the API did not start: $(tail -n 3 "$work/api.log")"
    sleep 0.2
  done
}

say "Log-ins one after the other, at bcrypt's least cost…"
serve least 4
hash=$("$programs/lastseen-bench" hash --cost 4)
"$programs/lastseen-bench" reads --what 'a log-in at cost 4' --address "127.0.0.1:$port" --token none --path /api/users/login/ \
  --body "{\"username\":\"user1{}\",\"password\":\"$PASSWORD\"}" --digits 7 --of "$users" --api "$api" --redis "$redis" --postgres "$postgres" |
  tee "$work/alone" >&2
say "  of which the hash alone: $hash ms"
kill "$api"
wait "$api" || true

say "Heartbeats, quiet and beside log-ins at cost $cost…"
serve usual "$cost"
"$programs/lastseen-bench" tokens --count "$users" --timeout "$timeout" >"$TOKENS"
heartbeats() { load "$port" 64; }
log_ins() { wrk -t1 -c16 -d"$1s" --timeout 60s -s "$bench/wrk/login.lua" "http://127.0.0.1:$port/" | sed -n 's/^RESULT //p'; }
log_ins "$seconds" >"$work/login-quiet"
say "  log-ins alone: $(cat "$work/login-quiet")"
for ((round = 0; round < rounds; round++)); do
  heartbeats >>"$work/quiet"
  # They begin before the heartbeats and end after them.
  log_ins $((seconds + 4)) >>"$work/login-busy" &
  load=$!
  sleep 2
  heartbeats >>"$work/busy"
  wait "$load"
  say "  round $((round + 1)): quiet $(tail -n 1 "$work/quiet"), beside log-ins $(tail -n 1 "$work/busy"), log-ins $(tail -n 1 "$work/login-busy")"
done
kill "$api"
wait "$api" || true

mkdir -p "$bench/results"
wrong=$(cat "$work/quiet" "$work/busy" "$work/login-busy" | wrong)
quiet=$(of per_second <"$work/quiet" | median)
busy=$(of per_second <"$work/busy" | median)
{
  printf '{\n  "users": %s, "rounds": %s, "seconds": %s, "cost": %s,\n  "log_in_alone": %s,\n  "its_hash_ms": %s,\n' \
    "$users" "$rounds" "$seconds" "$cost" "$(cat "$work/alone")" "$hash"
  printf '  "heartbeats_quiet": {"per_second": %.0f, "p50_ms": %s, "p99_ms": %s},\n' "$quiet" "$(of p50_ms <"$work/quiet" | median)" "$(of p99_ms <"$work/quiet" | median)"
  printf '  "heartbeats_beside_log_ins": {"per_second": %.0f, "p50_ms": %s, "p99_ms": %s},\n' "$busy" "$(of p50_ms <"$work/busy" | median)" "$(of p99_ms <"$work/busy" | median)"
  printf '  "ratio": %s,\n' "$(awk -v a="$busy" -v b="$quiet" 'BEGIN { printf "%.2f", a / b }')"
  printf '  "log_ins_alone": %s,\n  "log_ins_beside_heartbeats": {"per_second": %s, "p50_ms": %s, "p99_ms": %s},\n' "$(cat "$work/login-quiet")" \
    "$(of per_second <"$work/login-busy" | median)" "$(of p50_ms <"$work/login-busy" | median)" "$(of p99_ms <"$work/login-busy" | median)"
  printf '  "wrong": %s, "cpu": "%s", "cores": %s\n}\n' "$wrong" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
} >"$bench/results/logins.json"
say "Numbers: $bench/results/logins.json"
