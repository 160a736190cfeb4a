"""convoy simulate: the tree's bits in the simulator, closed forms against it, what slow nodes and thin networks cost."""
import json
import pathlib
import tempfile
import unittest

from convoy_cli import BUILD, ROOT, TINY_JOB, convoy

CLUSTERS = ROOT / "jobs/launch/clusters"
SIMULATOR = (BUILD / "bin/convoy-simulate").exists()

CLUSTER = """
name = "test"
description = "round numbers"
[nodes]
count = 64
ranks = 1
source = "derived: for the test"
[network]
bandwidth = { value = 1e10, mark = "derived", source = "for the test" }
latency = { value = 2e-6, mark = "derived", source = "for the test" }
[inside]
bandwidth = { value = 4e10, mark = "derived", source = "for the test" }
latency = { value = 1e-6, mark = "derived", source = "for the test" }
[rank]
memory_bandwidth = { value = 2e11, mark = "derived", source = "for the test" }
message = { value = 1e-6, mark = "derived", source = "for the test" }
[[step]]
network = "resnet18"
images = 4
seconds = { value = 0.01, mark = "derived", source = "for the test" }
"""


class SimulateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name)
        (cls.path / "cluster.toml").write_text(CLUSTER)
        (cls.path / "job.toml").write_text(TINY_JOB)

    def simulate(self, *arguments, ranks=8, job="job.toml", cluster="cluster.toml"):
        code, out, err = convoy("simulate", self.path / job, "--cluster", self.path / cluster, "--set",
                                f"minibatch.workers={ranks}", "--json", *arguments)
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)


@unittest.skipUnless(SIMULATOR, "SKIPPED: convoy-simulate is not built (SimGrid)")
class Simulated(SimulateTest):
    def test_the_simulated_sum_has_the_bits_of_the_tree(self):
        import numpy as np

        def planted(rank, count):
            i = np.arange(count, dtype=np.uint64)
            mixed = ((i * 2654435761 + rank * 2246822519 + 374761393) & 0xFFFFFFFF).astype(np.uint32)
            mantissa = (mixed >> np.uint32(8)).astype(np.int64) - (1 << 23)
            return np.ldexp(mantissa.astype(np.float32), -(mixed % np.uint32(20)).astype(np.int32) - 23)

        for ranks, per_node in ((8, 1), (16, 4)):
            sums = self.path / f"sums{ranks}"
            found = self.simulate("--sums", sums, "--set", "train.bucket_mib=0.01", "--with", f"nodes.ranks={per_node}",
                                  ranks=ranks)
            self.assertGreater(found["allreduce"]["buckets"], 1)
            self.assertEqual(len(found["digest_of_sum"]), 32)
            have = np.fromfile(sums, np.float32)
            parts = [planted(rank, len(have)) for rank in range(ranks)]
            left = parts[0].copy()
            for part in parts[1:]:
                left = left + part
            while len(parts) > 1:
                parts = [a + b for a, b in zip(parts[::2], parts[1::2])]
            self.assertEqual(have.tobytes(), parts[0].tobytes())
            self.assertNotEqual(have.tobytes(), left.tobytes(), "the order of the additions must show")

    def test_closed_forms_agree_with_the_simulation(self):
        names = ("tree", "far", "ring", "leaders", "leaders-ring", "grid")
        thin = ("--with", "nodes.per_switch=4", "--with", "nodes.uplinks=1")
        for ranks, per_node, more in ((32, 1, ()), (32, 4, ()), (24, 4, ()), (11, 4, ()), (13, 1, ()), (32, 1, thin), (64, 4, thin),
                                      (24, 1, thin)):
            for name in names:
                if name == "tree" and ranks & (ranks - 1):
                    continue
                lines = self.simulate("--algorithm", name, "--with", f"nodes.ranks={per_node}", *more, "--sizes", "4096",
                                      "262144", "8388608", ranks=ranks)
                for line in lines:
                    with self.subTest(algorithm=name, ranks=ranks, per_node=per_node, thin=bool(more), bytes=line["bytes"]):
                        self.assertLess(abs(line["simulated_s"] / line["closed_form_s"] - 1), 0.01, line)

    def test_closed_forms_of_odd_nodes_are_near(self):
        for ranks, per_node in ((16, 6), (16, 3), (64, 6), (24, 6)):
            for name in ("tree", "far", "ring", "leaders", "leaders-ring", "grid"):
                if name == "tree" and ranks & (ranks - 1):
                    continue
                for line in self.simulate("--algorithm", name, "--with", f"nodes.ranks={per_node}", "--sizes", "262144", "8388608",
                                          ranks=ranks):
                    with self.subTest(algorithm=name, ranks=ranks, per_node=per_node, bytes=line["bytes"]):
                        ratio = line["closed_form_s"] / line["simulated_s"]
                        self.assertTrue(0.9 < ratio < 1.1, ratio)

    def test_flags_win_over_fits_and_measured_buckets_over_flops(self):
        fitted = '\n[[fitted]]\nkey = "network.bandwidth"\nvalue = 1e8\nto = "the test"\n'
        (self.path / "fitted.toml").write_text(CLUSTER + fitted)
        size = ("--sizes", "8388608")
        usual, slow, back = (self.simulate(*size, *more, cluster=cluster)[0]["simulated_s"] for cluster, more in (
            ("cluster.toml", ()), ("fitted.toml", ()), ("fitted.toml", ("--with", "network.bandwidth=1e10"))))
        self.assertGreater(slow, 20 * usual)
        self.assertEqual(usual, back)
        (self.path / "measured-buckets.toml").write_text(CLUSTER + "ready = [0.5]\n")
        late, early = (self.simulate("--with", "network.bandwidth=1e7", cluster=cluster)
                       for cluster in ("cluster.toml", "measured-buckets.toml"))
        self.assertEqual(late["allreduce"]["buckets"], 1)
        self.assertAlmostEqual(late["iteration_s"] - early["iteration_s"], 0.005, places=6)

    def test_near_first_is_quicker_than_far_first(self):
        near, far = (self.simulate("--algorithm", name, "--with", "nodes.ranks=8", "--sizes", "8388608", ranks=64)[0]
                     for name in ("tree", "far"))
        self.assertGreater(far["simulated_s"], 2 * near["simulated_s"])

    def test_an_iteration_adds_up_and_overlap_hides(self):
        found, blocking = self.simulate(), self.simulate("--blocking")
        for one in (found, blocking):
            self.assertAlmostEqual(sum(one["decomposition_s"].values()), one["iteration_s"], places=9)
            self.assertAlmostEqual(one["decomposition_s"]["compute"], 0.01, places=9)
            self.assertLess(abs(one["iteration_s"] / one["closed_form_iteration_s"] - 1), 0.01)
        self.assertLessEqual(found["iteration_s"], blocking["iteration_s"])

    def test_compare_reads_simulations(self):
        usual, slow, wider = (self.path / f"{name}.json" for name in ("usual", "slow", "wider"))
        self.simulate("--out", usual)
        self.simulate("--out", slow, "--slow-node", "1.5")
        self.simulate("--out", wider, "--set", "network.width=8")
        code, out, err = convoy("compare", usual, slow, "--json")
        self.assertEqual((code, err), (1, ""), "a regression")
        found = json.loads(out)
        rows = {row["name"]: row for row in found["rows"]}
        iterations = [json.loads(path.read_text())["iteration_s"] for path in (usual, slow)]
        self.assertEqual([cell["value"] for cell in rows["iteration_s"]["cells"]], iterations)
        self.assertAlmostEqual(rows["images_per_s"]["changes"][1]["amount"], iterations[0] / iterations[1] - 1, places=6)
        self.assertIn("identical", out)
        code, out, _ = convoy("compare", usual, wider)
        self.assertEqual(code, 2)
        self.assertIn("network.width", out)

    def test_the_chosen_schedule_is_the_quickest_of_its_wire(self):
        asked = ("--algorithm", "ring", "--blocking", "--set", "network.width=64", "--with", "nodes.ranks=4")
        report = self.simulate(*asked, "--choose", "2", "--iterations", "1", ranks=16)
        chosen = [one for one in report["candidates"] if one["chosen"]]
        self.assertEqual(len(chosen), 1)
        self.assertEqual(chosen[0]["allreduce"]["wire"], "f32")
        self.assertLess(chosen[0]["iteration_s"], report["asked"]["iteration_s"])
        self.assertEqual((chosen[0]["allreduce"]["overlap"], report["asked"]["allreduce"]["overlap"]), (True, False))
        for wire in ("f32", "fp16"):
            names = [one["allreduce"]["algorithm"] for one in report["candidates"] if one["allreduce"]["wire"] == wire]
            self.assertIn("tree", names)
            self.assertGreaterEqual(len(names), 2)
        same = [one["iteration_s"] for one in report["candidates"] if one["allreduce"]["wire"] == "f32"]
        self.assertLessEqual(chosen[0]["iteration_s"], 1.01 * min(same))

    def test_a_loader_takes_its_time(self):
        usual, loading = self.simulate(), self.simulate("--with", "rank.loader=400")
        self.assertEqual(loading["decomposition_s"]["data_wait"], 0.01, "4 images at 400 a second")
        self.assertAlmostEqual(loading["iteration_s"], usual["iteration_s"] + 0.01, places=9)
        self.assertAlmostEqual(sum(loading["decomposition_s"].values()), loading["iteration_s"], places=9)
        self.assertLess(abs(loading["iteration_s"] / loading["closed_form_iteration_s"] - 1), 0.01)

    def test_what_is_slow_costs(self):
        big = ("--set", "network.width=64", "--set", "train.bucket_mib=4")
        usual = self.simulate(*big)
        node = self.simulate(*big, "--slow-node", "1.5")
        link = self.simulate(*big, "--slow-link", "0.1")
        for one in (usual, node, link):
            self.assertLess(abs(one["iteration_s"] / one["closed_form_iteration_s"] - 1), 0.01, one)
        self.assertAlmostEqual(node["decomposition_s"]["imbalance"], usual["decomposition_s"]["compute"] / 2, places=6)
        self.assertGreater(link["decomposition_s"]["communication_exposed"],
                           2 * usual["decomposition_s"]["communication_exposed"])
        straggling = self.simulate(*big, "--with", "rank.spread=0.05")
        self.assertGreater(straggling["decomposition_s"]["imbalance"], 0)
        self.assertEqual(straggling["iteration_s"], self.simulate(*big, "--with", "rank.spread=0.05")["iteration_s"])

    def test_what_plan_says_of_mishaps_is_what_happens(self):
        big = ("--set", "network.width=64", "--set", "train.bucket_mib=4", "--set", "minibatch.workers=16")
        code, out, err = convoy("plan", self.path / "job.toml", "--cluster", self.path / "cluster.toml", "--json", *big)
        self.assertEqual((code, err), (0, ""))
        planned = {line["what"]: line for line in json.loads(out)["cluster"]["mishaps"]}
        happened = {"as it is": (), "one node slower by half": ("--slow-node", "1.5"),
                    "one node's connection at half": ("--slow-link", "0.5"),
                    "8 nodes a switch, 2 links up": ("--with", "nodes.per_switch=8", "--with", "nodes.uplinks=2"),
                    "one node fewer, by grid": ("--ranks", "15")}
        self.assertEqual(list(planned), list(happened))
        usual = planned["as it is"]["iteration_s"]
        for what, flags in happened.items():
            with self.subTest(what=what):
                found = self.simulate(*big, *flags, ranks=16)
                self.assertLess(abs(found["iteration_s"] / planned[what]["iteration_s"] - 1), 0.01)
                if flags:
                    self.assertGreater(found["iteration_s"], 1.001 * usual, "it must cost something")
        self.assertEqual([planned["one node fewer, by grid"][key] for key in ("ranks", "workers_a_rank")], [15, 2])

    def test_thin_trees_and_odd_counts(self):
        big = ("--set", "network.width=64", "--blocking")
        full = self.simulate(*big, "--with", "nodes.per_switch=4", "--with", "nodes.uplinks=4", ranks=16)
        thin = self.simulate(*big, "--with", "nodes.per_switch=4", "--with", "nodes.uplinks=1", ranks=16)
        self.assertGreater(thin["iteration_s"], full["iteration_s"])
        odd = self.simulate(*big, ranks=11)
        self.assertEqual((odd["ranks"], odd["allreduce"]["algorithm"]), (11, "grid"))

    def test_trace_and_curve(self):
        trace, curve = self.path / "trace.json", self.path / "curve.svg"
        self.simulate("--trace", trace, "--trace-nodes", "2", "--iterations", "1")
        events = json.loads(trace.read_text())["traceEvents"]
        self.assertEqual({e["pid"] for e in events}, {0, 1})
        self.assertTrue(all(e["dur"] >= 0 for e in events if e["ph"] == "X"))
        points = self.simulate("--curve", curve, "--curve-to", "32")
        self.assertEqual([p["ranks"] for p in points], [8, 16, 32])
        self.assertIn("<svg", curve.read_text())


class Clusters(SimulateTest):
    def test_the_files_are_read_and_forecast(self):
        for job, cluster in (("goyal-1hour", "goyal-p100"), ("akiba-15min", "mn1"), ("you-alexnet-11min", "stampede2-skx"),
                             ("you-resnet50-20min", "stampede2-knl"), ("akiba-15min", "h100"), ("akiba-15min", "xeon-1024")):
            with self.subTest(cluster=cluster):
                code, out, err = convoy("plan", ROOT / f"jobs/{job}.toml", "--cluster", CLUSTERS / f"{cluster}.toml", "--json")
                self.assertEqual((code, err), (0, ""))
                lines = json.loads(out)["cluster"]["forecasts"]
                self.assertEqual(lines[0]["algorithm"], "tree")
                self.assertGreater(lines[0]["efficiency"], 0.5)
                self.assertTrue(all(0 < line["efficiency"] <= 1 for line in lines), lines)
                layouts = json.loads(out)["cluster"]["layouts"]
                chosen = [line for line in layouts if line.get("chosen")]
                self.assertEqual(len(chosen), 1)
                cheapest = min(line["node_hours"] for line in layouts)
                for line in layouts:
                    if line["node_hours"] <= 1.25 * cheapest:
                        self.assertLessEqual(line["ranks"], chosen[0]["ranks"])
                self.assertLessEqual(chosen[0]["node_hours"], 1.25 * cheapest)
        self.assertEqual({p.stem for p in CLUSTERS.glob("*.toml")},
                         {"goyal-p100", "mn1", "stampede2-skx", "stampede2-knl", "h100", "xeon-1024"})

    def test_mistakes_are_said_in_a_sentence(self):
        number = '{ value = 1e10, mark = "derived", source = "for the test" }'
        fit = '\n[[fitted]]\nkey = "{}"\nvalue = 1\nto = "x"\n'
        for was, becomes, said in (
                ("bandwidth = " + number, "bandwith = " + number, "did you mean network.bandwidth?"),
                ("bandwidth = " + number, "bandwidth = 1e10", "without its source"),
                ('mark = "derived", source', 'mark = "guessed", source', "read, derived, measured or unverified"),
                ("value = 1e10", "value = -1", "is not between"),
                ("count = 64", "count = 0", "nodes.count = 0 is not between"),
                ("count = 64", "count = 64\nuplinks = 2", "give both, or neither"),
                ("[nodes]", "[nodes", "cluster.toml:"),
                ("[[step]]", fit.format("network.latency") + fit.format("network.bandwidth") + fit.format("rank.spread") +
                 "[[step]]", "more than two fitted values"),
                ("[[step]]", fit.format("no.thing") + "[[step]]", "is no number of a cluster"),
        ):
            with self.subTest(said=said):
                self.assertIn(was, CLUSTER)
                wrong = self.path / "wrong"
                wrong.mkdir(exist_ok=True)
                (wrong / "cluster.toml").write_text(CLUSTER.replace(was, becomes, 1))
                code, out, err = convoy("plan", self.path / "job.toml", "--cluster", wrong / "cluster.toml")
                self.assertEqual(code, 64)
                self.assertIn(said, err)
                self.assertEqual(len(err.strip().splitlines()), 1)
        code, _, err = convoy("plan", self.path / "job.toml", "--cluster", self.path / "cluster.toml", "--set",
                              "minibatch.workers=128", "--ranks", "128")
        self.assertEqual(code, 64)
        self.assertIn("--with nodes.count=N", err)

    def test_flags_that_make_no_sense(self):
        cluster = ["simulate", self.path / "job.toml", "--cluster", self.path / "cluster.toml"]
        for flags, said in (((*cluster, "--sizes", "-5"), "--sizes"), ((*cluster, "--sizes", "4096", "--choose", "1"), "excludes"),
                            ((*cluster, "--curve", "x.svg", "--choose", "1"), "excludes"),
                            ((*cluster, "--curve", "x.svg", "--curve-from", "16", "--curve-to", "8"), "beyond"),
                            ((*cluster, "--trace-nodes", "-3"), "--trace-nodes"),
                            ((*cluster, "--with", "nodes.count=32.7"), "whole number"),
                            ((*cluster, "--with", "nodes.count=20000", "--set", "minibatch.workers=20000"), "convoy plan --cluster"),
                            ((*cluster[:2], "--cluster", "nowhere.toml"), "no cluster file nowhere.toml"),
                            (("plan", self.path / "job.toml", "--with", "nodes.count=2"), "--cluster")):
            with self.subTest(flags=flags[2:]):
                code, out, err = convoy(*flags)
                self.assertEqual((code, out), (64, ""), err)
                self.assertIn(said, err)

    def test_calibrate_writes_a_file_that_plan_reads(self):
        out, images, packed = (self.path / name for name in ("measured.toml", "images", "packed"))
        for command in (("synth", "--out", images, "--classes", 3, "--train-per-class", 8, "--val-per-class", 1, "--size", 20),
                        ("pack", images / "train", "--out", packed, "--quiet")):
            self.assertEqual(convoy(*command)[0], 0)
        code, _, err = convoy("calibrate", self.path / "job.toml", "--out", out, "--train", packed, "--name", 'my "own"', "--steps", "3",
                              "--threads", "1", "--oversubscribe", ranks=2)
        self.assertEqual(code, 0, err)
        text = out.read_text()
        self.assertRegex(text, r"loader = \{ value = [1-9]")
        self.assertIn("The fixed-order tree over all these ranks", text)
        self.assertIn("ready = [", text)
        self.assertIn('unverified", source = "one node only', text)
        code, planned, err = convoy("plan", self.path / "job.toml", "--cluster", out, "--ranks", "2", "--json")
        self.assertEqual((code, err), (0, ""))
        line = json.loads(planned)["cluster"]["forecasts"][0]
        self.assertEqual((line["algorithm"], line["ranks"]), ("tree", 2))
        self.assertGreater(line["iteration_s"], 0)


if __name__ == "__main__":
    unittest.main()
