#!/usr/bin/env bash
# convoy beside its peers on this machine's cores: installs PyTorch and torchvision from PyPI (once, into .deps/peers), runs them and
# convoy in turns, and prints the table. Arguments are those of results/peers/peers.py; CONVOY_TORCH_PYTHON names a Python that has
# both already. Minutes to an hour; nothing else should run meanwhile.
#   results/peers/run.sh --out results/peers/cpu.json [--images FOLDER] [CASE ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${CONVOY_TORCH_PYTHON:-.deps/peers/bin/python}
if ! "$python" -c 'import torch, torchvision' 2>/dev/null; then
  python=.deps/peers/bin/python
  [ -x "$python" ] || python3 -m venv .deps/peers
  .deps/peers/bin/pip install -q --disable-pip-version-check torch torchvision numpy pillow
fi
exec "$python" results/peers/peers.py "$@"
