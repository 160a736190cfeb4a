#!/usr/bin/env bash
# Packs a build for a machine with a GPU that has neither compilers nor libraries nor a network: tests/gpu/bundle.sh BUILD_FOLDER FILE.tar.xz
# The programs, the plug-in, every library they are linked to but glibc, the compiler's and NVIDIA's, and Open MPI with what it loads.
# There, in a checkout: tests/gpu/check.sh FILE.tar.xz. Debian 12's and Ubuntu 24.04's glibc are new enough for what Debian 12 builds.
set -euo pipefail
build=$(realpath "${1:?usage: tests/gpu/bundle.sh BUILD_FOLDER FILE.tar.xz}")
file=$(realpath -m "${2:?usage: tests/gpu/bundle.sh BUILD_FOLDER FILE.tar.xz}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{bin,lib,libraries,mpi/bin,mpi/share}
cp "$build"/bin/{convoy,test_gpu,test_parity,test_golden,test_roofline} "$work/bin"
cp "$build/lib/libconvoy_cudnn.so" "$work/lib"

# Open MPI finds its parts below OPAL_PREFIX as it would below its own prefix.
plugins=$(ompi_info.openmpi --path pkglibdir --parsable 2>/dev/null | sed 's/.*://')
if [ -d "$plugins" ]; then
  cp "$(readlink -f "$(command -v mpirun.openmpi)")" "$work/mpi/bin/mpirun"
  cp "$(command -v orted)" "$work/mpi/bin/orted"
  parts=$work/mpi/${plugins#/usr/}
  mkdir -p "$parts"
  cp "$plugins"/*.so "$parts"
  rm -f "$parts"/mca_*{ucx,ofi,verbs,usnic,psm,psm2,openib,portals4,monitoring}*.so  # networks, none of which one machine needs
  cp -r /usr/share/openmpi "$work/mpi/share/openmpi"
else
  echo "bundle.sh: no Open MPI here: checks of several ranks will not run there" >&2
fi

find "$work" -type f \( -perm -u+x -o -name '*.so' \) -exec ldd {} + 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
  grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv|libutil|ld-linux[^/]*|libstdc\+\+|libgcc_s|libcuda|libcudart|libcudnn[^/]*|libnccl)\.so' |
  xargs -r cp -L -t "$work/libraries"
strip --strip-unneeded "$work"/libraries/*.so* "$work"/bin/*
tar -C "$work" -cJf "$file" .
ls -l "$file"
