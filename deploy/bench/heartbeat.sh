#!/usr/bin/env bash
# How many heartbeats a second, in both forms, beside a bare endpoint on the same machine at the same time:
#
#   heartbeat.sh [SESSIONS]      1,000,000 without it
#
# Bare endpoint and API take turns, five rounds each with 64 and with 1,024 connections, each as fast as it can; what is
# told are medians and their ratio. With so many connections that all wait for an answer, how long one waits is how many
# they are by the rate, whatever is done: so the same is measured once more with pauses, in which half of the API's most is
# sent to either. wrk, API and Redis share the machine's cores. Writes deploy/bench/results/heartbeat.json, or
# heartbeat-SESSIONS.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
sessions=${1:-1000000}
rounds=${ROUNDS:-5}
seconds=${LOAD_SECONDS:-8}
timeout=7200
alone heartbeat.sh "$sessions"

export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own RUST_LOG=info TOKENS=$work/tokens
export LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
"$programs/lastseen-bench" tokens --count "$((sessions < 100000 ? sessions : 100000))" --timeout "$timeout" >"$TOKENS"

bare=$(random_port)
"$programs/lastseen-bench" bare --bind "127.0.0.1:$bare" &
pids+=("$!")
answers "$bare"

# Takes turns with the bare endpoint; a line of JSON for each number of connections.
measure() { # FORM PORT API_PID [REDIS_PID]
  local connections line most pace
  for connections in ${CONNECTIONS:-64 1024}; do
    for file in bare api bare-paced api-paced; do : >"$work/$file"; done
    local api_ms=0 redis_ms=0 before redis_before=0
    for ((round = 0; round < rounds; round++)); do
      load "$bare" "$connections" >>"$work/bare"
      before=$(cpu_ms "$3")
      [ -z "${4:-}" ] || redis_before=$(cpu_ms "$4")
      load "$2" "$connections" >>"$work/api"
      api_ms=$((api_ms + $(cpu_ms "$3") - before))
      [ -z "${4:-}" ] || redis_ms=$((redis_ms + $(cpu_ms "$4") - redis_before))
    done
    longest=$(of requests <"$work/api" | awk -v n="${longest:-0}" '{ n = $1 > n ? $1 : n } END { print n }')
    most=$(of per_second <"$work/api" | median)
    pace=$(pause_for "$most" "$connections")
    for ((round = 0; round < rounds; round++)); do
      PACE_US=$pace load "$bare" "$connections" >>"$work/bare-paced"
      PACE_US=$pace load "$2" "$connections" >>"$work/api-paced"
    done
    line=$(awk -v form="$1" -v c="$connections" -v b="$(of per_second <"$work/bare" | median)" -v a="$most" \
      -v p50="$(of p50_ms <"$work/api" | median)" -v p99="$(of p99_ms <"$work/api" | median)" -v bp99="$(of p99_ms <"$work/bare" | median)" \
      -v pa="$(of per_second <"$work/api-paced" | median)" -v pp99="$(of p99_ms <"$work/api-paced" | median)" -v pbp99="$(of p99_ms <"$work/bare-paced" | median)" \
      -v n="$(of requests <"$work/api" | awk '{ n += $1 } END { print n }')" \
      -v wrong="$(cat "$work/api" "$work/api-paced" | wrong)" \
      -v api_ms="$api_ms" -v redis_ms="$redis_ms" 'BEGIN { printf "{\"form\": \"%s\", \"connections\": %d, \"bare_per_second\": %d, \"per_second\": %d, \"ratio\": %.2f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"bare_p99_ms\": %.2f, \"paced_per_second\": %d, \"paced_p99_ms\": %.2f, \"bare_paced_p99_ms\": %.2f, \"answers\": %d, \"wrong\": %d, \"api_cpu_us\": %.2f, \"redis_cpu_us\": %.2f}", form, c, b, a, a / b, p50, p99, bp99, pa, pp99, pbp99, n, wrong, api_ms * 1000 / n, redis_ms * 1000 / n }')
    say "  $line"
    printf '%s\n' "$line" >>"$work/lines"
  done
}

say "Distributed: $sessions sessions…"
export REDIS_URL=$TEST_REDIS_URL DATABASE_URL=${TEST_DATABASE_URL%/*}/bench
"$(postgres_bin)/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE bench'
"$programs/lastseen-bench" crowd --count "$sessions" --timeout "$timeout"
redis=$(redis-cli -u "$REDIS_URL" INFO server | tr -d '\r' | sed -n 's/^process_id://p')
memory=$(redis-cli -u "$REDIS_URL" INFO memory | tr -d '\r' | sed -n 's/^used_memory://p')
stream=$(redis-cli -u "$REDIS_URL" --scan --pattern '*transitions*' | while read -r key; do redis-cli -u "$REDIS_URL" MEMORY USAGE "$key" SAMPLES 0; done | awk '{ n += $1 } END { print n + 0 }')
say "  Redis: $((memory / sessions)) bytes a session, $((stream / sessions)) of them in the stream that the projector has not read"
start_api
began=$(date +%s%3N)
measure distributed "$port" "$api" "$redis"
# Each session that has sent a heartbeat has a later deadline now, and no other has. Each run begins with the same sessions, so as
# many have sent one as the longest run had answers, and all where it had more.
moved=0
while read -r key; do
  moved=$((moved + $(redis-cli -u "$REDIS_URL" HVALS "$key" | awk -F: -v from="$((began + timeout * 1000))" '$1 >= from' | wc -l)))
done < <(redis-cli -u "$REDIS_URL" --scan --pattern '*:deadlines')
say "  $moved sessions of $(wc -l <"$TOKENS") that were sent for have a later deadline"
all=$(wc -l <"$TOKENS")
least=$((longest < all ? longest : all))
{ [ "$moved" -ge "$least" ] && [ "$moved" -le "$all" ]; } || die "the engine does not hold what was answered"
kill "$api"
unset REDIS_URL

say "Stand-alone: $sessions sessions…"
export DATABASE_URL=sqlite://$work/data/lastseen.db
mkdir "$work/data"
"$programs/lastseen-bench" crowd --count "$sessions" --timeout "$timeout"
port=$(random_port)
begin=$(date +%s%3N)
LASTSEEN_BIND=127.0.0.1:$port LASTSEEN_ADMIN_PASSWORD="benchmark battery staple" "$programs/lastseen-api" standalone >"$work/standalone.log" 2>&1 &
api=$!
pids+=("$api")
answers "$port"
ready=$(($(date +%s%3N) - begin))
resident=$(awk '/^VmRSS/ { print $2 }' "/proc/$api/status")
say "  ready after $ready ms; $((resident * 1024 / sessions)) bytes of the process a session"
until_projected "$port" "$sessions"
measure stand-alone "$port" "$api"

write heartbeat "$sessions" 1000000 <<END
  "sessions": $sessions, "rounds": $rounds, "seconds": $seconds,
  "redis_bytes_a_session": $((memory / sessions)), "of_them_stream": $((stream / sessions)),
  "standalone_ready_ms": $ready, "standalone_resident_bytes_a_session": $((resident * 1024 / sessions)),
  "heartbeats": [
$(sed 's/^/    /; $! s/$/,/' "$work/lines")
  ]
END
