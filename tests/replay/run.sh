#!/usr/bin/env bash
# Every recipe's weights, computed again in numpy: tests/replay/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/replay/run.sh BUILD_FOLDER} PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/replay -p '*_test.py' -v
