#!/usr/bin/env bash
# What of the GPU backend can be tested without a GPU, by stand-ins for the libraries: tests/gpu/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/gpu/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec "${CONVOY_PYTHON:-python3}" -m unittest discover -s tests/gpu -p '*_test.py' -v
