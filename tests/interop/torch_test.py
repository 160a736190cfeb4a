"""PyTorch and torchvision: their weights come in, evaluate and train as with them, and go out again."""
import json
import os
import re
import shlex
import statistics
import subprocess
import unittest
from pathlib import Path

from convoy_cli import ROOT, ConvoyTest, convoy

try:
    import numpy
    import safetensors
    import safetensors.numpy
except ImportError:
    safetensors = None

TORCH = os.environ.get("CONVOY_TORCH_PYTHON", "")
SIDE = 96
# How much farther than PyTorch ours may lie from the step in float64. A step of ResNet-50 shows every rounding enlarged: PyTorch's own
# convolutions, oneDNN's on NCHW and on NHWC differ in the order of sums alone, and lie up to three times as far from it as one another.
TIMES = 2

JOB = """
[network]
model = "{model}"
input = {side}
[data]
resize = {resize}
train_crop = "center"
[minibatch]
images = {images}
[train]
steps = 1
[optimizer]
nesterov = true
weight_decay = 1e-3
decay_norm = true
[schedule]
kind = "constant"
rate = 0.001
"""


@unittest.skipIf(safetensors is None or not TORCH,
                 "SKIPPED: set CONVOY_TORCH_PYTHON to an interpreter with torch and torchvision, and CONVOY_PYTHON to one with safetensors")
class Torch(ConvoyTest):
    synth = ["--classes", "8", "--train-per-class", "2", "--val-per-class", "12", "--size", "112"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Their interpreter borrows this one's safetensors, and nothing else of it.
        (cls.folder / "borrowed").mkdir()
        (cls.folder / "borrowed/safetensors").symlink_to(Path(safetensors.__file__).parent)

    def torch(self, *arguments):
        environment = dict(os.environ, PYTHONPATH=str(self.folder / "borrowed"), OMP_NUM_THREADS="1")
        done = subprocess.run([TORCH, ROOT / "tests/support/torchvision_weights.py", *map(str, arguments)], capture_output=True,
                              text=True, env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout) if done.stdout else None

    def made(self, theirs, side=SIDE):
        out = self.folder / f"{theirs}-init"
        if not out.with_suffix(".pth").exists():
            self.torch("init", theirs, 8, self.folder / "images/train", side, out)
        return out.with_suffix(".safetensors")

    def job_of(self, model, side=SIDE):
        path = self.folder / f"{model}.toml"
        path.write_text(JOB.format(model=model, side=side, resize=side + side // 8, images=16))
        return path

    def equal_counts(self, theirs, ours, weights, side=SIDE):
        expected = self.torch("evaluate", theirs, 8, weights, self.folder / "images/val", side)
        code, out, err = convoy("evaluate", self.job_of(ours, side), "--weights", weights, "--held-out", self.folder / "set/val",
                                "--threads", 1, "--json")
        self.assertEqual(code, 0, err)
        got = json.loads(out)
        print(f"{theirs}: top-1 {got['correct1']} and {expected['correct1']}, top-5 {got['correct5']} and {expected['correct5']} "
              f"of {got['images']}, loss {got['loss']:.7f} and {expected['loss']:.7f}, {len(expected['classes'])} classes named")
        for key in ("images", "correct1", "correct5"):
            self.assertEqual(got[key], expected[key], key)
        self.assertAlmostEqual(got["loss"] / expected["loss"], 1, 5)
        return expected

    def test_resnet50_goes_in_evaluates_and_comes_out_again(self):
        given = self.made("resnet50")
        self.equal_counts("resnet50", "resnet50", given)
        out = self.folder / "resnet50-out.safetensors"
        self.must("export", given, "--job", self.job_of("resnet50"), "--out", out)
        before, after = safetensors.numpy.load_file(given), safetensors.numpy.load_file(out)
        self.assertEqual(set(before), set(after))
        for name, values in before.items():
            self.assertEqual((values.dtype, values.shape, values.tobytes()),
                             (after[name].dtype, after[name].shape, after[name].tobytes()), name)

    def test_resnet50_trains_one_step_equally_and_is_theirs_again(self):
        given, theirs = self.made("resnet50"), self.folder / "theirs"
        losses = self.torch("step", "resnet50", 8, given, self.folder / "images/train", SIDE, theirs)
        before, exact = (safetensors.numpy.load_file(path) for path in (given, f"{theirs}-float64.safetensors"))
        error = {}
        for name in ("float32", "channels_last", "own"):
            error[f"PyTorch's {name}"] = self.error(before, f"{theirs}-{name}.safetensors", exact)
        for backend in ("onednn", "winograd", "reference"):
            run, out = self.folder / f"stepped-{backend}", self.folder / f"ours-{backend}.safetensors"
            how = ["--set", "precision.convolutions=winograd"] if backend == "winograd" else ["--backend", backend]
            self.must("train", self.job_of("resnet50"), *self.sets[:2], *self.sets[4:], "--weights", given, *how, "--out", run, "--quiet")
            self.must("export", run, "--out", out)
            losses[backend] = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])["loss"]
            self.assertLess(abs(losses[backend] / losses["float64"] - 1), 1e-4)
            error[backend] = self.error(before, out, exact)
        print("one step of resnet50, loss:", ", ".join(f"{name} {loss:.7f}" for name, loss in losses.items()))
        for name, (worst, median) in error.items():
            print(f"  {name}: movements within {worst:.2g} of their norm of those in float64, median {median:.2g}")
        torch = [value for name, value in error.items() if name.startswith("PyTorch")]
        for k in range(2):
            for ours in ("onednn", "winograd"):
                self.assertLessEqual(error[ours][k], TIMES * max(value[k] for value in torch))
            self.assertLessEqual(error["reference"][k], TIMES * min(value[k] for value in torch))
        self.equal_counts("resnet50", "resnet50", self.folder / "ours-onednn.safetensors")  # strict=True there

    def error(self, before, path, exact):
        """Of the worst tensor, and the median over weights and biases."""
        after = safetensors.numpy.load_file(path)
        self.assertEqual(set(after), set(exact))
        errors = {name: self.missed(name, before[name], after[name], exact[name]) for name in exact}
        return max(errors.values()), statistics.median(value for name, value in errors.items() if name.endswith((".weight", ".bias")))

    def missed(self, name, before, after, exact):
        """How far from the exact movement, in its norm (statistics, which may stay: in their own norm); what the last place
        of the weights hides is left out."""
        if name.endswith("num_batches_tracked"):
            self.assertEqual((int(after), int(exact)), (1, 1))
            return 0.0
        moved = numpy.linalg.norm((exact if ".running_" in name else exact - before).ravel())
        self.assertGreater(moved, 0, name)
        hidden = 2.0**-24 * numpy.linalg.norm(exact.ravel())
        return max(0.0, numpy.linalg.norm((exact - after).ravel()) - 2 * hidden) / moved

    def test_resnet18_and_alexnet(self):
        self.equal_counts("resnet18", "resnet18", self.made("resnet18"))
        expected = self.equal_counts("alexnet", "alexnet-torchvision", self.made("alexnet", 224), 224)
        code, out, err = convoy("predict", *sorted((self.folder / "images/val").rglob("*.JPEG")), "--weights", self.made("alexnet", 224),
                                "--job", self.job_of("alexnet-torchvision", 224), "--top", 1, "--threads", 1, "--json")
        self.assertEqual(code, 0, err)
        self.assertEqual([answer["top"][0]["class"] for answer in json.loads(out)["images"]], expected["first"])

    def test_every_resnet_has_their_names_and_shapes(self):
        for theirs in ("resnet34", "resnet101", "resnet152"):
            out = self.folder / f"{theirs}-names.safetensors"
            self.must("export", self.made(theirs, 32), "--model", theirs, "--out", out)
            before, after = safetensors.numpy.load_file(self.made(theirs, 32)), safetensors.numpy.load_file(out)
            self.assertEqual({k: v.tobytes() for k, v in before.items()}, {k: v.tobytes() for k, v in after.items()})

    def test_a_pickle_is_refused_and_the_command_that_is_named_converts_it(self):
        pickle = self.made("resnet18").with_suffix(".pth").rename(self.folder / "published.pth")
        said = self.refused(1, "export", pickle, "--model", "resnet18", "--out", self.folder / "never.safetensors",
                            says="is a program and is not run here")
        command = shlex.split(re.search(r'python3 (-c "[^"]*")', said)[1])
        environment = dict(os.environ, PYTHONPATH=str(self.folder / "borrowed"))
        subprocess.run([TORCH, *command], check=True, env=environment)
        out = self.folder / "published-out.safetensors"
        self.must("export", self.folder / "published.safetensors", "--model", "resnet18", "--out", out)
        before, after = safetensors.numpy.load_file(self.made("resnet18")), safetensors.numpy.load_file(out)
        self.assertEqual({k: v.tobytes() for k, v in before.items()}, {k: v.tobytes() for k, v in after.items()})


if __name__ == "__main__":
    unittest.main()
