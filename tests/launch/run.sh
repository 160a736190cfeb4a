#!/usr/bin/env bash
# What `convoy launch` writes, and what is installed: tests/launch/run.sh BUILD_FOLDER
# After a change that is meant, CONVOY_WRITE_GOLDEN=1 writes tests/launch/golden anew: read the difference.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CONVOY_BUILD=${1:?usage: tests/launch/run.sh BUILD_FOLDER} PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1
exec python3 -m unittest discover -s tests/launch -p '*_test.py' -v
