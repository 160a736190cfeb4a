#!/usr/bin/env python3
"""A packed dataset as Python sees it (data/FORMAT.md), held against the tar it came from.

  shard_python.py FOLDER [TAR COUNT]   runs FORMAT.md's own lines on every shard; compares COUNT records with the tar
"""
import io
import json
import random
import re
import sys
import tarfile
from pathlib import Path

import h5py


def format_lines(folder):
    """The code block of FORMAT.md, as printed, on this folder's first shard."""
    text = (Path(__file__).resolve().parents[2] / "data" / "FORMAT.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    assert len(code.strip().splitlines()) == 3
    first = json.loads((folder / "dataset.json").read_text())["shards"][0]["file"]
    code = code.replace("train/shard-00000-of-00008.h5", str(folder / first))
    try:
        import PIL.Image
        names = {"h5py": h5py, "io": io, "PIL": PIL}
        exec(code, names)
        assert names["image"].size == (names["f"]["width"][7], names["f"]["height"][7])
    except ImportError:
        print("shard_python.py: Pillow is not there, the third line of FORMAT.md is not run")


def members(path):
    """name -> bytes of a flat tar, or of a tar of tars with the inner tar's name in front."""
    found = {}
    with tarfile.open(path) as outer:
        for member in outer:
            content = outer.extractfile(member).read()
            if not member.name.endswith(".tar"):
                found[member.name] = content
                continue
            with tarfile.open(fileobj=io.BytesIO(content)) as inner:
                for image in inner:
                    found[member.name[:-4] + "/" + image.name] = inner.extractfile(image).read()
    return found


def main(folder, tar=None, count=0):
    folder = Path(folder)
    dataset = json.loads((folder / "dataset.json").read_text())
    format_lines(folder)
    records, histogram = [], [0] * len(dataset["classes"])
    for entry in dataset["shards"]:
        with h5py.File(folder / entry["file"]) as shard:
            assert shard.attrs["schema"] == "convoy.shard/1" or shard.attrs["schema"] == b"convoy.shard/1"
            assert [w.decode() for w in shard["wnid"]] == [c["wnid"] for c in dataset["classes"]]
            assert shard["images"].chunks is None and shard["images"].id.get_offset() % 4096 == 0
            for i, label in enumerate(shard["label"]):
                histogram[label] += 1
                records.append((entry["file"], i))
            assert len(shard["name"]) == entry["samples"]
    assert histogram == [c["samples"] for c in dataset["classes"]]
    assert len(records) == dataset["samples"]
    if tar:
        wanted = members(tar)
        assert len(wanted) == len(records), (len(wanted), len(records))
        for file, i in random.Random(1).sample(records, int(count)):
            with h5py.File(folder / file) as shard:
                offset, length = int(shard["offset"][i]), int(shard["length"][i])
                name = shard["name"][i].decode()
                assert shard["images"][offset : offset + length].tobytes() == wanted[name], name
                if "/" in name:
                    assert dataset["classes"][shard["label"][i]]["wnid"] == name.split("/")[0]
    print(f"shard_python.py: {len(records)} records in {len(dataset['shards'])} shards, {count} equal to the tar's")


if __name__ == "__main__":
    main(*sys.argv[1:])
