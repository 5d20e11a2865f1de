#!/usr/bin/env bash
# The checks of `make test`, one after the other but for the page's; test.sh starts this beside the servers. A step that
# fails doesn't stop the others, the summary at the end names it. Its last line counts the tests.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
work=$(mktemp -d)
page=
# What is still running of the page's is of this group: services.sh gives this script one of its own.
trap '[ -z "$page" ] || { trap "" TERM; kill -TERM 0; }; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

summary=()
failures=()
failed_tests=()
flaky_tests=()
passed=0
failed=0

# The steps' output passes through `logged`, which would cost a terminal its colours.
if [ -t 1 ] && [ -z "${CARGO_TERM_COLOR:-}" ] && [ -z "${NO_COLOR:-}" ]; then
  export CARGO_TERM_COLOR=always
fi

note() { # NAME RESULT SECONDS|- [REMARK]
  local seconds=
  [ "$3" = - ] || seconds="$3 s"
  summary+=("$(printf '%-14s %-8s %7s%s' "$1" "$2" "$seconds" "${4:+  $4}")")
}

step() { # NAME COMMAND...
  local name=$1 started=$SECONDS result=ok remark=
  shift
  printf '\n==> %s\n' "$name"
  counts=
  if ! "$@"; then
    result=FAILED
    failures+=("$name")
  fi
  [ -z "$counts" ] || remark="($counts)"
  note "$name" "$result" $((SECONDS - started)) "$remark"
  [ $result = ok ]
}

# Runs a command, its output shown and kept in $work/log. It doesn't wait for the end of the output
# for ever: a process that a test left behind may hold on to it.
logged() { # COMMAND...
  local rc=0 copier
  exec 4> >(trap '' INT TERM HUP && exec tee "$work/log")
  copier=$!
  "$@" >&4 2>&1 4>&- || rc=$?
  exec 4>&-
  for _ in {1..50}; do
    kill -0 "$copier" 2>/dev/null || return $rc
    sleep 0.1
  done
  kill -KILL "$copier" 2>/dev/null || true
  return $rc
}

# Adds up "5 passed", "1 failed" and the like in the lines that a pattern selects.
count() { # PATTERN
  local words
  words=$(sed 's/\x1b\[[0-9;]*m//g' "$work/log" | grep -E "$1" | sed 's/([^)]*)//g') || words=
  read -r tests_passed tests_failed tests_skipped tests_flaky <<<"$(
    grep -oE '[0-9]+ (passed|failed|exec failed|timed out|skipped|ignored|flaky)' <<<"$words" |
      awk '$2 == "passed" { passed += $1; next }
           $2 == "skipped" || $2 == "ignored" { skipped += $1; next }
           $2 == "flaky" { passed += $1; flaky += $1; next }
           { failed += $1 }
           END { print passed + 0, failed + 0, skipped + 0, flaky + 0 }'
  )"
  passed=$((passed + tests_passed))
  failed=$((failed + tests_failed))
  counts="$tests_passed passed, $tests_failed failed, $tests_skipped skipped"
  if [ "$tests_failed" -gt 0 ]; then
    mapfile -t -O "${#failed_tests[@]}" failed_tests < <(names_of_failed)
  elif [ "$tests_flaky" -gt 0 ]; then
    counts="$counts, $tests_flaky of the passed at the second try only"
    mapfile -t -O "${#flaky_tests[@]}" flaky_tests < <(names_of_failed)
  fi
}

# The names of the tests that failed, for the summary: of nextest's, of cargo's, of vitest's and of Playwright's.
names_of_failed() {
  sed 's/\x1b\[[0-9;]*m//g' "$work/log" |
    sed -nE 's/^ *(FAIL|TIMEOUT|SIG[A-Z]+) +\[[^]]*\] +(\([^)]*\) +)?(.*)$/\3/p; s/^test (.*) \.\.\. FAILED$/\1/p; s/^ *FAIL +([^[].*)$/\1/p; s/^ *[0-9]+\) (.* › .*[^─ ]) *─*$/\1/p' |
    sort -u | head -n 20
}

# The output of a failed test holds lines of the other runner's form, hence a pattern for each.
test_with_nextest() {
  local rc=0
  # Most tests wait for most of their time.
  logged env NEXTEST_TEST_THREADS="${NEXTEST_TEST_THREADS:-$(($(nproc) + 1))}" cargo nextest run --workspace || rc=$?
  count '^ *Summary \['
  return $rc
}

test_with_cargo() { # [--doc]
  local rc=0
  logged cargo test --workspace --no-fail-fast "$@" || rc=$?
  count '^test result: '
  return $rc
}

# The page's own tests: their runners' closing lines have forms of their own.
install_page() {
  (cd web && npm ci --no-audit --no-fund)
}

check_page() {
  (cd web/packages/lastseen-client && npm run -s typecheck && npm run -s lint) &&
    (cd web/app && npm run -s build && npm run -s size)
}

test_page() {
  local rc=0
  logged env NO_COLOR=1 bash -c 'cd web && npm test --workspaces --if-present' || rc=$?
  count '^ *Tests '
  return $rc
}

test_page_in_browser() {
  local rc=0
  logged env NO_COLOR=1 LASTSEEN_API_BIN="$root/target/debug/lastseen-api" bash -c 'cd web/app && npm run -s e2e' || rc=$?
  count '^ *[0-9]+ (passed|failed|skipped|flaky)'
  return $rc
}

test_all_of_page() {
  step "page install" install_page || return 0
  step "page checks" check_page || true
  step "page tests" test_page || true
  if have chromium && [ -x target/debug/lastseen-api ]; then
    step "in a browser" test_page_in_browser || true
  else
    note "in a browser" "not run" - "(chromium or the program is missing)"
    failures+=("in a browser")
  fi
}

# What was noted, as commands for another shell that notes it.
noted() {
  local list one
  for list in summary failures failed_tests flaky_tests; do
    local -n all=$list
    for one in "${all[@]}"; do printf '%s+=(%q)\n' "$list" "$one"; done
  done
  # shellcheck disable=SC2016
  printf 'passed=$((passed + %d)) failed=$((failed + %d))\n' "$passed" "$failed"
}

# In a shell of its own.
test_page_apart() {
  trap - EXIT
  work=$work/page summary=() failures=() failed_tests=() flaky_tests=() passed=0 failed=0
  test_all_of_page
  noted >"$work/noted"
}

# The page's tests wait for most of their time: they run beside the steps that come after this, and are shown by end_page.
begin_page() {
  mkdir "$work/page"
  test_page_apart >"$work/page.out" 2>&1 &
  page=$!
}

end_page() {
  wait "$page" || true
  page=
  cat "$work/page.out"
  if [ -f "$work/page/noted" ]; then
    # shellcheck disable=SC1091
    . "$work/page/noted"
  else
    note page FAILED - "(its checks were not finished)"
    failures+=(page)
  fi
}

document() {
  RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --workspace
}

if cargo fmt --version >/dev/null 2>&1; then
  step format cargo fmt --all --check || true
else
  note format skipped - "(rustfmt is not installed)"
fi

if cargo clippy --version >/dev/null 2>&1; then
  step lint cargo clippy --workspace --all-targets -- -D warnings || true
else
  note lint skipped - "(clippy is not installed)"
fi

if step build cargo build --workspace --all-targets; then
  if cargo nextest --version >/dev/null 2>&1; then
    step tests test_with_nextest || true
  else
    step tests test_with_cargo --lib --bins --tests --examples || true
  fi
  step "doc tests" test_with_cargo --doc || true
else
  note tests "not run" - "(the build failed)"
  note "doc tests" "not run" - "(the build failed)"
fi

# After what cargo builds, since the page is part of the program.
if [ -f web/package.json ]; then
  if [ "$(node_major)" -ge "$needed_node" ] && have npm; then
    printf '\n==> the page, beside what follows; it is shown at the end\n'
    begin_page
  else
    note page skipped - "(Node.js $needed_node with npm is not there)"
  fi
fi

# Of the program just built; what it needs of Python's is not on every machine.
hold_against_document() {
  bash "$scripts/fuzz-api.sh" "${FUZZ_SECONDS:-20}"
}

# 77: what it is made with can't be fetched, which it has said.
generate_client() {
  local rc=0
  bash "$scripts/test-client.sh" || rc=$?
  [ $rc -ne 77 ] || counts="not run: its tools can't be fetched"
  [ $rc -eq 0 ] || [ $rc -eq 77 ]
}

if have c++; then
  step fuzzing bash "$scripts/fuzz.sh" "${FUZZ_SECONDS:-5}" || true
else
  note fuzzing skipped - "(there is no C++ compiler)"
fi

if python3 -c 'import ensurepip, venv' 2>/dev/null; then
  step "api document" hold_against_document || true
  step "api client" generate_client || true
  step deployment bash "$scripts/test-deploy.sh" || true
  step monitoring bash "$scripts/test-monitoring.sh" || true
else
  for name in "api document" "api client" deployment monitoring; do
    note "$name" skipped - "(Python's venv is not installed)"
  done
fi

if cargo deny --version >/dev/null 2>&1; then
  step dependencies cargo deny check licenses bans sources || true
else
  note dependencies skipped - "(cargo-deny is not installed)"
fi

if cargo machete --version >/dev/null 2>&1; then
  step unused cargo machete || true
else
  note unused skipped - "(cargo-machete is not installed)"
fi

step documentation document || true
step documents bash "$scripts/test-docs.sh" || true

[ -z "$page" ] || end_page

printf '\n'
printf '%s\n' "${summary[@]}"
printf '\n'
if [ ${#failures[@]} -gt 0 ]; then
  printf 'Failed:'
  printf ' %s,' "${failures[@]}" | sed 's/,$//'
  printf '\n'
fi
[ ${#failed_tests[@]} -eq 0 ] || printf '  %s\n' "${failed_tests[@]}"
if [ ${#flaky_tests[@]} -gt 0 ]; then
  printf 'Passed at the second try only:\n'
  printf '  %s\n' "${flaky_tests[@]}"
fi
printf '%s passed, %s failed\n' "$passed" "$failed"
[ ${#failures[@]} -eq 0 ] && [ "$failed" -eq 0 ]
