#!/usr/bin/env bash
# libFuzzer, guided by coverage, on each of the targets in fuzz/, from the corpus that is kept there:
#
#   fuzz.sh [SECONDS] [TARGET...]     60 and all without them
#
# What it finds new is kept for its next run, in target/fuzz/corpus; an input that shows something belongs into fuzz/corpus,
# under a name that says what. The ordinary compiler builds the targets, for which cargo-fuzz would want a nightly one:
# coverage is counted in the crates of this workspace alone, and what they depend on is shared with the ordinary build.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(token cursor settings frame names)
built=$(target_dir)
have c++ || die "libFuzzer is built of C++, and there is no compiler for it: install g++."
RUSTC_WORKSPACE_WRAPPER=$root/fuzz/rustc-with-coverage.sh cargo build -p lastseen-fuzz --features libfuzzer
failed=()
for target in "${targets[@]}"; do
  kept=$built/fuzz/corpus/$target
  mkdir -p "$kept" "$built/fuzz/artifacts/$target"
  log=$built/fuzz/$target.log
  if "$built/debug/$target" -max_total_time="$seconds" -max_len=4096 -artifact_prefix="$built/fuzz/artifacts/$target/" \
    -print_final_stats=1 "$kept" "fuzz/corpus/$target" >"$log" 2>&1; then
    say "$target: $(sed -nE 's/^stat::number_of_executed_units: +//p' "$log") runs, $(grep -oE 'cov: [0-9]+' "$log" | tail -n 1), nothing found."
  else
    tail -n 40 "$log" >&2
    failed+=("$target")
  fi
done
[ ${#failed[@]} -eq 0 ] || die "something is found by: ${failed[*]}; the inputs are in $built/fuzz/artifacts."
