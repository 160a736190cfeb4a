"""Files of other programs: MLPerf's logs and reference points, Google Benchmark, hyperfine, torchvision, FFCV."""
import json
import unittest

from crafted import CompareTest, mlperf_log, result

TORCHVISION = """Not using distributed mode
Namespace(amp=False, batch_size=32, epochs=2, lr=0.1, model='resnet18', momentum=0.9, weight_decay=0.0001, world_size=8)
Start training
"""


def torchvision_log(seconds, top1=(30.0, 40.0), done=True):
    lines = []
    for epoch, accuracy in enumerate(top1):
        for i in range(0, 100, 10):
            lines.append(f"Epoch: [{epoch}]  [{i:4d}/100]  eta: 0:01:00  lr: 0.1  img/s: {32 / seconds:.3f}  loss: {3 - epoch - i / 1000:.4f} "
                         f"(3.1)  acc1: 10.0 (9.0)  acc5: 20.0 (19.0)  time: {seconds:.4f}  data: 0.0100  max mem: 1234")
        lines += [f"Epoch: [{epoch}] Total time: 0:01:00", f"Test:   Acc@1 {accuracy:.3f} Acc@5 {accuracy + 20:.3f}",
                  f"Test: EMA Acc@1 {accuracy + 5:.3f} Acc@5 99.000"]
    return TORCHVISION + "\n".join(lines) + ("\nTraining time 0:02:00\n" if done else "\n")


class Foreign(CompareTest):
    def test_google_benchmark(self):
        def benchmarks(factor):
            entries = []
            for name, time, unit in (("BM_tree/8", 120.0, "us"), ("BM_tree/16", 0.3, "ms")):
                entries += [{"name": f"{name}/repeats:20", "run_name": name, "run_type": "iteration", "time_unit": unit,
                             "real_time": factor * time * (1 + 0.001 * (i * 7 % 5)), "cpu_time": 1.0} for i in range(20)]
                entries.append({"name": f"{name}_mean", "run_name": name, "run_type": "aggregate", "aggregate_name": "mean",
                                "real_time": 1e9, "time_unit": unit})
            entries.append({"name": "BM_broken", "run_type": "iteration", "error_occurred": True, "real_time": 0, "time_unit": "ns"})
            return json.dumps({"context": {"host_name": "h", "num_cpus": 8}, "benchmarks": entries})

        self.write("a.json", benchmarks(1.0))
        self.write("b.json", benchmarks(1.1))
        comparison = self.compared("a.json", "b.json", code=1)
        row = self.row(comparison, "BM_tree/8")
        self.assertAlmostEqual(row["cells"][0]["value"], 120e-6, delta=1e-6)
        self.assertEqual(row["changes"][1]["words"], "slower")
        self.assertAlmostEqual(row["changes"][1]["amount"], 0.1, delta=0.001)
        self.assertAlmostEqual(self.row(comparison, "BM_tree/16")["cells"][0]["value"], 300e-6, delta=1e-6)
        self.assertEqual(len(comparison["rows"]), 2)
        self.compare("b.json", "a.json", code=0)
        self.compare("a.json", "b.json", "--fail-if", "BM_tree/8 > 15%", code=0)
        self.compare("a.json", "b.json", "--fail-if", "BM_tree/16 > 5%", code=1)
        self.run_folder("run", result("run"))
        self.assertIn("not comparable", self.compare("a.json", "run", code=2))

    def test_hyperfine(self):
        def command(name, times):
            return {"command": name, "mean": 1.0, "times": times, "exit_codes": [0] * len(times)}

        fast, slow = [1.0 + 0.001 * (i * 7 % 10) for i in range(10)], [1.2 + 0.001 * (i * 3 % 10) for i in range(10)]
        self.write("both.json", json.dumps({"results": [command("sleep 1", fast), command("sleep 1.2", slow)]}))
        out = self.compare("both.json", code=1)  # one file's commands are the sides
        self.assertIn("sleep 1.2", out)
        self.assertIn("time, seconds", out)
        self.write("one.json", json.dumps({"results": [command("old", fast)]}))
        self.write("two.json", json.dumps({"results": [command("new", fast)]}))
        self.assertIn("no regression", self.compare("one.json", "two.json", code=0))

    def test_torchvision(self):
        self.write("log-a.txt", torchvision_log(0.5))
        self.write("log-b.txt", torchvision_log(0.25, top1=(31.0, 41.5), done=False))
        comparison = self.compared("log-a.txt", "log-b.txt", code=0)
        speed = self.row(comparison, "images_per_s")
        self.assertEqual([cell["value"] for cell in speed["cells"]], [8 * 32 / 0.5, 8 * 32 / 0.25])
        top1 = self.row(comparison, "held_out_top1")
        self.assertEqual([round(cell["value"], 4) for cell in top1["cells"]], [0.40, 0.415])
        self.assertEqual(comparison["sides"][0]["runs"][0]["status"], "completed")
        self.assertEqual(comparison["sides"][1]["runs"][0]["status"], "running")
        curve = next(c for c in comparison["pairings"][1]["curves"] if c["name"] == "held_out_top1")
        self.assertAlmostEqual(curve["max"], 0.015)
        self.run_folder("run", result("run"))
        self.assertIn("same task", self.compare("log-a.txt", "run", "--speed-margin", 100, "--accuracy-margin", 1, code=0))
        self.write("log-c.txt", torchvision_log(0.5).replace("resnet18", "resnet50"))
        self.assertIn('network.model: "resnet18" | "resnet50"', self.compare("log-a.txt", "log-c.txt", code=2))

    def test_ffcv(self):
        for name, top1 in (("x", 0.60), ("y", 0.65)):
            self.write(f"ffcv/{name}/params.json", json.dumps({"model.arch": "resnet18", "training.epochs": 2, "lr.lr": 0.5}))
            self.write(f"ffcv/{name}/log", "".join(json.dumps({
                "timestamp": 1.0, "relative_time": 100.0 * (e + 1), "current_lr": 0.1, "top_1": top1 - 0.1 + 0.1 * e, "top_5": 0.8,
                "val_time": 3.0, "train_loss": 2.0, "epoch": e}) + "\n" for e in range(2)))
        comparison = self.compared("ffcv/x", "ffcv/y", code=0)
        self.assertEqual([cell["value"] for cell in self.row(comparison, "held_out_top1")["cells"]], [0.6, 0.65])
        self.assertEqual([run["runs"][0]["status"] for run in comparison["sides"]], ["completed"] * 2)
        self.assertEqual(len(self.compared("ffcv")["sides"]), 2)
        self.assertEqual(len(self.compared("ffcv/x/log", "ffcv/y")["rows"]), len(comparison["rows"]))

    def test_reference_points(self):
        """After MLPerf's: the mean of five runs, best and worst left out, must not be below the least that passes."""
        def side(name, epochs, batch=3264, **more):
            for i, count in enumerate(epochs):
                self.write(f"{name}/result_{i}.txt", mlperf_log(epochs=count, batch=batch, **more))
            return name

        expected = side("expected", (35, 35, 36, 34, 35))
        fast = side("fast", (30, 31, 30, 31, 29))
        outcomes = {r["side"]: r for r in self.compared(expected, fast)["references"]}
        self.assertTrue(outcomes["A"]["passes"])
        self.assertFalse(outcomes["B"]["passes"])
        self.assertIn("FASTER", outcomes["B"]["words"])
        # Of 15 reference runs, 34 34 35x8 36x3 37 remain after dropping one 34... the mean is 35.1538 (MLPerf's olympic mean).
        reference = sorted([36, 35, 34, 34, 36, 35, 35, 35, 35, 37, 35, 35, 35, 36, 35])[1:-1]
        self.assertAlmostEqual(outcomes["A"]["reference_mean"], sum(reference) / len(reference))
        try:
            import scipy.stats
        except ImportError:
            print("SKIPPED: scipy is not there, the least epochs are not checked")
        else:
            n, m = len(reference), 3
            mean, sd = sum(reference) / n, (sum((r - sum(reference) / n) ** 2 for r in reference) / n) ** 0.5
            t, p = scipy.stats.ttest_ind_from_stats(outcomes["A"]["least_epochs"], sd, m, mean, sd, n)
            self.assertAlmostEqual(p / 2, 0.05, places=7)  # as MLPerf's checker finds it, by bisection
        between = self.compared(expected, side("between", (38, 38, 38, 38, 38), batch=3680))["references"][1]
        self.assertTrue(35.15 < between["reference_mean"] < 39.9, between)
        failed = self.compared(expected, side("failed", (35, 35, 36, 34, 35), top1=0.75))["references"][1]
        self.assertFalse(failed["passes"])
        self.assertIn("5 of 5 runs did not reach", failed["words"])
        large = self.compared(expected, side("large", (90, 90), batch=100000))["references"][1]
        self.assertFalse(large["applies"])
        self.assertIn("no reference beyond", large["words"])

    def test_reference_points_of_one_s_own(self):
        self.write("points.json", json.dumps({"mine": {"BS": 32, "Epochs to converge": [3, 3, 3, 4, 3]}}))
        self.run_folder("a", result("a"))
        self.run_folder("b", result("b", correct=(4000, 4100, 4200), hash_="h2", recipe={"train.seed": 2}))
        references = self.compared("a", "b", "--reference", "points.json", "--target", "0.13")["references"]
        self.assertEqual([(r["passes"], r["epochs"]) for r in references], [(True, 3), (False, 1)])
        self.refused(64, "a", "b", "--reference", "a/result.json", says="no reference points")
        self.assertEqual(self.compared("a", "b", code=0)["references"], [])  # MLPerf's speak of ImageNet alone


if __name__ == "__main__":
    unittest.main()
