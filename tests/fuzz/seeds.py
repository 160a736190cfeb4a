#!/usr/bin/env python3
"""seeds.py FOLDER: the seeds that need Pillow or tarfile, or are another program's, into FOLDER/READER/ (after fuzz_seeds)."""
import json
import pathlib
import sys
import tarfile

from PIL import Image

here = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(here.parent / "compare"), str(here.parent / "support")]
from crafted import mlperf_log, result, step_line  # noqa: E402
from foreign_test import torchvision_log  # noqa: E402

folder = pathlib.Path(sys.argv[1])


def put(reader, name, *parts):
    path = folder / reader / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x1e".join(part if isinstance(part, bytes) else part.encode() for part in parts))
    return path


image = Image.radial_gradient("L").resize((18, 11))
for mode in ("L", "RGB", "CMYK"):
    for name, options in (("base", {}), ("progressive", {"progressive": True}), ("444", {"subsampling": 0}), ("rst", {"restart_marker_blocks": 1})):
        image.convert(mode).save(put("jpeg", f"{mode}-{name}", b""), "JPEG", **options)
    image.resize((70, 40)).convert(mode).save(put("jpeg", f"{mode}-wide-rst", b""), "JPEG", restart_marker_blocks=1)
for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
    (image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)).save(put("png", mode.replace(";", ""), b""), "PNG")
for name, dialect in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    for long in ("", "-long"):
        with tarfile.open(put("tar", name + long, b""), "w", format=dialect) as archive:
            for number, path in enumerate(sorted((folder / "images" / "train").glob("*/*"))):
                archive.add(path, f"{path.parent.name}/{'x' * (120 if long and name != 'ustar' else 3)}{number}.JPEG")
inner = folder / "tar" / "ustar"
with tarfile.open(put("tar", "nested", b""), "w") as archive:
    archive.add(inner, "n01.tar")
    archive.add(inner, "n02.tar")
put("labels", "named", "val_1.JPEG n01\nval_2.JPEG n02\n")
put("labels", "kaggle", "ImageId,PredictionString\nval_1,n00000001 1 2 3 4\nval_2,n00000002 1 2 3 4\n", "n00000001 tench\nn00000002 goldfish\n")
put("labels", "truth", "2\n1\n2\n", "index\twnid\tname\n0\tn00000001\ttench\n1\tn00000002\tgoldfish\n")
for job in sorted((here.parent.parent / "jobs").glob("*.toml")):
    put("job", job.name, job.read_bytes())
times = json.dumps({"event": "times", "share": {"compute": 0.9, "data_wait": 0.1}, "ranks": [{"rank": 0, "own_p50_s": 0.1}],
                    "slowest": {"rank": 0, "host": "a", "behind_median": 0.1}, "advice": "none"}) + "\n"
metrics = "".join(json.dumps(step_line(step, 1000 + step)) + "\n" for step in range(12))
predictions = "# convoy.predictions/1 held_out=fv weights=d3 steps=2250\nlabel,predicted,rank\n3,3,0\n1,2,7\n"
put("result", "whole", json.dumps(result(seconds=[0.3, 0.31, 0.29] * 4)), metrics, times, predictions, json.dumps([{"wnid": "n01", "name": "tench"}]))
put("result", "alone", json.dumps(result(seconds=[0.3])))
put("logs", "mlperf", mlperf_log(epochs=8))
put("logs", "torchvision", torchvision_log(0.5))
put("logs", "google", json.dumps({"context": {"host_name": "h", "num_cpus": 8}, "benchmarks": [
    {"name": "BM/8", "run_name": "BM/8", "run_type": "iteration", "time_unit": "us", "real_time": 1.0 + i} for i in range(5)]}))
put("logs", "hyperfine", json.dumps({"results": [{"command": "sleep 1", "mean": 1.0, "median": 1.0, "times": [1.0, 1.1, 1.2]}]}))
put("logs", "ffcv", "".join(json.dumps({"timestamp": 1.0, "relative_time": 60.0 * i, "current_lr": 0.1, "top_1": 0.1 * i, "top_5": 0.2 * i,
                                        "val_time": 5.0, "train_loss": 3.0, "epoch": i}) + "\n" for i in range(3)),
    json.dumps({"model.arch": "resnet18", "training.batch_size": 256, "training.epochs": 3}))
