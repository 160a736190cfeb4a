"""Arithmetic that goes wrong once, as failing hardware makes it: left out and counted, healed from the checkpoint, or told."""
import re
import unittest

from convoy_cli import ConvoyTest, convoy, shared_library


class Numbers(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.preload = shared_library(cls.folder, "faults/wrong_exp.c")
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "straight", "--set", "train.evaluate_every=0", "--quiet")

    def disturbed(self, name, value, *more, first=200, calls=1):
        """A step makes 144 calls of exp() on the training's thread: the 200th is in the run's second step."""
        return convoy("train", self.job, *self.sets, "--out", self.folder / name, "--checkpoint-steps", 1, "--set",
                      "train.evaluate_every=0", *more, env={"LD_PRELOAD": str(self.preload), "CONVOY_EXP_FROM": str(first),
                                                            "CONVOY_EXP_CALLS": str(calls), "CONVOY_EXP_VALUE": str(value)})

    def digest(self, name):
        return self.result(name)["numerics"]["final_weights_xxh3"]

    def test_a_step_that_is_not_finite_stops_the_run_by_name(self):
        code, _, err = self.disturbed("stopped", "nan")
        self.assertEqual(code, 2, err)
        self.assertRegex(err, r"not finite at step 1\b")
        self.must("train", "--resume", self.folder / "stopped", "--threads", 1, "--quiet")  # the fault does not come back
        self.assertEqual(self.digest("stopped"), self.digest("straight"))

    def test_a_step_that_is_not_finite_is_left_out_and_counted(self):
        code, _, err = self.disturbed("skipped", "nan", "--set", "train.on_nonfinite=skip")
        self.assertEqual(code, 0, err)
        self.assertIn("step 1 is left out (1 so far)", err)
        steps = self.result("skipped")["steps"]
        self.assertEqual((steps["count"], steps["skipped_nonfinite"]), (6, 1))
        self.assertNotEqual(self.digest("skipped"), self.digest("straight"))

    def test_a_fault_that_does_not_come_back_is_healed_from_the_checkpoint(self):
        code, _, err = self.disturbed("healed", "nan", "--set", "train.on_nonfinite=roll-back")
        self.assertEqual(code, 0, err)
        self.assertEqual(err.count("going back to the last checkpoint"), 1, err)
        self.assertEqual(self.digest("healed"), self.digest("straight"))

    def test_a_gradient_far_out_of_its_history_is_told_and_counted(self):
        code, _, err = self.disturbed("outlier", 300, "--set", "train.epochs=8", first=3000, calls=12)
        self.assertIn(code, (0, 2), err)  # what becomes of such weights is their own affair
        told = re.search(r"the gradient's norm at step (\d+) is \S+, (\d+) times the median of the (\d+) steps before", err)
        self.assertIsNotNone(told, err)
        self.assertEqual(told[1], told[3])
        self.assertGreater(int(told[2]), 20)
        self.assertGreaterEqual(self.result("outlier")["steps"]["gradient_outliers"], 1)


if __name__ == "__main__":
    unittest.main()
