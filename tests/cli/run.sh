#!/usr/bin/env bash
# The program at the prompt: tests/cli/run.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/cli/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec python3 -m unittest discover -s tests/cli -p '*_test.py' -v
