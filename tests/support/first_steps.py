#!/usr/bin/env python3
"""The first 20 steps of every job file with all of its workers on this machine, on small pictures: does every recipe run?

  first_steps.py [--convoy build/bin/convoy] [--steps 20] [--images 2] [--out FOLDER] [JOB ...]     (default: jobs/*.toml, jobs/mlperf/*.toml)

Pictures of 32 pixels (67 for AlexNets), 2 images a worker, the job's own schedule, optimizer, wire and number of workers, one after the
other on one rank. Prints one line a job: steps, first and last loss, digest. 1,024 workers take minutes a step's worth of ResNet-50.
"""
import argparse
import json
import shutil
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def first_steps(convoy, job, folder, steps, images):
    text = tomllib.loads(job.read_text())
    size = 67 if text["network"]["model"].startswith("alexnet") else 32
    run = folder / job.stem
    shutil.rmtree(run, ignore_errors=True)
    started = time.monotonic()
    sets = [f"network.input={size}", f"data.resize={size + 4}", f"minibatch.images={images}", "network.classes=1000"]
    command = [convoy, "train", job, "--train", folder / "set", "--out", run, "--quiet", "--stop-after", str(steps),
               "--checkpoint-epochs", "0"]
    done = subprocess.run([*command, *(piece for key in sets for piece in ("--set", key))], capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode not in (0, 85):
        return f"{job.stem:<20} FAILED with {done.returncode}: {done.stderr.strip().splitlines()[-1]}"
    result = json.loads((run / "result.json").read_text())
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["event"] == "step"]
    workers = text["minibatch"]["workers"]
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    return (f"{job.stem:<20} {workers:>5} workers  {len(losses):>2} steps  loss {losses[0]:.4f} to {losses[-1]:.4f}  "
            f"weights {result['numerics']['final_weights_xxh3']}  {seconds:5.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", default=ROOT / "build/bin/convoy")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("jobs", nargs="*", type=Path)
    options = parser.parse_args()
    jobs = options.jobs or sorted(ROOT.glob("jobs/*.toml")) + sorted(ROOT.glob("jobs/mlperf/*.toml"))
    folder = options.out or Path(tempfile.mkdtemp(prefix="convoy-jobs-"))
    if not (folder / "set").exists():
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([options.convoy, "synth", "--out", folder / "images", "--val-per-class", "1"], **quiet)
        subprocess.run([options.convoy, "pack", folder / "images/train", "--out", folder / "set", "--quiet"], **quiet)
    for job in jobs:
        print(first_steps(options.convoy, job, folder, options.steps, options.images), flush=True)


if __name__ == "__main__":
    main()
