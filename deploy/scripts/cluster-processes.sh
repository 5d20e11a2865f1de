#!/usr/bin/env bash
# The programs of `make cluster`: one API and two workers, watched until one dies or a signal comes;
# then the rest is asked to end, too. cluster.sh starts this beside the servers.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ready_seconds=60
stop_seconds=40
programs=$(target_dir)/release

names=()
pids=()
copiers=()

alive() { # PID
  kill -0 "$1" 2>/dev/null
}

random_letters() { # COUNT
  head -c 1024 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c "1-$1"
}

free_port() {
  local port
  port=$(random_port)
  while port_taken "$port"; do
    port=$(random_port)
  done
  printf '%s\n' "$port"
}

# Where this machine reaches a program that binds this address.
reachable() { # HOST:PORT
  local host=${1%:*}
  case $host in
    0.0.0.0 | '[::]') host=127.0.0.1 ;;
  esac
  printf 'http://%s:%s\n' "$host" "${1##*:}"
}

# A program has a session of its own, so that a Ctrl-C reaches this script alone, and is ended by the
# kernel should this script be killed. Whatever prefixes its log goes on until the log has ended.
start() { # NAME COMMAND...
  local name=$1
  shift
  exec 3> >(trap '' INT TERM HUP && exec sed -u "s/^/$(printf '%-9s' "$name")| /")
  copiers+=("$!")
  setsid setpriv --pdeathsig KILL "$@" </dev/null >&3 2>&1 3>&- &
  names+=("$name")
  pids+=("$!")
  exec 3>&-
}

# Asks all programs to end, waits for them, and leaves with this code, or 1 where one ended badly.
stop() { # EXIT_CODE
  local code=$1 i rc deadline=$((SECONDS + stop_seconds))
  trap '' INT TERM HUP
  for i in "${!pids[@]}"; do
    kill -TERM "${pids[i]}" 2>/dev/null || true
  done
  for i in "${!pids[@]}"; do
    while alive "${pids[i]}" && [ $SECONDS -lt $deadline ]; do
      sleep 0.1
    done
    if alive "${pids[i]}"; then
      say "${names[i]} did not end within $stop_seconds seconds and is killed."
      kill -KILL "${pids[i]}" 2>/dev/null || true
    fi
    rc=0
    wait "${pids[i]}" || rc=$?
    if [ $rc -ne 0 ]; then
      say "${names[i]} ended with code $rc."
      code=1
    fi
  done
  # The last lines of the logs, before the prompt is back.
  for i in "${copiers[@]}"; do
    wait "$i" 2>/dev/null || true
  done
  exit "$code"
}

stop_if_one_died() {
  local i
  for i in "${!pids[@]}"; do
    if ! alive "${pids[i]}"; then
      say "${names[i]} died; stopping the rest."
      stop 1
    fi
  done
}

wait_until_ready() { # NAME ADDRESS
  local deadline=$((SECONDS + ready_seconds))
  until curl -fsS --max-time 2 -o /dev/null "$2/readyz" 2>/dev/null; do
    stop_if_one_died
    if [ $SECONDS -ge $deadline ]; then
      say "$1 was not ready within $ready_seconds seconds; stopping."
      stop 1
    fi
    sleep 0.2
  done
}

cd "$root"
export DATABASE_URL=${TEST_DATABASE_URL:?started by cluster.sh} REDIS_URL=${TEST_REDIS_URL:?started by cluster.sh}
LASTSEEN_JWT_SECRET=$(random_letters 48)
LASTSEEN_ADMIN_PASSWORD=$(random_letters 20)
export LASTSEEN_JWT_SECRET LASTSEEN_ADMIN_USERNAME=admin LASTSEEN_ADMIN_PASSWORD

if [ -z "${LASTSEEN_BIND:-}" ]; then
  LASTSEEN_BIND=127.0.0.1:8000
  if port_taken 8000; then
    LASTSEEN_BIND=127.0.0.1:$(free_port)
    say "Port 8000 is taken, the API uses $LASTSEEN_BIND instead."
  fi
fi
export LASTSEEN_BIND
api=$(reachable "$LASTSEEN_BIND")

"$programs/lastseen-api" migrate
trap 'stop 0' INT TERM HUP
start api "$programs/lastseen-api" serve
workers=()
for number in 1 2; do
  bind=127.0.0.1:$(free_port)
  workers+=("http://$bind")
  start "worker-$number" env LASTSEEN_WORKER_BIND="$bind" "$programs/lastseen-worker"
done

wait_until_ready api "$api"
for i in "${!workers[@]}"; do
  wait_until_ready "worker-$((i + 1))" "${workers[i]}"
done
say "
API and page: $api
Workers:      ${workers[*]}
Admin:        $LASTSEEN_ADMIN_USERNAME, password $LASTSEEN_ADMIN_PASSWORD (made for this run)
Ctrl-C ends all.
"

while true; do
  wait -n "${pids[@]}" || true
  stop_if_one_died
done
