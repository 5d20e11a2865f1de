#!/usr/bin/env bash
# Holds the OpenAPI document against those who use it: Spectral lints it by deploy/openapi/.spectral.yaml, openapi-python-client
# makes a client of it, and with that deploy/openapi/session.py does what README's session with curl does.
#
# The document is the one that the stand-alone program of target/debug (or of LASTSEEN_API_BIN) serves, on a port and a folder of
# its own. Spectral comes from npm and the generator from PyPI, into target/tools. Where one of them is not there yet and its
# registry can't be reached, it says so and ends with 77: skipped.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
spectral_version=6.16.3
generator_version=0.29.1
tools=$(target_dir)/tools
spectral=$tools/spectral-$spectral_version
generator=$tools/openapi-python-client-$generator_version
have npm || die "npm is missing."

start_standalone "LASTSEEN_ADMIN_PASSWORD=correct horse battery staple"

# Node.js trusts its own authorities only, unless it is told of the machine's.
authorities=/etc/ssl/certs/ca-certificates.crt
[ ! -e $authorities ] || export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-$authorities}

install_within=240 # seconds
# Runs what installs a tool into a folder, which is there only if that went well. The pattern is what its messages say where no
# registry answers.
install() { # FOLDER PATTERN COMMAND...
  local folder=$1 pattern=$2
  shift 2
  [ ! -e "$folder/installed" ] || return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  local rc=0
  timeout -k 5 "$install_within" "$@" >"$work/install.log" 2>&1 || rc=$?
  if [ $rc -ne 0 ]; then
    rm -rf "$folder"
    # A registry that answers some of what it is asked, and then no more.
    if [ $rc -eq 124 ]; then
      say "${0##*/}: skipped, ${folder##*/} was not installed within $install_within seconds."
      exit 77
    fi
    if grep -qE "$pattern" "$work/install.log"; then
      say "${0##*/}: skipped, ${folder##*/} can't be installed: its registry can't be reached."
      exit 77
    fi
    tail -n 20 "$work/install.log" >&2
    die "${folder##*/} can't be installed."
  fi
  touch "$folder/installed"
}
install "$spectral" 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)' \
  npm install --prefix "$spectral" --no-audit --no-fund --ignore-scripts --fetch-retries 1 "@stoplight/spectral-cli@$spectral_version"
# shellcheck disable=SC2016 # it is expanded by the shell inside
install "$generator" 'NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProtocolError|SSLError' \
  bash -c 'python3 -m venv "$1" && "$1/bin/pip" install -q --disable-pip-version-check --retries 1 "$2"' - \
  "$generator" "openapi-python-client==$generator_version"

curl -fsS -o "$work/openapi.json" "$base/api/openapi.json"

say "Linting…"
"$spectral/node_modules/.bin/spectral" lint --quiet -r "$root/deploy/openapi/.spectral.yaml" --fail-severity=hint "$work/openapi.json" >&2 ||
  die "the document breaks rules."

say "Generating a client…"
# A warning is an operation, an answer or a schema that is left out.
"$generator/bin/openapi-python-client" generate --path "$work/openapi.json" --output-path "$work/lastseen_generated" --meta none \
  --config "$root/deploy/openapi/generator.yaml" --fail-on-warning >"$work/generator.log" 2>&1 || {
  cat "$work/generator.log" >&2
  die "the generator can't make a client of all of the document."
}
operations=$(grep -c '"operationId"' <(python3 -m json.tool "$work/openapi.json"))
modules=$(find "$work/lastseen_generated/api" -mindepth 2 -name '*.py' ! -name __init__.py | wc -l)
[ "$operations" -eq "$modules" ] || die "the document has $operations operations, the client $modules."

say "A session with it…"
PYTHONPATH=$work "$generator/bin/python" "$root/deploy/openapi/session.py" "$base" || {
  tail -n 5 "$work/api.log" >&2
  die "the session went otherwise than README has it."
}
say "The document keeps the rules; a client of all $operations operations does README's session."
