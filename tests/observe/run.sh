#!/usr/bin/env bash
# What watches a run, read by other people's readers: tests/observe/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/observe/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/observe -p '*_test.py' -v
