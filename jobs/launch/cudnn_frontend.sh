#!/usr/bin/env bash
# Fetches cudnn-frontend's C++ headers from PyPI into .deps/cudnn-frontend, for the GPU backend: the wheel is unpacked, nothing
# is installed and nothing of it is run. NVIDIA's terms: MIT (in the folder's LICENSE).
#   jobs/launch/cudnn_frontend.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
version=1.18.0  # pinned: 1.32 plans for no device that is not here, and wants NVRTC
python=python3
if [ -x .deps/python/bin/python ]; then python=.deps/python/bin/python; fi

to=.deps/cudnn-frontend
if [ -e $to/include/cudnn_frontend.h ] && [ "$(cat $to/VERSION 2>/dev/null)" = $version ]; then exit 0; fi
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
"$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$wheels" nvidia-cudnn-frontend==$version ||
  { echo "cudnn-frontend $version could not be fetched from PyPI; unpack its wheel elsewhere and give CMake -DCONVOY_CUDNN_FRONTEND_ROOT=FOLDER" >&2; exit 1; }
"$python" -m zipfile -e "$wheels"/*.whl "$wheels/unpacked"
mkdir -p .deps "$wheels/made"
mv "$wheels/unpacked/include" "$wheels/made/include"
find "$wheels/unpacked" -name 'LICENSE*' -exec cp {} "$wheels/made/" \;
echo $version > "$wheels/made/VERSION"
rm -rf $to
mv "$wheels/made" $to
echo "cudnn-frontend $version: $to/include"
