#!/usr/bin/env bash
# One step of the papers' own size on this machine, the job files unchanged: all images of the minibatch at full resolution,
# all of its workers. The image set is synthetic (34,000 pictures); 1 and 2 ranks must end with the same weights: they have one
# thread each, as equal bits need equal plans. akiba runs on one rank of all cores.
#   results/true-size.sh FOLDER [CASE ...]     cases: alexnet-1 alexnet-2 goyal-1 goyal-2 akiba-1 akiba-112 (hours in all)
# Prints a line a case: command, seconds of the step, peak memory of all ranks, digest of the weights after it.
set -euo pipefail
cd "$(dirname "$0")/.."
convoy=${CONVOY:-build/bin/convoy} python=${CONVOY_PYTHON:-python3}
[ $# -gt 0 ] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 64; }
folder=$1
shift
mkdir -p "$folder"
if [ ! -e "$folder/set/train" ]; then
  "$convoy" synth --out "$folder/images" --train-per-class 3400 --val-per-class 1 --quality 80
  "$convoy" pack "$folder/images/train" --out "$folder/set/train" --quiet
fi

for case in "${@:-alexnet-1}"; do
  sets=()
  case ${case%-*} in
    alexnet) job=you-alexnet-11min ;;
    goyal) job=goyal-1hour ;;
    akiba) job=akiba-15min ;;
    *) echo "true-size.sh: no case $case" >&2; exit 64 ;;
  esac
  ranks=${case##*-}
  threads=1
  if [ "$ranks" = 112 ]; then ranks=1; sets=(--set network.input=112 --set data.resize=128); fi
  if [ "$job" = akiba-15min ]; then threads=$(nproc); fi
  run=$folder/$case
  rm -rf "$run"
  command=("$convoy" train "jobs/$job.toml" --train "$folder/set/train" --set network.classes=1000 "${sets[@]}"
    --stop-after 1 --checkpoint-epochs 0 --threads "$threads" --out "$run" --quiet)
  if [ "$ranks" -gt 1 ]; then command=(mpirun -n "$ranks" --bind-to none "${command[@]}"); fi
  status=0
  "${command[@]}" 2>"$run.err" || status=$?
  # 85: stopped where it was told to.
  if [ $status -ne 85 ]; then cat "$run.err" >&2; exit $status; fi
  "$python" - "$run" "${command[*]}" <<'END'
import json, sys
run, command = sys.argv[1:]
result = json.load(open(f"{run}/result.json"))
step = next(line for line in map(json.loads, open(f"{run}/metrics.jsonl")) if line["event"] == "step")
memory = sum(rank["memory"]["peak_rss_bytes"] for rank in result["launch"]["per_rank"])
print(f"{step['images']} images, {step['step_s']:.0f} s, {memory / 2**30:.2f} GiB, loss {step['loss']:.6f}, "
      f"weights {result['numerics']['final_weights_xxh3']}\n  {command}", flush=True)
END
done
