#!/bin/sh
# Cargo calls this for the crates of this workspace (RUSTC_WORKSPACE_WRAPPER): the compiler, told to count for libFuzzer what
# of a crate was run. Dependencies are those of the ordinary build, so that nothing of them is compiled anew.
case " $* " in
*" build_script_build "* | *" -vV "* | *" --print=cfg "* | *" --crate-name ___ "*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
