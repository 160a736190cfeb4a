"""onnxruntime runs convoy's ONNX files and predicts what convoy predicts, from pixels that Pillow and numpy have prepared."""
import json
import math
import tomllib
import unittest

from convoy_cli import TINY_JOB, ConvoyTest, convoy

try:
    import numpy
    import onnxruntime
    import safetensors
    import safetensors.numpy
    from PIL import Image
except ImportError:
    onnxruntime = None
try:
    import onnx
except ImportError:
    onnx = None

# Two float32 programs, sums in another order: K eps sqrt(terms) of the largest logit, terms those of the longest sum.
BOUND = 8 * 2.0**-24 * math.sqrt(9216)
TABLE = {  # [network] of each, and the side that images are resized to
    "resnet18": ('model = "resnet18"\nwidth = 8\ninput = 64', 72),
    "resnet50": ('model = "resnet50"\nwidth = 8\ninput = 64', 72),
    "resnet50-v1": ('model = "resnet50"\nvariant = "v1"\nwidth = 8\ninput = 64', 72),
    "small-stem": ('model = "resnet18"\nwidth = 8\nstem = "small"\ninput = 32', 36),
    "alexnet": ('model = "alexnet"\ninput = 67', 70),
    "alexnet-bn": ('model = "alexnet-bn"\ninput = 67', 70),
    "alexnet-torchvision": ('model = "alexnet-torchvision"', 256),
}


def prepared(path, data, side):
    """Resize, CenterCrop, ToTensor and Normalize of torchvision."""
    image = Image.open(path).convert("RGB")
    scale = data["resize"] / min(image.size)
    assert image.size[0] == image.size[1]
    image = image.resize([round(extent * scale) for extent in image.size], Image.Resampling.BILINEAR)
    left = round((image.size[0] - side) / 2)
    pixels = numpy.asarray(image.crop((left, left, left + side, left + side)), numpy.float32) / numpy.float32(255)
    return ((pixels - numpy.float32(data["mean"])) / numpy.float32(data["std"])).transpose(2, 0, 1)


def random_weights(shapes, random):
    """So scaled that values keep their size through the layers and logits differ."""
    tensors = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            tensors[name] = numpy.zeros(shape, numpy.int64)
        elif name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
            tensors[name] = random.uniform(0.5, 1.5, shape).astype(numpy.float32)
        elif len(shape) == 1:
            tensors[name] = random.normal(0, 0.1, shape).astype(numpy.float32)
        else:
            gain = 0.002 if name == "fc.weight" else 2  # a ResNet's residuals add up
            tensors[name] = random.normal(0, math.sqrt(gain / math.prod(shape[1:])), shape).astype(numpy.float32)
    return tensors


@unittest.skipIf(onnxruntime is None, "SKIPPED: onnxruntime, safetensors, Pillow and numpy are not in CONVOY_PYTHON")
class Onnx(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.images = sorted((cls.folder / "images/val").rglob("*.JPEG"))

    def weights(self, name, network, resize):
        """A file of random weights for a job that has made its first step."""
        job = self.folder / f"{name}.toml"
        old = TINY_JOB[TINY_JOB.index("[network]"):TINY_JOB.index("[minibatch]")]
        job.write_text(TINY_JOB.replace(old, f"[network]\n{network}\n[data]\nresize = {resize}\n"))
        self.train(name, "--set", "train.epochs=0", "--set", "train.steps=1", "--set", "minibatch.workers=1", job=job)
        made = self.folder / f"{name}-made.safetensors"
        self.must("export", self.folder / name, "--out", made)
        with safetensors.safe_open(made, "numpy") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}
            metadata = {key: value for key, value in file.metadata().items() if key != "convoy_xxh3"}
        given = self.folder / f"{name}.safetensors"
        safetensors.numpy.save_file(random_weights(shapes, numpy.random.default_rng(7)), given, metadata)
        return given, metadata

    def check(self, name):
        network, resize = TABLE[name]
        given, metadata = self.weights(name, network, resize)
        model = self.folder / f"{name}.onnx"
        self.must("export", given, "--out", model)
        if onnx is not None:
            onnx.checker.check_model(str(model), full_check=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.assertEqual([(v.name, v.shape[0]) for v in (*session.get_inputs(), *session.get_outputs())],
                         [("images", "N"), ("logits", "N")])
        self.assertNotIn("Dropout", [node.op_type for node in onnx.load(model).graph.node] if onnx else [])
        self.assertEqual(session.get_modelmeta().custom_metadata_map["classes"], metadata["classes"])
        side = session.get_inputs()[0].shape[2]
        data = tomllib.loads(metadata["job"])["data"]
        logits = session.run(None, {"images": numpy.stack([prepared(path, data, side) for path in self.images])})[0]
        theirs = logits.astype(numpy.float64)
        theirs -= theirs.max(axis=1, keepdims=True)
        theirs -= numpy.log(numpy.exp(theirs).sum(axis=1, keepdims=True))
        code, out, err = convoy("predict", *self.images, "--weights", given, "--threads", 1, "--json")
        self.assertEqual(code, 0, err)
        worst, classes = 0.0, set()
        for answer, expected in zip(json.loads(out)["images"], theirs):
            self.assertEqual(answer["top"][0]["class"], int(expected.argmax()), answer["image"])
            classes.add(answer["top"][0]["class"])
            for guess in answer["top"]:
                worst = max(worst, abs(math.log(guess["confidence"]) - expected[guess["class"]]))
        print(f"{name}: largest logit {abs(logits).max():.3g}, log-probabilities differ by at most {worst:.2g}, "
              f"allowed {BOUND * abs(logits).max():.2g}")
        self.assertLessEqual(worst, BOUND * abs(logits).max())
        self.assertGreater(abs(logits - logits.mean(axis=0)).max(), 100 * BOUND * abs(logits).max(), "images are told apart")


for case in TABLE:
    setattr(Onnx, f"test_{case.replace('-', '_')}", lambda self, name=case: self.check(name))


if __name__ == "__main__":
    unittest.main()
