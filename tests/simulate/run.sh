#!/usr/bin/env bash
# Simulated ranks and cluster files: tests/simulate/run.sh BUILD_FOLDER. Without convoy-simulate (no SimGrid when it was
# built) what needs it says that it is skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/simulate/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/simulate -p '*_test.py' -v
