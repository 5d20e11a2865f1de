#!/usr/bin/env bash
# Runs a command beside a private PostgreSQL and a private Redis:
#
#   services.sh with-services [--appendonly] [--cluster] [--small-disk] COMMAND...
#
# Both listen on free ports of loopback, keep their data in a temporary folder and are gone when the
# command has ended, whichever way it ended; its exit code is passed on. The command finds them by
#
#   TEST_DATABASE_URL           postgres://postgres@127.0.0.1:PORT/postgres
#   TEST_REDIS_URL              redis://127.0.0.1:PORT
#   TEST_REDIS_CLUSTER_URL      redis://127.0.0.1:PORT,redis://127.0.0.1:PORT,redis://127.0.0.1:PORT
#   LASTSEEN_TEST_REDIS_SERVER  the redis-server program, for a test that needs a Redis of its own
#   LASTSEEN_TEST_POSTGRES_BIN  the folder of PostgreSQL's programs, for one that makes a backup
#   LASTSEEN_TEST_FAKETIME      libfaketime, where it is installed, for one whose programs' clocks differ
#   TEST_SMALL_TABLESPACE       with --small-disk, a place for tables on a disk of 64 MB: for root alone
#
# PostgreSQL has POSTGRES_SHARED_BUFFERS of memory of its own (128MB). With --appendonly Redis writes its
# append-only file, as an installation does; with --cluster there is a Redis Cluster of three masters too. The
# command has no terminal to read from: it runs in a process group of its own, so that a signal can end all of it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

attempts=10
ready_seconds=60

dir=
postgres_pid=
redis_pid=
cluster_pids=()
command_group=
signals=0
interrupted=
small_disk_at=

# PostgreSQL refuses to run as root. Should this script be killed, the kernel ends the servers (INT
# is a fast, orderly stop for both); a session of their own keeps a Ctrl-C for the command from them.
server=(setpriv --pdeathsig INT)
if [ "$(id -u)" = 0 ]; then
  user=$(id -un postgres 2>/dev/null) || user=nobody
  server+=(--reuid "$user" --regid "$(id -g "$user")" --clear-groups)
fi

alive() { # PID, or -GROUP
  [ -n "${1#-}" ] && kill -0 -- "$1" 2>/dev/null
}

# Asks the process, or the group, to end: one signal after the other, ten seconds each.
end() { # PID|-GROUP SIGNAL...
  local target=$1 signal
  shift
  for signal; do
    alive "$target" || return 0
    kill -s "$signal" -- "$target" 2>/dev/null || true
    for _ in {1..100}; do
      alive "$target" || return 0
      sleep 0.1
    done
  done
}

clean_up() {
  trap '' INT TERM HUP
  end "-$command_group" TERM KILL
  end "$redis_pid" INT KILL
  for pid in "${cluster_pids[@]}"; do end "$pid" INT KILL; done
  end "$postgres_pid" INT QUIT KILL
  [ -z "$small_disk_at" ] || umount "$small_disk_at"
  [ -z "$dir" ] || rm -rf "$dir"
}

# The first signal is passed on to the command, which may need time to end; a second one kills it.
on_signal() { # SIGNAL EXIT_CODE
  signals=$((signals + 1))
  interrupted=yes
  [ -n "$command_group" ] || exit "$2"
  if [ $signals -eq 1 ]; then
    kill -s "$1" -- "-$command_group" 2>/dev/null || true
  else
    kill -s KILL -- "-$command_group" 2>/dev/null || true
  fi
}

make_dir() {
  dir=$(mktemp -d "${TMPDIR:-/tmp}/lastseen-services.XXXXXX")
  chmod 711 "$dir"
  # A TMPDIR below a private folder is closed to the servers' user.
  if ! "${server[@]}" test -x "$dir/."; then
    rmdir "$dir"
    dir=$(mktemp -d /tmp/lastseen-services.XXXXXX)
    chmod 711 "$dir"
  fi
  mkdir -m 700 "$dir/postgres" "$dir/redis"
  [ -z "${user:-}" ] || chown "$user" "$dir/postgres" "$dir/redis"
}

# Starts a server in the background, its own pid in $!. Its log also is what tells why it didn't start.
start() { # LOG PROGRAM ARGUMENT...
  local log=$1
  shift
  (cd "$dir" && exec setsid "${server[@]}" "$@" </dev/null >>"$log" 2>&1) &
}

wait_until() { # PID CHECK ARGUMENT...
  local pid=$1 deadline=$((SECONDS + ready_seconds))
  shift
  until "$@"; do
    alive "$pid" && [ $SECONDS -lt $deadline ] || return 1
    sleep 0.1
  done
}

give_up() { # SERVER LOG
  tail -n 15 "$2" >&2
  die "$1 did not start; the lines above are the end of its log."
}

# Both checks first look at the server's own files: another server could answer on a port that was taken.
postgres_answers() { # BIN PORT
  grep -qs '^ready' "$dir/postgres/postmaster.pid" && "$1/pg_isready" -q -h 127.0.0.1 -p "$2"
}

redis_answers() { # PORT
  local answer
  grep -qs 'Ready to accept connections' "$dir/redis.log" || return 1
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'PING\r\n' >&3
  IFS= read -r -t 5 answer <&3 || answer=
  exec 3>&-
  [ "$answer" = $'+PONG\r' ]
}

start_postgres() {
  local bin port log=$dir/postgres.log
  bin=$(postgres_bin) || die "PostgreSQL's server is not installed: run deploy/scripts/setup.sh test."
  (cd "$dir" && "${server[@]}" "$bin/initdb" --pgdata "$dir/postgres" --username postgres --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-sync) >"$log" 2>&1 || give_up PostgreSQL "$log"
  # A server that ended at once most likely found its port taken; one that is slow gains nothing from another.
  for ((i = 0; i < attempts; i++)); do
    port=$(random_port)
    # Nothing here outlives the run, so that nothing need reach the disk.
    start "$log" "$bin/postgres" -D "$dir/postgres" -p "$port" -c listen_addresses=127.0.0.1 \
      -c unix_socket_directories= -c max_connections=300 -c shared_buffers="${POSTGRES_SHARED_BUFFERS:-128MB}" \
      -c fsync=off -c synchronous_commit=off -c full_page_writes=off
    postgres_pid=$!
    if wait_until "$postgres_pid" postgres_answers "$bin" "$port"; then
      export TEST_DATABASE_URL="postgres://postgres@127.0.0.1:$port/postgres" LASTSEEN_TEST_POSTGRES_BIN="$bin"
      return
    fi
    ! alive "$postgres_pid" || break
  done
  give_up PostgreSQL "$log"
}

# A disk that is soon full, and a tablespace on it. What PostgreSQL logs ahead is elsewhere: without room for that it stops.
make_small_disk() {
  local place=$dir/small
  mkdir "$place"
  mount -t tmpfs -o size=64m,mode=700 tmpfs "$place" || die "a small disk can't be mounted: that is for root alone."
  small_disk_at=$place
  chown "${user:-$(id -un)}" "$place"
  "$LASTSEEN_TEST_POSTGRES_BIN/psql" -qX "$TEST_DATABASE_URL" -c "CREATE TABLESPACE small LOCATION '$place'"
  export TEST_SMALL_TABLESPACE=small
}

# Debian's library is where its own wrapper looks.
find_faketime() {
  local found
  found=$(find /usr/lib /usr/local/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
  [ -z "$found" ] || export LASTSEEN_TEST_FAKETIME="$found"
}

start_redis() { # yes|no: the append-only file
  local port program log=$dir/redis.log
  program=$(command -v redis-server) || die "Redis is not installed: run deploy/scripts/setup.sh test."
  for ((i = 0; i < attempts; i++)); do
    port=$(random_port)
    : >"$log"
    start "$log" "$program" --port "$port" --bind 127.0.0.1 --dir "$dir/redis" --save '' --appendonly "$1"
    redis_pid=$!
    if wait_until "$redis_pid" redis_answers "$port"; then
      export TEST_REDIS_URL="redis://127.0.0.1:$port" LASTSEEN_TEST_REDIS_SERVER="$program"
      return
    fi
    ! alive "$redis_pid" || break
  done
  give_up Redis "$log"
}

cluster_is() { # CHECK PORT...
  local check=$1 port
  shift
  for port; do
    redis-cli -p "$port" CLUSTER INFO 2>/dev/null | grep -qE "$check" || return 1
  done
}

# Three masters with a third of the slots each. Their ports among each other are 10,000 above.
start_redis_cluster() {
  local program port ports log
  program=$(command -v redis-server)
  for ((i = 0; i < attempts; i++)); do
    ports=()
    for n in 1 2 3; do
      port=$(random_port)
      log=$dir/cluster-$i-$n.log
      mkdir -p "$dir/cluster-$i-$n"
      [ -z "${user:-}" ] || chown "$user" "$dir/cluster-$i-$n"
      start "$log" "$program" --port "$port" --bind 127.0.0.1 --dir "$dir/cluster-$i-$n" --save '' --appendonly no \
        --cluster-enabled yes --cluster-node-timeout 2000 --cluster-config-file nodes.conf
      cluster_pids+=("$!")
      ports+=("$port")
    done
    if wait_until "${cluster_pids[-1]}" cluster_is cluster_state "${ports[@]}" &&
      redis-cli --cluster create "${ports[@]/#/127.0.0.1:}" --cluster-yes >"$dir/cluster.log" 2>&1 &&
      wait_until "${cluster_pids[-1]}" cluster_is cluster_state:ok "${ports[@]}"; then
      export TEST_REDIS_CLUSTER_URL="redis://127.0.0.1:${ports[0]},redis://127.0.0.1:${ports[1]},redis://127.0.0.1:${ports[2]}"
      return
    fi
    for pid in "${cluster_pids[@]}"; do end "$pid" KILL; done
    cluster_pids=()
  done
  give_up "The Redis Cluster" "$log"
}

# In the background, so that a signal is heard at once; job control makes it the leader of a group.
run() {
  local rc
  set -m
  setpriv --pdeathsig TERM "$@" </dev/null &
  command_group=$!
  set +m
  while true; do
    interrupted=
    rc=0
    wait "$command_group" || rc=$?
    [ -n "$interrupted" ] || return $rc
  done
}

usage='usage: services.sh with-services [--appendonly] [--cluster] [--small-disk] COMMAND...'
[ "${1:-}" = with-services ] || die "$usage"
shift
appendonly=no cluster=no small_disk=no
while true; do
  case ${1:-} in
    --appendonly) appendonly=yes ;;
    --cluster) cluster=yes ;;
    --small-disk) small_disk=yes ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || die "$usage"

trap clean_up EXIT
trap 'on_signal INT 130' INT
trap 'on_signal TERM 143' TERM
trap 'on_signal HUP 129' HUP

# A developer's own settings for PostgreSQL's clients would lead them elsewhere.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGPASSWORD PGDATABASE PGDATA PGOPTIONS PGSERVICE
make_dir
start_postgres
[ $small_disk = no ] || make_small_disk
find_faketime
start_redis "$appendonly"
[ $cluster = no ] || start_redis_cluster
say "PostgreSQL: $TEST_DATABASE_URL, Redis: $TEST_REDIS_URL${TEST_REDIS_CLUSTER_URL:+, Cluster: $TEST_REDIS_CLUSTER_URL}"
run "$@"
