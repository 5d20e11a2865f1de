#!/usr/bin/env bash
# How heartbeats spread over the masters of a Redis Cluster:
#
#   cluster.sh [SESSIONS]      100,000 without it
#
# Three masters, LASTSEEN_SHARDS=48; wrk sends heartbeats of all sessions, one after the other. For each master: its part of the
# heartbeats' commands, of the sessions, and of the processor's time. Writes deploy/bench/results/cluster.json.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
sessions=${1:-100000}
seconds=${LOAD_SECONDS:-8}
timeout=7200
cluster=yes alone cluster.sh "$sessions"

export LASTSEEN_JWT_SECRET=benchmarks-need-no-secret-of-their-own RUST_LOG=warn TOKENS=$work/tokens LASTSEEN_SHARDS=48
export LASTSEEN_ACCESS_TTL=1d LASTSEEN_INACTIVITY_TIMEOUT=${timeout}s LASTSEEN_TIMEOUT_MAX=$((timeout * 2))s
export REDIS_URL=$TEST_REDIS_CLUSTER_URL DATABASE_URL=${TEST_DATABASE_URL%/*}/cluster
"$(postgres_bin)/psql" -qX "$TEST_DATABASE_URL" -c 'CREATE DATABASE cluster'
say "$sessions sessions on a Cluster of three…"
"$programs/lastseen-bench" crowd --count "$sessions" --timeout "$timeout"
"$programs/lastseen-bench" tokens --count "$sessions" --timeout "$timeout" >"$TOKENS"
start_api
load "$port" 64 >/dev/null
IFS=, read -ra masters <<<"$TEST_REDIS_CLUSTER_URL"
for master in "${masters[@]}"; do redis-cli -u "$master" CONFIG RESETSTAT >/dev/null; done
loaded=$(load "$port" 64)
say "  $loaded"
: >"$work/lines"
for master in "${masters[@]}"; do
  commands=$(redis-cli -u "$master" INFO commandstats | tr -d '\r' | sed -n 's/^cmdstat_evalsha:calls=\([0-9]*\),usec=\([0-9]*\).*/\1 \2/p')
  held=$(redis-cli -u "$master" --scan --pattern '*:groups' | while read -r key; do redis-cli -u "$master" HGET "$key" n; done | awk '{ n += $1 } END { print n + 0 }')
  shards=$(redis-cli -u "$master" --scan --pattern '*:deadlines' | wc -l)
  printf '{"shards": %s, "sessions": %s, "script_calls": %s, "script_us": %s}\n' "$shards" "$held" "${commands% *}" "${commands#* }" | tee -a "$work/lines" >&2
done

write cluster "$sessions" 100000 <<END
  "sessions": $sessions, "shards": $LASTSEEN_SHARDS, "heartbeats": $loaded,
  "masters": [
$(sed 's/^/    /; $! s/$/,/' "$work/lines")
  ]
END
