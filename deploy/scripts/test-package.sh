#!/usr/bin/env bash
# The Debian package: made of the release programs that are there, looked at by lintian, installed on this machine, started as its
# user beside a private PostgreSQL and Redis, upgraded, removed and purged; nothing of it is left. For root, on a machine that has
# no Lastseen. systemd is not needed and not asked to start anything: its units are checked by systemd-analyze, and the
# programs are started without it, by setpriv with the settings of the file. cargo-deb is compiled where it is missing, into
# target/tools.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
if [ "$(id -u)" != 0 ]; then
  say "The package is not tried out: only root can install it."
  exit 0
fi
have dpkg-shlibdeps || die "dpkg-dev is not installed: it says which libraries the programs need."
for program in lastseen-api lastseen-worker; do
  [ -x "$(target_dir)/release/$program" ] || die "$(target_dir)/release/$program is missing: make build."
done
# What dpkg knows, a user, or settings that somebody wrote.
if dpkg -s lastseen >/dev/null 2>&1 || getent passwd lastseen >/dev/null || getent group lastseen >/dev/null || [ -e /etc/lastseen ]; then
  die "this machine has a Lastseen, which stays as it is."
fi
if [ -z "${TEST_DATABASE_URL:-}" ]; then
  bash "$scripts/setup.sh" test
  exec bash "$scripts/services.sh" with-services --appendonly bash "$scripts/test-package.sh"
fi

deb_version=3.8.0
tools=$root/target/tools
units=(lastseen-api lastseen-worker)
settings=/etc/lastseen/environment
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

# apt reads a package as a user of its own.
work=$(mktemp -d /tmp/lastseen-package.XXXXXX)
chmod 755 "$work"
pids=()
installed=
clean_up() {
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -z "$installed" ] || dpkg --purge lastseen >/dev/null 2>&1 || say "The package could not be purged."
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What dpkg and apt write is of interest where they fail.
quietly() { # COMMAND...
  "$@" >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    die "failed: $*"
  }
}
# All that has the name, dpkg's own notes among it.
traces() {
  find /etc /usr /var/lib -xdev -name '*lastseen*' -not -path "$root/*" | sort
}

# Build.
if ! "$tools/bin/cargo-deb" --version >/dev/null 2>&1; then
  say "cargo-deb is compiled into $tools, which takes some minutes."
  nice -n 15 cargo install --quiet --locked -j1 --root "$tools" --version "$deb_version" cargo-deb
fi
package=$work/lastseen.deb
"$tools/bin/cargo-deb" --no-build --no-strip -p lastseen-api -o "$package" >/dev/null
version=$(dpkg-deb -f "$package" Version)
say "made $(dpkg-deb -f "$package" Package) $version, $(du -h "$package" | cut -f 1), which needs $(dpkg-deb -f "$package" Depends)"

# lintian reports, and fails nothing. What is known, and why it stays:
known=(
  description-starts-with-package-name # it is the description of the crate
  no-changelog                         # CHANGELOG.md is the one there is; it is no Debian changelog
  wrong-name-for-upstream-changelog    # and keeps its name, which links in it go by
  unstripped-binary-or-object          # backtraces name functions
  no-manual-page                       # --help and docs/ are the manual
  non-standard-file-perm               # the settings hold a secret
)
if ! have lintian; then
  say "lintian is installed, which looks at the package."
  bash "$scripts/apt-install.sh" lintian || true
fi
if have lintian; then
  tags=$(IFS=, && printf '%s' "${known[*]}")
  lintian --allow-root --no-cfg --suppress-tags "$tags" "$package" >"$work/lintian" 2>&1 || true
  if [ -s "$work/lintian" ]; then
    say "lintian, beside what is known:"
    cat "$work/lintian" >&2
  else
    say "lintian: nothing beside what is known (${known[*]})"
  fi
else
  say "Not run: lintian, which could not be installed."
fi

# Install.
before=$(traces)
installed=yes
quietly apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$package"
grep -q 'Lastseen is not started yet: fill in' "$work/log" || die "the installation does not say what is to be done."
say "installed; it says: $(grep 'Lastseen is not started yet' "$work/log")"
expect 'the user' lastseen:lastseen:/nonexistent:/usr/sbin/nologin \
  "$(id -un lastseen):$(id -gn lastseen):$(getent passwd lastseen | cut -d : -f 6,7)"
[ "$(id -u lastseen)" -lt 1000 ] || die "the user is not a system user."
owned() { stat -c '%a %U:%G' "$1"; }
expect /etc/lastseen '750 root:lastseen' "$(owned /etc/lastseen)"
expect $settings '640 root:lastseen' "$(owned $settings)"
for unit in "${units[@]}"; do
  expect "/usr/bin/$unit" '755 root:root' "$(owned "/usr/bin/$unit")"
  expect "/usr/lib/systemd/system/$unit.service" '644 root:root' "$(owned "/usr/lib/systemd/system/$unit.service")"
done
expect 'documents' 'CHANGELOG.md README.md copyright ' "$(find /usr/share/doc/lastseen -type f -printf '%f\n' | LC_ALL=C sort | tr '\n' ' ')"
expect 'what lastseen-api says it is' "lastseen-api ${version%-*}" "$(lastseen-api --version)"
quietly dpkg --verify lastseen

# The units.
if have systemd-analyze; then
  for unit in "${units[@]}"; do
    systemd-analyze verify --man=no "/usr/lib/systemd/system/$unit.service" >"$work/verify" 2>&1 || {
      cat "$work/verify" >&2
      die "$unit.service is not as systemd wants it."
    }
    say "systemd-analyze verify $unit.service: nothing wrong"
    say "systemd-analyze security: $(systemd-analyze security --offline=true --no-pager "/usr/lib/systemd/system/$unit.service" | sed -n 's/^.*Overall exposure level for //p')"
  done
else
  say "Not run: systemd-analyze, which is not installed."
fi
if have systemctl; then
  for unit in "${units[@]}"; do
    expect "$unit.service after the installation" disabled "$(systemctl is-enabled "$unit.service" 2>/dev/null || true)"
  done
fi

# As the unit starts it: the user, the settings of the file and no others, no rights beyond.
as_user() { # PROGRAM ARGUMENT...
  local values
  mapfile -t values < <(grep -E '^[A-Z_]+=.' $settings)
  cd /
  exec env -i "${values[@]}" setpriv --reuid lastseen --regid lastseen --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    --pdeathsig TERM "$@"
}
rc=0
(as_user /usr/bin/lastseen-api serve) >"$work/log" 2>&1 || rc=$?
if [ $rc = 0 ] || ! grep -q LASTSEEN_JWT_SECRET "$work/log"; then
  die "without settings the API ought to say what is missing."
fi
say "without settings the API does not start, and names what is missing"

api=127.0.0.1:$(random_port) worker=127.0.0.1:$(random_port)
sed -i -e "s|^DATABASE_URL=.*|DATABASE_URL=$TEST_DATABASE_URL|; s|^REDIS_URL=.*|REDIS_URL=$TEST_REDIS_URL|" \
  -e "s|^LASTSEEN_JWT_SECRET=.*|LASTSEEN_JWT_SECRET=$(head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n')|" \
  -e "s|^#LASTSEEN_BIND=.*|LASTSEEN_BIND=$api|; s|^#LASTSEEN_WORKER_BIND=.*|LASTSEEN_WORKER_BIND=$worker|" \
  -e "s|^#LASTSEEN_ADMIN_USERNAME=|LASTSEEN_ADMIN_USERNAME=|; s|^#LASTSEEN_ADMIN_PASSWORD=.*|LASTSEEN_ADMIN_PASSWORD=correct horse battery staple|" $settings
expect 'the settings, filled in' '640 root:lastseen' "$(owned $settings)"

wait_until_ready() { # NAME PID ADDRESS
  local deadline=$((SECONDS + 60))
  until curl -fsS -m 2 -o /dev/null "http://$3/readyz" 2>/dev/null; do
    if ! kill -0 "$2" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
      tail -n 20 "$work/$1.log" >&2
      die "$1 did not get ready."
    fi
    sleep 0.2
  done
}
start_both() {
  (as_user /usr/bin/lastseen-api serve) >"$work/api.log" 2>&1 &
  pids+=("$!")
  (as_user /usr/bin/lastseen-worker) >"$work/worker.log" 2>&1 &
  pids+=("$!")
  wait_until_ready api "${pids[0]}" "$api"
  wait_until_ready worker "${pids[1]}" "$worker"
  expect 'the programs run as' 'lastseen lastseen' "$(ps -o user= -p "${pids[0]}" | tr -d ' ') $(ps -o user= -p "${pids[1]}" | tr -d ' ')"
  expect '/readyz of the API' '"status":"ready"' "$(curl -sS "http://$api/readyz" | grep -o '"status":"[a-z]*"')"
  expect '/readyz of the worker' '"status":"ready"' "$(curl -sS "http://$worker/readyz" | grep -o '"status":"[a-z]*"')"
}
stop_both() {
  local pid code codes=
  for pid in "${pids[@]}"; do kill -TERM "$pid"; done
  for pid in "${pids[@]}"; do
    code=0
    wait "$pid" || code=$?
    codes+="$code "
  done
  pids=()
  expect 'both end on SIGTERM with' '0 0 ' "$codes"
}
start_both
expect 'the admin logs in' 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
  -d '{"username": "admin", "password": "correct horse battery staple"}' "http://$api/api/users/login/")"
stop_both

# What the package asks of systemd: dpkg runs as if systemd did, with a systemctl that writes down what it is asked, in a mount
# namespace. So no real systemd starts anything either.
asked=$work/asked
wants=/etc/systemd/system/multi-user.target.wants
mkdir "$work/bin"
cat >"$work/bin/systemctl" <<END
#!/bin/sh
for unit; do :; done
case "\$*" in
  *is-enabled*) if [ -L "$wants/\$unit" ]; then echo enabled; else echo disabled; fi ;;
  *is-active*) exit 3 ;;
  *) echo "\$*" >>"$asked" ;;
esac
END
chmod 755 "$work/bin/systemctl"
cat >"$work/as-if" <<END
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/lock
[ ! -e /usr/sbin/policy-rc.d ] || mount --bind /dev/null /usr/sbin/policy-rc.d
export PATH="$work/bin:\$PATH"
exec "\$@"
END
as_if=()
if have systemctl && unshare --mount true 2>/dev/null; then
  as_if=(unshare --mount sh "$work/as-if")
else
  say "Not run: what is asked of systemd, for want of systemctl or the right to mount."
fi
asks() { # WHEN WANTED
  [ ${#as_if[@]} = 0 ] || expect "systemctl is asked $1" "$2" "$(tr '\n' ';' <"$asked")"
  rm -f "$asked"
}

# Upgrade, to a package whose settings are others: what was filled in stays, and the new ones lie beside it.
mkdir "$work/next"
dpkg-deb -R "$package" "$work/next/tree"
sed -i "s|^Version: .*|Version: $version+next|" "$work/next/tree/DEBIAN/control"
echo '# A line more.' >>"$work/next/tree$settings"
dpkg-deb -Zgzip -z1 --root-owner-group -b "$work/next/tree" "$work/next.deb" >/dev/null
filled=$(sha256sum <$settings | cut -c 1-16)
quietly "${as_if[@]}" dpkg --install "$package"
asks 'where nothing is enabled or runs' '--system daemon-reload;'
expect 'installed once more, the settings' "$filled" "$(sha256sum <$settings | cut -c 1-16)"
! grep -q 'not started yet' "$work/log" || die "an installation with settings asks for them."
[ ${#as_if[@]} = 0 ] || quietly systemctl enable "${units[@]}"
quietly "${as_if[@]}" dpkg --force-confold --install "$work/next.deb"
asks 'by an upgrade' '--system daemon-reload;--quiet --system restart lastseen-api.service lastseen-worker.service;'
expect 'the version after the upgrade' "$version+next" "$(dpkg-query -f '${Version}' -W lastseen)"
expect 'the settings after the upgrade' "$filled" "$(sha256sum <$settings | cut -c 1-16)"
expect 'their mode' '640 root:lastseen' "$(owned $settings)"
expect 'the new ones beside it' '# A line more.' "$(tail -n 1 $settings.dpkg-dist)"
[ "$(stat -c %a $settings.dpkg-dist)" = 640 ] || die "$settings.dpkg-dist can be read by anybody."
start_both
stop_both

# Remove and purge.
quietly "${as_if[@]}" dpkg --remove lastseen
asks 'by a removal' 'stop lastseen-api.service lastseen-worker.service;--system daemon-reload;'
expect 'removed, the settings' "$filled" "$(sha256sum <$settings | cut -c 1-16)"
if [ -e /usr/bin/lastseen-api ] || [ -e /usr/lib/systemd/system/lastseen-api.service ]; then
  die "removed, but programs or units are left."
fi
getent passwd lastseen >/dev/null || die "removing took the user away, whom the settings belong to."
quietly dpkg --purge lastseen
expect 'purged, of user, group and settings are left' 0 \
  "$( (getent passwd lastseen; getent group lastseen; ls -d /etc/lastseen 2>/dev/null) | wc -l)"
! dpkg -s lastseen >/dev/null 2>&1 || die "dpkg knows the package still."
installed=
after=$(traces)
[ "$before" = "$after" ] || {
  diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") >&2 || true
  die "something is left."
}
say "nothing is left."
say "The package is as it should be."
