#!/usr/bin/env bash
# Makes a Debian or Ubuntu machine ready: setup.sh [build|test|page|bench]...
#
#   build  what the workspace needs to compile
#   test   the same, and the servers and the browser the tests start
#   page   Node.js, where there is a page to build
#   bench  wrk, which the benchmarks load with
#
# Without an argument all but the last. Only what is missing is installed; it asks nothing.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

packages=()
reasons=()

need() { # PACKAGE REASON
  packages+=("$1")
  reasons+=("  $1: $2")
}

# A toolchain is the reader's to choose; this script never downloads one.
check_rust() {
  local wanted found
  found=$(cargo --version 2>/dev/null) ||
    die "Rust is not installed: install it as https://rustup.rs says, then run this again."
  found=${found#cargo }
  found=${found%% *}
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    die "Rust $found is too old, this project needs $wanted: run 'rustup update stable', then run this again."
  fi
}

compiles_c() {
  printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -x c - -o /dev/null 2>/dev/null
}

has_openssl() {
  [ -n "${OPENSSL_DIR:-}" ] || pkg-config --exists openssl 2>/dev/null
}

has_certificates() {
  [ -n "${SSL_CERT_FILE:-}" ] || [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ]
}

# SQLite and libpq are compiled from the sources their crates bring along, libpq with OpenSSL.
list_build_needs() {
  compiles_c || need build-essential "a C compiler, for the bundled SQLite and libpq"
  has_openssl || {
    have pkg-config || need pkg-config "finds OpenSSL for the bundled libpq"
    need libssl-dev "OpenSSL's headers, for the bundled libpq"
  }
  has_certificates || need ca-certificates "cargo's downloads from crates.io"
}

list_test_needs() {
  have redis-server || need redis-server "the tests start their own Redis"
  postgres_bin >/dev/null || need postgresql "the tests start their own PostgreSQL"
  [ -n "$(find /usr/lib /usr/local/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)" ] ||
    need libfaketime "some tests' programs have clocks that differ"
  have c++ || need g++ "libFuzzer is built of C++"
  have curl || need curl "asks the programs whether they are ready"
  if [ -f "$root/web/package.json" ] && [ "$(node_major)" -ge "$needed_node" ]; then
    have chromium || {
      need chromium "the page is tested in a browser"
      need fonts-noto-color-emoji "emoji in pictures of the page"
    }
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

may_install() {
  have apt-get && { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
}

install_missing() {
  [ ${#packages[@]} -gt 0 ] || return 0
  may_install ||
    die "no apt-get, or neither root nor sudo without a password; install these yourself: ${packages[*]}"
  say "Installing what is missing:"
  printf '%s\n' "${reasons[@]}" >&2
  as_root bash "$scripts/apt-install.sh" "${packages[@]}"
}

# The page is optional: a machine that can't build it still gets everything else.
set_up_page() {
  local offered
  [ -f "$root/web/package.json" ] || return 0
  if ! have node && may_install; then
    # A fresh machine has no package lists, and an older release offers a Node.js that is too old.
    offered=$(offered_node)
    [ "$offered" -gt 0 ] || { as_root bash "$scripts/apt-install.sh" && offered=$(offered_node); }
    if [ "$offered" -ge "$needed_node" ]; then
      packages=(nodejs npm)
      reasons=("  nodejs, npm: build the page in web/")
      install_missing
      hash -r
    fi
  fi
  if [ "$(node_major)" -lt "$needed_node" ] || ! have npm; then
    say "Warning: the page is skipped, it needs Node.js $needed_node or newer with npm (https://nodejs.org)."
  fi
}

# The major version of the Node.js that apt offers, or 0.
offered_node() {
  local version
  version=$(LC_ALL=C apt-cache policy nodejs 2>/dev/null | sed -n 's/^ *Candidate: //p')
  version=${version#*:}
  version=${version%%.*}
  case $version in
    '' | *[!0-9]*) echo 0 ;;
    *) echo "$version" ;;
  esac
}

[ $# -gt 0 ] || set -- test page
build='' services='' page='' load=''
for part; do
  case $part in
    build) build=yes ;;
    test) build=yes services=yes ;;
    page) page=yes ;;
    bench) load=yes ;;
    *) die "usage: setup.sh [build|test|page|bench]..." ;;
  esac
done
check_rust
[ -z "$build" ] || list_build_needs
[ -z "$services" ] || list_test_needs
[ -z "$load" ] || have wrk || need wrk "loads the API with heartbeats"
install_missing
[ -z "$page" ] || set_up_page
