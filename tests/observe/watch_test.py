"""What is observed changes no bit and ends no run; where a step's time went; `convoy watch`, alive and afterwards."""
import json
import os
import pty
import shutil
import signal
import subprocess
import time
import unittest

from convoy_cli import CONVOY, ROOT, ConvoyTest, convoy, shared_library


class Watch(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "bare", "--quiet", "--observe", "none")
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "seen", "--oversubscribe", "--trace",
                 cls.folder / "elsewhere.json", ranks=2)

    def lines(self, name, file):
        return [json.loads(line) for line in (self.folder / name / file).read_text().splitlines()]

    def test_everything_on_gives_the_bits_of_everything_off(self):
        on, off = self.result("seen"), self.result("bare")
        self.assertEqual(on["numerics"]["final_weights_xxh3"], off["numerics"]["final_weights_xxh3"])
        self.assertEqual([e["weights_xxh3"] for e in on["epochs"]], [e["weights_xxh3"] for e in off["epochs"]])
        self.assertTrue((self.folder / "elsewhere.json").exists())
        names = {path.name for path in (self.folder / "bare").iterdir()}
        self.assertEqual(names, {"config.resolved.toml", "env.json", "log.txt", "metrics.jsonl", "result.json", "curve.svg",
                                 "classes.json", "checkpoints", ".lock"})
        added = {path.name for path in (self.folder / "seen").iterdir()} - names
        self.assertEqual({name for name in added if not name.startswith("events.out")},
                         {"times.jsonl", "mllog.txt", "metrics.prom"})
        self.assertEqual(len(added), 4)

    def test_every_step_s_time_is_attributed(self):
        steps = [line for line in self.lines("seen", "metrics.jsonl") if line["event"] == "step"]
        for line in steps:
            parts = [line[key] for key in ("data_wait_s", "compute_s", "communication_exposed_s", "optimizer_s")]
            self.assertAlmostEqual(line["step_s"], sum(parts), places=9)
            self.assertGreater(line["other_s"], 0)
        times = self.lines("seen", "times.jsonl")
        self.assertEqual([(t["event"], t["step"]) for t in times], [("evaluation", 2), ("evaluation", 5), ("end", 5)])
        for line in times:
            self.assertAlmostEqual(sum(line["share"].values()), 1.0, places=9)
            self.assertEqual([rank["rank"] for rank in line["ranks"]], [0, 1])
            own = {rank["rank"]: rank["data_wait_s"] + rank["compute_s"] + rank["optimizer_s"] for rank in line["ranks"]}
            self.assertEqual(line["slowest"]["rank"], max(own, key=own.get))
        self.assertEqual([t["ranks"][0]["steps"] for t in times], [2, 3, 5])  # the first step pays for set-up
        mine = [line["compute_s"] for line in steps[1:]]
        self.assertAlmostEqual(times[-1]["ranks"][0]["compute_s"], sum(mine) / len(mine), places=9)
        log = (self.folder / "seen/log.txt").read_text()
        self.assertEqual(log.count("a step's time: "), 2)
        self.assertIn("all steps: ", log)
        for line in times:
            if line["advice"]:
                self.assertIn(line["advice"], log)

    def test_a_rank_that_waits_for_its_disk_is_named(self):
        preload = shared_library(self.folder, "observe/slow_disk.c")
        self.train("slow", ranks=2, env={"LD_PRELOAD": str(preload), "CONVOY_SLOW_PATH": "set/train", "CONVOY_SLOW_US": "60000"})
        end = self.lines("slow", "times.jsonl")[-1]
        self.assertEqual(end["slowest"]["rank"], 1)
        self.assertRegex(end["advice"], r"^data: \d\d % of the step was waiting for images on rank 1 \(.+\): more --loader-threads")
        self.assertEqual(max(end["share"], key=end["share"].get), "data_wait")
        self.assertIn(end["advice"], self.must("watch", self.folder / "slow", "--once"))

    def test_energy_is_a_number_or_null_with_the_reason(self):
        for name in ("seen", "bare"):
            energy = self.result(name)["energy"]
            self.assertEqual(energy["images"], 96)
            if energy["cpu_j"] is None and energy["gpu_j"] is None:
                self.assertIsNone(energy["j_per_image"])
                self.assertTrue(energy["reason"])
            else:
                self.assertAlmostEqual(energy["j_per_image"] * 96, (energy["cpu_j"] or 0) + (energy["gpu_j"] or 0))
        self.assertEqual(self.result("bare")["energy"]["reason"], "not measured")

    def test_energy_of_gpus_through_nvml(self):
        library = self.folder / "nvml/libnvidia-ml.so.1"
        library.parent.mkdir()
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, ROOT / "tests/observe/fake_nvml.c"], check=True)
        for ranks in (1, 2):  # one rank a host reads
            path = f"{library.parent}:{os.environ.get('LD_LIBRARY_PATH', '')}"
            energy = self.train(f"gpus-{ranks}", ranks=ranks, env={"LD_LIBRARY_PATH": path})["energy"]
            self.assertEqual(energy["gpu_j"], 2.0)
            self.assertIn("NVML", energy["source"])
            self.assertAlmostEqual(energy["j_per_image"], (2.0 + (energy["cpu_j"] or 0)) / 96)

    def test_a_full_disk_takes_the_file_and_not_the_run(self):
        preload = shared_library(self.folder, "faults/full_disk.c")
        for number, part in enumerate(("events.out", "metrics.prom", "mllog.txt")):
            run = self.folder / f"full-{number}"
            code, out, err = convoy("train", self.job, *self.sets, "--out", run, "--quiet",
                                    env={"LD_PRELOAD": str(preload), "CONVOY_DISK_PATH": part, "CONVOY_DISK_BYTES": "50"})
            self.assertEqual(code, 0, err)
            self.assertEqual(err.count("the run goes on without it"), 1, err)
            self.assertEqual(self.result(run.name)["numerics"]["final_weights_xxh3"],
                             self.result("bare")["numerics"]["final_weights_xxh3"])

    def test_flags_that_make_no_sense_are_refused(self):
        for flags in (["--trace-steps", "5"], ["--trace-steps", "5:2"], ["--trace", "no/such/folder/t.json"],
                      ["--observe", "none,mllog"], ["--observe", "nonsense"]):
            self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "refused", *flags)
            self.assertFalse((self.folder / "refused").exists())

    def test_watch_afterwards(self):
        out = self.must("watch", self.folder / "seen")
        self.assertIn("completed, exit code 0", out)
        self.assertNotIn("\x1b", out)
        state = json.loads(self.must("watch", self.folder / "seen", "--once", "--json"))
        self.assertEqual((state["status"], state["steps_done"], state["steps_planned"], state["ranks"]), ("completed", 6, 6, 2))
        self.assertEqual(state["evaluation"]["step"], 5)
        self.assertEqual(state["times"]["event"], "end")
        block = self.must("watch", self.folder / "seen", "--once")
        for piece in ("run         seen (tiny)", "2 ranks on 1 host", "step 6/6", "slowest     rank", "held out    top-1"):
            self.assertIn(piece, block)
        self.refused(64, "watch", self.folder / "images", says="no run's folder")
        self.refused(64, "watch", self.folder / "never", says="there is no run at")

    def test_watch_of_a_copied_torn_folder_and_of_an_older_run(self):
        torn = self.folder / "torn"
        shutil.copytree(self.folder / "bare", torn)
        for name in ("metrics.jsonl", "result.json"):
            data = (torn / name).read_bytes()
            (torn / name).write_bytes(data[:len(data) // 2])
        state = json.loads(self.must("watch", torn, "--once", "--json"))
        self.assertEqual(state["status"], "starting")
        self.assertGreater(state["steps_done"], 0)
        state = json.loads(self.must("watch", ROOT / "results/tiny100", "--once", "--json"))
        self.assertEqual((state["status"], state["steps_done"]), ("completed", state["steps_planned"]))

    def test_watch_follows_a_run_to_its_end(self):
        run = self.folder / "alive"
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        train = subprocess.Popen([CONVOY, "train", self.job, *self.sets, "--out", run, "--quiet", "--set", "train.epochs=100000",
                                  "--set", "train.evaluate_every=0"], **quiet)
        self.addCleanup(train.kill)
        while train.poll() is None and not (run / "result.json").exists():
            time.sleep(0.01)
        watch = subprocess.Popen([CONVOY, "watch", run, "--interval", "0.05"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(watch.kill)
        screen, other = pty.openpty()
        drawn = subprocess.Popen([CONVOY, "watch", run, "--interval", "0.05"], stdout=other,
                                 env={key: value for key, value in os.environ.items() if key != "NO_COLOR"})
        plain_screen, plain_other = pty.openpty()
        plain = subprocess.Popen([CONVOY, "watch", run, "--interval", "0.05"], stdout=plain_other,
                                 env=dict(os.environ, NO_COLOR="1"))
        for process, end in ((drawn, other), (plain, plain_other)):
            self.addCleanup(process.kill)
            os.close(end)
        seen = [watch.stdout.readline() for _ in range(5)]
        self.assertIsNone(train.poll())
        train.send_signal(signal.SIGTERM)
        shown = {fd: b"" for fd in (screen, plain_screen)}
        for fd in shown:
            while True:
                try:
                    shown[fd] += os.read(fd, 65536)
                except OSError:  # the other end is closed
                    break
            os.close(fd)
        rest = watch.communicate(timeout=60)[0].splitlines()
        self.assertEqual(train.wait(60), 85)
        self.assertEqual([process.wait(60) for process in (watch, drawn, plain)], [85, 85, 85])
        self.assertIn("time_limit, exit code 85", rest[-1])
        self.assertEqual(len(set(seen)), 5)  # a line a change
        self.assertIn("images/s", seen[-1])
        self.assertIn(b"\x1b[1m", shown[screen])
        self.assertIn(b"A\x1b[J", shown[screen])  # redrawn in place
        self.assertNotRegex(shown[plain_screen], rb"\x1b\[[0-9]+m")
        self.assertIn(b"time_limit, exit code 85", shown[plain_screen])


if __name__ == "__main__":
    unittest.main()
