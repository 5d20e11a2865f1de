#!/usr/bin/env bash
# The long form of what the tests do with the corpus in fuzz/corpus: libFuzzer, guided by coverage, on each target:
#
#   fuzz.sh [SECONDS] [TARGET...]     60 and all without them
#
# and then the API against its document. What libFuzzer finds new is kept for its next run, in target/fuzz/corpus; an input
# that shows something belongs into fuzz/corpus, under a name that says what. cargo-fuzz is installed where it is missing. It
# wants a nightly compiler for what it asks of the compiler; the stable one takes that too when it is told so, but for the
# sanitizers.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(token cursor settings frame names)
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
built=$(target_dir)/fuzz
for target in "${targets[@]}"; do
  mkdir -p "$built/corpus/$target"
  RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none --target-dir "$built" "$target" "$built/corpus/$target" "fuzz/corpus/$target" \
    -- -max_total_time="$seconds" -max_len=4096
done
cargo build -p lastseen-api
bash "$scripts/fuzz-api.sh" "$seconds"
