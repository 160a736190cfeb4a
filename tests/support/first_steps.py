#!/usr/bin/env python3
"""The first 20 steps of every job file with all of its workers on this machine, on small pictures: does every recipe run?

  first_steps.py [--convoy build/bin/convoy] [--steps 20] [--images 2] [--table FILE] [--processes 1] [--folder F] [JOB ...]
                                                                      (default: jobs/*.toml and jobs/mlperf/*.toml, fewest workers first)

Pictures of 48 pixels (67 for AlexNets), 2 images a worker, the job's own schedule, optimizer, wire and number of workers, one after the
other on one rank of one thread; as many synthetic pictures as make an epoch as many steps as ImageNet has of the job, so that the steps
are the schedule's first. (Of 32 pixels the last maps would be one: batch norm of two numbers, whose gradients grow without bound.)
A row a job goes to the table; jobs that have one are passed over, and with --folder, which is kept, one that was cut off goes on from its
last checkpoint: it can be stopped and started at will. 2,048 workers of ResNet-50 take an hour.
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import tempfile
import threading
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGENET = 1281167


def must(*command, codes=(0,)):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=os.environ | {"OMP_WAIT_POLICY": "passive"})
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(map(str, command[:3]))} failed with {done.returncode}: {done.stderr.strip()}")


def steps_of(run):
    """Those in a run's metrics; of one that was done again, the later."""
    metrics = run / "metrics.jsonl"
    lines = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    return {line["step"]: line for line in lines if line["event"] == "step"}


def pictures(convoy, folder, count):
    """A packed set of about `count` pictures."""
    packed = folder / f"set-{count}"
    if not (packed / "dataset.json").exists():
        plain = folder / f"images-{count}"
        shutil.rmtree(plain, ignore_errors=True)
        must(convoy, "synth", "--out", plain, "--train-per-class", count // 10, "--val-per-class", 1, "--size", 40)
        must(convoy, "pack", plain / "train", "--out", packed, "--quiet")
        shutil.rmtree(plain)
    return packed


def first_steps(convoy, job, packed, folder, steps, images):
    text = tomllib.loads(job.read_text())
    size = 67 if text["network"]["model"].startswith("alexnet") else 48
    run = folder / job.stem
    sets = [f"network.input={size}", f"data.resize={size + 4}", f"minibatch.images={images}", "network.classes=1000"]
    command = [convoy, "train", job, "--train", packed, "--out", run, "--quiet", "--stop-after", str(steps),
               "--checkpoint-epochs", "0", "--checkpoint-steps", "2", "--resume", "auto", "--threads", "1"]
    if len(steps_of(run)) < steps:
        must(*command, *(piece for key in sets for piece in ("--set", key)), codes=(0, 85))
    result, every = json.loads((run / "result.json").read_text()), steps_of(run)
    if sorted(every) != list(range(steps)):
        raise SystemExit(f"{job.stem} was stopped after {len(every)} of {steps} steps, which lie in {run}: start again to go on")
    losses, seconds = [every[step]["loss"] for step in range(steps)], sum(line["step_s"] for line in every.values())
    return (f"| {job.relative_to(ROOT)} | {text['minibatch']['workers']:,} | {steps} | {losses[0]:.4f} to {losses[-1]:.4f} | "
            f"{result['numerics']['final_weights_xxh3']} | {seconds:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", default=ROOT / "build/bin/convoy")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("jobs", nargs="*", type=Path)
    options = parser.parse_args()
    jobs = [job.resolve() for job in options.jobs] or sorted(ROOT.glob("jobs/*.toml")) + sorted(ROOT.glob("jobs/mlperf/*.toml"))
    jobs.sort(key=lambda job: tomllib.loads(job.read_text())["minibatch"]["workers"])
    if options.table and not options.table.exists():
        options.table.write_text("| job | workers | steps | loss | weights after them (XXH3) | s |\n|---|---|---|---|---|---|\n")
    known = options.table.read_text() if options.table else ""
    lock = threading.Lock()

    def do(job):
        images = tomllib.loads(job.read_text())["minibatch"]["images"]
        with lock:
            packed = pictures(options.convoy, folder, IMAGENET * options.images // images)
        row = first_steps(options.convoy, job, packed, folder, options.steps, options.images)
        with lock:
            print(row, flush=True)
            if options.table:
                with options.table.open("a") as table:
                    table.write(row + "\n")
            shutil.rmtree(folder / job.stem)

    with tempfile.TemporaryDirectory(prefix="convoy-jobs-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(options.processes) as pool:
            list(pool.map(do, [job for job in jobs if f"| {job.relative_to(ROOT)} |" not in known]))


if __name__ == "__main__":
    main()
