#!/usr/bin/env bash
# Configures and builds convoy: jobs/launch/build.sh FOLDER [CMake arguments] [-- targets]
# Uses oneDNN 3.x from .deps/onednn where jobs/launch/debian.sh has put it, and ccache where it is installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: build.sh FOLDER [CMake arguments] [-- targets]" >&2; exit 64; }
folder=$1
shift
options=()
targets=()
while [ $# -gt 0 ]; do
  if [ "$1" = -- ]; then shift; targets=("$@"); break; fi
  options+=("$1")
  shift
done
if [ -e .deps/onednn/lib/libdnnl.so ] && [[ " ${options[*]} " != *CONVOY_ONEDNN_ROOT* ]]; then
  options+=("-DCONVOY_ONEDNN_ROOT=$PWD/.deps/onednn")
fi
if command -v ccache >/dev/null; then
  options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1   # what is the same in two build folders is compiled once
  export CCACHE_SLOPPINESS=pch_defines,time_macros  # without which it passes over what uses precompiled headers
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake -G Ninja -S . -B "$folder" "${options[@]}" >"$log" 2>&1; then cat "$log" >&2; exit 1; fi
if ! ninja -C "$folder" "${targets[@]}" >"$log" 2>&1; then tail -n 60 "$log" >&2; exit 1; fi
grep -E 'warning:' "$log" >&2 || true
