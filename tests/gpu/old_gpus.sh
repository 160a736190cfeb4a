#!/usr/bin/env bash
# Do our kernels compile for GPUs older than those we build for?   tests/gpu/old_gpus.sh [--fetch]
# For compute capability 7.5 (T4) by nvcc itself. For 6.0 (P100) and 7.0 (V100), which CUDA 13 has left, the same device code is
# assembled by CUDA 12.9's ptxas: its PTX, made for 7.5, says the older target, so an instruction that is not there is refused.
# --fetch takes that ptxas from PyPI into .deps/ptxas-12 (40 MB are loaded, 32 MB kept). What is not there is not tested, and it
# says so. Nothing runs on a GPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
old=${CONVOY_OLD_PTXAS:-.deps/ptxas-12/ptxas}
if [ "${1:-}" = --fetch ] && [ ! -x $old ]; then
  wheels=$(mktemp -d)
  trap 'rm -rf "$wheels"' EXIT
  "${CONVOY_PYTHON:-python3}" -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: -d "$wheels" \
    nvidia-cuda-nvcc-cu12==12.9.86
  mkdir -p "$(dirname $old)"
  unzip -q -p "$wheels"/*.whl nvidia/cuda_nvcc/bin/ptxas >$old.part
  chmod +x $old.part
  mv $old.part $old
fi
nvcc=${CUDACXX:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
if [ ! -x "$nvcc" ]; then
  echo "SKIPPED: our kernels were NOT compiled for older GPUs: there is no nvcc (CUDACXX names one)"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() {  # compile KERNELS OPTIONS...
  "$nvcc" -std=c++20 -O3 -DNDEBUG -fmad=false -DFMT_USE_CONSTEXPR=1 -Isrc -I. "${@:2}" "backends/cudnn/$1.cu"
}
assemble() {  # assemble CAPABILITY FILE.ptx, whatever target the file names
  sed "s/^\.version .*/.version 8.8/; s/^\.target .*/.target sm_$1/" "$2" >"$work/retargeted.ptx"
  "$old" -arch="sm_$1" -o "$work/a.cubin" "$work/retargeted.ptx"
}
for kernels in kernels device_vector; do
  compile $kernels -arch=compute_75 --ptx -o "$work/$kernels.ptx"
  "$(dirname "$nvcc")/ptxas" -arch=sm_75 -o "$work/a.cubin" "$work/$kernels.ptx"
  echo "sm_75: $kernels.cu compiles ($(grep -c '\.entry ' "$work/$kernels.ptx") kernels)"
done
if [ ! -x $old ]; then
  echo "SKIPPED: our kernels were NOT assembled for sm_60 and sm_70: $old is not there (tests/gpu/old_gpus.sh --fetch)"
  exit 0
fi
cat >"$work/planted.ptx" <<'PTX'
.version 8.8
.target sm_80
.address_size 64
.visible .entry planted(.param .u64 at) {
  .reg .b16 %h; .reg .f32 %f; .reg .u64 %a;
  ld.param.u64 %a, [at];
  ld.global.f32 %f, [%a];
  cvt.rn.bf16.f32 %h, %f;
  st.global.b16 [%a], %h;
  ret;
}
PTX
for capability in 60 70; do
  if assemble $capability "$work/planted.ptx" 2>"$work/said"; then
    echo "old GPUs: FAILED: an instruction of sm_80 was assembled for sm_$capability, so nothing would be found here" >&2
    exit 1
  fi
  grep -q 'sm_80 or higher' "$work/said"
  for kernels in kernels device_vector; do assemble $capability "$work/$kernels.ptx"; done
  echo "sm_$capability: both assemble, and what sm_80 alone has is refused"
done
echo "old GPUs: all passed, and nothing of it ran on a GPU"
