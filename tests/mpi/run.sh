#!/bin/bash
# tests/mpi/run.sh BUILD_DIR: the mpi rung under the launcher that fits the build's MPI library, on 1, 2, 3, 4 and 8 ranks,
# and the ways in which a job may fail. Exits non-zero on any failure; the last line is "N passed, M failed".
set -u
build=${1:?usage: tests/mpi/run.sh BUILD_DIR}
program=$build/bin/test_mpi
passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# More ranks than cores: waiting threads give way, and messages between processes need no special permission.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=2

open_mpi() { timeout 300 "$(command -v mpirun.openmpi || echo mpirun)" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n "$@"; }
mpich() { timeout 300 mpiexec.hydra -n "$@"; }
if ldd "$program" | grep -q libmpich; then
  launch=mpich wrong=open_mpi wrong_name=mpirun.openmpi
else
  launch=open_mpi wrong=mpich wrong_name=mpiexec.hydra
fi

verdict() {  # verdict NAME TRUTH: counts, and shows the output of what failed
  if [ "$2" = true ]; then
    passed=$((passed + 1)); echo "passed: $1"
  else
    failed=$((failed + 1)); echo "FAILED: $1"; sed 's/^/    /' "$scratch/out" | head -60
  fi
}

for ranks in 1 2 4 8 3; do
  $launch $ranks "$program" >"$scratch/out" 2>&1 </dev/null
  verdict "test_mpi on $ranks ranks ($launch)" "$([ $? = 0 ] && grep -q 'all passed' "$scratch/out" && echo true)"
done

# What a user sees of an error: said once, with rank, host and cause, and the job ends with its exit code.
check_failure() {  # check_failure NAME STATUS TEXT MODE...
  local name=$1 status=$2 text=$3 code said
  shift 3
  $launch 4 "$program" "$@" >"$scratch/out" 2>&1 </dev/null
  code=$?
  said=$(grep -c 'convoy: ' "$scratch/out")
  verdict "$name" "$([ $code = "$status" ] && [ "$said" = 1 ] && grep -q "$text" "$scratch/out" && echo true)"
}
check_failure "one rank fails: said once, all ranks end with its code" 75 \
  "convoy: rank 2 of 4 on $(hostname): the cause on one rank" fail-alone 2
check_failure "rank 0 fails: the same" 75 "convoy: rank 0 of 4 on $(hostname): the cause on one rank" fail-alone 0
check_failure "all ranks fail together: one speaks for all" 64 "every rank met the same mistake" fail-together
for stopped in 0 2; do
  $launch 4 "$program" fail-stopped $stopped >"$scratch/out" 2>&1 </dev/null
  code=$?
  verdict "rank $stopped of 4 is stopped: named by the others, and the job ends" \
    "$([ $code != 0 ] && [ $code != 124 ] &&
       grep -q "no sign of life within 2 s from rank $stopped on $(hostname): stopped" "$scratch/out" && echo true)"
done
$launch 4 "$program" fail-hang 1 >"$scratch/out" 2>&1 </dev/null
code=$?
verdict "a case that hangs is named with its rank, and the job ends" \
  "$([ $code != 0 ] && [ $code != 124 ] && grep -q 'rank [0-3] hangs in the case "a planted hang"' "$scratch/out" && echo true)"

if command -v $wrong_name >/dev/null; then
  $wrong 4 "$program" >"$scratch/out" 2>&1 </dev/null
  code=$?
  said=$(grep -c 'believes that it is rank 0 of 1' "$scratch/out")
  verdict "the other library's launcher is recognized before anything starts" \
    "$([ $code != 0 ] && [ "$said" = 1 ] && grep -q 'started 4 ranks' "$scratch/out" && echo true)"
else
  echo "skipped: the other library's launcher is recognized ($wrong_name is not installed)"
fi
# Inside a batch job's shell, but not under its launcher: one rank is what was meant.
SLURM_JOB_ID=1 SLURM_NTASKS=8 SLURM_PROCID=0 timeout 60 "$program" "launch*" >"$scratch/out" 2>&1 </dev/null
verdict "a plain start within an allocation of 8 tasks works" "$([ $? = 0 ] && echo true)"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
