"""convoy diff: rounding is called rounding, a planted fault is found where it was planted."""
import json
import unittest

from convoy_cli import ConvoyTest, convoy

try:
    import numpy
    import safetensors
    import safetensors.numpy
except ImportError:
    safetensors = None


class Diff(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "run", "--quiet")

    def diff(self, *arguments, code=0):
        got, out, err = convoy("diff", *arguments, "--json")
        self.assertEqual(got, code, out + err)
        return json.loads(out)

    def test_two_backends_part_by_rounding_and_one_does_not_part(self):
        report = self.diff(self.job, "--train", self.folder / "set/train")
        self.assertEqual((report["verdict"], report["first_beyond_rounding"]), ("rounding", None))
        self.assertIn("reference (", report["a"])
        self.assertIn("onednn (", report["b"])
        named = [tensor["tensor"] for tensor in report["tensors"]]
        for what in ("output of conv1 (conv, forward)", "bn1.running_var", "gradient of layer4.1.add (add, backward)",
                     "gradient of fc.weight"):
            self.assertIn(what, named)
        self.assertEqual(report["tensors"][0]["verdict"], "equal")  # the images
        self.assertIn(report["first_unequal"], named)
        same = self.diff(self.folder / "run", "--a", "onednn")
        self.assertEqual((same["verdict"], same["first_unequal"]), ("equal", None))
        self.assertEqual(same["weights_xxh3"], self.result("run")["numerics"]["final_weights_xxh3"])
        self.diff(self.job, "--k", 0, code=1)
        code, out, _ = convoy("diff", self.folder / "run", "--a", "onednn")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"equal: every bit of \d+ tensors\n")

    def test_the_table(self):
        code, out, _ = convoy("diff", self.job)  # on noise
        self.assertEqual(code, 0, out)
        self.assertIn("; the first that is not: ", out)
        self.assertRegex(out, r"rounding: the most is \S+ % of the bound, in: ")
        code, every, _ = convoy("diff", self.job, "--all")
        self.assertGreater(len(every.splitlines()), 2 * len(out.splitlines()))

    @unittest.skipIf(safetensors is None, "SKIPPED: safetensors and numpy are not in CONVOY_PYTHON")
    def test_a_fault_in_another_build_s_file_is_found_where_it_is(self):
        side, spoilt = self.folder / "side", self.folder / "spoilt"
        self.must("diff", self.job, "--write", side)
        self.assertEqual(self.diff(self.job, "--against", side)["verdict"], "equal")
        tensors = safetensors.numpy.load_file(side)
        with safetensors.safe_open(side, "numpy") as file:
            facts = {key: value for key, value in file.metadata().items() if key != "convoy_xxh3"}
        where = "gradient of layer2.0.downsample.0.weight"  # the others start behind a gamma of 0
        largest = int(numpy.abs(tensors[where]).argmax())
        tensors[where][largest] += numpy.linalg.norm(tensors[where]) / 4
        safetensors.numpy.save_file(tensors, spoilt, facts)
        report = self.diff(self.job, "--against", spoilt, code=1)
        self.assertEqual((report["verdict"], report["first_unequal"], report["first_beyond_rounding"]), ("differs", where, where))
        found = next(tensor for tensor in report["tensors"] if tensor["tensor"] == where)
        self.assertEqual((found["unequal"], found["worst_element"]), (1, largest))
        code, out, _ = convoy("diff", self.job, "--against", spoilt)
        self.assertEqual(code, 1)
        self.assertIn(f"NOT ROUNDING, first in: {where}: element {largest} is", out)
        tensors[where][largest] = numpy.nan
        safetensors.numpy.save_file(tensors, spoilt, facts)
        self.assertEqual(self.diff(self.job, "--against", spoilt, code=1)["first_beyond_rounding"], where)

    def test_another_problem_is_refused(self):
        side = self.folder / "seeded"
        self.must("diff", self.job, "--write", side)
        self.refused(64, "diff", self.job, "--against", side, "--set", "train.seed=9", says=["not of the same problem", "_xxh3"])
        self.refused(64, "diff", self.job, "--against", side, "--images", 2, says="not of the same problem")
        self.refused(64, "diff", self.folder / "run", "--weights", side, says="a run, whose own weights are taken")


if __name__ == "__main__":
    unittest.main()
