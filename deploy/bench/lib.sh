# shellcheck shell=bash
# What the benchmarks share; sourced after ../scripts/lib.sh, which has root and scripts.
# shellcheck disable=SC2154,SC2034
bench=$root/deploy/bench
results=$bench/results
# shellcheck disable=SC2034 # read by those that source this
programs=$(target_dir)/release
work=$(mktemp -d)
pids=()
clean_up() {
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean_up EXIT

# Builds the programs, and runs the script again beside private services, unless it already is: alone SCRIPT ARGUMENT… With
# $cluster, a Redis Cluster is among them.
alone() {
  [ -z "${TEST_DATABASE_URL:-}" ] || return 0
  # shellcheck disable=SC2154
  bash "$scripts/setup.sh" test bench
  (cd "$root" && cargo build --release -p lastseen-api -p lastseen-worker -p lastseen-bench)
  rm -rf "$work"
  # As an operator sets it for a million users: PostgreSQL's own guide says a quarter of the memory.
  export POSTGRES_SHARED_BUFFERS=2GB
  exec bash "$scripts/services.sh" with-services --appendonly ${cluster:+--cluster} bash "$bench/$1" "${@:2}"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# A number out of lines of JSON: of NAME.
of() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p"; }

# How many answers were wrong or missing, of what load printed.
wrong() { sed -n 's/.*"not_200": \([0-9]*\), "socket_errors": \([0-9]*\).*/\1 \2/p' | awk '{ n += $1 + $2 } END { print n + 0 }'; }

# The time that a process has had, in milliseconds: its 14th and 15th fields, in hundredths of a second.
cpu_ms() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print ($12 + $13) * 10 }'; }

# Waits until something answers: answers PORT.
answers() {
  until curl -s -o /dev/null "http://127.0.0.1:$1/api/users/heartbeat/"; do sleep 0.2; done
}

# Waits until the stand-alone program's database has followed so many log-ins, ten minutes at the longest: it takes a part of the
# machine as long as it does. until_projected PORT NUMBER
until_projected() {
  local projected=0 waited
  for ((waited = 0; projected < $2 && waited < 600; waited++)); do
    sleep 1
    projected=$(curl -s "http://127.0.0.1:$1/metrics" | awk '/^lastseen_projected_entries_total/ { n += $2 } END { print n + 0 }')
  done
}

# Starts an API: its port in $port, its process in $api.
start_api() {
  port=$(random_port)
  # shellcheck disable=SC2154 # from lib.sh
  LASTSEEN_BIND=127.0.0.1:$port "$programs/lastseen-api" serve >"$work/api.log" 2>&1 &
  api=$!
  pids+=("$api")
  answers "$port"
}

# Sends the heartbeats of $TOKENS for $seconds and prints a line of JSON: load PORT CONNECTIONS. With PACE_US each connection
# waits so long before each heartbeat.
load() {
  # shellcheck disable=SC2154 # the script's own
  wrk -t2 -c"$2" -d"${seconds}s" -s "$bench/wrk/heartbeat.lua" "http://127.0.0.1:$1/" | sed -n 's/^RESULT //p'
}

# How long each connection pauses, in microseconds, so that together they send half of a rate: pause_for RATE CONNECTIONS.
pause_for() { awk -v rate="$1" -v connections="$2" 'BEGIN { printf "%d", connections * 1e6 / (rate / 2) }'; }

# Writes results from standard input, fields without the braces: write NAME NUMBER DEFAULT. Of another number than the
# default they have a file of their own.
write() {
  local file=$results/$1.json
  [ "$2" = "$3" ] || file=$results/$1-$2.json
  mkdir -p "$results"
  {
    printf '{\n'
    cat
    printf '  ,"cpu": "%s", "cores": %s\n}\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)"
  } >"$file"
  say "Numbers: $file"
}
