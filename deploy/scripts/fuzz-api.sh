#!/usr/bin/env bash
# Holds the API against its own OpenAPI document: schemathesis makes requests of it, good and bad, one by one and in sequences,
# as an admin and as a user, and says where an answer is a 5xx or is not as the document has it.
#
#   fuzz-api.sh [SECONDS]     as each of the two, 60 without it
#
# It runs the stand-alone program of target/debug (or of LASTSEEN_API_BIN) on a port and a folder of its own. schemathesis comes
# from PyPI, into target/tools; deploy/openapi/schemathesis.toml says what is checked, which is all there is. Two kinds of
# operations are left out: the socket, which is no request and answer; and those by which whoever asks would end its own session.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
seconds=${1:-60}
version=4.32.5
tools=$(target_dir)/tools/schemathesis-$version
if [ ! -x "$tools/bin/schemathesis" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools" || die "Python's venv is missing."
  "$tools/bin/pip" install -q --disable-pip-version-check "schemathesis==$version" || die "schemathesis can't be installed."
fi

password="correct horse battery staple"
start_standalone LASTSEEN_RATE_LIMITS=off LASTSEEN_ACCESS_TTL=1h "LASTSEEN_ADMIN_PASSWORD=$password"

post() { curl -fsS "$base$1" -H 'Content-Type: application/json' -d "$2"; }
token() { post /api/users/login/ "{\"username\": \"$1\", \"password\": \"$password\"}" | sed 's/.*"access":"\([^"]*\)".*/\1/'; }
post /api/users/register/ "{\"username\": \"fuzzer\", \"email\": \"fuzzer@example.org\", \"password\": \"$password\"}" >/dev/null

failed=
hold() { # NAME LEFT-OUT-PATHS
  local name=$1
  shift
  say "As $name…"
  (cd "$work" && "$tools/bin/schemathesis" --no-color --config-file "$root/deploy/openapi/schemathesis.toml" \
    run "$base/api/openapi.json" -H "Authorization: Bearer $(token "$name")" --request-timeout 10 \
    --max-time "$seconds" --max-examples 12 --seed 1 --warnings off --suppress-health-check all --no-shrink --max-failures 50 \
    --exclude-path-regex "$1") >"$work/$name.log" 2>&1 || failed="$failed $name"
  tail -n 25 "$work/$name.log" | grep -E 'test cases|generated|passed|failed|Seed' || true
}
# An admin may bar, delete and log out itself like anybody else.
hold admin '^/api/ws/|/logout/|/(suspend|ban|deactivate|password)/$|^/api/users/me/$|^/api/users/\{id\}/$|sessions/\{sid\}'
hold fuzzer '^/api/ws/|/logout/|/password/$|^/api/users/me/$|sessions/\{sid\}'
kill -0 "$api" || die "the API ended: $(tail -n 20 "$work/api.log")"
[ -z "$failed" ] || {
  for name in $failed; do
    sed -n '/=== FAILURES/,$p' "$work/$name.log" | head -n 150
  done
  die "answers are not as the document says, as:$failed."
}
expect_no_errors
say "No answer is outside the document."
