#!/usr/bin/env python3
"""What observing a run costs: the same training with everything on and with everything off, in turn.

  observation_cost.py CONVOY JOB --train SET [--held-out SET] [--steps 60] [--pairs 8] [--threads 1]

Every pair is one run of each kind, and every other pair begins with the other kind, so that a machine that warms up or has
other work favours neither. Printed, each as the median over pairs with a bootstrapped 95 % interval:
  the median step from end to end (step_s + other_s of metrics.jsonl), on over off;
  the processor time of the whole run, all threads, on over off: what to look at where others use the machine;
  the mean other_s, on less off, over a step: there lies the observers' work on the training thread.
Everything on is `--observe` as by default and `--trace` of all steps.
"""
import argparse
import json
import pathlib
import random
import resource
import statistics
import subprocess
import tempfile


def run(arguments, folder, observed):
    command = [arguments.convoy.resolve(), "train", arguments.job, "--train", arguments.train, "--out", folder, "--quiet",
               "--threads", arguments.threads, "--stop-after", arguments.steps, *arguments.more]
    if arguments.held_out:
        command += ["--held-out", arguments.held_out]
    command += ["--trace", folder.with_suffix(".trace")] if observed else ["--observe", "none"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if code not in (0, 85):  # 85: stopped after so many steps
        raise SystemExit(f"ended with {code}: {' '.join(map(str, command))}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["event"] == "step" and not line["warmup"]]
    return (statistics.median(s["step_s"] + s["other_s"] for s in steps),
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, statistics.mean(s["other_s"] for s in steps))


def interval(values, draws=4000):
    """The median, and the 2.5th and 97.5th percentile of resampled medians."""
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(values, k=len(values))) for _ in range(draws))
    return statistics.median(values), medians[draws // 40], medians[-draws // 40 - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("convoy", type=pathlib.Path)
    parser.add_argument("job")
    parser.add_argument("--train", required=True)
    parser.add_argument("--held-out")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("more", nargs="*", help="further flags of `convoy train`, after --")
    arguments = parser.parse_args()
    ratios, processor, between = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        for pair in range(arguments.pairs):
            kinds = (True, False) if pair % 2 else (False, True)
            took = {on: run(arguments, pathlib.Path(scratch) / f"{pair}-{on}", on) for on in kinds}
            ratios.append(100 * (took[True][0] / took[False][0] - 1))
            processor.append(100 * (took[True][1] / took[False][1] - 1))
            between.append(100 * (took[True][2] - took[False][2]) / took[False][0])
            print(f"pair {pair + 1}: off {1e3 * took[False][0]:.2f} ms, on {1e3 * took[True][0]:.2f} ms a step", flush=True)
    print("step, on over off: {:+.2f} % [{:+.2f}, {:+.2f}]".format(*interval(ratios)))
    print("processor time, on over off: {:+.2f} % [{:+.2f}, {:+.2f}]".format(*interval(processor)))
    print("observers on the training thread: {:+.3f} % of a step [{:+.3f}, {:+.3f}]".format(*interval(between)))


if __name__ == "__main__":
    main()
