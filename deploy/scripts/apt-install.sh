#!/usr/bin/env bash
# Installs Debian packages, as root: apt-install.sh [PACKAGE...]. Without a package it only refreshes
# the lists. Servers among the packages are neither started nor set to start with the machine: the
# scripts here start servers of their own, and a developer's machine keeps its ports.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

policy=/usr/sbin/policy-rc.d
saved=$policy.before-lastseen
mark='# lastseen: no service starts while packages are installed'
wait_seconds=120

# Puts back the policy that was there. Also after a run that was killed, hence the mark.
restore_policy() {
  if [ -e "$policy" ] && grep -qF "$mark" "$policy"; then
    rm -f "$policy"
  fi
  if [ -e "$saved" ]; then
    mv -f "$saved" "$policy"
  fi
}

forbid_starts() {
  restore_policy
  trap restore_policy EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  if [ -e "$policy" ]; then
    mv -f "$policy" "$saved"
  fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy.new"
  chmod 755 "$policy.new"
  mv -f "$policy.new" "$policy"
}

# apt waits by itself for the lock of dpkg, but not for those of its lists and downloads.
apt() {
  local log rc deadline=$((SECONDS + wait_seconds))
  log=$(mktemp)
  while true; do
    rc=0
    LC_ALL=C apt-get -qq -o DPkg::Lock::Timeout=$wait_seconds -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 </dev/null || rc=$?
    if [ $rc -eq 0 ] || [ $SECONDS -ge $deadline ] || ! grep -qE 'Could not get lock|Unable to lock' "$log"; then
      break
    fi
    sleep 2
  done
  [ $rc -eq 0 ] || tail -n 15 "$log" >&2
  rm -f "$log"
  return $rc
}

# Works without systemd too: it only removes the links of the units.
disable_new_services() {
  local package unit systemctl
  systemctl=$(command -v systemctl) || return 0
  for package; do
    case $package in
      redis-server) unit=redis-server.service ;;
      postgresql) unit=postgresql.service ;;
      *) continue ;;
    esac
    "$systemctl" disable "$unit" >/dev/null 2>&1 || true
  done
}

# One run at a time: two would each take the other's policy for the one to put back.
exec 9>/run/lastseen-setup.lock
flock -w 600 9 || {
  echo "apt-install.sh: another setup has been installing for ten minutes; try again when it is done." >&2
  exit 1
}

apt update || echo "Warning: the package lists could not be refreshed; going on with those that are here." >&2
if [ $# -gt 0 ]; then
  forbid_starts
  apt install -y --no-install-recommends "$@" || {
    echo "apt-install.sh: apt-get could not install: $*" >&2
    exit 1
  }
  disable_new_services "$@"
fi
