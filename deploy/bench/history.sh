#!/usr/bin/env bash
# History, statistics and retention at scale, on a private PostgreSQL:
#
#   history.sh [INTERVALS]      10,000,000 without it
#
# Generates the past, makes the rollups, asks the API what a user and the dashboard ask, and has the
# worker forget a month while others read and write. Writes the numbers and the query plans, as
# PostgreSQL itself logged them, to deploy/bench/results/.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
bench=$root/deploy/bench
results=$bench/results
intervals=${1:-10000000}
users=$((intervals / 100))
programs=$(target_dir)/release

if [ -z "${TEST_DATABASE_URL:-}" ]; then
  bash "$scripts/setup.sh" test
  (cd "$root" && cargo build --release -p lastseen-api -p lastseen-worker)
  exec bash "$scripts/services.sh" with-services bash "$bench/history.sh" "$intervals"
fi

bin=$(postgres_bin)
server=${TEST_DATABASE_URL%/*}
export DATABASE_URL=$server/bench REDIS_URL=$TEST_REDIS_URL LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own
export LASTSEEN_ADMIN_PASSWORD="benchmark battery staple" LASTSEEN_RATE_LIMITS=off RUST_LOG=warn
sql() { "$bin/psql" -qAtX "$DATABASE_URL" "$@"; }
log=$(dirname "$("$bin/psql" -qAtX "$TEST_DATABASE_URL" -c 'SHOW data_directory')")/postgres.log
mkdir -p "$results"
out=$results/history.json
plans=$results/history-plans.txt
now_ms() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

say "Generating $intervals intervals of $users users…"
"$bin/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE bench'
"$programs/lastseen-api" migrate >/dev/null
begin=$(now_ms)
sql -v users="$users" -v intervals="$intervals" -f "$bench/sql/history.sql" >/dev/null
generated=$(($(now_ms) - begin))
size=$(sql -c "SELECT pg_size_pretty(sum(pg_total_relation_size(inhrelid))) FROM pg_inherits WHERE inhparent = 'presence_history'::regclass")
say "  $((generated / 1000)) s, $size with indexes"

begin=$(now_ms)
"$programs/lastseen-api" rebuild-statistics >&2
rebuilt=$(($(now_ms) - begin))
say "  all rollups made in $((rebuilt / 1000)) s"
begin=$(now_ms)
"$programs/lastseen-api" rebuild-statistics --from "$(date -u -d '2 minutes ago' +%FT%TZ)" >/dev/null
minute=$(($(now_ms) - begin))
say "  the last two minutes again: $minute ms, the program's start included"
sql -c 'VACUUM ANALYZE stats_minutes, stats_quarters, stats_active_days' >/dev/null

# Plans are logged by PostgreSQL for the statements that the API really sends.
sql -c "ALTER DATABASE bench SET session_preload_libraries = 'auto_explain'" \
  -c "ALTER DATABASE bench SET auto_explain.log_min_duration = '0'" \
  -c "ALTER DATABASE bench SET auto_explain.log_analyze = 'on'" \
  -c "ALTER DATABASE bench SET auto_explain.log_timing = 'off'"
port=$(random_port)
setpriv --pdeathsig KILL env LASTSEEN_BIND=127.0.0.1:"$port" "$programs/lastseen-api" serve &
api=$!
trap 'kill $api 2>/dev/null || true' EXIT
until curl -fs "http://127.0.0.1:$port/readyz" >/dev/null; do sleep 0.2; done
token=$(curl -fs "http://127.0.0.1:$port/api/users/login/" -H 'Content-Type: application/json' \
  -d "{\"username\": \"admin\", \"password\": \"$LASTSEEN_ADMIN_PASSWORD\"}" | sed 's/.*"access":"\([^"]*\)".*/\1/')
user=$(sql -c "SELECT id FROM accounts WHERE username_key = 'bench7'")
month_ago=$(date -u -d '30 days ago' +%FT%TZ)
: >"$plans"
rows=
ask() { # NAME PATH
  local first times=() before
  before=$(stat -c %s "$log")
  first=$(curl -fs -o /dev/null -w '%{time_total}' -H "Authorization: Bearer $token" "http://127.0.0.1:$port$2")
  {
    printf '== %s: %s\n' "$1" "${2%%\?*}"
    tail -c "+$((before + 1))" "$log" | awk '/duration: .* plan:/ { keep = /plan:/; print; next } /^20/ { keep = 0 } keep' |
      sed 's/^20[^ ]* [^ ]* [^ ]* \[[0-9]*\] LOG:  //' || true
  } >>"$plans"
  for _ in 1 2 3 4 5 6 7; do
    times+=("$(curl -fs -o /dev/null -w '%{time_total}' -H "Authorization: Bearer $token" "http://127.0.0.1:$port$2")")
  done
  local half
  half=$(printf '%s\n' "${times[@]}" | median)
  rows+=$(awk -v n="$1" -v f="$first" -v m="$half" 'BEGIN { printf "    {\"what\": \"%s\", \"first_ms\": %.1f, \"median_ms\": %.1f},\n", n, f * 1000, m * 1000 }')$'\n'
  say "$(awk -v n="$1" -v f="$first" -v m="$half" 'BEGIN { printf "  %-44s first %7.1f ms, median of 7 %7.1f ms", n, f * 1000, m * 1000 }')"
}
say 'Asking the API…'
ask 'an answer without a query' "/api/config/"
ask 'a user'"'"'s last month, 100 intervals' "/api/users/$user/history/?from=$month_ago"
ask 'the last day by minute' "/api/stats/online/?step=minute"
ask 'the month by hour' "/api/stats/online/?from=$month_ago&step=hour&tz=Europe/Berlin"
ask 'the month by day' "/api/stats/online/?from=$month_ago&step=day&tz=Europe/Berlin"
ask 'the quarter of a year by day' "/api/stats/online/?from=$(date -u -d '90 days ago' +%FT%TZ)&step=day&tz=Europe/Berlin"
ask 'the heat map of four weeks' "/api/stats/heatmap/?tz=Europe/Berlin"
ask 'session lengths of the month' "/api/stats/sessions/?from=$month_ago"
ask 'platforms of the month' "/api/stats/platforms/?from=$month_ago"
ask 'active users, 30 days' "/api/stats/active/?days=30"
kill "$api"
wait "$api" || true
sql -c "ALTER DATABASE bench RESET ALL"

# Transactions a second apart from what they wait for: the rate is fixed, so that a wait shows.
probe() { # SECONDS NAME
  (cd "$results" && rm -f probe.* && "$bin/pgbench" -n -c 2 -R 200 -T "$1" -l --log-prefix=probe -f "$bench/sql/probe.sql" "$DATABASE_URL" >/dev/null 2>&1)
  cat "$results"/probe.* | awk '{ print $3 / 1000 }' | sort -n >"$results/$2.latencies"
  rm -f "$results"/probe.*
}
percentile() { awk -v p="$2" '{ v[NR] = $1 } END { i = int(NR * p); print v[i < 1 ? 1 : i] }' "$1"; }
say 'Retention: reading and writing, quiet…'
probe 15 quiet
# A month and some days more than is kept.
retention=$(sql -c "SELECT floor((extract(epoch FROM now()) - extract(epoch FROM date_trunc('month', now()) - interval '1 month')) / 86400)::INT - 3")
before=$(sql -c 'SELECT count(*) FROM presence_history')
say "…and while all older than $retention days is deleted"
port=$(random_port)
LASTSEEN_WORKER_BIND=127.0.0.1:$port LASTSEEN_HISTORY_RETENTION=${retention}d RUST_LOG=info setpriv --pdeathsig KILL "$programs/lastseen-worker" >"$results/worker.log" 2>&1 &
worker=$!
trap 'kill $worker 2>/dev/null || true' EXIT
begin=$(now_ms)
# As of now: what is old grows on.
cutoff=$((begin - retention * 86400000))
probe 45 busy &
probing=$!
old() { sql -c "SELECT count(*) FROM presence_history WHERE ended_at_ms < $cutoff"; }
until [ "$(old)" = 0 ] || [ $(($(now_ms) - begin)) -gt 600000 ]; do sleep 0.5; done
forgotten=$(($(now_ms) - begin))
wait "$probing"
kill "$worker"
wait "$worker" || true
trap - EXIT
after=$(sql -c 'SELECT count(*) FROM presence_history')
months=$(grep -o '[0-9]* months of history' "$results/worker.log" | head -n 1 || true)
rm -f "$results/worker.log"
say "  $((before - after)) intervals gone in $((forgotten / 1000)) s ($months dropped)"
for name in quiet busy; do
  say "  $name: median $(percentile "$results/$name.latencies" 0.5) ms, 99 % $(percentile "$results/$name.latencies" 0.99) ms, longest $(tail -n 1 "$results/$name.latencies") ms"
done
{
  printf '{\n  "intervals": %s, "users": %s, "size": "%s",\n' "$intervals" "$users" "$size"
  printf '  "generate_ms": %s, "rebuild_ms": %s, "last_two_minutes_ms": %s,\n  "reads": [\n' "$generated" "$rebuilt" "$minute"
  printf '%s' "$rows" | sed '$ s/,$//'
  printf '  ],\n  "retention": {"deleted": %s, "took_ms": %s, "dropped": "%s",\n' "$((before - after))" "$forgotten" "$months"
  for name in quiet busy; do
    printf '    "%s": {"median_ms": %s, "p99_ms": %s, "longest_ms": %s}%s\n' "$name" "$(percentile "$results/$name.latencies" 0.5)" \
      "$(percentile "$results/$name.latencies" 0.99)" "$(tail -n 1 "$results/$name.latencies")" "$([ "$name" = quiet ] && printf ,)"
  done
  printf '  },\n  "postgresql": "%s", "cpu": "%s"\n}\n' "$(sql -c 'SHOW server_version')" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
} >"$out"
rm -f "$results"/*.latencies
say "Numbers: $out; plans: $plans"
