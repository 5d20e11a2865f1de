#!/usr/bin/env bash
# Holds dependencies against advisories, licences and sources: cargo-deny by deny.toml, and npm audit. What can't be asked, as
# where a machine does not reach the advisories, is said and does not count as passed.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
missing=
cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
cargo deny check licenses bans sources
if cargo deny fetch db >/dev/null 2>&1; then
  cargo deny check advisories
else
  say "Not checked: the advisories of crates can't be fetched from here."
  missing=yes
fi
if [ -f web/package-lock.json ] && have npm; then
  said=$(cd web && npm audit --omit=dev --audit-level=high 2>&1) || {
    printf '%s\n' "$said"
    grep -q 'audit endpoint returned an error' <<<"$said" || exit 1
    say "Not checked: npm's advisories can't be asked from here."
    missing=yes
  }
fi
[ -z "$missing" ] || exit 3
