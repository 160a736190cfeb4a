"""The files that watch a run, accepted by the readers they are written for: tensorboard, mlperf-logging, prometheus_client
and chrometrace, all from PyPI. Without one of them its test says that it is skipped."""
import importlib.util
import json
import re
import subprocess
import sys
import unittest

from convoy_cli import ConvoyTest, convoy

LARS = [word for key in ("optimizer.kind=lars", "optimizer.variant=mlperf", "optimizer.weight_decay=2e-4", "schedule.kind=poly",
                         "schedule.rate=0.4", "schedule.end_rate=1e-4", "schedule.warmup_epochs=1") for word in ("--set", key)]


def needs(package):
    return unittest.skipUnless(importlib.util.find_spec(package), f"no {package} in {sys.executable} (CONVOY_PYTHON)")


class Readers(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, *LARS, "--out", cls.folder / "lars", "--quiet", "--oversubscribe", "--trace-steps",
                 "1:3", ranks=2)
        # In two pieces, so that every file is taken up again.
        cls.piece = ["--out", cls.folder / "sgd", "--quiet", "--checkpoint-steps", 1, "--stop-after", 4]
        code, _, err = convoy("train", cls.job, *cls.sets, *cls.piece)
        if code != 85:
            raise AssertionError(err)
        cls.must("train", "--resume", cls.folder / "sgd", "--quiet", "--stop-after", 6)

    def metrics(self, name, event):
        lines = (self.folder / name / "metrics.jsonl").read_text().splitlines()
        return [line for line in map(json.loads, lines) if line["event"] == event]

    @needs("tensorboard")
    def test_tensorboard(self):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        for name, files in (("lars", 1), ("sgd", 2)):
            self.assertEqual(len(list((self.folder / name).glob("events.out.tfevents.*"))), files)
            events = EventAccumulator(str(self.folder / name))
            events.Reload()
            self.assertEqual(events.file_version, 2.0)
            steps = self.metrics(name, "step")
            for tag, key in (("train/loss", "loss"), ("train/rate", "rate")):
                seen = events.Scalars(tag)
                self.assertEqual([s.step for s in seen], [16 * (s["step"] + 1) for s in steps])  # images seen
                for scalar, line in zip(seen, steps):
                    self.assertAlmostEqual(scalar.value, line[key], delta=1e-6 * abs(line[key]))
            self.assertEqual(len(events.Scalars("train/images_per_s")), len(steps))
            self.assertAlmostEqual(events.Scalars("train/top1")[-1].value, steps[-1]["correct1"] / 16, places=6)
            evaluations = self.metrics(name, "evaluation")
            for scalar, line in zip(events.Scalars("held_out/top1"), evaluations, strict=True):
                self.assertEqual(scalar.step, 16 * (line["step"] + 1))
                self.assertAlmostEqual(scalar.value, line["held_out_top1"], places=6)

    def compliance(self, name):
        done = subprocess.run([sys.executable, "-m", "mlperf_logging.compliance_checker", "--usage", "training", "--ruleset", "4.0.0",
                               "--log_output", self.folder / "compliance.log", self.folder / name / "mllog.txt"],
                              capture_output=True, text=True, cwd=self.folder)
        return done.returncode, done.stdout + done.stderr

    def mllog(self, name):
        lines = (self.folder / name / "mllog.txt").read_text().splitlines()
        return [json.loads(line.split(" ", 1)[1]) for line in lines if line.startswith(":::MLLOG ")]

    @needs("mlperf_logging")
    def test_mlperf_s_checker_accepts_lars_sgd_and_rmsprop_in_the_open_division(self):
        self.must("train", self.job, *self.sets, "--out", self.folder / "rmsprop", "--quiet", "--set",
                  "optimizer.kind=rmsprop-warmup")
        for name, optimizer in (("lars", "lars"), ("sgd", "sgd"), ("rmsprop", "rmsprop_warmup")):
            code, said = self.compliance(name)
            self.assertEqual(code, 0, said)
            self.assertIn("SUCCESS", said)
            self.assertIn("open_resnet.yaml", said)  # the open division's rules were the ones applied
            log = self.mllog(name)
            value = {line["key"]: line["value"] for line in log}
            self.assertEqual((value["opt_name"], value["global_batch_size"], value["train_samples"], value["eval_samples"]),
                             (optimizer, 16, 48, 18))
            self.assertEqual([line["time_ms"] for line in log], sorted(line["time_ms"] for line in log))
            accuracies = [line["value"] for line in log if line["key"] == "eval_accuracy"]
            self.assertEqual(accuracies, [line["held_out_top1"] for line in self.metrics(name, "evaluation")])
            blocks = [line["key"] for line in log if line["key"].startswith("block_")]
            self.assertEqual(blocks, ["block_start", "block_stop"] * len(accuracies))
        value = {line["key"]: line["value"] for line in self.mllog("lars")}
        self.assertEqual((value["lars_opt_base_learning_rate"], value["lars_opt_end_learning_rate"], value["lars_epsilon"],
                          value["lars_opt_weight_decay"], value["lars_opt_learning_rate_decay_poly_power"],
                          value["lars_opt_learning_rate_warmup_epochs"], value["lars_opt_learning_rate_decay_steps"]),
                         (0.4, 1e-4, 0, 2e-4, 2, 1, 3))

    @needs("mlperf_logging")
    def test_the_lars_run_breaks_no_closed_rule_but_the_target(self):
        closed = self.folder / "closed"
        closed.mkdir()
        text = (self.folder / "lars/mllog.txt").read_text()
        (closed / "mllog.txt").write_text(text.replace('"value":"open"', '"value":"closed"'))
        code, said = self.compliance("closed")
        self.assertEqual(code, 1, said)
        failures = set(re.findall(r"(?:CHECK for '(\w+)' failed|occurrence of '(\w+)'|Failed checks for (\w+))", said))
        self.assertEqual({"".join(f) for f in failures}, {"eval_accuracy"}, said)

    @needs("mlperf_logging")
    def test_the_checker_refuses_what_the_log_s_header_says_it_refuses(self):
        self.must("train", self.job, *self.sets[:2], "--threads", 1, "--out", self.folder / "blind", "--quiet")
        log = (self.folder / "blind/mllog.txt").read_text()
        self.assertIn("# The checker refuses it: without a held-out set", log)
        code, said = self.compliance("blind")
        self.assertEqual(code, 1)
        self.assertIn("eval_accuracy", said)
        other = self.folder / "other"
        other.mkdir()
        lars = (self.folder / "lars/mllog.txt").read_text()
        self.assertNotIn("refuses", lars)
        (other / "mllog.txt").write_text(lars.replace('"submission_benchmark","value":"resnet"',
                                                      '"submission_benchmark","value":"alexnet"'))
        code, said = self.compliance("other")
        self.assertEqual(code, 1)
        self.assertIn("open_alexnet.yaml", said)  # which is not among its rules

    @needs("prometheus_client")
    def test_prometheus(self):
        from prometheus_client.parser import text_string_to_metric_families
        text = (self.folder / "lars/metrics.prom").read_text()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        self.assertEqual(families["convoy_steps"].type, "counter")
        self.assertEqual(families["convoy_steps"].samples[0].value, 6)
        self.assertEqual(families["convoy_images_seen"].samples[0].value, 96)
        self.assertEqual(families["convoy_steps_planned"].samples[0].labels, {"run": "lars", "experiment": "tiny"})
        self.assertEqual(families["convoy_run_state"].samples[0].labels["state"], "completed")
        last = self.metrics("lars", "step")[-1]
        self.assertAlmostEqual(families["convoy_train_loss"].samples[0].value, last["loss"])
        parts = {sample.labels["part"]: sample.value for sample in families["convoy_step_seconds"].samples}
        self.assertAlmostEqual(parts["compute"], last["compute_s"])
        self.assertEqual(set(parts), {"data_wait", "compute", "communication_exposed", "optimizer", "other"})
        self.assertAlmostEqual(families["convoy_held_out_top1_ratio"].samples[0].value,
                               self.metrics("lars", "evaluation")[-1]["held_out_top1"])
        names = {sample.name for family in families.values() for sample in family.samples}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                self.assertIn(line.split()[2], names)
        self.assertEqual(sorted((self.folder / "lars").glob("*.tmp*")), [])

    def test_the_trace_is_what_the_format_says(self):
        trace = json.loads((self.folder / "lars/trace.json").read_text())
        self.assertEqual(trace["displayTimeUnit"], "ms")
        spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
        names = {(e["pid"], e["tid"]): e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "thread_name"}
        processes = {e["pid"]: e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
        self.assertEqual(set(processes), {0, 1})
        self.assertTrue(processes[1].startswith("rank 1 ("))
        self.assertEqual({e["ph"] for e in trace["traceEvents"]}, {"X", "M"})
        lanes = {}
        for event in spans:
            self.assertIsInstance(event["name"], str)
            self.assertGreaterEqual(event["dur"], 0)
            self.assertGreaterEqual(event["ts"], 0)
            lanes.setdefault((event["pid"], names[event["pid"], event["tid"]]), []).append(event)
        for rank in (0, 1):
            for lane in ("steps", "compute", "communication", "input: waiting", "input: decoder 0"):
                self.assertIn((rank, lane), lanes)
            self.assertEqual([e["name"] for e in lanes[rank, "steps"] if e["name"].startswith("step")], ["step 1", "step 2"])
            # Two workers a rank and step: two forward passes, one wait for images each.
            forward = [e for e in lanes[rank, "compute"] if e["name"].startswith("forward")]
            self.assertEqual(len(forward), 2 * 2)
            self.assertEqual(len(lanes[rank, "input: waiting"]), 2 * 2)
            buckets = {e["name"] for e in lanes[rank, "communication"]}
            self.assertEqual(len(lanes[rank, "communication"]), 2 * len(buckets))
        for (rank, lane), events in lanes.items():  # what one thread does follows one after another
            events.sort(key=lambda event: event["ts"])
            for one, next_one in zip(events, events[1:]):
                self.assertLessEqual(one["ts"] + one["dur"], next_one["ts"] + 0.01, (rank, lane, one, next_one))
        # One clock: a bucket's sum ends at about the same moment on both ranks, as each needs the other.
        for one, other in zip(lanes[0, "communication"], lanes[1, "communication"], strict=True):
            self.assertEqual(one["name"], other["name"])
            self.assertLess(max(one["ts"], other["ts"]), min(one["ts"] + one["dur"], other["ts"] + other["dur"]) + 5e5)

    @needs("chrometrace")
    def test_chrometrace_reads_every_event(self):
        from chrometrace import TraceEvent, TraceEventType
        for event in json.loads((self.folder / "lars/trace.json").read_text())["traceEvents"]:
            read = TraceEvent.from_dict(event)
            self.assertIn(TraceEventType(read.event_type), (TraceEventType.COMPLETE, TraceEventType.METADATA))


if __name__ == "__main__":
    unittest.main()
