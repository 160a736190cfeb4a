#!/usr/bin/env python3
"""What checkpoints cost: the time for which one of ResNet-50 blocks the training, and one an epoch of a small run.

  checkpoint_cost.py [--build build] [--core 0] [--steps 12] [--images 2] [--pairs 6] [--epochs 4] [--folder TMP] [--out FILE.md]

1. ResNet-50 at 224 pixels, 1000 classes, SGD with momentum (two arenas of 102 MB to save), one rank of one thread on one core, a
   checkpoint after every second step, so that the one before is on the disk. Blocked: what the training thread has waited in all, by
   result.json's phases_s.checkpoint without the last state's save, which nothing runs beside. A step of 32 images is measured, too.
2. jobs/demo.toml for some epochs, a checkpoint an epoch against none but the last, both of a pair at the same time on the same core, so
   that clock and neighbours are alike for both: processor time with all threads, with over without, and the time waited, of the run.
Medians over pairs with a bootstrapped 95 % interval. It ends with 1 where a checkpoint of ResNet-50 blocks for more than 50 ms and more
than 5 % of a step of 32 images, or one an epoch takes more than 2 % of processor time or of the run.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from observation_cost import finish_run, interval, start_on_core

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESNET50 = """
name = "resnet50-checkpoints"
[network]
model = "resnet50"
variant = "v1.5"
[minibatch]
workers = 1
images = {images}
[train]
epochs = 1000
evaluate_every = 0
[optimizer]
kind = "sgd"
[schedule]
kind = "constant"
rate = 0.01
"""


def start(arguments, job, run, *flags):
    command = [arguments.convoy, "train", job, "--out", run, "--threads", 1, "--quiet", *flags]
    return start_on_core(command, arguments.core)


def finish(process, run):
    """Processor time, result, and the lines of metrics.jsonl."""
    processor, lines = finish_run(process, run)
    return processor, json.loads((run / "result.json").read_text()), lines


def images_of_1000_classes(arguments, folder):
    """A packed set of 1000 classes, an image each."""
    subprocess.run([arguments.convoy, "synth", "--out", folder / "shapes", "--classes", "10", "--train-per-class", "100",
                    "--val-per-class", "1", "--size", "256", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    for number, image in enumerate(sorted((folder / "shapes/train").rglob("*.JPEG"))):
        (folder / f"images/n{number:08}").mkdir(parents=True)
        image.rename(folder / f"images/n{number:08}/image.JPEG")
    subprocess.run([arguments.convoy, "pack", folder / "images", "--out", folder / "set1000", "--quiet"], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "set1000"


def resnet50(arguments, folder):
    """Seconds for which every checkpoint blocked, and those of a step of 32 images."""
    images = images_of_1000_classes(arguments, folder)

    def run(name, count, steps, *flags):
        job = folder / f"{name}.toml"
        job.write_text(RESNET50.format(images=count))
        _, result, lines = finish(start(arguments, job, folder / name, "--train", images, "--stop-after", steps,
                                        "--checkpoint-epochs", 0, *flags), folder / name)
        return result, lines

    result, lines = run("blocked", arguments.images, arguments.steps + 1, "--checkpoint-steps", 2, "--keep", 1)
    saved = [line["seconds_s"] for line in lines if line["event"] == "checkpoint"]
    last, behind = saved[-1], saved[:-1]  # the last is the state at the stop
    waits = max(0.0, result["phases_s"]["checkpoint"] - last - sum(behind))  # for the one before to be written
    plain, _ = run("plain", 32, 3)
    return behind, waits / len(behind), plain["steps"]["seconds"]["median"]


def small_run(arguments, folder):
    """By pair, in per cent: processor time, with over without; and time waited, of the run."""
    subprocess.run([arguments.convoy, "synth", "--out", folder / "small", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    for part, classes in (("train", []), ("val", ["--classes", folder / "set/train"])):
        subprocess.run([arguments.convoy, "pack", folder / "small" / part, *classes, "--out", folder / "set" / part, "--quiet"],
                       check=True, stdout=subprocess.DEVNULL)
    flags = ["--train", folder / "set/train", "--held-out", folder / "set/val", "--set", f"train.epochs={arguments.epochs}"]
    processor, waited = [], []
    for pair in range(arguments.pairs):
        names = {every: folder / f"pair{pair}-{every}" for every in ((1, 0) if pair % 2 else (0, 1))}
        running = {every: start(arguments, ROOT / "jobs/demo.toml", run, *flags, "--checkpoint-epochs", every)
                   for every, run in names.items()}
        took = {every: finish(process, names[every]) for every, process in running.items()}
        phases = {every: done[1]["phases_s"] for every, done in took.items()}
        other = sum(line.get("other_s", 0.0) for line in took[0][2])
        whole = phases[0]["train"] + phases[0]["evaluate"] + phases[0]["checkpoint"] + other
        processor.append(100 * (took[1][0] / took[0][0] - 1))
        waited.append(100 * (phases[1]["checkpoint"] - phases[0]["checkpoint"]) / whole)
        print(f"pair {pair + 1}: processor {took[0][0]:.2f} s without, {took[1][0]:.2f} s with; waited {waited[-1]:+.3f} %", flush=True)
    return processor, waited


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--images", type=int, default=2, help="a step of ResNet-50 while checkpoints are measured")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=4, help="of the small run, at least 2")
    parser.add_argument("--folder", help="where to work: another disk's temporary folder")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.convoy = arguments.build.resolve() / "bin/convoy"
    with tempfile.TemporaryDirectory(prefix="convoy-checkpoints-", dir=arguments.folder) as scratch:
        behind, wait, step = resnet50(arguments, pathlib.Path(scratch))
        print("ResNet-50: every checkpoint blocked for", ", ".join(f"{1000 * seconds:.1f}" for seconds in behind), "ms, and the one before for",
              f"{1000 * wait:.1f} ms; a step of 32 images takes {step:.2f} s", flush=True)
        processor, waited = small_run(arguments, pathlib.Path(scratch))
    blocked = statistics.median(behind[1:] or behind) + wait  # the first one makes the buffer
    share, processor, waited = 100 * blocked / step, interval(processor), interval(waited)
    lines = [
        "# What checkpoints cost", "", f"`tests/support/checkpoint_cost.py {' '.join(sys.argv[1:])}`", "",
        "| | measured | bar |", "|---|---|---|",
        f"| a checkpoint of ResNet-50 blocks the training | {1000 * blocked:.1f} ms (the first one {1000 * behind[0]:.1f} ms) | 50 ms, or |",
        f"| that is of a step of 32 images, which takes {step:.2f} s here | {share:.2f} % | 5 % |",
        "| one an epoch, small run: processor time, with over without | {:+.2f} % [{:+.2f}, {:+.2f}] | 2 % |".format(*processor),
        "| one an epoch, small run: time the training waited | {:+.3f} % [{:+.3f}, {:+.3f}] | 2 % |".format(*waited)]
    print("\n".join(lines))
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n")
    sys.exit(1 if (blocked > 0.05 and share > 5) or processor[0] > 2 or waited[0] > 2 else 0)


if __name__ == "__main__":
    main()
