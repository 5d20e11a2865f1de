#!/usr/bin/env bash
# Installs what is missing, then runs every check beside a PostgreSQL and a Redis of its own.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cd "$root"
bash "$scripts/setup.sh" page
bash "$scripts/setup.sh" test
# The tests decide their settings themselves; those of a developer's shell would change what is tested.
for variable in DATABASE_URL REDIS_URL $(compgen -e LASTSEEN_ || true); do
  unset "$variable"
done
exec bash "$scripts/services.sh" with-services --cluster bash "$scripts/test-steps.sh"
