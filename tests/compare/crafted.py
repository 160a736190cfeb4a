"""Small result files made for the tests: what convoy writes, with the numbers that a test needs (standard library only)."""
import copy
import json
import math
import pathlib
import random
import shutil
import tempfile
import unittest

from convoy_cli import convoy

RECIPE = {
    "network": {"model": "resnet18", "variant": "v1.5", "stem": "small", "width": 64, "input": 64, "classes": 0},
    "data": {"train": "/data/train", "held_out": "/data/val", "train_crop": "random-resized", "resize": 64},
    "minibatch": {"workers": 2, "images": 16},
    "train": {"epochs": 6.0, "steps": 0, "seed": 1, "evaluate_every": 1, "bucket_mib": 8.0},
    "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 0.0005},
    "schedule": {"kind": "cosine", "rate": 0.05},
}


def steps(count=200, median=0.3, depends=0.8, spread=0.03, seed=1):
    """Seconds of steps as machines have them: each depends on the one before, some are slow."""
    source, value, times = random.Random(seed), 0.0, []
    for _ in range(count):
        value = depends * value + math.sqrt(1 - depends * depends) * source.gauss(0, 1)
        slow = 1.5 if source.random() < 0.01 else 1.0
        times.append(median * math.exp(spread * value) * slow)
    return times


def result(name="a", seconds=None, correct=(529, 609, 700), images=5000, hash_="h1", digests=("d1", "d2", "d3"), recipe=None,
           ranks=2, backend="onednn", status="completed", **more):
    resolved = copy.deepcopy(RECIPE)
    for key, value in (recipe or {}).items():
        section, word = key.split(".")
        resolved[section][word] = value
    epochs = [{"step": 750 * (i + 1) - 1, "epoch": i + 1.0, "train_images": 24000, "train_loss": 4.0 - 0.5 * i,
               "held_out_images": images, "held_out_loss": 3.9 - 0.5 * i, "held_out_top1": right / images,
               "held_out_top5": min(1.0, 2 * right / images), "correct1": right, "weights_xxh3": digest}
              for i, (right, digest) in enumerate(zip(correct, digests))]
    library = {"onednn": "oneDNN 3.2.0", "reference": "none"}[backend]
    document = {
        "schema": "convoy.result/1", "run_id": name, "status": status, "exit_code": 0, "reason": None,
        "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:05:00Z", "tool": {"name": "convoy", "version": "0.1.0"},
        "experiment": {"name": "crafted", "hash": hash_, "resolved": resolved},
        "launch": {"command": ["convoy", "train"], "ranks": ranks, "road": "tree", "overlap": True, "mpi": "Open MPI 4.1.4",
                   "per_rank": [{"rank": r, "host": "h", "backend": backend, "library": library, "isa": "avx2", "device": "CPU",
                                 "threads": 1} for r in range(ranks)]},
        "claim": "bitwise for any 2^k ranks of this fingerprint",
        "dataset": {"train": {"path": "/data/train", "images": 24000, "classes": 100, "fingerprint": "ft"},
                    "held_out": {"path": "/data/val", "images": images, "classes": 100, "fingerprint": "fv"}},
        "phases_s": {"init": 0.5, "train": 100.0, "evaluate": 10.0, "checkpoint": 0.5},
        "epochs": epochs,
        "steps": {"count": 2250, "planned": 2250, "resumed_at": 0, "warmup_dropped": 1, "samples_stride": 1,
                  "samples_s": steps() if seconds is None else seconds},
        "numerics": {"precision": "f32", "final_weights_xxh3": digests[-1]},
        "efficiency": {"flops_per_image": 873773856}, "memory": {"peak_rss_bytes": 432644096},
    }
    document.update(more)
    return document


def step_line(step, loss_sum, correct=3, images=32):
    return {"event": "step", "step": step, "images": images, "loss": loss_sum * 2**-24 / images, "loss_sum": loss_sum,
            "correct1": correct, "nonfinite": 0, "step_s": 0.3}


def mllog(key, value, time_ms=0, **metadata):
    return ":::MLLOG " + json.dumps({"namespace": "", "time_ms": time_ms, "event_type": "POINT_IN_TIME", "key": key, "value": value,
                                     "metadata": {"file": "train.py", "lineno": 1, **metadata}})


def mlperf_log(epochs=35, batch=3264, top1=0.7595, seconds=600.0, status="success"):
    lines = ["some other output", mllog("submission_benchmark", "resnet"), mllog("submission_platform", "a machine"),
             mllog("global_batch_size", batch), mllog("opt_name", "lars"), mllog("train_samples", 1281167),
             mllog("eval_samples", 50000), mllog("lars_opt_base_learning_rate", 10.5), mllog("run_start", None, 1000)]
    for epoch in range(3, epochs, 4):
        lines.append(mllog("eval_accuracy", top1 * (0.5 + 0.45 * epoch / epochs), 2000 + epoch, epoch_num=epoch))
    lines.append(mllog("eval_accuracy", top1, 3000 + epochs, epoch_num=epochs))
    lines.append("0: " + mllog("run_stop", None, 1000 + int(1000 * seconds), status=status))
    return "\n".join(lines) + "\n"


class CompareTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-compare-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def run_folder(self, name, document, metrics=(), predictions=None):
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "result.json").write_text(json.dumps(document))
        if metrics:
            (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
        if predictions is not None:
            (folder / "predictions.csv").write_text(predictions)
        return name

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return name

    def compare(self, *arguments, code=None):
        got, out, err = convoy("compare", *arguments, cwd=self.folder)
        if code is not None:
            self.assertEqual(got, code, f"convoy compare {' '.join(map(str, arguments))}\n{out}\n{err}")
        return out

    def compared(self, *arguments, code=None):
        return json.loads(self.compare(*arguments, "--json", code=code))

    def row(self, comparison, name):
        return next(row for row in comparison["rows"] if row["name"] == name)

    def refused(self, code, *arguments, says=()):
        """One sentence on standard error, nothing on standard output."""
        got, out, err = convoy("compare", *arguments, cwd=self.folder)
        self.assertEqual((got, out), (code, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertTrue(err.startswith("convoy: ") and err.rstrip("\n").isprintable(), repr(err))
        for piece in [says] if isinstance(says, str) else says:
            self.assertIn(str(piece), err)
        return err
