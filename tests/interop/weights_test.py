"""safetensors' own loader against convoy's files, both ways, and initial weights as part of an experiment."""
import json
import unittest

from convoy_cli import ConvoyTest, convoy

try:
    import h5py
    import numpy
    import safetensors
    import safetensors.numpy
except ImportError:
    safetensors = None


def counts(text):
    return {key: json.loads(text)[key] for key in ("images", "correct1", "correct5", "loss", "weights_xxh3")}


@unittest.skipIf(safetensors is None, "SKIPPED: safetensors, h5py and numpy are not in CONVOY_PYTHON")
class Weights(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "run", "--checkpoint-steps", 3, "--quiet")
        cls.file = cls.folder / "weights.safetensors"
        cls.must("export", cls.folder / "run", "--out", cls.file)

    def evaluate(self, *arguments):
        code, out, err = convoy("evaluate", *arguments, "--threads", 1, "--json")
        self.assertEqual(code, 0, err)
        return counts(out)

    def test_their_loader_reads_every_bit_of_a_checkpoint(self):
        theirs = safetensors.numpy.load_file(self.file)
        steps = self.result("run")["epochs"][-1]["step"] + 1
        with h5py.File(self.folder / f"run/checkpoints/checkpoint-{steps:08}.h5") as checkpoint:
            ours = {name: checkpoint["weights"][name][()] for name in checkpoint["weights"]}
        counters = {name for name in theirs if name.endswith("num_batches_tracked")}
        self.assertEqual(set(theirs) - counters, set(ours))
        self.assertEqual(len(counters), sum(name.endswith("running_var") for name in ours))
        for name, values in ours.items():
            self.assertEqual(values.dtype, theirs[name].dtype)
            self.assertTrue(numpy.array_equal(values.view(numpy.uint32), theirs[name].view(numpy.uint32)), name)
        for name in counters:
            self.assertEqual((theirs[name].dtype, theirs[name].shape, int(theirs[name])), (numpy.int64, (), steps))

    def test_what_a_file_says_of_itself(self):
        with safetensors.safe_open(self.file, "numpy") as file:
            metadata = file.metadata()
        self.assertEqual(metadata["network"], "resnet18-v1=v1.5-small-stem-width4")
        self.assertEqual(metadata["experiment_hash"], self.result("run")["experiment"]["hash"])
        self.assertEqual(metadata["weights_xxh3"], self.result("run")["numerics"]["final_weights_xxh3"])
        self.assertEqual(json.loads(metadata["mean"]), [0.485, 0.456, 0.406])
        dataset = json.loads((self.folder / "set/train/dataset.json").read_text())
        self.assertEqual([c["wnid"] for c in json.loads(metadata["classes"])["classes"]],
                         [c["wnid"] for c in dataset["classes"]])
        self.assertNotIn(str(self.folder), str(metadata))

    def test_their_writer_s_file_evaluates_equally(self):
        expected = self.evaluate(self.folder / "run")
        self.assertEqual(self.evaluate("--weights", self.file, "--held-out", self.folder / "set/val"), expected)
        foreign = self.folder / "foreign.safetensors"
        tensors = safetensors.numpy.load_file(self.file)
        safetensors.numpy.save_file(dict(reversed(tensors.items())), foreign)
        for what in (self.job, self.folder / "run"):
            self.assertEqual(self.evaluate(what, "--weights", foreign, "--held-out", self.folder / "set/val"), expected)
        again = self.folder / "again.safetensors"
        self.must("export", foreign, "--job", self.job, "--out", again)
        for name, values in safetensors.numpy.load_file(again).items():
            if not name.endswith("num_batches_tracked"):
                self.assertEqual(values.tobytes(), tensors[name].tobytes(), name)

    def test_half_and_double_precision(self):
        tensors = safetensors.numpy.load_file(self.file)
        exact = {name: values.astype(numpy.float64) if values.dtype == numpy.float32 else values for name, values in tensors.items()}
        double = self.folder / "double.safetensors"
        safetensors.numpy.save_file(exact, double)
        here = (self.job, "--held-out", self.folder / "set/val", "--weights")
        self.assertEqual(self.evaluate(*here, double), self.evaluate(self.folder / "run"))
        exact["fc.bias"] = exact["fc.bias"] + 1e-12
        safetensors.numpy.save_file(exact, double)
        code, _, err = convoy("evaluate", *here, double, "--threads", 1)
        self.assertEqual(code, 0)
        self.assertIn("3 of its F64 values are no f32 values and were rounded", err)
        half, single = self.folder / "half.safetensors", self.folder / "single.safetensors"
        halves = {name: values.astype(numpy.float16) if values.dtype == numpy.float32 else values for name, values in tensors.items()}
        safetensors.numpy.save_file(halves, half)
        safetensors.numpy.save_file({name: values.astype(numpy.float32) if values.dtype == numpy.float16 else values
                                     for name, values in halves.items()}, single)
        self.assertEqual(self.evaluate(*here, half), self.evaluate(*here, single))

    def test_initial_weights_are_part_of_the_experiment(self):
        plain = self.result("run")
        first = self.train("started", "--weights", self.file)
        resolved = first["experiment"]["resolved"]["train"]
        self.assertEqual(resolved["weights_xxh3"], plain["numerics"]["final_weights_xxh3"])
        self.assertNotEqual(first["experiment"]["hash"], plain["experiment"]["hash"])
        self.assertNotIn("weights", plain["experiment"]["resolved"]["train"])
        # The same values in another file are the same experiment, on another number of ranks too.
        moved = self.folder / "moved.safetensors"
        safetensors.numpy.save_file(safetensors.numpy.load_file(self.file), moved)
        second = self.train("moved", "--weights", moved, ranks=2)
        self.assertEqual(second["experiment"]["hash"], first["experiment"]["hash"])
        self.assertEqual(second["numerics"]["final_weights_xxh3"], first["numerics"]["final_weights_xxh3"])
        self.assertNotEqual(first["numerics"]["final_weights_xxh3"], plain["numerics"]["final_weights_xxh3"])
        code, out, _ = convoy("compare", self.folder / "run", self.folder / "started", "--speed-margin", 100, "--accuracy-margin", 1)
        self.assertIn("train.weights_xxh3", out)

    def test_a_resumed_run_needs_the_file_only_for_its_first_step(self):
        file = self.folder / "gone.safetensors"
        file.write_bytes(self.file.read_bytes())
        straight = self.train("straight", "--weights", file)
        for name, stop in (("later", 4), ("early", 1)):
            code, _, err = convoy("train", self.job, *self.sets, "--weights", file, "--out", self.folder / name, "--quiet",
                                  "--stop-after", stop)
            self.assertEqual(code, 85, err)
        for checkpoint in (self.folder / "early/checkpoints").glob("*.h5"):
            checkpoint.write_bytes(checkpoint.read_bytes()[:1000])  # nothing is left: it starts again, with the file
        self.must("train", "--resume", self.folder / "early", "--quiet", "--threads", 1)
        file.unlink()
        self.must("train", "--resume", self.folder / "later", "--quiet")
        for name in ("later", "early"):
            self.assertEqual(self.result(name)["numerics"]["final_weights_xxh3"], straight["numerics"]["final_weights_xxh3"])
        other = self.folder / "other.safetensors"
        self.must("export", self.folder / "straight", "--out", other)
        self.refused(64, "train", "--resume", self.folder / "later", "--weights", other, "--quiet",
                     says=["gives initial weights with the digest", "that the run began with"])

    def test_fine_tuning_takes_all_but_the_classifier(self):
        job = self.folder / "more-classes.toml"
        job.write_text(self.job.read_text().replace("input = 16", "input = 16\nclasses = 5"))
        out = self.folder / "tuned"
        self.refused(1, "train", job, *self.sets, "--weights", self.file, "--out", out, "--quiet",
                     says=["fc.weight is 3x32 there and 5x32", "--fresh fc"])
        self.assertFalse(out.exists())
        tuned = self.train("tuned", "--weights", self.file, "--fresh", "fc", "--set", "schedule.rate=1e-30", job=job)
        self.assertEqual(tuned["experiment"]["resolved"]["train"]["fresh"], "fc")
        exported = self.folder / "tuned.safetensors"
        self.must("export", self.folder / "tuned", "--out", exported)
        before, after = safetensors.numpy.load_file(self.file), safetensors.numpy.load_file(exported)
        self.assertEqual(after["fc.weight"].shape, (5, 32))
        self.assertEqual(before["layer1.0.conv1.weight"].tobytes(), after["layer1.0.conv1.weight"].tobytes())

    def test_a_damaged_file_trains_nothing(self):
        bad = self.folder / "bad.safetensors"
        data = bytearray(self.file.read_bytes())
        data[-5] ^= 1
        bad.write_bytes(data)
        self.refused(1, "train", self.job, *self.sets, "--weights", bad, "--out", self.folder / "bad", says="recorded checksum")
        self.refused(1, "evaluate", "--weights", bad, "--held-out", self.folder / "set/val", says="recorded checksum")
        self.assertFalse((self.folder / "bad").exists())

    def test_export_refuses_what_it_should(self):
        self.refused(1, "export", self.folder / "run", "--out", self.file, says=["there already", "--replace"])
        self.refused(1, "export", self.folder / "nothing", "--out", self.folder / "x", says="there is no")
        foreign = self.folder / "nameless.safetensors"
        safetensors.numpy.save_file({"a": numpy.zeros(3, numpy.float32)}, foreign)
        self.refused(64, "export", foreign, "--out", self.folder / "x", says="does not say what network it is")
        self.refused(1, "export", foreign, "--model", "resnet18", "--set", "network.classes=3", "--out", self.folder / "x",
                     says="conv1.weight is missing")
        self.refused(64, "export", foreign, "--model", "resnet19", "--out", self.folder / "x", says='did you mean "resnet1')
        self.assertFalse((self.folder / "x").exists())


if __name__ == "__main__":
    unittest.main()
