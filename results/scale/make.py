#!/usr/bin/env python3
"""Every timed figure of the three papers beside its simulation: results/scale/make.py [BUILD_FOLDER] [--known]

Writes table.md and, where they are missing, rows/*.json (one `convoy simulate` each: remove one to simulate it again).
With --known nothing is simulated: rows without their files are left out.
Paper's own schedule in the first table: Gloo's and MLSL's leaders with overlap, ChainerMN's one packed fp16 ring after the
backward pass. Ours in the second: the fixed-order tree, nearest first, 8 MiB buckets, overlapped.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KNOWN = "--known" in sys.argv
FOLDERS = [argument for argument in sys.argv[1:] if argument != "--known"]
CONVOY = pathlib.Path(FOLDERS[0] if FOLDERS else ROOT / "build") / "bin/convoy"
GOYAL = ("goyal-1hour", "goyal-p100", "--algorithm", "leaders")
AKIBA = ("akiba-15min", "mn1", "--algorithm", "grid", "--blocking", "--set", "train.bucket_mib=1000")
SKX = ("--algorithm", "leaders")
KNL = ("--algorithm", "tree", "--set", "train.bucket_mib=32")

# name, what it is, published seconds an iteration (None: none), is the row the anchor of the others?, command
PAPERS = [
    ("goyal-8", "Goyal, ResNet-50, 8 P100", 0.232, True, [*GOYAL, "--set", "minibatch.workers=8"]),
    ("goyal-256", "Goyal, ResNet-50, 256 P100", 0.256, False, [*GOYAL]),
    ("goyal-352", "Goyal, ResNet-50, 352 P100", 0.260, False, [*GOYAL, "--set", "minibatch.workers=352"]),
    ("goyal-r101", "Goyal, ResNet-101, 256 P100", 0.394, False, [*GOYAL, "--set", "network.model=resnet101"]),
    ("akiba-8", "Akiba, ResNet-50, 8 P100", 0.2042, True, [*AKIBA, "--set", "minibatch.workers=8"]),
    ("akiba-1024", "Akiba, ResNet-50, 1,024 P100", 0.2552, False, [*AKIBA]),
    ("you-rn50-cpu1024", "You, ResNet-50, 1,024 CPUs", 0.819, True, ["you-resnet50-48min", "stampede2-skx", *SKX]),
    ("you-rn50-cpu1600", "You, ResNet-50, 1,600 CPUs, 16,000 images", 0.258, False,
     ["you-resnet50-48min", "stampede2-skx", *SKX, "--set", "minibatch.workers=1600", "--set", "minibatch.images=10"]),
    ("you-alexnet-cpu1024", "You, AlexNet, 1,024 CPUs", 0.1688, False, ["you-alexnet-11min", "stampede2-skx", *SKX]),
    ("you-alexnet-knl512", "You, AlexNet, 512 KNL", 0.368, False,
     ["you-alexnet-11min", "stampede2-knl", *KNL, "--set", "minibatch.workers=512", "--set", "minibatch.images=64"]),
    ("you-rn50-knl512", "You, ResNet-50, 512 KNL", 1.023, False,
     ["you-resnet50-20min", "stampede2-knl", *KNL, "--set", "minibatch.workers=512", "--set", "minibatch.images=64"]),
    ("you-rn50-knl2048", "You, ResNet-50, 2,048 KNL", 0.341, False,
     ["you-resnet50-20min", "stampede2-knl", *KNL, "--set", "minibatch.workers=2048", "--set", "minibatch.images=16"]),
    ("h100-3584", "MLPerf v3.0, ResNet-50, 3,584 H100; forecast for 4,096 by closed form", 0.0064, False, None),
]


def simulate(name, command, basis):
    file = HERE / "rows" / f"{name}.{basis}.json"
    if KNOWN and not file.exists():
        raise FileNotFoundError(file)
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        job, cluster, *rest = command
        subprocess.run([CONVOY, "simulate", f"jobs/{job}.toml", "--cluster", f"jobs/launch/clusters/{cluster}.toml",
                        "--basis", basis, *rest, "--json", "--out", file],
                       cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        print(file.name, json.loads(file.read_text())["iteration_s"], flush=True)
    return json.loads(file.read_text())


def closed_form(basis):
    """The tree wants 2^k: 4,096 GPUs of 16 images each, fp16 gradients, as the nearest."""
    done = subprocess.run([CONVOY, "plan", "jobs/akiba-15min.toml", "--cluster", "jobs/launch/clusters/h100.toml", "--basis",
                           basis, "--ranks", "4096", "--set", "minibatch.workers=4096", "--set", "minibatch.images=16",
                           "--set", "schedule.allow_large_rate=true", "--json"], cwd=ROOT, check=True, capture_output=True,
                          text=True).stdout
    row = next(r for r in json.loads(done)["cluster"]["forecasts"] if r["algorithm"] == "tree")
    return {"iteration_s": row["iteration_s"], "decomposition_s": None}


def error(seconds, published):
    return f"{100 * (seconds / published - 1):+.1f} %"


def parts(row):
    if row["decomposition_s"] is None:
        return "-"
    d = row["decomposition_s"]
    return " + ".join(f"{1000 * d[k]:.0f}" for k in ("compute", "communication_exposed", "imbalance", "overhead"))


def main():
    lines = ["# The papers' clusters, published and simulated", "",
             "Made by `results/scale/make.py`, from the cluster files in jobs/launch/clusters; seconds an iteration. *By",
             "specification*: data sheets alone, no stragglers. *With calibration*: the files' fitted and measured values as well.",
             "An *anchor* is what a file's step time or fit was taken from: it tests nothing. Parts, of the calibrated one, in ms:",
             "compute + exposed communication + imbalance + update.", "",
             "Akiba's step on one GPU is derived from the time on 1,024 and the published 70 %, the spread of the steps from the 8-GPU",
             "time, derived from the published 80 %: its row is no independent forecast, and Goyal's spread is borrowed from that fit.",
             "ResNet-101's step is ResNet-50's, scaled by flops. The H100s' row was computed for 3,584 ranks and a two-dimensional",
             "ring first (0.0307 s, +380 %), then for the tree on 4,096. Rows that are not here were not simulated yet.", "",
             "| figure | published | by specification | error | with calibration | error | parts |",
             "|---|---|---|---|---|---|---|"]
    for name, what, published, anchor, command in PAPERS:
        try:
            rows = [closed_form(basis) if command is None else simulate(name, command, basis)
                    for basis in ("specification", "calibration")]
        except (subprocess.CalledProcessError, FileNotFoundError) as failure:
            print(name, "left out:", failure)
            continue
        spec, cal = (row["iteration_s"] for row in rows)
        lines.append(f"| {what}{' (anchor)' if anchor else ''} | {published:.4g} | {spec:.4g} | {error(spec, published)} | "
                     f"{cal:.4g} | {error(cal, published)} | {parts(rows[1])} |")
        (HERE / "table.md").write_text("\n".join(lines) + "\n")
    lines.append("")
    for name, words, command in (("goyal-ours-256", "Goyal's 256 P100", ["goyal-1hour", "goyal-p100"]),
                                 ("akiba-ours-1024", "MN-1's 1,024 P100", ["akiba-15min", "mn1"])):
        try:
            row = simulate(name, command, "calibration")
        except FileNotFoundError as failure:
            print(name, "left out:", failure)
            continue
        lines.append(f"Our schedule on {words}, calibrated: {row['iteration_s']:.4f} s ({parts(row)} ms), efficiency "
                     f"{row['efficiency']:.3f} against one rank.")
        (HERE / "table.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
