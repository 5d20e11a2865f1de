#!/usr/bin/env bash
# What reading takes, on a private PostgreSQL and Redis:
#
#   reads.sh [USERS]      1,000,000 without it; three in ten of them are online
#
# Makes the users, has a worker follow their log-ins into the database, and asks for pages, searches, presences of many and
# unchanged pages, one request after the other on one connection. Writes what each took, and how much of the processors'
# time it cost the API, Redis and PostgreSQL, to deploy/bench/results/reads.json (reads-USERS.json for another number),
# and, for the usual number, the query plans, as PostgreSQL itself logged them, beside it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
usual=1000000
users=${1:-$usual}
online=$((users * 3 / 10))
requests=${REQUESTS:-300}
timeout=7200

alone reads.sh "$users"

bin=$(postgres_bin)
export DATABASE_URL=${TEST_DATABASE_URL%/*}/bench REDIS_URL=$TEST_REDIS_URL RUST_LOG=warn
export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own LASTSEEN_ADMIN_PASSWORD="benchmark battery staple"
export LASTSEEN_RATE_LIMITS=off LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
sql() { "$bin/psql" -qAtX "$DATABASE_URL" "$@"; }
data=$("$bin/psql" -qAtX "$TEST_DATABASE_URL" -c 'SHOW data_directory')
log=$(dirname "$data")/postgres.log
postgres=$(head -n 1 "$data/postmaster.pid")
redis=$(redis-cli -u "$REDIS_URL" INFO server | tr -d '\r' | sed -n 's/^process_id://p')
mkdir -p "$results"
suffix=
[ "$users" = "$usual" ] || suffix=-$users
out=$results/reads$suffix.json
plans=$results/reads-plans.txt
[ -z "$suffix" ] || plans=$work/plans
now_ms() { date +%s%3N; }

say "Making $users users, $online of them online…"
"$bin/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE bench'
begin=$(now_ms)
"$programs/lastseen-bench" crowd --count "$users" --online "$online" --timeout "$timeout"
made=$(($(now_ms) - begin))
# The first user has a hundred contacts, and has blocked five others.
sql -c "INSERT INTO contacts (user_id, other_id, state, since_ms)
  SELECT 1, n, 'accepted', 1 FROM generate_series(2, 101) n UNION ALL SELECT n, 1, 'accepted', 1 FROM generate_series(2, 101) n
  UNION ALL SELECT 1, n, 'blocked', 1 FROM generate_series(102, 106) n"
say "  $((made / 1000)) s; a worker follows their log-ins into the database…"
begin=$(now_ms)
LASTSEEN_WORKER_BIND=127.0.0.1:$(random_port) "$programs/lastseen-worker" >"$work/worker.log" 2>&1 &
worker=$!
pids+=("$worker")
waiting() { redis-cli -u "$REDIS_URL" --scan --pattern '*:unprojected' | while read -r key; do redis-cli -u "$REDIS_URL" HLEN "$key"; done | awk '{ n += $1 } END { print n + 0 }'; }
until [ "$(sql -c 'SELECT count(*) FROM presence WHERE online')" = "$online" ] && [ "$(waiting)" = 0 ]; do
  [ $(($(now_ms) - begin)) -lt 900000 ] || die "the worker did not get there: $(tail -n 3 "$work/worker.log")"
  sleep 1
done
projected=$(($(now_ms) - begin))
kill "$worker"
wait "$worker" || true
sql -c 'VACUUM ANALYZE accounts, presence, presence_open, contacts, sessions' >/dev/null
say "  $((projected / 1000)) s until nothing waits any more"

serve() {
  port=$(random_port)
  LASTSEEN_BIND=127.0.0.1:$port setpriv --pdeathsig KILL "$programs/lastseen-api" serve >"$work/api.log" 2>&1 &
  api=$!
  pids+=("$api")
  until curl -fs -o /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 "$api" 2>/dev/null || die "the API did not start: $(tail -n 3 "$work/api.log")"
    sleep 0.2
  done
}
stop() {
  kill "$api"
  wait "$api" || true
}
cursor() { printf '%s' "$1" | basenc --base64url -w 0 | tr -d =; }

# What is asked: a name, who asks, the path, and more for the driver.
late=$((users - users / 10000 - 100))
late=$((late > 0 ? late : users / 2))
late_name=user$((10000000 + late))
by_id=$(cursor "{\"o\":\"id\",\"i\":$late}")
by_name=$(cursor "{\"o\":\"username\",\"i\":$late,\"n\":\"$late_name\"}")
page=/api/users/all-users/
questions() {
  cat <<END
the first page|user|$page
the ten thousandth page|user|$page?cursor=$by_id
the first page, an admin's|admin|$page
the first page by name|user|$page?order=username
the ten thousandth page by name|user|$page?order=username&cursor=$by_name
the first page by last seen|user|$page?order=last_seen
the first page by last seen, the latest first|user|$page?order=-last_seen
online, first|user|$page?online_status=online
online, last|user|$page?online_status=online&cursor=$by_id
online by name|user|$page?online_status=online&order=username
online by last seen|user|$page?online_status=online&order=last_seen
online by last seen, the latest first|user|$page?online_status=online&order=-last_seen
offline, first|user|$page?online_status=offline
offline, last|user|$page?online_status=offline&cursor=$by_id
offline by last seen|user|$page?online_status=offline&order=last_seen
offline by last seen, the latest first|user|$page?online_status=offline&order=-last_seen
status active, first|user|$page?status=active
status active, last|user|$page?status=active&cursor=$by_id
status suspended, first|user|$page?status=suspended
status suspended, last|user|$page?status=suspended&cursor=$by_id
status active, online|user|$page?status=active&online_status=online
role user, first|user|$page?role=user
role user, last|user|$page?role=user&cursor=$by_id
role admin|user|$page?role=admin
role user, online|user|$page?role=user&online_status=online
search for one user|user|$page?search=$late_name
search for nobody|user|$page?search=xyzzy
search for a piece of few|user|$page?search=4321
search for a piece of many|user|$page?search=123
search for a piece of all|user|$page?search=user
search for a piece of all, last|user|$page?search=user&cursor=$by_id
search for a piece of all, by name|user|$page?search=user&order=username
search for a letter of many|user|$page?search=7
search for a letter of nobody|user|$page?search=q
search for two letters of many|user|$page?search=77
search for two letters of nobody|user|$page?search=zq
search for signs of nobody|user|$page?search=-.-
search for one user, online|user|$page?search=$late_name&online_status=online
search for a piece of many, online|user|$page?search=123&online_status=online
search for a piece of all, online|user|$page?search=user&online_status=online
search for two letters of many, online|user|$page?search=77&online_status=online
search for a piece of all, offline|user|$page?search=user&online_status=offline
search for a piece of all, suspended|user|$page?search=user&status=suspended
an admin's search for a piece of all addresses|admin|$page?search=example
an admin's search for two letters of nobody|admin|$page?search=zq
an admin's search for a piece of many|admin|$page?search=123
the first page, unchanged|user|$page|--revalidate
online, unchanged|user|$page?online_status=online|--revalidate
a search for a piece of all, unchanged|user|$page?search=user|--revalidate
presence of 1,000|user|/api/users/presence/|--ids 1000 --of $users
presence of 100|user|/api/users/presence/|--ids 100 --of $users
END
}
ask() { # WHAT WHO PATH REQUESTS [MORE...]
  local token=$user_token
  [ "$2" = user ] || token=$admin_token
  "$programs/lastseen-bench" reads --what "$1" --address "127.0.0.1:$port" --token "$token" --path "$3" --count "$4" \
    --api "$api" --redis "$redis" --postgres "$postgres" "${@:5}"
}
user_token=$("$programs/lastseen-bench" tokens --count 1 --timeout "$timeout")
log_in() {
  admin_token=$(curl -fs "http://127.0.0.1:$port/api/users/login/" -H 'Content-Type: application/json' \
    -d "{\"username\": \"admin\", \"password\": \"$LASTSEEN_ADMIN_PASSWORD\"}" | sed 's/.*"access":"\([^"]*\)".*/\1/')
}

# Plans are logged by PostgreSQL for the statements that the API really sends; logging them costs time, so apart.
say 'Plans…'
sql -c "ALTER DATABASE bench SET session_preload_libraries = 'auto_explain'" \
  -c "ALTER DATABASE bench SET auto_explain.log_min_duration = '0'" -c "ALTER DATABASE bench SET auto_explain.log_analyze = 'on'" \
  -c "ALTER DATABASE bench SET auto_explain.log_timing = 'off'"
serve
log_in
: >"$plans"
while IFS='|' read -r what who path more; do
  before=$(stat -c %s "$log")
  # shellcheck disable=SC2086 # words of their own
  ask "$what" "$who" "$path" 1 $more >/dev/null </dev/null
  {
    printf '== %s: %s\n' "$what" "$path"
    # The longest plan of the request's is the page's; without the statements' texts, which are long.
    tail -c "+$((before + 1))" "$log" | awk 'function over() { if (length(block) > length(best)) best = block; block = "" }
      /duration: .* plan:/ { over(); keep = 1; next } /^20/ { keep = 0 } keep && !/Query Text/ { block = block $0 "\n" }
      END { over(); printf "%s", best }' || true
  } >>"$plans"
done < <(questions)
stop
sql -c 'ALTER DATABASE bench RESET ALL'

say 'Asking the API…'
serve
log_in
while IFS='|' read -r what who path more; do
  # shellcheck disable=SC2086 # words of their own
  ask "$what" "$who" "$path" "$requests" $more </dev/null | tee -a "$work/lines" >&2
done < <(questions)
# The longest that Redis was held by one script.
slowest=$(redis-cli -u "$REDIS_URL" INFO commandstats | tr -d '\r' | sed -n 's/^cmdstat_evalsha:\(.*\)/\1/p')
stop
size=$(sql -c "SELECT pg_size_pretty(pg_total_relation_size('accounts') + pg_total_relation_size('presence'))")
{
  printf '{\n  "users": %s, "online": %s, "size": "%s", "make_ms": %s, "project_ms": %s,\n  "reads": [\n' "$users" "$online" "$size" "$made" "$projected"
  sed 's/^/    /; $! s/$/,/' "$work/lines"
  printf '  ],\n  "redis_scripts": "%s",\n  "postgresql": "%s", "cpu": "%s", "cores": %s\n}\n' "$slowest" "$(sql -c 'SHOW server_version')" \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
} >"$out"
say "Numbers: $out$([ -n "$suffix" ] || printf '; plans: %s' "$plans")"
