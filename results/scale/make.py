#!/usr/bin/env python3
"""Every timed figure of the three papers beside its simulation: results/scale/make.py [BUILD_FOLDER] [--known]

Writes the section "A thousand processors, simulated" of results/README.md and the curves, and, where they are missing,
rows/*.json (one `convoy simulate` each: remove one to simulate it again). With --known nothing is simulated: rows without
their files are left out.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KNOWN = "--known" in sys.argv
FOLDERS = [argument for argument in sys.argv[1:] if argument != "--known"]
CONVOY = pathlib.Path(FOLDERS[0] if FOLDERS else ROOT / "build") / "bin/convoy"

# What the papers' own libraries did: Gloo's and MLSL's leaders with overlap; ChainerMN's one packed fp16 ring after the
# backward pass, two-dimensional as NCCL 2 ran it.
GOYAL = ("goyal-1hour", "goyal-p100", "--algorithm", "leaders")
AKIBA = ("akiba-15min", "mn1", "--algorithm", "grid", "--blocking", "--set", "train.bucket_mib=1000")
SKX = ("--algorithm", "leaders")
KNL = ("--algorithm", "tree", "--set", "train.bucket_mib=32")
KNL_WHY = ("no step of one KNL with 64 or 16 images is published: KISTI's with 240 and 128 is scaled down in proportion, but fewer images "
           "than cores (68) take longer each, and You's runs read from Lustre; communication is 2 ms of it")

# name, what it is, seconds an iteration and total minutes as published, is the row what others were fitted to?, command, why it is off
PAPERS = [
    ("goyal-8", "Goyal, ResNet-50, 8 P100", 0.232, 1740, True, [*GOYAL, "--set", "minibatch.workers=8"], ""),
    ("goyal-256", "Goyal, ResNet-50, 256 P100", 0.256, 60, False, [*GOYAL], ""),
    ("goyal-352", "Goyal, ResNet-50, 352 P100", 0.260, None, False, [*GOYAL, "--set", "minibatch.workers=352"], ""),
    ("goyal-r101", "Goyal, ResNet-101, 256 P100", 0.394, 92.5, False, [*GOYAL, "--set", "network.model=resnet101"],
     "its step is ResNet-50's by flops (x 1.9), but the blocks that ResNet-101 adds, at 14 × 14, run nearer to a P100's peak than ResNet-50's "
     "average: published times are 1.54 x"),
    ("akiba-8", "Akiba, ResNet-50, 8 P100", 0.2042, None, True, [*AKIBA, "--set", "minibatch.workers=8"], ""),
    ("akiba-1024", "Akiba, ResNet-50, 1,024 P100", 0.2552, 14.97, True, [*AKIBA], ""),
    ("akiba-1024-goyal", "the same, a GPU's step from Goyal's 8", 0.2552, 14.97, False, ["akiba-15min", "mn1+goyal", *AKIBA[2:]], ""),
    ("you-rn50-cpu1024", "You, ResNet-50, 1,024 CPUs", 0.819, 48, True, ["you-resnet50-48min", "stampede2-skx", *SKX], ""),
    ("you-rn50-cpu1600", "You, ResNet-50, 1,600 CPUs, 16,000 images", 0.258, 31, False,
     ["you-resnet50-48min", "stampede2-skx", *SKX, "--set", "minibatch.workers=1600", "--set", "minibatch.images=10"], ""),
    ("you-alexnet-cpu1024", "You, AlexNet, 1,024 CPUs", 0.1688, 11, False, ["you-alexnet-11min", "stampede2-skx", *SKX],
     "its step is ResNet-50's by flops; three quarters of AlexNet's weights are in inner products, which wait for memory; communication "
     "is hidden"),
    ("you-alexnet-knl512", "You, AlexNet, 512 KNL", 0.368, 24, False,
     ["you-alexnet-11min", "stampede2-knl", *KNL, "--set", "minibatch.workers=512", "--set", "minibatch.images=64"], KNL_WHY),
    ("you-rn50-knl512", "You, ResNet-50, 512 KNL", 1.023, 60, False,
     ["you-resnet50-20min", "stampede2-knl", *KNL, "--set", "minibatch.workers=512", "--set", "minibatch.images=64"], "as above"),
    ("you-rn50-knl2048", "You, ResNet-50, 2,048 KNL", 0.341, 20, False,
     ["you-resnet50-20min", "stampede2-knl", *KNL, "--set", "minibatch.workers=2048", "--set", "minibatch.images=16"], "as above"),
    ("you-rn50-knl2048-64", "You, ResNet-50, 2,048 KNL, 64 epochs", 0.336, 14, False, ["you-resnet50-14min", "stampede2-knl", *KNL], "as above"),
]
# What, published, the rows whose quotient it is (images a second and rank of the larger over that of the smaller).
EFFICIENCIES = [
    ("Goyal, 8 → 256 GPUs", "about 0.90 (Fig. 8); 0.906 by the times", "goyal-8", "goyal-256"),
    ("Goyal, 8 → 352 GPUs", "0.893 (12 % longer an iteration)", "goyal-8", "goyal-352"),
    ("Akiba, 8 → 1,024 GPUs", "0.80", "akiba-8", "akiba-1024"),
    ("Akiba, 1 → 1,024 GPUs", "0.70", None, "akiba-1024"),
    ("You, 512 → 2,048 KNL, the same 32,768 images", "0.75 by the times; KISTI's repetition: 0.65", "you-rn50-knl512", "you-rn50-knl2048"),
]
# The schedule that `convoy simulate --choose 1` finds quickest, and what it gains on the papers' own.
CHOICES = [
    ("choice-goyal-256", "Goyal's 256 P100", [*GOYAL]),
    ("choice-mn1-1024", "MN-1's 1,024 P100", [*AKIBA]),
    ("choice-skx-1024", "1,024 Skylakes, AlexNet", ["you-alexnet-11min", "stampede2-skx", *SKX]),
    ("choice-knl-2048", "2,048 KNL, ResNet-50", ["you-resnet50-20min", "stampede2-knl", *KNL]),
]
# Our schedule, the tree with 8 MiB buckets overlapped, from 8 ranks on, 32 (KNL: 16) images each.
CURVES = [
    ("curve-mn1", "MN-1, P100, fp16 gradients", ["akiba-15min", "mn1", "--curve-to", "1024"]),
    ("curve-goyal", "Goyal's P100, 50 Gbit Ethernet", ["goyal-1hour", "goyal-p100", "--curve-to", "256"]),
    ("curve-skx", "Skylake, Omni-Path", ["you-resnet50-48min", "stampede2-skx", "--curve-to", "1024"]),
    ("curve-knl", "KNL, Omni-Path", ["you-resnet50-20min", "stampede2-knl", "--curve-to", "2048"]),
]


def cluster_file(name, folder):
    """jobs/launch/clusters/NAME.toml; "mn1+goyal": MN-1 with the step that Goyal measured on the same GPU."""
    clusters = pathlib.Path("jobs/launch/clusters")
    if name != "mn1+goyal":
        return clusters / f"{name}.toml"
    mn1, goyal = ((ROOT / clusters / f"{one}.toml").read_text() for one in ("mn1", "goyal-p100"))
    step = goyal[goyal.index("[[step]]"):goyal.index("\n\n", goyal.index("[[step]]"))]
    begin = mn1.index("[[step]]")
    made = pathlib.Path(folder) / "mn1-goyal.toml"
    made.write_text(mn1[:begin] + step + mn1[mn1.index("\n\n", begin):])
    return made


def simulate(name, command, basis="calibration", more=()):
    file = HERE / "rows" / (f"{name}.{basis}.json" if not more else f"{name}.json")
    if not file.exists():
        if KNOWN:
            raise FileNotFoundError(file)
        file.parent.mkdir(exist_ok=True)
        job, cluster, *rest = command
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([CONVOY, "simulate", f"jobs/{job}.toml", "--cluster", cluster_file(cluster, folder), "--basis", basis,
                            *rest, *more, "--json", "--out", file], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            file.write_text(file.read_text().replace(f"{folder}/", ""))  # where it lay for a moment
        print(file.name, flush=True)
    return json.loads(file.read_text())


def forecast(job, cluster, algorithm, *more):
    """By closed form, which is the simulation within 1 % (tests/simulate)."""
    done = subprocess.run([CONVOY, "plan", f"jobs/{job}.toml", "--cluster", f"jobs/launch/clusters/{cluster}.toml", *more, "--json"],
                          cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return next(row for row in json.loads(done)["cluster"]["forecasts"] if row["algorithm"] == algorithm)


def spread(row):
    return f" ± {row['iteration_standard_error_s']:.4f}" if row["iteration_standard_error_s"] > 0 else ""


def error(seconds, published):
    return f"{100 * (seconds / published - 1):+.1f} %"


def parts(row):
    d = row["decomposition_s"]
    return " + ".join(f"{1000 * d[k]:.0f}" for k in ("compute", "communication_exposed", "imbalance", "overhead"))


def minutes(hours):
    return f"{60 * hours:.3g}" if hours < 20 else f"{60 * hours:.0f}"


def each(rows, make):
    for row in rows:
        try:
            yield make(*row)
        except (subprocess.CalledProcessError, FileNotFoundError) as failure:
            print(row[0], "left out:", failure)


def paper(name, what, published, total, anchor, command, why):
    spec, cal = (simulate(name, command, basis) for basis in ("specification", "calibration"))
    off = abs(cal["iteration_s"] / published - 1) > 0.1
    return (f"| {what}{' (anchor)' if anchor else ''} | {published:.4g} | {spec['iteration_s']:.4g} | {error(spec['iteration_s'], published)} | "
            f"{cal['iteration_s']:.4g}{spread(cal)} | {error(cal['iteration_s'], published)} | {parts(cal)} | {f'{total:.4g}' if total else '-'} | "
            f"{minutes(cal['hours'])} | {why if off else ''} |")


def efficiency(what, published, few, many):
    def of(basis):
        large = simulate(many, (), basis)
        if few is None:
            return large["efficiency"]
        small = simulate(few, (), basis)
        return large["images_per_s"] / large["ranks"] / (small["images_per_s"] / small["ranks"])

    return f"| {what} | {published} | {of('specification'):.3f} | {of('calibration'):.3f} |"


def choice(name, what, command):
    found = simulate(name, command, more=("--choose", "1", "--iterations", "1"))
    asked, chosen = found["asked"], next(one for one in found["candidates"] if one["chosen"])
    best = min(found["candidates"], key=lambda one: one["iteration_s"])

    def said(row):
        a = row["allreduce"]
        return f"{a['algorithm']}, {a['wire']}, {a['buckets']} bucket{'s' * (a['buckets'] > 1)}"

    return (f"| {what} | {said(asked)}{'' if asked['allreduce']['overlap'] else ', after the backward pass'} | {asked['iteration_s']:.4f} | "
            f"{said(chosen)} | {chosen['iteration_s']:.4f} ({parts(chosen)}) | {100 * (asked['iteration_s'] / chosen['iteration_s'] - 1):.1f} % | "
            f"{said(best)}: {best['iteration_s']:.4f} |")


def curve(name, what, command):
    points = simulate(name, command, more=("--curve", HERE / f"{name}.svg"))
    first, last = points[0], points[-1]
    linear = first["iteration_s"] / last["iteration_s"]
    grown = {key: 1000 * (last["decomposition_s"][key] - first["decomposition_s"][key]) for key in ("communication_exposed", "imbalance")}
    verdict = "at least 95 %" if linear >= 0.95 else f"stragglers: the slowest of {last['ranks']:,} adds {grown['imbalance']:.0f} ms to that of 8" \
        if grown["imbalance"] > grown["communication_exposed"] else "communication"
    return (f"| [{what}](scale/{name}.svg) | {last['ranks']:,} | {first['iteration_s']:.4f} | {last['iteration_s']:.4f} | {100 * linear:.1f} % | "
            f"{grown['communication_exposed']:+.1f} ms | {grown['imbalance']:+.1f} ms | {verdict} |")


def cost(row):
    d = json.loads(row.read_text())
    return d["ranks"], d["simulation"]["wall_s"] / d["simulation"]["iterations"], d["simulation"]["peak_bytes"] / 2**30


def costs():
    """Of the simulations themselves: the slowest iteration and the largest memory among the rows of 1,024 and of 2,048 ranks."""
    all_rows = [cost(path) for path in (HERE / "rows").glob("*.*.json")]
    for ranks in (1024, 2048):
        rows = [row for row in all_rows if row[0] == ranks]
        if rows:
            yield f"{ranks:,} ranks: {max(row[1] for row in rows):.0f} s an iteration at most, {max(row[2] for row in rows):.2f} GiB"


def forecasts():
    flags = ("--ranks", "3584", "--road", "library", "--set", "minibatch.workers=3584", "--set", "minibatch.images=16", "--set",
             "schedule.allow_large_rate=true", "--set", "train.epochs=77")
    h100, xeon = forecast("akiba-15min", "h100", "leaders", *flags), forecast("you-resnet50-48min", "xeon-1024", "tree")
    return [f"- **ResNet-50 on 3,584 H100** (448 nodes of 8; 57,344 images, 16 each, fp16 gradients, leaders): {1000 * h100['iteration_s']:.2f} ms "
            f"an iteration, {60 * h100['hours']:.3f} minutes for 77 epochs; MLPerf v3.0's record, 6.4 ms and 0.183 minutes "
            f"({error(h100['iteration_s'], 0.0064)}). It would have to be true that a GPU computes 16 images in the time that lies on the line "
            "through the published times with 400 and with 50 (58.2 and 11.4 ms, communication in the latter), and that 448 nodes answer each "
            "other in 2 µs.",
            f"- **ResNet-50 on 1,024 of today's CPUs** (512 nodes of two Xeon 8480+; 32 images each, as You et al. had on 1,024 Skylakes in 48 "
            f"minutes): {xeon['iteration_s']:.3f} s an iteration, {60 * xeon['hours']:.1f} minutes for 90 epochs. It would have to be true that a "
            "socket sustains 2.3 Tflop/s in f32, a third of its peak, a guess until `convoy calibrate` has run on one; the network costs "
            f"{100 * (1 - xeon['efficiency']):.1f} %."]


def main():
    lines = ["Made by `results/scale/make.py`, from the cluster files in jobs/launch/clusters; seconds an iteration. *By specification*: data",
             "sheets alone, no stragglers. *With calibration*: the files' fitted and measured values as well, ± the standard error that the draw of",
             "the stragglers makes. An *anchor* is what a file's step time or fit was taken from: it tests nothing. Parts, of the calibrated one,",
             "in ms: compute + exposed communication + imbalance + update. Total: minutes, of all iterations. The papers' own schedules: Gloo's and",
             "MLSL's leaders with overlap, ChainerMN's one packed fp16 sum after the backward pass.", "",
             "Akiba's step on one GPU is derived from the time on 1,024 and the published 70 %, so that its rows are anchors; the row below them has",
             "Goyal's step of the same GPU instead, and is a forecast. The spread of the steps is fitted on MN-1's 8 GPUs (80 % against 70 %), and",
             "Goyal's is borrowed from it. You's Skylakes have no smaller published run than 1,024.", "",
             "| figure | published | by specification | error | with calibration | error | parts | total, published | total, calibrated "
             "| why it is off by more than 10 % |", "|---" * 10 + "|"]
    lines += each(PAPERS, paper)
    lines += ["", "| efficiency | published | by specification | with calibration |", "|---|---|---|---|"]
    lines += each(EFFICIENCIES, efficiency)
    lines += ["", "**Our schedule on the papers' hardware**: `convoy simulate JOB --cluster FILE --choose 1 --iterations 1`, calibrated, under the same stragglers: the",
              "quickest schedule with the experiment's own wire against the paper's, and the quickest with either wire.", "",
              "| | the paper's | s | chosen | s (ms) | quicker by | with either wire |", "|---" * 7 + "|"]
    lines += each(CHOICES, choice)
    lines += ["", "**From 8 ranks on**, a worker each (`convoy simulate JOB --cluster FILE --curve FILE.svg`): the tree, 8 MiB buckets, overlapped,",
              "calibrated. Of linear: an iteration on 8 ranks over one on the most. What grew in between stands beside. Nobody has published how much",
              "steps spread on Skylakes and KNL: no stragglers are simulated there.", "",
              "| | ranks | s on 8 | s on the most | of linear | exposed communication | imbalance | below 95 % because of |", "|---" * 8 + "|"]
    lines += each(CURVES, curve)
    lines += ["", "**Ring against halving and doubling** on Goyal's 32 servers ([picture](scale/crossover.svg), `results/scale/crossover.py`): the ring takes",
              "6.1 times as long at 4 KiB, 2.8 times at 512 KiB, 1.3 times at 4 MiB, and from 16 MiB on the two are within 10 %. Goyal et al. report up to",
              "3 times for up to a million elements (4 MB): their factor is met at an eighth of that size. At 4 MB it would take a latency of about",
              "90 µs a message, nine times what the cluster file assumes (unverified).", "",
              "**Forecasts for today's machines**, by closed form; nobody has run them with this program.", ""]
    lines += forecasts()
    lines += ["", "The simulations themselves, on one core, other work on the machine: " + "; ".join(costs()) + "."]
    readme = HERE.parent / "README.md"
    text = readme.read_text()
    begin, end = text.index("## A thousand processors, simulated"), text.index("## Killed runs")
    readme.write_text(text[:begin] + "## A thousand processors, simulated\n\n" + "\n".join(lines) + "\n\n" + text[end:])


if __name__ == "__main__":
    main()
