#!/usr/bin/env python3
"""Training steps of convoy and of PyTorch with torchvision on the same cores, one after the other, round by round.

  step_against_torch.py [--convoy build/bin/convoy] [--model resnet50] [--images 32] [--threads 2] [--rounds 5]

Needs PyPI's torch and torchvision. A round is a fresh process of each kind: 1 + STEPS steps of forward, backward and
SGD with Nesterov momentum in float32, the first of them dropped. convoy's step includes reading and decoding its images;
PyTorch's are in memory already.
"""
import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 3
MODELS = {"resnet18": "resnet18", "resnet50": "resnet50", "alexnet": "alexnet-torchvision"}  # torchvision's name: convoy's


def torch_steps(model, images, threads, channels_last):
    import torch
    import torchvision

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = getattr(torchvision.models, model)().to(memory_format=layout).train()
    x = torch.randn(images, 3, 224, 224).to(memory_format=layout)
    y = torch.arange(images) % 1000
    optimizer = torch.optim.SGD(net.parameters(), 0.001, momentum=0.9, nesterov=True, weight_decay=1e-4)
    seconds = []
    for _ in range(STEPS + 1):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds[1:], "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def job(model, images):
    return f'''[network]
model = "{MODELS[model]}"
classes = 1000
[minibatch]
images = {images}
[train]
steps = {STEPS + 1}
evaluate_every = 0
[optimizer]
nesterov = true
[schedule]
kind = "constant"
rate = 0.001
'''


def convoy_steps(convoy, folder, threads):
    run = folder / "run"
    subprocess.run(["rm", "-rf", run], check=True)
    command = [convoy, "train", folder / "job.toml", "--train", folder / "set", "--threads", str(threads), "--out", run, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    seconds = [line["step_s"] for line in lines if line["event"] == "step"]
    return {"seconds": seconds[1:], "bytes": json.loads((run / "result.json").read_text())["memory"]["peak_rss_bytes"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoy", default="build/bin/convoy")
    parser.add_argument("--model", default="resnet50", choices=sorted(MODELS))
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", choices=["contiguous", "channels_last"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        return torch_steps(options.model, options.images, options.threads, options.torch == "channels_last")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.toml").write_text(job(options.model, options.images))
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        each = str(options.images)  # of two classes: two minibatches an epoch
        subprocess.run([options.convoy, "synth", "--out", folder / "images", "--classes", "2", "--train-per-class", each,
                        "--val-per-class", "1", "--size", "256"], **quiet)
        subprocess.run([options.convoy, "pack", folder / "images/train", "--out", folder / "set", "--quiet"], **quiet)
        results = {"convoy": [], "contiguous": [], "channels_last": []}
        for r in range(options.rounds):
            for kind, runs in results.items():
                if kind == "convoy":
                    runs.append(convoy_steps(options.convoy, folder, options.threads))
                else:
                    out = subprocess.run([sys.executable, *sys.argv, "--torch", kind], check=True, capture_output=True, text=True)
                    runs.append(json.loads(out.stdout))
            print(f"round {r + 1}: " + "  ".join(f"{k} {statistics.median(v[-1]['seconds']):.2f} s" for k, v in results.items()), flush=True)
    print(f"\n{options.model}, {options.images} images, {options.threads} threads, {options.rounds} rounds of {STEPS} steps")
    ours = [statistics.median(run["seconds"]) for run in results["convoy"]]
    for kind, runs in results.items():
        seconds = [statistics.median(run["seconds"]) for run in runs]
        ratios = sorted(theirs / mine for theirs, mine in zip(seconds, ours))
        print(f"{kind:<14} {statistics.median(seconds):6.2f} s a step   {statistics.median(ratios):5.2f} x convoy's "
              f"({ratios[0]:.2f} to {ratios[-1]:.2f})   peak {max(run['bytes'] for run in runs) / 2**20:5.0f} MiB")


if __name__ == "__main__":
    main()
