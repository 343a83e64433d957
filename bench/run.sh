#!/usr/bin/env bash
# Measures the gateway beside the FastAPI peer and the limits and writes bench/RESULTS.md. Flags go to bench/compare.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install/venv.sh bench requirements/bench.txt
go run ./bench/compare "$@"
