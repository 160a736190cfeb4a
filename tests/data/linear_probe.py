#!/usr/bin/env python3
"""How far a linear model on pixels gets on an ImageNet-style folder: the yardstick beside a network's accuracy.

  linear_probe.py FOLDER [SIDE]     FOLDER holds train/<wnid>/*.JPEG and val/<wnid>/*.JPEG

Multinomial logistic regression in numpy (Pillow decodes) on all pixels of the images reduced to SIDE x SIDE (24), by
full-batch gradient descent with Nesterov momentum on whitened pixels, so that it really converges. To be generous to the
linear model, the best held-out accuracy over several weight decays and all moments of training is what it prints last.
"""
import sys
from pathlib import Path

import numpy as np
from PIL import Image

STEPS, REPORT_EVERY = 300, 5
DECAYS = (1e-4, 1e-2, 1e-1)


def read(folder, side):
    names = sorted(p.name for p in folder.iterdir() if p.is_dir())
    pixels, labels = [], []
    for label, name in enumerate(names):
        for path in sorted((folder / name).iterdir()):
            image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
            pixels.append(np.asarray(image, np.uint8).ravel())
            labels.append(label)
    return np.stack(pixels).astype(np.float32), np.array(labels), names


def probabilities(logits):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    return shifted / shifted.sum(1, keepdims=True)


def whitening(x):
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return vectors / np.sqrt(values + 1e-3 * values.mean())


def train(x, y, held_x, held_y, classes, decay):
    weights, bias = np.zeros((x.shape[1], classes), np.float32), np.zeros(classes, np.float32)
    velocity = np.zeros((x.shape[1] + 1, classes), np.float32)
    targets = np.eye(classes, dtype=np.float32)[y]
    rate = 1.0 / (0.5 + decay)  # the loss's curvature is at most a half on whitened pixels
    best = 0.0
    for step in range(1, STEPS + 1):
        error = (probabilities(x @ weights + bias) - targets) / len(x)
        gradient = np.vstack([x.T @ error + decay * weights, error.sum(0, keepdims=True)])
        velocity = 0.9 * velocity + gradient
        move = rate * (gradient + 0.9 * velocity)
        weights, bias = weights - move[:-1], bias - move[-1]
        if step % REPORT_EVERY == 0:
            best = max(best, float(((held_x @ weights + bias).argmax(1) == held_y).mean()))
    fitted = float(((x @ weights + bias).argmax(1) == y).mean())
    return best, fitted


def main():
    folder, side = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24
    x, y, names = read(folder / "train", side)
    held_x, held_y, held_names = read(folder / "val", side)
    if names != held_names:
        sys.exit(f"{folder}: train and val hold different classes")
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    x, held_x = (x - mean) / deviation, (held_x - mean) / deviation
    white = whitening(x)
    x, held_x = x @ white, held_x @ white
    results = []
    for decay in DECAYS:
        best, fitted = train(x, y, held_x, held_y, len(names), decay)
        results.append(best)
        print(f"decay {decay:g}: held-out {best:.3f} at its best moment, training set {fitted:.3f} at the end", flush=True)
    print(f"linear model on pixels: best held-out top-1 {max(results):.3f} "
          f"({len(names)} classes, chance {1 / len(names):.3f}, {len(x)} training and {len(held_x)} held-out images)")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main()
