#!/usr/bin/env bash
# Makes the last stage of deploy/docker/Dockerfile without an engine, and runs the programs in it: of Debian's packages those that
# its base image is made of and no other, so no shell either; the release programs; the folder of data. There they run as the image's
# user on a root that is read-only: lastseen-api standalone starts, is ready, and stops at SIGTERM with 0.
#
#   test-image.sh [FOLDER]     FOLDER has the release programs, target/release without it
#
# Wants root, debootstrap and what it downloads, and half a minute. What the base image adds besides packages is made here by hand, so
# this shows that the libraries are enough, not that the image can be built.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
programs=${1:-$(target_dir)/release}
[ "$(id -u)" = 0 ] || die "it wants root, for a root folder and its mounts."
have debootstrap || die "debootstrap is not installed: apt-get install debootstrap."
for program in lastseen-api lastseen-worker; do
  [ -x "$programs/$program" ] || die "$programs/$program is missing: cargo build --release."
done

# gcr.io/distroless/cc-debian13, by its own lists. ca-certificates gives it its bundle only.
suite=trixie
packages=(base-files netbase tzdata media-types libc6 libssl3t64 libzstd1 zlib1g libgomp1 libstdc++6 libgcc-s1 gcc-14-base)
user=65532

image=$(target_dir)/image
image_root=$image/root
work=$(mktemp -d)
pid=
clean_up() {
  [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null || true
  [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
  rm -rf "$work" "$image_root"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The packages are kept between runs, what is made of them is not.
debs=$image/packages/var/cache/apt/archives
deb_of() { # PACKAGE
  local found=("$debs/$1"_*.deb)
  [ -f "${found[0]}" ] || die "$1 was not downloaded."
  printf '%s\n' "${found[0]}"
}
if [ ! -f "$image/packages/complete" ]; then
  rm -rf "$image"
  mkdir -p "$image"
  include=$(printf '%s,' "${packages[@]}")ca-certificates
  debootstrap --variant=minbase --download-only --include="$include" "$suite" "$image/packages" >"$work/debootstrap.log" 2>&1 ||
    die "debootstrap failed: $(tail -n 3 "$work/debootstrap.log")"
  touch "$image/packages/complete"
fi
rm -rf "$image_root"
mkdir -p "$image_root"
for package in "${packages[@]}"; do
  dpkg-deb -x "$(deb_of "$package")" "$image_root"
done
dpkg-deb -x "$(deb_of ca-certificates)" "$work/authorities"
mkdir -p "$image_root/etc/ssl/certs" "$image_root/proc" "$image_root/dev"
cat "$work"/authorities/usr/share/ca-certificates/mozilla/*.crt >"$image_root/etc/ssl/certs/ca-certificates.crt"
printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%s:%s:nonroot:/home/nonroot:/sbin/nologin\n' $user $user >"$image_root/etc/passwd"
printf 'root:x:0:\nnonroot:x:%s:\n' $user >"$image_root/etc/group"
printf 'hosts: files dns\n' >"$image_root/etc/nsswitch.conf"
install "$programs/lastseen-api" "$programs/lastseen-worker" "$image_root/usr/bin/"
install -d -o $user -g $user "$image_root/data"

# A shell would be more than the image has, and a library of the machine's would be none of the image's.
for shell in bin/sh bin/bash bin/dash; do
  [ ! -e "$image_root/$shell" ] || die "there is a $shell in it."
done

port=$(random_port)
environment=(HOME=/home/nonroot PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
  LASTSEEN_BIND="127.0.0.1:$port" LASTSEEN_WORKER_BIND="127.0.0.1:$((port + 1))" LASTSEEN_BCRYPT_COST=4)
# Mounts of its own, nothing that can be written but /data and /tmp, as --read-only has it, and no rights. It is one process from the
# first command to the program, so the shell that starts it in the background has the program's id.
inside() { # PROGRAM [ARGUMENT...]
  # shellcheck disable=SC2016 # the inner shell's
  exec env -i "${environment[@]}" unshare --mount bash -euc '
    root=$1 user=$2
    shift 2
    mount --bind "$root" "$root"
    mount -t tmpfs -o nosuid,nodev,noexec,mode=1777 tmpfs "$root/tmp"
    mount -t tmpfs -o "nosuid,nodev,noexec,mode=0700,uid=$user,gid=$user" tmpfs "$root/data"
    mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -o remount,bind,ro "$root"
    cd /
    exec setpriv --no-new-privs --bounding-set=-all,+setuid,+setgid,+sys_chroot \
      chroot --userspec="$user:$user" --groups= "$root" "$@"' inside "$image_root" "$user" "$@"
}

say "In the root: ${packages[*]}; $(du -sh "$image_root" | cut -f 1)."
expect "the API's libraries" "lastseen-api" "$( (inside /usr/bin/lastseen-api --version) | cut -d ' ' -f 1)"
expect "a worker's libraries" "lastseen-worker" "$( (inside /usr/bin/lastseen-worker --version) | cut -d ' ' -f 1)"
# As an image that is started without its settings.
code=0
(inside /usr/bin/lastseen-worker) >"$work/worker.log" 2>&1 || code=$?
expect 'a worker without settings ends with' 1 "$code"
grep -q DATABASE_URL "$work/worker.log" || die "it does not say which: $(tail -n 3 "$work/worker.log")"

inside /usr/bin/lastseen-api standalone >"$work/api.log" 2>&1 &
pid=$!
status=000
for _ in {1..150}; do
  status=$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz" || true)
  [ "$status" != 200 ] || break
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.2
done
[ "$status" = 200 ] || die "it is not ready: $(tail -n 5 "$work/api.log")"
expect '/readyz answers' 200 "$status"
expect 'it is' /usr/bin/lastseen-api "$(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1)"
of_process() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$pid/status"; }
expect 'it runs as' "$user $user $user $user" "$(of_process Uid | tr '\t' ' ')"
expect 'its rights' 0000000000000000 "$(of_process CapEff)"
expect 'it may get new ones' no "$([ "$(of_process NoNewPrivs)" = 1 ] && echo no || echo yes)"
expect 'its root is' ro "$(awk -v root="$image_root" '$5 == root || $5 == "/" { split($6, o, ","); found = o[1] } END { print found }' "/proc/$pid/mountinfo")"
expect 'its files are in /data' yes "$([ -s "/proc/$pid/root/data/lastseen.db" ] && echo yes || echo no)"

# As HEALTHCHECK asks. Programs of before that command don't know it.
if (inside /usr/bin/lastseen-api --help) | grep -q healthcheck; then
  code=0
  (inside /usr/bin/lastseen-api healthcheck) || code=$?
  expect 'healthcheck ends with' 0 "$code"
else
  say "Not checked: healthcheck, which this lastseen-api does not have."
fi

kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pid=
expect 'at SIGTERM it ends with' 0 "$code"
if (inside /usr/bin/lastseen-api --help) | grep -q healthcheck; then
  code=0
  (inside /usr/bin/lastseen-api healthcheck) 2>/dev/null || code=$?
  expect 'and healthcheck with' 1 "$code"
fi
say "The last stage has what the programs need."
