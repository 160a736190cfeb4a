#!/bin/bash
# tests/train/run.sh BUILD_DIR: the train rung under the launcher that fits the build's MPI library, on 1, 2, 4 and 8 ranks,
# and chains of runs that are killed (SIGKILL) in every step and taken up again on another number of ranks. Exits non-zero
# on any failure; the last line is "N passed, M failed".
set -u
build=${1:?usage: tests/train/run.sh BUILD_DIR}
program=$build/bin/test_train
passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMP_WAIT_POLICY=passive  # more ranks than cores: waiting threads give way

open_mpi() { timeout 300 "$(command -v mpirun.openmpi || echo mpirun)" --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n "$@"; }
mpich() { timeout 300 mpiexec.hydra -n "$@"; }
if ldd "$program" | grep -q libmpich; then launch=mpich; else launch=open_mpi; fi

verdict() {  # verdict NAME TRUTH: counts, and shows the output of what failed
  if [ "$2" = true ]; then
    passed=$((passed + 1)); echo "passed: $1"
  else
    failed=$((failed + 1)); echo "FAILED: $1"; sed 's/^/    /' "$scratch/out" | head -80
  fi
}

for ranks in 1 2 4 8; do
  $launch $ranks "$program" --use-colour no >"$scratch/out" 2>&1 </dev/null
  verdict "test_train on $ranks ranks ($launch)" "$([ $? = 0 ] && grep -q 'All tests passed' "$scratch/out" && echo true)"
done

digest_of() { sed -n 's/^digest //p' "$scratch/out"; }
$launch 1 "$program" run "$scratch/whole" >"$scratch/out" 2>&1 </dev/null
expected=$(digest_of)
verdict "an uninterrupted run on one rank" "$([ ${#expected} = 32 ] && echo true)"

# What an epoch's row says of the training, without its seconds.
epochs_of() { grep -E '"(step|train_images|train_loss|train_top1|held_out_loss|held_out_top1|correct1|correct5|nonfinite|weights_xxh3)":' "$1/result.json"; }

# Each launch dies in the step after the one before it, so every step is reached by a resumed run on other ranks.
chain() {  # chain FOLDER RANKS...
  local folder=$1 step=0 ranks died=0
  shift
  for ranks in "$@"; do
    $launch $ranks "$program" run "$folder" $step >"$scratch/out" 2>&1 </dev/null && return 1  # it must have been killed
    died=$((died + 1)) step=$((step + 1))
  done
  $launch 1 "$program" run "$folder" >"$scratch/out" 2>&1 </dev/null || return 1
  [ "$(digest_of)" = "$expected" ] || return 1
  # Every step has exactly one line, whatever was repeated.
  [ "$(grep -c '"event":"step"' "$folder/metrics.jsonl")" = 8 ] &&
    [ "$(grep -o '"event":"step","step":[0-9]*' "$folder/metrics.jsonl" | sort -u | wc -l)" = 8 ] &&
    [ "$(epochs_of "$folder")" = "$(epochs_of "$scratch/whole")" ] &&
    grep -q '"status": "completed"' "$folder/result.json" && [ "$(ls "$folder/checkpoints")" = "$last_two" ]
}
last_two=$'checkpoint-00000007.h5\ncheckpoint-00000008.h5'
chain "$scratch/same" 2 2 2 2 2 2 2 2
verdict "killed in every step and resumed on the same 2 ranks: the same digest" "$([ $? = 0 ] && echo true)"
chain "$scratch/other" 1 2 4 8 4 2 1 4
verdict "killed in every step and resumed on 1, 2, 4, 8, 4, 2, 1, 4 ranks: the same digest" "$([ $? = 0 ] && echo true)"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
