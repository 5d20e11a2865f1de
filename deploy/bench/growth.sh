#!/usr/bin/env bash
# How numbers grow with the users: shorter runs of heartbeat.sh, sweep.sh and reads.sh with 1,000, 10,000 and 100,000, and a
# picture of them beside the results with a million that there are.
#
#   growth.sh
#
# Writes deploy/bench/results/NAME-NUMBER.json, and docs/pictures/growth.svg.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

for number in 1000 10000 100000; do
  ROUNDS=${ROUNDS:-3} LOAD_SECONDS=${LOAD_SECONDS:-3} bash "$bench/heartbeat.sh" "$number"
  bash "$bench/reads.sh" "$number"
  ROUNDS=${ROUNDS:-3} LOAD_SECONDS=${LOAD_SECONDS:-3} DURING=5 bash "$bench/sweep.sh" "$number"
done
"$programs/lastseen-bench" plot --results "$results" --picture "$root/docs/pictures/growth.svg"
say "Picture: $root/docs/pictures/growth.svg"
