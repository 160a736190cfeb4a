#!/usr/bin/env bash
# Damaged input, full disks, killed runs: tests/faults/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/faults/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec python3 -m unittest discover -s tests/faults -p '*_test.py' -v
