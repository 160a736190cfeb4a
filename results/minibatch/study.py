#!/usr/bin/env python3
"""Accuracy against the minibatch for four recipes (jobs/minibatch), the papers' central figure in small.

  study.py run --train SET --held-out SET [--processes 2] [--seeds 3]    makes the runs that are missing, cheapest first, one thread each
  study.py draw                                                          table.md and figure.svg from runs/ (needs matplotlib)

A run's result.json goes to runs/RECIPE-MINIBATCH-SEED.json. A run that diverges is a result like any other. Stop and start at will.
"""
import argparse
import concurrent.futures
import json
import math
import os
import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECIPES = ("sgd", "sgd-no-warmup", "lars", "rmsprop-warmup")
TITLES = {"sgd": "SGD, gradual warm-up", "sgd-no-warmup": "SGD, no warm-up", "lars": "LARS", "rmsprop-warmup": "RMSprop warm-up"}
MINIBATCHES = (128, 512, 2048, 4096, 8192)
WORKER_IMAGES = 32
LARS_RATE = 2.8  # at 128 images, as jobs/minibatch/lars.toml has it


def settings(recipe, minibatch, seed):
    yield f"minibatch.workers={minibatch // WORKER_IMAGES}"
    yield f"train.seed={seed}"
    yield "train.evaluate_every=3"
    if recipe == "lars":
        yield f"schedule.rate={LARS_RATE * math.sqrt(minibatch / 128):.4f}"


def make(options, recipe, minibatch, seed):
    target = HERE / "runs" / f"{recipe}-{minibatch}-{seed}.json"
    if target.exists():
        return None
    folder = Path(tempfile.mkdtemp(prefix=f"{target.stem}-"))
    command = [options.convoy, "train", ROOT / f"jobs/minibatch/{recipe}.toml", "--train", options.train, "--held-out", options.held_out,
               "--threads", "1", "--checkpoint-epochs", "0", "--quiet", "--out", folder / "run"]
    for setting in settings(recipe, minibatch, seed):
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_WAIT_POLICY": "passive"})
    if done.returncode not in (0, 2):  # 2: diverged
        return f"{target.stem}: exit {done.returncode}: {done.stderr.strip()}"
    target.parent.mkdir(exist_ok=True)
    target.write_text(portable((folder / "run/result.json").read_text(), target.stem, folder, options))
    shutil.rmtree(folder)
    return f"{target.stem}: {accuracy(json.loads(target.read_text())):.2f} %"


def portable(text, name, folder, options):
    """The result without this machine's paths."""
    for path, instead in ((folder / "run", f"runs/{name}"), (options.convoy, "convoy"), (options.train, "tiny100/train"),
                          (options.held_out, "tiny100/val"), (f"{ROOT}/", "")):
        text = text.replace(str(path), instead)
    return text


def accuracy(result):
    """Held-out top-1 in percent; a run that diverged knows as much as a guess."""
    if result["status"] != "completed":
        return 100 / result["dataset"]["train"]["classes"]
    last = result["epochs"][-1]
    return 100 * last["correct1"] / last["held_out_images"]


def run(options):
    points = [(recipe, minibatch, seed) for seed in range(1, options.seeds + 1) for minibatch in MINIBATCHES for recipe in RECIPES]
    with concurrent.futures.ThreadPoolExecutor(options.processes) as pool:
        for line in pool.map(lambda point: make(options, *point), points):
            if line:
                print(line, flush=True)


def collect():
    found = {}
    for path in (HERE / "runs").glob("*.json"):
        recipe, minibatch, _ = path.stem.rsplit("-", 2)
        result = json.loads(path.read_text())
        found.setdefault((recipe, int(minibatch)), []).append((accuracy(result), result["status"]))
    return found


def cell(runs):
    if not runs:
        return ""
    values = [value for value, _ in runs]
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    broken = sum(status != "completed" for _, status in runs)
    return f"{statistics.mean(values):.2f}{spread}" + (f" ({broken} of {len(runs)} diverged)" if broken else "")


def draw(_):
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    found = collect()
    lines = ["| minibatch | " + " | ".join(TITLES[recipe] for recipe in RECIPES) + " |", "|---" * (len(RECIPES) + 1) + "|"]
    for minibatch in MINIBATCHES:
        lines.append(f"| {minibatch} | " + " | ".join(cell(found.get((recipe, minibatch))) for recipe in RECIPES) + " |")
    (HERE / "table.md").write_text("\n".join(lines) + "\n")
    figure, axes = pyplot.subplots(figsize=(8, 5))
    for recipe, mark in zip(RECIPES, "osD^"):
        points = [(m, [value for value, _ in found[recipe, m]]) for m in MINIBATCHES if (recipe, m) in found]
        axes.errorbar([m for m, _ in points], [statistics.mean(v) for _, v in points],
                      [statistics.stdev(v) if len(v) > 1 else 0 for _, v in points], marker=mark, capsize=3, label=TITLES[recipe])
    axes.set_xscale("log", base=2)
    axes.set_xticks(MINIBATCHES, [str(m) for m in MINIBATCHES])
    axes.set(xlabel="minibatch (images)", ylabel="held-out top-1 (%)", ylim=(0, None),
             title="tiny100, narrow ResNet-18 at 32 pixels, 18 epochs: mean and s.d. over seeds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(HERE / "figure.svg", bbox_inches="tight", metadata={"Date": None})
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    runs = commands.add_parser("run")
    runs.add_argument("--train", type=Path, required=True)
    runs.add_argument("--held-out", type=Path, required=True)
    runs.add_argument("--convoy", type=Path, default=ROOT / "build/bin/convoy")
    runs.add_argument("--processes", type=int, default=2)
    runs.add_argument("--seeds", type=int, default=3)
    runs.set_defaults(act=run)
    commands.add_parser("draw").set_defaults(act=draw)
    options = parser.parse_args()
    options.act(options)


if __name__ == "__main__":
    main()
