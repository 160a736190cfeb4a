#!/usr/bin/env bash
# From a fresh Debian 12 to a trained, evaluated and compared network: installs what is missing, builds, makes a synthetic
# image set, packs it, trains a small ResNet with LARS on 2 MPI ranks of oneDNN, evaluates it on held-out images, trains the
# same experiment again on 1 rank, and shows that both end with the same bits.
#   jobs/demo.sh [--yes] [--out FOLDER]     (default: runs/demo; needs 2 cores, about 8 minutes, 1 GB)
set -euo pipefail
cd "$(dirname "$0")/.."

yes=() out=runs/demo
while [ $# -gt 0 ]; do
  case "$1" in
    --yes) yes=(--yes) ;;
    --out) [ $# -gt 1 ] || { echo "demo.sh: --out needs a folder" >&2; exit 64; }; out=$2; shift ;;
    *) echo "demo.sh: unknown argument $1 (known: --yes --out FOLDER)" >&2; exit 64 ;;
  esac
  shift
done
if [ -e "$out" ]; then
  echo "demo.sh: $out exists; remove it or name another folder with --out" >&2
  exit 1
fi

say() { printf '\n== %s\n' "$*"; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1   # containers often have no other user
ranks() { mpirun.openmpi -n "$1" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 "${@:2}"; }

say "installing what is missing, building"
echo "   (from nothing the build takes some minutes and says no more until it has ended)"
jobs/launch/debian.sh "${yes[@]}"
jobs/launch/build.sh build-demo -DMPI_CXX_COMPILER=mpicxx.openmpi -DCONVOY_TESTS=OFF
convoy=build-demo/bin/convoy
started=$SECONDS

say "making and packing a synthetic set (10 classes of shapes; colour, place, size and angle tell nothing)"
$convoy synth --out "$out/images"
$convoy pack "$out/images/train" --out "$out/set/train" --quiet
$convoy pack "$out/images/val" --classes "$out/set/train" --out "$out/set/val" --quiet
$convoy verify "$out/set/train" "$out/set/val"

say "what the job is"
$convoy plan jobs/demo.toml --train "$out/set/train" --held-out "$out/set/val" --ranks 2

say "training on 2 ranks, one oneDNN thread each"
ranks 2 $convoy train jobs/demo.toml --train "$out/set/train" --held-out "$out/set/val" --threads 1 --out "$out/two-ranks"

say "evaluating the last checkpoint"
$convoy evaluate "$out/two-ranks" --held-out "$out/set/val" --threads 1

say "the same experiment on 1 rank"
$convoy train jobs/demo.toml --train "$out/set/train" --held-out "$out/set/val" --threads 1 --out "$out/one-rank"

say "side by side"
# One rank is slower than two, and is meant to be: only the results are compared.
$convoy compare "$out/two-ranks" "$out/one-rank" --speed-margin 100

printf '\nDone in %d min %02d s after the build.\n  result  %s\n  curve   %s\n' \
  $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)) "$out/two-ranks/result.json" "$out/two-ranks/curve.svg"
