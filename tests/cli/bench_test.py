"""What `convoy bench` prints and writes: names, counts and rates, not how fast a machine is."""
import json
import unittest

from convoy_cli import CONVOY, ConvoyTest, convoy


class Bench(ConvoyTest):
    def bench(self, *more, **options):
        return json.loads(self.must("bench", self.job, "--rounds", 2, "--threads", 1, "--json", *more, **options))

    def times(self, json_):
        return {b["run_name"] for b in json_["benchmarks"]}

    def test_steps_in_google_benchmark_s_format(self):
        out = self.bench()
        self.assertEqual(self.times(out), {"step/train", "step/update", "step/infer"})
        train = [b for b in out["benchmarks"] if b["run_name"] == "step/train"]
        self.assertEqual([b["run_type"] for b in train], ["iteration", "iteration", "aggregate"])
        for b in train:
            self.assertEqual(b["time_unit"], "ms")
            self.assertAlmostEqual(b["items_per_second"] * b["real_time"] / 1e3, 4)  # images a worker
        median = train[2]
        self.assertTrue(median["median_low"] <= median["real_time"] <= median["median_high"])
        self.assertEqual((out["context"]["backend"], out["context"]["denormals"]), ("onednn", "flush"))
        kept = self.bench("--set", "precision.denormals=keep")
        self.assertEqual(kept["context"]["denormals"], "keep")

    def test_layers_name_what_computes_them_and_add_up_to_their_kinds_and_to_the_work_done(self):
        out = self.bench("layers")
        layers, kinds, works = ([b for b in out["benchmarks"] if b["run_name"].startswith(view) and b["run_type"] == "iteration"]
                                for view in ("layer/", "kind/", "work/"))
        self.assertIn("layer/conv1/forward", {b["run_name"] for b in layers})
        total = sum(b["real_time"] for b in layers)
        for view in (kinds, works):
            self.assertAlmostEqual(sum(b["real_time"] for b in view) / total, 1)
        self.assertTrue({"work/convolution", "work/reorder", "work/softmax_loss"} <= {b["run_name"] for b in works}, works)
        library, steps = (sum(b["real_time"] for b in view if b["run_name"].startswith(name))
                          for view, name in ((works, "work/convolution"), (kinds, "kind/conv/")))
        self.assertLess(library, steps)  # which reorder besides
        convolutions = [b for b in layers if b["run_name"] == "layer/conv1/forward"]
        self.assertTrue(all(b["flops_per_second"] > 0 and b["label"] for b in convolutions))
        self.assertGreater(out["context"]["roofline"]["flops_per_second"], 0)
        self.refused(64, "bench", self.job, "layers", "--backend", "reference", "--rounds", 1, says="does not tell its layers' times")

    def test_loader_epoch_and_allreduce(self):
        sets = ["--train", self.folder / "set/train", "--oversubscribe"]
        out = self.bench("loader", "epoch", "allreduce", *sets, ranks=2)
        names = self.times(out)
        self.assertTrue({"loader", "epoch", "epoch/steps"} <= names, names)
        self.assertEqual(len([name for name in names if name.startswith("allreduce/")]), 2)
        self.assertEqual(out["context"]["ranks"], 2)
        self.assertIn("one rank has nobody to sum with", self.must("bench", self.job, "allreduce", "--rounds", 1))

    def test_compare_reads_it_and_two_programs_take_turns(self):
        for name in ("a", "b"):
            self.must("bench", self.job, "step", "--rounds", 3, "--out", self.folder / f"{name}.json", "--quiet")
        code, out, err = convoy("compare", self.folder / "a.json", self.folder / "b.json", "--speed-margin", 1000)
        self.assertEqual(code, 0, out + err)
        self.assertIn("step/train", out)
        said = self.must("bench", self.job, "step", "--rounds", 2, "--against", CONVOY, "--out", self.folder / "duel.json")
        self.assertRegex(said, r"step/train +[0-9.]+ +[0-9.]+ +[0-9.]+ \([0-9.]+ to [0-9.]+\)")
        both = json.loads((self.folder / "duel.json").read_text())
        for side in ("ours", "theirs"):
            self.assertEqual(len([b for b in both[side]["benchmarks"] if b["run_name"] == "step/train"]), 2)
        self.refused(1, "bench", self.job, "--against", self.folder / "absent", says="cannot start")
        self.refused(64, "bench", self.job, "stop", says="stop")


if __name__ == "__main__":
    unittest.main()
