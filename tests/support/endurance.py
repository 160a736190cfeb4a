#!/usr/bin/env python3
"""Hours of training without pause: resident memory, open files and threads of every rank, and the trend of the step time.

  endurance.py [--build build] [--hours 2] [--ranks 2] [--core N] [--images 16000] [--out FILE.md]

The demonstration's job (jobs/demo.toml) on `ranks` ranks of one thread, an evaluation and a checkpoint every epoch, everything that
watches at its default. With --core all ranks share that one core. SIGUSR1 ends it, exit code 85. The first 5 minutes, or a quarter of
a shorter run, are left to settle. It ends with 1 where
  a rank's resident memory (VmRSS, every 10 s) leaves its first settled value by more than 1 %;
  a rank has more or fewer open files or threads: the least of any tenth of the run, as a checkpoint's file and thread come and go;
  the step time has a trend: over the whole run more than twice the scatter of twentieths about the line, with an interval (Theil and
  Sen, 95 %, of the twentieths' means, as neighbouring steps depend on each other) that leaves out 0. A machine has trends, too, where
  others compute beside it: once a minute a young process computes 15 of a worker's steps on the same core (`convoy bench`), and the step
  time is taken over its processor time in the same twentieth.
"""
import argparse
import itertools
import json
import math
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EVERY = 10  # seconds between samples
RULED = 6  # samples between two looks at what the machine gives
COLUMNS = ("VmRSS", "RssAnon", "files", "threads")


def sample(process):
    """VmRSS and RssAnon in KiB, open files, threads of one process."""
    folder = pathlib.Path(f"/proc/{process}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return (int(status["VmRSS"].split()[0]), int(status["RssAnon"].split()[0]), len(os.listdir(folder / "fd")),
            int(status["Threads"]))


def rank_of(process):
    variables = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return next((int(v.split(b"=")[1]) for v in variables if v.startswith((b"OMPI_COMM_WORLD_RANK=", b"PMI_RANK="))), 0)


def pieces(values, count):
    """In `count` pieces of about equal length."""
    edges = [len(values) * i // count for i in range(count + 1)]
    return [values[a:b] for a, b in itertools.pairwise(edges) if b > a]


def theil_sen(y):
    """Slope per index of values at 0, 1, 2 ..., and its 95 % interval by Kendall's statistic."""
    slopes = sorted((y[j] - y[i]) / (j - i) for i, j in itertools.combinations(range(len(y)), 2))
    n = len(y)
    width = 1.96 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = (len(slopes) - width) / 2, (len(slopes) + width) / 2
    return statistics.median(slopes), slopes[max(0, round(low) - 1)], slopes[min(len(slopes) - 1, round(high))]


def memory_verdict(kib):
    """First settled value, last, and the largest deviation in per cent."""
    return kib[0], kib[-1], max((abs(value - kib[0]) for value in kib)) / kib[0] * 100


def trend_verdict(means):
    """Of consecutive means: their mean, the trend over the run and its interval and scatter, all three in per cent."""
    level, n = statistics.fmean(means), len(means)
    slope, low, high = theil_sen(means)
    middle = statistics.median(mean - slope * i for i, mean in enumerate(means))
    scatter = statistics.stdev(mean - slope * i - middle for i, mean in enumerate(means))
    percent = 100 / level
    return {"mean": level, "trend": slope * n * percent, "low": low * n * percent, "high": high * n * percent,
            "scatter": scatter * percent}


def steps_after(run, settle):
    """Seconds from end to end of the steps that ended `settle` seconds or more after the first."""
    found, clock = [], 0.0
    for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
        if line["event"] == "step" and not line["warmup"]:
            whole = line["step_s"] + line["other_s"]
            clock += whole
            if clock >= settle:
                found.append(whole)
        clock += line.get("evaluate_s", 0.0)
    return found


def ruler(pinned):
    """Processor seconds of a worker's step of the job in a process that is young."""
    from convoy_cli import CONVOY
    command = [*pinned, CONVOY, "bench", ROOT / "jobs/demo.toml", "step", "--rounds", 15, "--threads", 1, "--oversubscribe", "--json"]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return statistics.median(line["cpu_time"] for line in json.loads(done.stdout)["benchmarks"]
                             if line["run_name"] == "step/train" and line["run_type"] == "iteration") / 1e3


def train(arguments, scratch):
    """Runs the job; its folder, by rank the samples (seconds since the first step, *COLUMNS), and the ruler's (seconds, ruler)."""
    from convoy_cli import CONVOY, mpirun, ranks_of
    run, images = scratch / "run", scratch / "images"
    subprocess.run([CONVOY, "synth", "--out", images, "--train-per-class", str(arguments.images // 10), "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    for part, classes in (("train", []), ("val", ["--classes", scratch / "set/train"])):
        subprocess.run([CONVOY, "pack", images / part, *classes, "--out", scratch / "set" / part, "--quiet"], check=True,
                       stdout=subprocess.DEVNULL)
    pinned = ["taskset", "-c", str(arguments.core)] if arguments.core is not None else []
    command = [*pinned, *mpirun(arguments.ranks), CONVOY, "train", ROOT / "jobs/demo.toml", "--train", scratch / "set/train", "--held-out",
               scratch / "set/val", "--threads", 1, "--oversubscribe", "--set", "train.epochs=1000000", "--quiet", "--out", run]
    variables = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_WAIT_POLICY="passive")
    process = subprocess.Popen(list(map(str, command)), env=variables, stdout=subprocess.DEVNULL)
    samples, rulers = {rank: [] for rank in range(arguments.ranks)}, []
    try:
        metrics = run / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.stat().st_size > 0):
            time.sleep(0.1)
        ranks, begun = {pid: rank_of(pid) for pid in ranks_of(process.pid)}, time.monotonic()
        if sorted(ranks.values()) != list(range(arguments.ranks)):
            raise SystemExit(f"not the {arguments.ranks} ranks that were started: {ranks}")
        for number in range(int(arguments.hours * 3600 / EVERY) + 1):
            time.sleep(max(0.0, begun + number * EVERY - time.monotonic()))
            if process.poll() is not None:
                raise SystemExit(f"the run ended by itself with {process.returncode}")
            for pid, rank in ranks.items():
                samples[rank].append((time.monotonic() - begun, *sample(pid)))
            if number % RULED == RULED - 1:
                rulers.append((time.monotonic() - begun, ruler(pinned)))
        process.send_signal(signal.SIGUSR1)
        if process.wait(600) != 85:
            raise SystemExit(f"ended with {process.returncode}, not 85")
    finally:
        process.kill()
    return run, samples, rulers


def report(run, samples, rulers, settle):
    """The lines of the table, and what is not as it should be."""
    lines, broken = ["| rank | | settled | end | least | most | largest deviation |", "|---|---|---|---|---|---|---|"], []
    for rank, rows in sorted(samples.items()):
        settled = [row[1:] for row in rows if row[0] >= settle]
        if len(settled) < 10:
            raise SystemExit("too short: fewer than 10 samples after the settling")
        for column, name in enumerate(COLUMNS):
            values = [row[column] for row in settled]
            if column < 2:
                first, last, deviation = memory_verdict(values)
                lines.append(f"| {rank} | {name}, MiB | {first / 1024:.2f} | {last / 1024:.2f} | {min(values) / 1024:.2f} | "
                             f"{max(values) / 1024:.2f} | {deviation:.2f} % |")
                if name == "VmRSS" and deviation > 1:
                    broken.append(f"rank {rank}: resident memory left its first value by {deviation:.2f} %")
            else:
                least = [min(piece) for piece in pieces(values, 10)]
                lines.append(f"| {rank} | {name} | {least[0]} | {least[-1]} | {min(values)} | {max(values)} | |")
                if len(set(least)) > 1:
                    broken.append(f"rank {rank}: {name} are not constant: {least}")
    machine = [seconds for at, seconds in rulers if at >= settle]
    count = min(20, len(machine))
    steps, machine = ([statistics.fmean(piece) for piece in pieces(values, count)] for values in (steps_after(run, settle), machine))
    own, young = trend_verdict(steps), trend_verdict(machine)
    both = trend_verdict([step / rule for step, rule in zip(steps, machine, strict=True)])
    said = "{trend:+.2f} % [{low:+.2f}, {high:+.2f}], the scatter of its pieces about it {scatter:.2f} %"
    lines += ["", f"A step from end to end takes {own['mean']:.4f} s; over the run its trend is {said.format(**own)}. A worker's step in a young "
              f"process beside it takes {young['mean'] * 1e3:.2f} ms of processor time: {said.format(**young)}. The one over the other: "
              f"{said.format(**both)}."]
    if abs(both["trend"]) > 2 * both["scatter"] and not both["low"] <= 0 <= both["high"]:
        broken.append("the step time has a trend of {trend:+.2f} % over that of the machine".format(**both))
    return lines, broken


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--core", type=int)
    parser.add_argument("--images", type=int, default=16000, help="of an epoch: result.json, and rank 0 with it, grow by every epoch's line")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    os.environ["CONVOY_BUILD"] = str(arguments.build.resolve())
    sys.path.insert(0, str(ROOT / "tests/support"))
    settle = min(300.0, arguments.hours * 3600 / 4)
    with tempfile.TemporaryDirectory(prefix="convoy-endurance-") as folder:
        run, samples, rulers = train(arguments, pathlib.Path(folder))
        result = json.loads((run / "result.json").read_text())
        lines, broken = report(run, samples, rulers, settle)
    steps, epochs = result["steps"]["count"], len(result["epochs"])
    where = f", all on core {arguments.core}" if arguments.core is not None else ""
    head = ["# Endurance", "", f"`tests/support/endurance.py {' '.join(sys.argv[1:])}`: {arguments.hours:g} hours of `jobs/demo.toml` on "
            f"{arguments.ranks} ranks of one thread{where}, {platform.machine()}, convoy {result['tool']['version']} "
            f"({result['tool']['commit']}): {steps} steps, {epochs} evaluations and checkpoints. The first {settle / 60:.1f} minutes are "
            f"left to settle; a sample every {EVERY} s.", ""]
    text = "\n".join([*head, *lines, "", *(f"BROKEN: {what}" for what in broken), *([] if broken else ["All bars held."])]) + "\n"
    print(text, end="")
    if arguments.out:
        arguments.out.write_text(text)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
