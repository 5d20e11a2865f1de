# shellcheck shell=bash
# What the scripts of this folder share. It is sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # read by those that source this
scripts=$root/deploy/scripts

# The oldest Node.js that builds the page.
# shellcheck disable=SC2034
needed_node=20

# rustup's own folder is on the PATH of a login shell only; a CI runner has none.
if ! command -v cargo >/dev/null 2>&1; then
  PATH=$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
fi

# Messages go to stderr, so that stdout stays the output of the command that was asked for.
say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "${0##*/}: $*"
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# The folder of PostgreSQL's server programs: of those on the PATH (a link is followed), else the newest
# where Debian keeps them.
postgres_bin() {
  local program
  for program in "$(command -v initdb)" "$(printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)"; do
    program=$(readlink -f "$program") || continue
    if [ -x "$program" ] && [ -x "${program%/*}/postgres" ] && [ -x "${program%/*}/pg_isready" ]; then
      printf '%s\n' "${program%/*}"
      return 0
    fi
  done
  return 1
}

# The major version of Node.js, or 0 where there is none.
node_major() {
  local version
  version=$(node --version 2>/dev/null) || version=v0
  version=${version#v}
  printf '%s\n' "${version%%.*}"
}

# The folder `cargo build` writes to.
target_dir() {
  printf '%s\n' "${CARGO_TARGET_DIR:-$root/target}"
}

# A random port below the range the kernel gives to outgoing connections. Whether it is free, the
# program that binds it finds out.
random_port() {
  printf '%s\n' $((20000 + RANDOM % 12000))
}

# Whether something listens on this port of loopback.
port_taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# Starts the stand-alone program (of LASTSEEN_API_BIN, else target/debug) for a check, with a port and a folder of its own and these
# settings, and waits until it is ready. It ends with the script. Sets work (a folder that is gone then too), port, base, and api, its
# id. What else the check starts it adds to children, and that ends with the script as well.
start_standalone() { # NAME=VALUE...
  local program=${LASTSEEN_API_BIN:-$(target_dir)/debug/lastseen-api}
  [ -x "$program" ] || die "$program is missing: cargo build."
  work=$(mktemp -d)
  children=()
  trap end_children EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  port=$(random_port)
  base=http://127.0.0.1:$port
  mkdir "$work/data"
  env -i PATH="$PATH" HOME="$HOME" DATABASE_URL="sqlite://$work/data/lastseen.db" LASTSEEN_BIND="127.0.0.1:$port" \
    LASTSEEN_BCRYPT_COST=4 RUST_LOG=warn "$@" setpriv --pdeathsig TERM "$program" standalone >"$work/api.log" 2>&1 &
  api=$!
  children+=("$api")
  for _ in {1..100}; do
    ! curl -fs -o /dev/null "$base/readyz" || return 0
    kill -0 "$api" 2>/dev/null || die "the API did not start: $(tail -n 3 "$work/api.log")"
    sleep 0.1
  done
  die "the API was not ready in time."
}

end_children() {
  local child
  for child in "${children[@]}"; do kill -TERM "$child" 2>/dev/null || true; done
  for child in "${children[@]}"; do wait "$child" 2>/dev/null || true; done
  rm -rf "$work"
}

# Of a check with start_standalone: the program has logged nothing that somebody would have to look at.
expect_no_errors() {
  ! grep -E 'panicked|ERROR' "$work/api.log" >&2 || die "the API's log has errors."
}

expect() { # WHAT WANTED FOUND
  [ "$2" = "$3" ] || die "$1: wanted $2, found $3."
  say "$1: $3"
}
