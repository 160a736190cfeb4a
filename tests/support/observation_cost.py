#!/usr/bin/env python3
"""What observing a run costs: the same training with everything on and with everything off, at the same time on the same core.

  observation_cost.py CONVOY JOB --train SET [--held-out SET] [--steps 60] [--pairs 8] [--core 0]

The scheduler gives the two of a pair turns of milliseconds, so that clock, caches and neighbours are alike for both, which they are not
for one run after the other (here +-10 %). Printed, each as the median over pairs with a bootstrapped 95 % interval:
  the processor time of the whole run, all threads, on over off;
  the mean other_s of metrics.jsonl, on less off, over the median step (step_s + other_s): the observers' work on the training thread.
Everything on is `--observe` as by default and `--trace` of all steps.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile


def start(arguments, folder, observed):
    command = [arguments.convoy.resolve(), "train", arguments.job, "--train", arguments.train, "--out", folder, "--quiet",
               "--threads", 1, "--stop-after", arguments.steps, *arguments.more]
    if arguments.held_out:
        command += ["--held-out", arguments.held_out]
    command += ["--trace", folder.with_suffix(".trace")] if observed else ["--observe", "none"]
    return start_on_core(command, arguments.core, stderr=subprocess.DEVNULL)


def start_on_core(command, core, **more):
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}), **more)


def finish_run(process, folder):
    """Processor time of all threads, and the lines of metrics.jsonl."""
    _, status, used = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in (0, 85):  # 85: stopped after so many steps
        raise SystemExit(f"ended with {code}: {' '.join(process.args)}")
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return used.ru_utime + used.ru_stime, lines


def finish(process, folder):
    processor, lines = finish_run(process, folder)
    steps = [line for line in lines if line["event"] == "step" and not line["warmup"]]
    return (processor, statistics.median(s["step_s"] + s["other_s"] for s in steps),
            statistics.mean(s["other_s"] for s in steps))


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
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("more", nargs="*", help="further flags of `convoy train`, after --")
    arguments = parser.parse_args()
    processor, between = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for pair in range(arguments.pairs):
            folders = {on: pathlib.Path(scratch) / f"{pair}-{on}" for on in ((True, False) if pair % 2 else (False, True))}
            running = {on: start(arguments, folder, on) for on, folder in folders.items()}
            took = {on: finish(process, folders[on]) for on, process in running.items()}
            processor.append(100 * (took[True][0] / took[False][0] - 1))
            between.append(100 * (took[True][2] - took[False][2]) / took[False][1])
            print(f"pair {pair + 1}: off {took[False][0]:.2f} s, on {took[True][0]:.2f} s of processor time", flush=True)
    print("processor time, on over off: {:+.2f} % [{:+.2f}, {:+.2f}]".format(*interval(processor)))
    print("observers on the training thread: {:+.3f} % of a step [{:+.3f}, {:+.3f}]".format(*interval(between)))


if __name__ == "__main__":
    main()
