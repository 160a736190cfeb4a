#!/usr/bin/env bash
# The one command for a machine with a GPU: tests/gpu/check.sh [BUILD_FOLDER or BUNDLE.tar.xz] [--out FOLDER] [--only CHECK,...]
# Runs every check that needs a GPU (tests/gpu/check.py says which) and writes one dated JSON file into results/gpu or FOLDER.
# Needs the driver, CUDA's run-time compiler, cuDNN and python3; no network. It takes a build (default: build, built if it is not
# there) or what tests/gpu/bundle.sh packed elsewhere. Exit code 77: the checks DID NOT RUN, as there is no usable GPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
from=build arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --out|--only) arguments+=("$1" "${2:?"$1 needs a value"}"); shift ;;
    -*) echo "check.sh: unknown argument $1 (known: --out FOLDER, --only CHECK,...)" >&2; exit 64 ;;
    *) from=$1 ;;
  esac
  shift
done

# cuDNN as Python's packages bring it, where the system has none.
if ! ldconfig -p | grep -q 'libcudnn\.so\.' && command -v python3 >/dev/null; then
  for folder in $(python3 -c 'import site; print(*site.getsitepackages())'); do
    for library in cudnn cu13 cuda_nvrtc cublas; do
      [ -d "$folder/nvidia/$library/lib" ] && export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder/nvidia/$library/lib
    done
  done
fi

case "$from" in
  *.tar.xz)
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
    tar -xJf "$from" -C "$build"
    export LD_LIBRARY_PATH=$build/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} OPAL_PREFIX=$build/mpi PATH=$build/mpi/bin:$PATH ;;
  *)
    build=$from
    [ -x "$build/bin/convoy" ] || jobs/launch/build.sh "$build" -- convoy convoy_cudnn test_gpu test_parity test_golden ;;
esac
PYTHONPATH=tests/support PYTHONDONTWRITEBYTECODE=1 CONVOY_BUILD=$build python3 tests/gpu/check.py "${arguments[@]}"
