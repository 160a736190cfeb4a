#!/usr/bin/env python3
"""convoy and PyTorch with torchvision on the same cores or the same GPU, in turns, round by round.

  peers.py [--convoy build/bin/convoy] [--device cpu|cuda] [--threads 2] [--rounds 7] [--images FOLDER] [--out FILE.json] [CASE ...]

Every case has convoy and PyTorch's modes; on CPUs in f32 "convoy, winograd" (precision.convolutions) and, with direct convolutions, "convoy". PyTorch's processes live through all rounds and sleep while others run; convoy is a
fresh process each round, which warms up by itself. A round is STEPS steps of each, and counts as their median; ratios are to the first competitor's in
the same round, given as their median and the interval of order statistics that holds it with 95 %. --images: a folder of class
folders of full-size JPEG files, for the loader and for steps that read them. Runs in the Python that has torch and torchvision: run.sh installs it.
"""
import argparse
import datetime
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
STEPS = 3


def network(model, images, size, task="train", precision="f32"):
    return {"model": model, "images": images, "size": size, "task": task, "precision": precision}


CASES = {
    "cpu": {
        "resnet50": network("resnet50", 32, 224),
        "alexnet": network("alexnet-torchvision", 128, 224),
        "resnet18-64": network("resnet18", 32, 64),
        "resnet50-infer": network("resnet50", 32, 224, "infer"),
        "resnet50-bf16": network("resnet50", 32, 224, precision="bf16"),
        "loader": None,
    },
    "cuda": {
        "resnet50-bf16": network("resnet50", 256, 224, precision="bf16"),
        "resnet50-fp16": network("resnet50", 256, 224, precision="fp16"),
        "resnet50-tf32": network("resnet50", 256, 224, precision="tf32"),
        "alexnet-bf16": network("alexnet-torchvision", 512, 224, precision="bf16"),
        "resnet50-infer": network("resnet50", 256, 224, "infer"),
        "resnet50-bf16-input": network("resnet50", 256, 224, precision="bf16"),
    },
}
READING = ("loader", "resnet50-bf16-input")  # cases that need --images


def job(case, winograd):
    return f'''[network]
model = "{case["model"]}"
input = {case["size"]}
classes = 1000
[minibatch]
images = {case["images"]}
[train]
steps = 4
[optimizer]
nesterov = true
[schedule]
kind = "constant"
rate = 0.001
[precision]
activations = "{case["precision"]}"
''' + ('convolutions = "winograd"\n' if winograd else "")


class Torch:
    def __init__(self, case, mode, options, images=None):
        command = [sys.executable, HERE / "torch_peer.py", "--mode", mode, "--device", options.device, "--threads", options.threads]
        for key, value in case.items():
            command += [f"--{key}", value]
        if images:
            command += ["--input", images, "--workers", options.threads]
        self.name, self.memory = f"torch {mode}", {}
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()  # that it is warm: nobody's round begins before

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.command)} ended: its own words are above")
        return line

    def round(self):
        self.process.stdin.write(f"{STEPS}\n")
        self.process.stdin.flush()
        answer = json.loads(self.answer())
        self.memory = {key: answer[key] for key in ("peak_rss_bytes", "gpu_bytes")}
        return statistics.median(answer["seconds"])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Convoy:
    def __init__(self, case, options, folder, direct=False):
        direct = direct or options.device != "cpu" or case["precision"] != "f32"
        self.name, self.memory = "convoy" if direct else "convoy, winograd", {}
        file = folder / ("direct.toml" if direct else "job.toml")
        file.write_text(job(case, not direct))
        self.sheet = folder / "sheet.json"
        self.mode = "step" if case["task"] == "train" else "infer"
        backend = "onednn" if options.device == "cpu" else "cudnn"
        self.command = [str(options.convoy), "bench", str(file), self.mode, "--backend", backend, "--threads",
                        str(options.threads), "--rounds", str(STEPS), "--out", str(self.sheet), "--quiet"]

    def round(self):
        process = subprocess.Popen(self.command)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(self.command)} ended with {process.returncode}")
        self.memory = {"peak_rss_bytes": max(usage.ru_maxrss * 1024, self.memory.get("peak_rss_bytes", 0))}
        sheet = json.loads(self.sheet.read_text())
        self.context = sheet["context"]
        times = {b["run_name"]: b["real_time"] / 1e3 for b in sheet["benchmarks"] if b["run_type"] == "aggregate"}
        return sum(times.values())  # step/train and step/update, or step/infer

    def end(self):
        pass


class Limit(Convoy):
    """The library's convolutions alone, each call timed where it stands in the step, without reorders or anything else: what no
    step of direct convolutions can be faster than with this oneDNN."""

    def __init__(self, case, options, folder):
        super().__init__(case, options, folder, direct=True)
        self.name = "convolutions alone"
        self.command[3] = "layers"

    def round(self):
        super().round()
        sheet = json.loads(self.sheet.read_text())
        return sum(b["real_time"] / 1e3 for b in sheet["benchmarks"]
                   if b["run_type"] == "aggregate" and b["run_name"] == "work/convolution")


class Reading(Convoy):
    """Steps on images that are read, decoded and prepared meanwhile: by the host alone, or with the GPU's help."""

    def __init__(self, case, how, options, folder):
        packed = folder / "set"
        if not packed.exists():
            subprocess.run([options.convoy, "pack", options.images, "--out", packed, "--quiet"], check=True)
        folder = folder / how
        folder.mkdir()
        super().__init__(case, options, folder)
        self.name = "convoy" if how == "none" else f"convoy, --device-input {how}"
        self.command[3:4] = ["epoch", "--train", str(packed), "--device-input", how]

    def round(self):
        super().round()
        sheet = json.loads(self.sheet.read_text())
        steps = next(b for b in sheet["benchmarks"] if b["run_type"] == "aggregate" and b["run_name"] == "epoch/steps")
        return steps["real_time"] / 1e3 / 4  # four batches a repetition


PACKED = {"convoy": (), "convoy, restart markers": ("--restart-markers",), "convoy, coefficients": ("--coefficients",)}


class Loader:
    """Decoding by one thread: convoy's loader on the set as it is packed in each way, torchvision's two decoders on the same files in memory."""

    def __init__(self, how, options, folder):
        self.name, self.how, self.memory = how, how, {}
        self.files = sorted(path for path in options.images.glob("*/*") if path.is_file())[:400]
        self.data = [path.read_bytes() for path in self.files]
        self.command = [f"{how} of {len(self.files)} files"]
        if how.startswith("convoy"):
            import shutil
            folder = folder / how.replace(" ", "-")
            folder.mkdir()
            for path in self.files:
                to = folder / "images" / path.parent.name / path.name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, to)
            subprocess.run([options.convoy, "pack", folder / "images", "--out", folder / "set", "--quiet", *PACKED[how]], check=True)
            self.bench = Convoy(network("resnet50", 32, 224), options, folder)
            command = self.bench.command
            command[3:4] = ["loader", "--train", str(folder / "set")]
            command[command.index("--threads") + 1] = "1"
            self.command = command

    def round(self):
        if self.how.startswith("convoy"):
            seconds = self.bench.round()
            self.context = self.bench.context  # no memory: this process has PyTorch's by now, and its children with it
            return seconds / (4 * 32)
        import io

        import torch
        import torchvision
        from PIL import Image
        torch.set_num_threads(1)
        t = torchvision.transforms
        whole = t.Compose([t.RandomResizedCrop(224), t.RandomHorizontalFlip(), t.ToTensor(),
                           t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
        started = time.perf_counter()
        for data in self.data:
            if self.how == "torchvision with PIL":
                whole(Image.open(io.BytesIO(data)).convert("RGB"))
            else:
                torchvision.io.decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), torchvision.io.ImageReadMode.RGB)
        return (time.perf_counter() - started) / len(self.data)

    def end(self):
        pass


def interval(values):
    """Of order statistics that hold the median with 95 %; the extremes of fewer than six."""
    values, n = sorted(values), len(values)
    cut = 0
    while 2 * sum(math.comb(n, i) for i in range(cut + 2)) / 2**n <= 0.05:
        cut += 1
    return values[cut], values[n - 1 - cut]


def competitors(name, case, options, folder):
    if case is None:
        return [Loader(how, options, folder) for how in (*PACKED, "torchvision with PIL", "libjpeg-turbo, full decode")]
    if name in READING:
        ways = [Reading(case, how, options, folder) for how in ("none", "resize", "decode")]
        return ways + [Torch(case, "channels_last", options, options.images)]
    ours = [Convoy(case, options, folder)]
    if options.device == "cpu" and case["precision"] == "f32":
        ours.append(Convoy(case, options, folder, direct=True))
    if options.device == "cpu" and name == "resnet50":
        ours.append(Limit(case, options, folder))
    return ours + [Torch(case, mode, options) for mode in ("eager", "channels_last", "compile")]


def compete(name, case, options):
    with tempfile.TemporaryDirectory(prefix="convoy-peers-") as scratch:
        every = competitors(name, case, options, Path(scratch))
        times = {one.name: [] for one in every}
        for round_ in range(options.rounds):
            turn = round_ % len(every)  # who begins changes
            for one in every[turn:] + every[:turn]:
                times[one.name].append(one.round())
            print(f"{name}, round {round_ + 1}: " + ", ".join(f"{key} {1e3 * value[-1]:.1f} ms" for key, value in times.items()),
                  file=sys.stderr, flush=True)
        for one in every:
            one.end()
        images = 1 if case is None else case["images"]
        entry = {"case": name, **(case or {}), "context": every[0].context, "competitors": []}
        for one in every:
            ratios = [theirs / ours for theirs, ours in zip(times[one.name], times[every[0].name])]
            entry["competitors"].append({"name": one.name, "command": portable(" ".join(one.command), scratch),
                                         "seconds": times[one.name], "images_per_s": images / statistics.median(times[one.name]),
                                         "ratio": statistics.median(ratios), "ratio_interval": interval(ratios), **one.memory})
        return entry


def roofline(name, entry, options, machine):
    """What share of its memory's limit ResNet-50's step in 16 bits reaches: of tests/gpu/roofline.cpp's count of the plan for this GPU."""
    program = options.convoy.parent / "test_roofline"
    if options.device != "cuda" or name not in ("resnet50-bf16", "resnet50-fp16") or not program.exists():
        return {}
    limits, passes = {}, None
    for line in subprocess.run([program], stdout=subprocess.PIPE, text=True).stdout.splitlines():
        if found := re.match(r"batch norm in (\d pass(?:es)?) over memory(.*)", line):
            passes = found[1] if not found[2] else None  # this plan's, not that of main-loop fusion
        elif passes and (found := re.match(r"\s+images a second on (\S+) at the roofline\s+([0-9.e+]+)", line)) and found[1] in machine:
            limits[f"batch norm in {passes}"] = float(found[2])
    ours = entry["competitors"][0]["images_per_s"]
    return {"roofline": {key: {"images_per_s": value, "share": ours / value} for key, value in limits.items()}}


def facts(device):
    """PyTorch's own words, from a process of its own: the peak memory of a child counts what its parent held when it forked, and this
    one is to stay small."""
    words = ('{"torch": torch.__version__, "torchvision": torchvision.__version__, "isa": torch.backends.cpu.get_cpu_capability(), '
             '"machine": torch.cuda.get_device_name() if sys.argv[1] == "cuda" else None}')
    done = subprocess.run([sys.executable, "-c", f"import json, sys, torch, torchvision; print(json.dumps({words}))", device],
                          stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    return {**found, "machine": found["machine"] or processor()}


def portable(command, scratch):
    """As anyone would type it in the repository's folder."""
    return command.replace(scratch, "SCRATCH").replace(f"{ROOT}/", "").replace(sys.executable, "python3")


def processor():
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(entries):
    lines = ["| case | | images/s | time, of the first's | peak memory, MiB |", "|---|---|---|---|---|"]
    for entry in entries:
        on_gpu = any(one.get("gpu_bytes") for one in entry["competitors"])
        for number, one in enumerate(entry["competitors"]):
            low, high = one["ratio_interval"]
            memory = one.get("gpu_bytes" if on_gpu else "peak_rss_bytes")  # convoy's sheet does not tell the GPU's
            ratio = "" if number == 0 else f"{one['ratio']:.2f} ({low:.2f} to {high:.2f})"
            lines.append(f"| {entry['case']} | {one['name']} | {one['images_per_s']:.1f} | {ratio} | "
                         f"{memory / 2**20:.0f} |" if memory else
                         f"| {entry['case']} | {one['name']} | {one['images_per_s']:.1f} | {ratio} | |")
    for entry in entries:
        for what, limit in entry.get("roofline", {}).items():
            lines.append(f"\n{entry['case']}: {limit['share']:.2f} of the {limit['images_per_s']:.0f} images/s that memory allows with {what}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", type=Path, default=ROOT / "build/bin/convoy")
    parser.add_argument("--device", choices=sorted(CASES), default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    cases = CASES[options.device]
    for name in options.cases:
        if name not in cases:
            parser.error(f"there is no case {name}; there are {', '.join(cases)}")
    if (reading := set(options.cases) & set(READING)) and not options.images:
        parser.error(f"the case {', '.join(reading)} needs --images FOLDER")
    wanted = options.cases or [name for name in cases if name not in READING or options.images]
    flags = Path("/proc/cpuinfo").read_text()
    if options.device == "cpu" and not {"avx512_bf16", "amx_bf16"} & set(flags.split()):
        wanted = [name for name in wanted if not name.endswith("bf16") or name in options.cases]
    here = facts(options.device)
    if options.device == "cuda":
        ours = json.loads(subprocess.run([options.convoy, "info", "--json"], stdout=subprocess.PIPE, text=True, check=True).stdout)
        here.update({key: ours[key] for key in ("tool", "gpu")})  # commit; GPUs and driver
    entries = [compete(name, cases[name], options) for name in wanted]
    for name, entry in zip(wanted, entries):
        entry.update(roofline(name, entry, options, here["machine"]))
    report = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
              "command": " ".join(["results/peers/run.sh", *sys.argv[1:]]), "device": options.device,
              "rounds": options.rounds, "steps": STEPS, **here, "cases": entries}
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(table(entries))


if __name__ == "__main__":
    main()
