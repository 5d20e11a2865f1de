#!/usr/bin/env bash
# Holds what deploy/prometheus and deploy/grafana have, and the table of metrics in docs/OPERATIONS.md, against the program
# itself. The stand-alone program of target/debug (or of LASTSEEN_API_BIN) runs on a port and a folder of its own, and does a bit
# of everything, so that each metric has a value: then
#
# - promtool checks the rules, runs their tests, checks the configuration and what the program shows;
# - check-monitoring.py compares names and labels, finds each alert's entry in the document, and collects the dashboard's queries,
#   which promtool reads;
# - a Prometheus reads the program by that configuration, and is asked each of those queries; no alert is to fire.
#
# promtool and prometheus are those on the PATH where both are there. Else Debian's package is unpacked into target/tools: nothing
# is installed, and no service is started. Where it can't be fetched, only the comparison is made.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
check=$scripts/check-monitoring.py

# Times are short, so that a session falls silent and a sweep finds it while this waits.
password="correct horse battery staple"
start_standalone LASTSEEN_RATE_LIMITS=off "LASTSEEN_ADMIN_PASSWORD=$password" LASTSEEN_WEBHOOK_ALLOW_PRIVATE=true \
  LASTSEEN_HEARTBEAT_INTERVAL=1s LASTSEEN_INACTIVITY_TIMEOUT=2s LASTSEEN_SWEEP_CRON='* * * * * *'

# Debian's package, into target/tools. apt's own lists are used where there are some, else lists of our own, so that it needs no
# root.
unpack_prometheus() { # FOLDER
  local own=$work/apt
  mkdir -p "$own/state/lists/partial" "$own/cache/archives/partial" "$own/download" "$own/unpacked"
  (
    cd "$own/download"
    apt-get download prometheus && exit
    lists=(-o "Dir::State=$own/state" -o "Dir::Cache=$own/cache" -o "Dir::State::status=/var/lib/dpkg/status")
    apt-get "${lists[@]}" update && apt-get "${lists[@]}" download prometheus
  ) >"$work/apt.log" 2>&1 || return 1
  dpkg-deb -x "$own/download/"prometheus_*.deb "$own/unpacked" || return 1
  mkdir -p "$1/bin"
  cp "$own/unpacked/usr/bin/promtool" "$own/unpacked/usr/bin/prometheus" "$1/bin/"
}

promtool='' prometheus=''
tools=$(target_dir)/tools/prometheus
if have promtool && have prometheus; then
  promtool=$(command -v promtool) prometheus=$(command -v prometheus)
elif [ -x "$tools/bin/promtool" ] || { have apt-get && have dpkg-deb && unpack_prometheus "$tools"; }; then
  promtool=$tools/bin/promtool prometheus=$tools/bin/prometheus
else
  say "Not checked by promtool: Debian's package prometheus can't be fetched from here."
fi

failed=
step() { # WHAT COMMAND…
  local what=$1
  shift
  if "$@" >"$work/step.log" 2>&1; then
    say "ok      $what"
  else
    say "FAILED  $what"
    sed 's/^/        /' "$work/step.log" >&2
    failed=yes
  fi
}

step "the program does a bit of everything" python3 "$check" use "$base" "$password"
curl -fsS "$base/metrics" >"$work/scrape.txt"
step "names and labels; each alert has its entry" python3 "$check" compare "$work/scrape.txt"
step "the dashboard's queries are collected" python3 "$check" queries "$work/queries.json" "$work/queries.yml"
if [ -n "$promtool" ]; then
  prom=$root/deploy/prometheus
  step "promtool check rules" "$promtool" check rules "$prom/alerts.yml"
  step "promtool test rules" "$promtool" test rules "$prom/alerts.test.yml"
  step "promtool check config" "$promtool" check config "$prom/prometheus.yml"
  step "the dashboard's queries are PromQL" "$promtool" check rules "$work/queries.yml"
  # promtool reads the older text, in which a counter's family is named as its sample.
  python3 "$check" older <"$work/scrape.txt" >"$work/older.txt"
  lint() {
    "$promtool" check metrics <"$work/older.txt"
  }
  step "promtool check metrics" lint

  # The configuration as it is, with the port and faster; of a worker there is none here.
  served=$(random_port)
  mkdir "$work/prometheus"
  cp "$prom/alerts.yml" "$work/prometheus/"
  sed -e "s/127\.0\.0\.1:8000/127.0.0.1:$port/; s/: 15s/: 1s/" -e '/# Each worker\./,$d' "$prom/prometheus.yml" \
    >"$work/prometheus/prometheus.yml"
  setpriv --pdeathsig TERM "$prometheus" --config.file="$work/prometheus/prometheus.yml" \
    --storage.tsdb.path="$work/prometheus/data" --web.listen-address="127.0.0.1:$served" >"$work/prometheus.log" 2>&1 &
  children+=("$!")
  step "a Prometheus reads the program, answers each query, and no alert fires" \
    python3 "$check" ask "http://127.0.0.1:$served" "$work/queries.json" "$base" "$password"
fi
expect_no_errors
[ -z "$failed" ] || die "something differs, see above."
say "Metrics, alerts, dashboard and document agree."
