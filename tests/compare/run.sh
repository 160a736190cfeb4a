#!/usr/bin/env bash
# Comparing result files: tests/compare/run.sh BUILD_FOLDER. CONVOY_UPDATE_GOLDEN=1 writes tests/compare/golden anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/compare/run.sh BUILD_FOLDER} PYTHONPATH=tests/support:tests/compare PYTHONDONTWRITEBYTECODE=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/compare -p '*_test.py' -v
