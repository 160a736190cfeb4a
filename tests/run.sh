#!/usr/bin/env bash
# Runs every test: installs what is missing, builds, then climbs the ladder (tests/README.md).
#   tests/run.sh [--yes] [--quick|--all]
#     --yes     install missing packages without asking
#     --quick   GCC and Open MPI only
#     (none)    also MPICH, Debian's oneDNN 2, and jobs under a real Slurm of this machine alone (as root)
#     --all     also 20 steps of full networks on the fused backend's interpreter, clang, the unit and data rungs under the address and
#               undefined-behaviour sanitizers, ThreadSanitizer on what has threads of its own, and a little fuzzing
# CONVOY_REAL_DATA=FOLDER adds the tests on real images. Logs: build/logs. Last line: "N passed, M failed".
set -uo pipefail
cd "$(dirname "$0")/.."

yes=() quick=no all=no
for argument in "$@"; do
  case "$argument" in
    --yes) yes=(--yes) ;;
    --quick) quick=yes ;;
    --all) all=yes ;;
    *) echo "run.sh: unknown argument $argument (known: --yes --quick --all)" >&2; exit 64 ;;
  esac
done
jobs/launch/debian.sh "${yes[@]}" --tests || exit 1

export CONVOY_PYTHON=$PWD/.deps/python/bin/python
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_WAIT_POLICY=passive  # ranks and threads share few cores: those that wait give way
if [ -n "${CONVOY_REAL_DATA:-}" ]; then echo "real images: $CONVOY_REAL_DATA"
else echo "SKIPPED: tests on real images (set CONVOY_REAL_DATA to a folder that holds them)"; fi

mkdir -p build/logs
passed=0 failed=0 broken=()
step() {  # step NAME COMMAND...
  local name=$1 started=$SECONDS
  shift
  if "$@" >"build/logs/$name.log" 2>&1; then
    passed=$((passed + 1))
    printf 'ok     %-28s %4d s   %s\n' "$name" $((SECONDS - started)) "$(grep -E 'passed|assertions|lint:|^Ran ' "build/logs/$name.log" | tail -n 1)"
  else
    failed=$((failed + 1)) broken+=("$name")
    printf 'FAILED %-28s %4d s   build/logs/%s.log ends:\n' "$name" $((SECONDS - started)) "$name"
    tail -n 40 "build/logs/$name.log" | sed 's/^/    /'
  fi
  grep -hiE '^ *skipped|\.\.\. skipped' "build/logs/$name.log" | sort -u | sed 's/^/       /'
}

step lint tests/lint/lint.py
step lint-catches-plants tests/lint/lint.py --self-test
step build-gcc-openmpi jobs/launch/build.sh build -DMPI_CXX_COMPILER=mpicxx.openmpi -DCONVOY_WERROR=ON
for rung in unit data parity golden; do step $rung build/bin/test_$rung; done
for rung in mpi train; do step $rung-openmpi tests/$rung/run.sh build; done
for rung in replay cli compare observe interop simulate launch faults gpu; do step $rung tests/$rung/run.sh build; done
step roofline build/bin/test_roofline
step deviceless tests/gpu/deviceless.sh build
step old-headers tests/gpu/old_headers.sh
step old-gpus tests/gpu/old_gpus.sh
if [ $quick = no ]; then
  step build-gcc-mpich jobs/launch/build.sh build-mpich -DMPI_CXX_COMPILER=mpicxx.mpich -DCONVOY_WERROR=ON -- convoy test_mpi test_train
  for rung in mpi train; do step $rung-mpich tests/$rung/run.sh build-mpich; done
  step build-onednn-2 jobs/launch/build.sh build-onednn2 -DMPI_CXX_COMPILER=mpicxx.openmpi -DCONVOY_WERROR=ON \
    -DCONVOY_ONEDNN_ROOT= -- test_parity
  step parity-onednn-2 build-onednn2/bin/test_parity
  step slurm tests/slurm/run.sh build "${yes[@]}"
fi
if [ $all = yes ]; then
  step golden-20-fused-steps build/bin/test_golden "[fused-steps]"
  step build-clang jobs/launch/build.sh build-clang -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DMPI_CXX_COMPILER=mpicxx.openmpi -DCONVOY_WERROR=ON -DCMAKE_BUILD_TYPE=Debug -DCONVOY_PCH=ON
  step build-sanitizers jobs/launch/build.sh build-sanitizers -DMPI_CXX_COMPILER=mpicxx.openmpi -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_CXX_FLAGS=-O1 -DCONVOY_SANITIZE=address,undefined -DCONVOY_PCH=ON -- test_unit test_data
  for rung in unit data; do
    step $rung-sanitizers env LSAN_OPTIONS=suppressions=tests/support/lsan.txt build-sanitizers/bin/test_$rung
  done
  step build-tsan jobs/launch/build.sh build-tsan -DMPI_CXX_COMPILER=mpicxx.openmpi -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=-O1 \
    -DCONVOY_SANITIZE=thread -DCONVOY_PCH=ON -- test_data test_mpi test_checkpoint test_train
  step tsan tests/tsan/run.sh build-tsan
  step fuzz tests/fuzz/run.sh --seconds 20
fi

[ -e .deps/onednn/lib/libdnnl.so ] ||
  echo "WARNING: oneDNN 3.x was not tested: it is not in .deps/onednn (jobs/launch/debian.sh could not fetch it); all ran on the system's oneDNN"
[ $failed -eq 0 ] || echo "failed: ${broken[*]}"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
