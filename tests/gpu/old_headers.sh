#!/usr/bin/env bash
# Does what includes cuDNN also compile against the oldest version that the GPU backend supports, 8.9 with CUDA 12? And is what
# we declare of nvJPEG, which is loaded at run time, what its header declares?
#   tests/gpu/old_headers.sh [--fetch]
# --fetch takes their headers from PyPI into .deps/cudnn-8 (705 MB are loaded, 2 MB kept). Without them nothing is tested, and
# it says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
headers=.deps/cudnn-8/include frontend=.deps/cudnn-frontend/include
if [ "${1:-}" = --fetch ] && [ ! -e $headers/nvjpeg.h ]; then
  wheels=$(mktemp -d)
  trap 'rm -rf "$wheels"' EXIT
  "${CONVOY_PYTHON:-python3}" -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: -d "$wheels" \
    nvidia-cudnn-cu12==8.9.7.29 nvidia-cuda-runtime-cu12==12.1.105 nvidia-nvjpeg-cu12==12.4.0.76
  for wheel in "$wheels"/*.whl; do unzip -q -o "$wheel" 'nvidia/*/include/*' -d "$wheels/unpacked"; done
  mkdir -p $headers
  cp -r "$wheels"/unpacked/nvidia/*/include/. $headers/
fi
for folder in $headers $frontend; do
  if [ ! -d "$folder" ] || { [ "$folder" = $headers ] && [ ! -e $headers/nvjpeg.h ]; }; then
    echo "SKIPPED: cuDNN 8.9's headers were NOT compiled against: $folder is not there, or not whole (tests/gpu/old_headers.sh --fetch, jobs/launch/cudnn_frontend.sh)"
    exit 0
  fi
done
for source in backends/cudnn/{operands,graphs,legacy,legacy_conv,legacy_norm}.cpp tests/gpu/nvjpeg_test.cpp; do
  "${CXX:-g++}" -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Werror -DCUDNN_FRONTEND_SKIP_JSON_LIB -DCONVOY_CUDA_MAJOR='"12"' \
    -isystem $frontend -isystem $headers -Isrc -I. "$source"
done
echo "old headers: all passed: $(sed -n 's/^#define CUDNN_\(MAJOR\|MINOR\|PATCHLEVEL\) //p' $headers/cudnn_version.h | paste -sd.)"
