#!/usr/bin/env bash
# Weights in and out, as other programs see them: tests/interop/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/interop/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/interop -p '*_test.py' -v
