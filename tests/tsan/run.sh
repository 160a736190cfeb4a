#!/usr/bin/env bash
# The loader, the reducer and the checkpoint writer under ThreadSanitizer: tests/tsan/run.sh BUILD_FOLDER
# The folder is built with -DCONVOY_SANITIZE=thread, its targets test_data, test_mpi, test_checkpoint and test_train.
# OpenMP's teams are of one thread, as GCC's runtime tells the sanitizer nothing of its barriers and every loop would be noise: what is
# looked at is convoy's own threads, of the loader, the reducer, the checkpoint and the roll call. tests/support/tsan.txt names
# the libraries whose noise is suppressed. Exits non-zero on any report; the last line is "N passed, M failed".
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: tests/tsan/run.sh BUILD_FOLDER}/bin
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
export TSAN_OPTIONS="suppressions=$PWD/tests/support/tsan.txt exitcode=66 history_size=4"
passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Where addresses are laid out at random in more bits than GCC 12's runtime knows of, it ends with "unexpected memory mapping".
plain=()
if setarch -R true 2>/dev/null; then plain=(setarch -R); fi
ranks() { timeout 600 mpirun.openmpi --oversubscribe --bind-to none --mca mpi_yield_when_idle 1 -n "$@"; }

verdict() {  # verdict NAME TRUTH
  if [ "$2" = true ]; then
    passed=$((passed + 1)); echo "passed: $1"
  else
    failed=$((failed + 1)); echo "FAILED: $1"; sed 's/^/    /' "$scratch/out" | head -150
  fi
}
clean() {  # clean NAME COMMAND...: it succeeds, and nothing is reported
  local name=$1
  shift
  "$@" >"$scratch/out" 2>&1 </dev/null
  verdict "$name" "$([ $? = 0 ] && ! grep -q 'ThreadSanitizer' "$scratch/out" && echo true)"
}

# The rung can fail: a race is reported in spite of the suppressions.
printf '%s\n' '#include <thread>' 'int value;' 'int main() {' '  std::thread other([] { ++value; });' '  ++value;' '  other.join();' '}' \
  >"$scratch/race.cpp"
c++ -std=c++20 -g -fsanitize=thread -o "$scratch/race" "$scratch/race.cpp" -pthread && "${plain[@]}" "$scratch/race" >"$scratch/out" 2>&1
verdict "a planted race is reported" "$([ $? = 66 ] && grep -q 'data race.*race.cpp' "$scratch/out" && echo true)"

clean "the loader" "${plain[@]}" "$build/test_data" "loader:*"
clean "the checkpoint writer" "${plain[@]}" "$build/test_checkpoint"
for count in 1 2 4; do
  clean "the reducer on $count ranks" ranks $count "${plain[@]}" "$build/test_mpi" "reducer:*,mirror:*,failing:*,wire:*,tree:*,ladder:*"
done
clean "training on 2 ranks" ranks 2 "${plain[@]}" "$build/test_train" \
  "killed at every step*,a checkpoint between two saves*,a stop asked*,a last state*,the library's road takes*,a time limit*"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
