#!/usr/bin/env bash
# Installs what convoy needs on Debian 12 (root, or sudo), and only what is missing.
#   jobs/launch/debian.sh [--yes] [--tests]
#     --yes     ask nothing
#     --tests   also what tests/run.sh needs: Catch2, MPICH, clang, SimGrid, shellcheck, and Python's readers of what is written in .deps/python
# oneDNN 3.x is taken from PyPI into .deps/onednn; where that cannot be had, Debian's oneDNN 2.6 is used instead.
set -euo pipefail
cd "$(dirname "$0")/../.."

yes=no tests=no
for argument in "$@"; do
  case "$argument" in
    --yes) yes=yes ;;
    --tests) tests=yes ;;
    *) echo "debian.sh: unknown argument $argument (known: --yes --tests)" >&2; exit 64 ;;
  esac
done

packages=(g++ make cmake ninja-build pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libhwloc-dev libjpeg62-turbo-dev
          libpng-dev libxxhash-dev libfmt-dev libspdlog-dev libtomlplusplus-dev nlohmann-json3-dev libcli11-dev
          libdnnl-dev python3 python3-venv)
if [ $tests = yes ]; then packages+=(catch2 ccache libmatio-dev libmpich-dev mpich clang libomp-dev libsimgrid-dev shellcheck); fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Debian packages to install: ${missing[*]}"
  if [ $yes = no ]; then
    read -r -p "Install them now? [Y/n] " answer || answer=n
    case "$answer" in ''|[Yy]*) ;; *) echo "Nothing was installed." >&2; exit 1 ;; esac
  fi
  root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Not root and no sudo: ask an administrator for the packages above." >&2; exit 1; }
    root=(sudo)
  fi
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p .deps
if [ ! -x .deps/python/bin/pip ]; then python3 -m venv .deps/python; fi
readers=(PIL:pillow numpy:numpy h5py:h5py scipy:scipy jsonschema:jsonschema tensorboard:tensorboard mlperf_logging:mlperf-logging
         prometheus_client:prometheus_client chrometrace:chrometrace safetensors:safetensors onnxruntime:onnxruntime onnx:onnx)
if [ $tests = yes ] && ! .deps/python/bin/python -c "import $(IFS=,; echo "${readers[*]%%:*}")" 2>/dev/null; then
  .deps/python/bin/pip install -q --disable-pip-version-check "${readers[@]#*:}" ||
    echo "Not all of ${readers[*]#*:} could be installed: the tests that read with them will say that they are skipped."
fi

if [ ! -e .deps/onednn/include/oneapi/dnnl/dnnl.hpp ] && [ "$(uname -m)" = x86_64 ]; then
  wheels=$(mktemp -d)
  if .deps/python/bin/pip download -q --disable-pip-version-check --no-deps --only-binary=:all: -d "$wheels" \
      onednn-cpu-gomp==2023.2.0 onednn-devel-cpu-gomp==2023.2.0; then
    for wheel in "$wheels"/*.whl; do python3 -m zipfile -e "$wheel" "$wheels/unpacked"; done
    mkdir -p "$wheels/onednn/lib"
    cp -r "$wheels"/unpacked/onednn_devel*.data/data/include "$wheels/onednn/"
    cp "$wheels"/unpacked/onednn_cpu*.data/data/lib/libdnnl.so.3 "$wheels/onednn/lib/"
    ln -s libdnnl.so.3 "$wheels/onednn/lib/libdnnl.so"
    rm -rf .deps/onednn
    mv "$wheels/onednn" .deps/onednn
  else
    echo "oneDNN 3.x could not be fetched from PyPI: building with Debian's oneDNN 2.6 (slower; results name it)." >&2
  fi
  rm -rf "$wheels"
fi

if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then  # the GPU backend's other half comes with CUDA
  jobs/launch/cudnn_frontend.sh || echo "Without it the GPU backend is not built." >&2
fi
