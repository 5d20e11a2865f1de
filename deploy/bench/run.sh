#!/usr/bin/env bash
# All benchmarks, one after the other: run.sh. What they are is in docs/benchmarks.md.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bash "$bench/heartbeat.sh"
bash "$bench/history.sh"
bash "$bench/sockets.sh"
bash "$bench/reads.sh"
bash "$bench/logins.sh"
bash "$bench/engine.sh"
bash "$bench/sweep.sh"
bash "$bench/cluster.sh"
bash "$bench/growth.sh"
