#!/usr/bin/env python3
"""One PyTorch competitor of peers.py: builds its network once, then answers each line "N" on standard input with the seconds of N
steps, as JSON. A step is forward, backward and SGD with Nesterov momentum, or forward alone; the first ones are not counted.

  torch_peer.py --model resnet50 --images 32 --size 224 --mode eager|channels_last|compile [--task train|infer]
                [--precision f32|tf32|bf16|fp16] [--device cpu|cuda] [--threads 2] [--input FOLDER --workers N]

--input: a folder of class folders, read by torchvision's ImageFolder in N processes; otherwise the same noise every step.
"""
import argparse
import json
import resource
import sys
import time

import torch
import torchvision

MODELS = {"resnet50": "resnet50", "resnet18": "resnet18", "alexnet-torchvision": "alexnet"}  # convoy's names
KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def endless(options):
    """Minibatches of the files, augmented as ImageNet's are."""
    t = torchvision.transforms
    files = torchvision.datasets.ImageFolder(options.input, t.Compose([
        t.RandomResizedCrop(options.size), t.RandomHorizontalFlip(), t.ToTensor(),
        t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]))
    order = torch.utils.data.RandomSampler(files, replacement=True, num_samples=10**9)
    yield from torch.utils.data.DataLoader(files, options.images, sampler=order, num_workers=options.workers,
                                           pin_memory=options.device == "cuda", drop_last=True)


def build(options):
    torch.manual_seed(1)
    layout = torch.contiguous_format if options.mode == "eager" else torch.channels_last
    net = getattr(torchvision.models, MODELS[options.model])().to(options.device).to(memory_format=layout)
    net.train(options.task == "train")
    x = torch.randn(options.images, 3, options.size, options.size, device=options.device).to(memory_format=layout)
    y = torch.arange(options.images, device=options.device) % 1000
    batches = [None]  # an iterator over files
    optimizer = torch.optim.SGD(net.parameters(), 0.001, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scaler = torch.amp.GradScaler(options.device, enabled=options.precision == "fp16" and options.device == "cuda")
    kind = KINDS.get(options.precision)

    def forward(x, y):
        with torch.autocast(options.device, dtype=kind, enabled=kind is not None):
            out = net(x)
            return torch.nn.functional.cross_entropy(out, y) if options.task == "train" else out

    compiled = torch.compile(forward) if options.mode == "compile" else forward

    def given():
        if batches[0] is None:
            return x, y
        images, labels = next(batches[0])
        return images.to(options.device, non_blocking=True, memory_format=layout), labels.to(options.device, non_blocking=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(compiled(*given())).backward()
        scaler.step(optimizer)
        scaler.update()

    def infer():
        with torch.inference_mode():
            compiled(*given())

    def begin():
        """What lay ready when the round began is not of this round, and nobody reads while others run."""
        if options.input:
            batches[0] = endless(options)
            for _ in range(2 * options.workers + 1):  # a DataLoader's own reserve, and one
                next(batches[0])

    def end():
        batches[0] = None  # stops the workers

    return (train if options.task == "train" else infer), begin, end


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=sorted(MODELS), required=True)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--mode", choices=["eager", "channels_last", "compile"], required=True)
    parser.add_argument("--task", choices=["train", "infer"], default="train")
    parser.add_argument("--precision", choices=["f32", "tf32", "bf16", "fp16"], default="f32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--input")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    step, begin, end = build(options)
    wait = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    begin()
    for _ in range(2 if options.device == "cpu" else 20):
        step()
    end()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds = []
        begin()
        for _ in range(int(line)):
            wait()
            started = time.perf_counter()
            step()
            wait()
            seconds.append(time.perf_counter() - started)
        end()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        gpu = torch.cuda.max_memory_reserved() if options.device == "cuda" else 0
        print(json.dumps({"seconds": seconds, "peak_rss_bytes": memory, "gpu_bytes": gpu}), flush=True)


if __name__ == "__main__":
    main()
