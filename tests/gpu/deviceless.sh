#!/usr/bin/env bash
# Has cuDNN an engine for every library operation of the planner's, on GPUs that are not here? tests/gpu/deviceless.sh BUILD_FOLDER
# Devices are described in tests/gpu/devices. Where CUDA or cuDNN is absent it says so and has tested nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/gpu/deviceless.sh BUILD_FOLDER}
if [ ! -x "$build/bin/test_deviceless" ]; then
  reason=$(sed -n 's/^CONVOY_NO_GPU_BACKEND:INTERNAL=//p' "$build/CMakeCache.txt")
  echo "SKIPPED: cuDNN's engines were NOT looked at, there is no GPU backend in $build: ${reason:-it was not built}"
  exit 0
fi

# cuDNN asks the driver's library for what it compiles when it is needed. CUDA's stub of it has the functions and no GPU.
stub=$(sed -n 's/^CUDA_cuda_driver_LIBRARY:FILEPATH=//p' "$build/CMakeCache.txt")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if [ -e "$stub" ]; then ln -s "$stub" "$folder/libcuda.so.1"
else echo "SKIPPED: engines compiled when they are needed: CUDA's stub of libcuda is not there"; fi
cudnn=$(dirname "$(sed -n 's/^cuDNN_LIBRARY:FILEPATH=//p' "$build/CMakeCache.txt")")
cudart=$(dirname "$(sed -n 's/^CUDA_CUDART:FILEPATH=//p' "$build/CMakeCache.txt")")
export LD_LIBRARY_PATH=$folder:$cudnn:$cudart${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

"$build/bin/test_deviceless" tests/gpu/devices --self-test
"$build/bin/test_deviceless" tests/gpu/devices --build
echo "deviceless: all passed, and nothing of it ran on a GPU"
