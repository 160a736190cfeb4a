"""What `convoy launch` writes, run by a real Slurm: the signal before the time limit, requeueing, arrays, dependencies and
scancel, each held against an undisturbed run's digest."""
import json
import re
import shutil
import tempfile
import time
import unittest

from cluster import Slurm
from convoy_cli import CONVOY, ConvoyTest, convoy, shared_library

MACHINE = """
scheduler = "slurm"
[node]
nodes = 1
cores = 2
ranks = 2
[job]
wall_time = "{wall_time}"
stop_before = "{stop_before}"
restarts = 3
[mpi]
options = ["--mpi=pmix"]
[environment]
OMP_WAIT_POLICY = "passive"
OMPI_MCA_mpi_yield_when_idle = "1"
OMPI_MCA_btl_base_warn_component_unused = "0"
[shell]
program = "{convoy}"
setup = [{setup}]
[pack]
ranks = 1
wall_time = "00:05:00"
[compare]
wall_time = "00:05:00"
"""
STEPS = ("--set", "train.epochs=4")


class UnderSlurm(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.slurm = Slurm(tempfile.mkdtemp(prefix="convoy-slurm-"))
        cls.addClassCleanup(shutil.rmtree, cls.slurm.folder, ignore_errors=True)
        cls.addClassCleanup(cls.slurm.stop)
        cls.slurm.start()
        cls.must("train", cls.job, *cls.sets, *STEPS, "--out", cls.folder / "undisturbed", "--quiet", "--oversubscribe", ranks=2)
        cls.digest = json.loads((cls.folder / "undisturbed/result.json").read_text())["numerics"]["final_weights_xxh3"]
        # Rank 1's disk is slow the first time: the job then lasts until it is told to stop.
        cls.preload = shared_library(cls.folder, "observe/slow_disk.c")

    def launch(self, name, *flags, slow=False, wall_time="00:05:00", stop_before="00:00:30"):
        """Submits; the job numbers by step."""
        slowly = (f"if [ \\\"${{SLURM_RESTART_COUNT:-0}}\\\" -eq 0 ]; then export LD_PRELOAD={self.preload} "
                  "CONVOY_SLOW_PATH=set/train CONVOY_SLOW_US=400000; fi")
        machine = self.folder / f"{name}.toml"
        machine.write_text(MACHINE.format(convoy=CONVOY, wall_time=wall_time, stop_before=stop_before,
                                          setup=f'"{slowly}"' if slow else ""))
        code, out, err = convoy("launch", self.job, "--machine", machine, *self.sets[:4], "--name", name, "--out", f"runs/{name}",
                                "--train-flag=--oversubscribe", *STEPS, *flags, "--submit", cwd=self.folder,
                                env={"SLURM_CONF": str(self.slurm.conf)})
        self.assertEqual(code, 0, err)
        return dict(re.findall(r"(?m)^(\w+) (\d+)", out))

    def log(self, name):
        return "\n".join(path.read_text() for path in sorted((self.folder / "launch" / name).glob("*.log")))

    def ends(self, number, name, *states, seconds=240):
        over = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"}
        self.slurm.wait(lambda: set(self.slurm.states(number)) <= over, f"the end of job {number}", seconds)
        self.assertEqual(set(self.slurm.states(number)), set(states), self.log(name))

    def steps_done(self, name):
        path = self.folder / "runs" / name / "metrics.jsonl"
        return path.read_text().count('"step"') if path.exists() else 0

    def test_signal_before_the_limit_checkpoint_requeue_and_the_same_bits(self):
        # As an array: its last element bears the number of the whole, which must not be requeued in its place.
        job = self.launch("requeued", "--seeds", "1,2", slow=True, wall_time="00:01:00", stop_before="00:00:58")["train"]
        self.slurm.wait(lambda: self.slurm.restarts(job) == ["1", "1"], "requeued jobs", 150)
        self.slurm.ask("scontrol", "update", f"job={job}", "TimeLimit=5")
        self.ends(job, "requeued", "COMPLETED")
        self.assertEqual(self.slurm.restarts(job), ["1", "1"])
        log = self.log("requeued")
        self.assertEqual([log.count(f"convoy train ended with code {code}") for code in (85, 0)], [2, 2], log)
        for seed in (1, 2):
            result = self.result(f"runs/requeued/seed{seed}")
            self.assertEqual((result["status"], result["launch"]["ranks"]), ("completed", 2))
            launches = json.loads((self.folder / f"runs/requeued/seed{seed}/env.json").read_text())["launches"]
            self.assertEqual([run["variables"].get("SLURM_RESTART_COUNT") for run in launches], [None, "1"])
        self.assertEqual(self.result("runs/requeued/seed1")["numerics"]["final_weights_xxh3"], self.digest)

    def test_an_array_over_three_seeds_and_then_compare(self):
        jobs = self.launch("seeds", "--seeds", "1-3", "--compare")
        self.assertIn("Dependency=afterok:" + jobs["train"], self.slurm.ask("scontrol", "--oneliner", "show", "job", jobs["compare"]))
        self.ends(jobs["train"], "seeds", "COMPLETED")
        self.ends(jobs["compare"], "seeds", "COMPLETED")
        digests = [self.result(f"runs/seeds/seed{seed}")["numerics"]["final_weights_xxh3"] for seed in (1, 2, 3)]
        self.assertEqual(len(set(digests)), 3)
        self.assertEqual(digests[0], self.digest)
        self.assertTrue((self.folder / "launch/seeds/compare.html").exists())

    def test_scancel_leaves_a_run_that_can_be_resumed(self):
        job = self.launch("cancelled", slow=True)["train"]
        self.slurm.wait(lambda: self.steps_done("cancelled") > 0, "a first step")
        self.assertEqual(self.slurm.ask("squeue", "-h", "-j", job, "-o", "%T"), "RUNNING")
        self.slurm.ask("scancel", job)
        self.ends(job, "cancelled", "CANCELLED")
        time.sleep(1)
        self.assertEqual((self.slurm.states(job), self.slurm.restarts(job)), (["CANCELLED"], ["0"]))  # not back in the queue
        result = self.result("runs/cancelled")
        self.assertEqual((result["status"], result["exit_code"]), ("time_limit", 85), self.log("cancelled"))
        self.must("train", self.job, *self.sets, *STEPS, "--out", self.folder / "runs/cancelled", "--resume", "auto", "--quiet",
                  "--oversubscribe", ranks=2)
        self.assertEqual(self.result("runs/cancelled")["numerics"]["final_weights_xxh3"], self.digest)

    def test_a_failing_step_holds_the_next_one_back(self):
        jobs = self.launch("failing", "--train-flag=--road=library", "--seeds", "1,2", "--compare", "--train-flag=--no-such-flag")
        self.ends(jobs["train"], "failing", "FAILED")
        self.ends(jobs["compare"], "failing", "CANCELLED")
        self.assertIn("--no-such-flag", self.log("failing"))


if __name__ == "__main__":
    unittest.main()
