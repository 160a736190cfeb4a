#!/usr/bin/env python3
"""Compares convoy's network inputs with torchvision's own transforms. Run by hand; needs torch, torchvision and Pillow.

  CONVOY_REAL_DATA=FOLDER torchvision_check.py BUILD/bin/test_data

Held-out: Resize(256), CenterCrop(224), ToTensor, Normalize. Training: RandomResizedCrop and RandomHorizontalFlip with the
crop and the mirror that convoy drew put in place of torchvision's draw. The draws themselves are compared as
distributions: 20,000 crops of each of three image sizes, means of area, log ratio and place in standard errors.
"""
import math
import subprocess
import sys
import tempfile
from os import environ
from pathlib import Path

import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision import transforms

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
TO_INPUT = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
HELD_OUT = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), TO_INPUT])


def trained(image, place, mirror):
    crop = transforms.RandomResizedCrop(224)
    crop.get_params = lambda *_: place
    image = crop(image)
    return TO_INPUT(transforms.functional.hflip(image) if mirror else image)


def report(what, pairs):
    values = equal = 0
    worst = 0.0
    for ours, theirs in pairs:
        values += ours.size
        equal += int((ours == theirs).sum())
        steps = np.abs(ours - theirs) * np.array(STD, np.float32)[:, None, None] * 255
        worst = max(worst, float(steps.max()))
    print(f"{what}: {equal} of {values} values equal bit for bit, largest difference {worst:.3g}/255")
    return worst


def statistics(crops, width, height):
    top, left, h, w = (np.array(column, float) for column in zip(*crops))
    draws = {"area": w * h / (width * height), "log ratio": np.log(w / h), "width": w / width, "height": h / height,
             "left": left / width, "top": top / height, "log ratio squared": np.log(w / h) ** 2}
    return {name: (values.mean(), values.std() / math.sqrt(len(values))) for name, values in draws.items()}


def compare_draws(ours):
    worst = 0.0
    for width, height in sorted(set(key for key, _ in ours)):
        blank = Image.new("L", (width, height))
        theirs = [transforms.RandomResizedCrop.get_params(blank, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(20000)]
        mine = statistics([crop for key, crop in ours if key == (width, height)], width, height)
        other = statistics(theirs, width, height)
        for name, (mean, error) in mine.items():
            apart = abs(mean - other[name][0]) / math.hypot(error, other[name][1])
            worst = max(worst, apart)
            print(f"  {width}x{height} {name}: {mean:.4f} against {other[name][0]:.4f}, {apart:.1f} standard errors")
    return worst


def main():
    torch.manual_seed(0)
    print(f"torchvision {torchvision.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.argv[1], "[.dump]"], check=True, stdout=subprocess.DEVNULL, env={**environ, "CONVOY_DUMP": name})
        ours = lambda number, kind: np.fromfile(folder / f"{number}.{kind}", "<f4").reshape(3, 224, 224)
        training, held_out = [], []
        for line in (folder / "index.tsv").read_text().splitlines():
            number, path, *place, mirror = line.split("\t")
            image = Image.open(path).convert("RGB")
            training.append((ours(number, "train"), trained(image, tuple(map(int, place)), mirror == "1").numpy()))
            held_out.append((ours(number, "held_out"), HELD_OUT(image).numpy()))
        crops = [tuple(map(int, line.split("\t"))) for line in (folder / "crops.tsv").read_text().splitlines()]
        worst = max(report("training inputs", training), report("held-out inputs", held_out))
        apart = compare_draws([(crop[:2], crop[2:]) for crop in crops])
    if worst > 1.01 or apart > 5:
        sys.exit("convoy and torchvision differ")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
