#!/usr/bin/env python3
"""What Pillow makes of a list of images: the reference that tests/data compares the decoder and the resize with.

  pillow_reference.py REQUESTS     one request a line, fields separated by tabs:

  OUTPUT IMAGE decode
  OUTPUT IMAGE crop LEFT TOP WIDTH HEIGHT TO_WIDTH TO_HEIGHT
  OUTPUT IMAGE train LEFT TOP WIDTH HEIGHT INPUT MIRROR        crop, resize, mirror, normalize
  OUTPUT IMAGE held_out RESIZE INPUT                           torchvision's Resize + CenterCrop, normalize
  OUTPUT IMAGE squash RESIZE LEFT TOP INPUT                    to a square, then a crop (AlexNet)

OUTPUT receives raw bytes, HWC, or raw little-endian float32, CHW, where normalized. An image that Pillow cannot read gets
no OUTPUT. Needs Pillow and numpy; the crops are Pillow's own crop() and resize(), not its resize(box=), as in torchvision.
"""
import sys
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
BILINEAR = Image.Resampling.BILINEAR


def normalized(image):
    scaled = np.asarray(image, np.uint8).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return ((scaled - MEAN[:, None, None]) / STD[:, None, None]).astype("<f4")


def cropped(image, left, top, width, height, to_width, to_height):
    return image.crop((left, top, left + width, top + height)).resize((to_width, to_height), BILINEAR)


def train(image, left, top, width, height, side, mirror):
    view = cropped(image, left, top, width, height, side, side)
    return normalized(view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else view)


def held_out(image, resize, side):
    width, height = image.size
    if width <= height:
        size = (resize, int(resize * height / width))
    else:
        size = (int(resize * width / height), resize)
    left, top = round((size[0] - side) / 2.0), round((size[1] - side) / 2.0)
    return normalized(image.resize(size, BILINEAR).crop((left, top, left + side, top + side)))


def squash(image, resize, left, top, side):
    return image.resize((resize, resize), BILINEAR).crop((left, top, left + side, top + side))


OPERATIONS = {"decode": lambda image: image, "crop": cropped, "train": train, "held_out": held_out, "squash": squash}


def main():
    warnings.simplefilter("ignore")
    last_path, image = None, None
    for line in Path(sys.argv[1]).read_text().splitlines():
        output, path, operation, *numbers = line.split("\t")
        if path != last_path:
            last_path, image = path, None
            try:
                image = Image.open(path).convert("RGB")
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
                continue
        if image is not None:
            result = OPERATIONS[operation](image, *map(int, numbers))
            Path(output).write_bytes(np.ascontiguousarray(np.asarray(result)).tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
