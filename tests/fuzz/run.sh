#!/usr/bin/env bash
# Fuzzes the readers of what others wrote with libFuzzer under AddressSanitizer and UndefinedBehaviorSanitizer:
#   tests/fuzz/run.sh [--seconds N] [READER ...]    all readers (readers.h), 600 seconds each unless said otherwise
# Needs clang, and Pillow in $CONVOY_PYTHON. Begins with corpus/READER and with seeds made here. What is found is told at
# once and lies in build-fuzz/findings/READER-*; once mended it goes into corpus/READER, which the unit tests replay.
# The last line of each reader: READER, seconds, executions, findings.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=600 readers=()
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=${2:?--seconds needs a number}; shift 2 ;;
    -*) echo "run.sh: unknown flag $1 (known: --seconds)" >&2; exit 64 ;;
    *) readers+=("$1"); shift ;;
  esac
done
[ ${#readers[@]} -gt 0 ] || readers=(jpeg png coefficients shard manifest tar labels devkit checkpoint job result logs safetensors)
python=${CONVOY_PYTHON:-.deps/python/bin/python}
build=build-fuzz

jobs/launch/build.sh $build -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Fuzz -DCMAKE_CXX_FLAGS=-O1 \
  -DCONVOY_PCH=ON -DCONVOY_SANITIZE=fuzzer-no-link,address,undefined,float-cast-overflow -- fuzz_seeds "${readers[@]/#/fuzz_}" || exit 1
export LSAN_OPTIONS=suppressions=$PWD/tests/support/lsan.txt:print_suppressions=0
if [ ! -e $build/seeds/done ]; then
  rm -rf $build/seeds && mkdir -p $build/seeds
  $build/bin/fuzz_seeds $build/seeds && "$python" tests/fuzz/seeds.py $build/seeds && touch $build/seeds/done || exit 1
fi
[ -d /dev/shm ] && export TMPDIR=/dev/shm  # the files that the readers read

mkdir -p $build/findings
found=0
for reader in "${readers[@]}"; do
  mkdir -p $build/corpus/$reader tests/fuzz/corpus/$reader
  before=$(find $build/findings -name "$reader-*" | wc -l)
  $build/bin/fuzz_$reader -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -use_value_profile=1 \
    -max_len=$([[ $reader =~ shard|checkpoint|tar ]] && echo 65536 || echo 16384) -artifact_prefix=$build/findings/$reader- \
    $build/corpus/$reader tests/fuzz/corpus/$reader $build/seeds/$reader >$build/findings/$reader.log 2>&1
  new=$(($(find $build/findings -name "$reader-*" | wc -l) - before))
  found=$((found + new))
  [ $new -eq 0 ] || grep -m 3 -E 'ERROR|runtime error|SUMMARY|what\(\)' $build/findings/$reader.log
  printf '%-12s %5s s %12s executions %3d findings\n' "$reader" \
    "$(grep -oP 'Done \d+ runs in \K\d+' $build/findings/$reader.log || echo -)" \
    "$(grep -oP 'stat::number_of_executed_units: \K\d+' $build/findings/$reader.log || echo -)" $new
done
[ $found -eq 0 ]
