"""submit.sh and the endings of train.sh with stand-ins for the schedulers' commands, which write down how they are called; and
the scripts of a machine without a scheduler, really run."""
import os
import shutil
import signal
import subprocess
import time
import unittest

from convoy_cli import CONVOY, ROOT, ConvoyTest, convoy

MACHINES = ROOT / "jobs/launch/machines"
# Numbers jobs from 1, and prints them as the real commands do.
SUBMIT = """#!/bin/bash
echo "$(basename "$0") $*" >>"$CALLS"
number=$(wc -l <"$CALLS")
case $(basename "$0") in
  qsub) echo "$number.server" ;;
  bsub) grep -q '^#BSUB -J' || exit 9; echo "Job <$number> is submitted to queue <normal>." ;;
  *) echo "$number" ;;
esac
"""
# A launcher that ends with the next of the codes in a file.
START = """#!/bin/bash
echo "$*" >>"$CALLS"
code=$(head -n 1 codes)
sed -i 1d codes
exit "$code"
"""


class StandIns(ConvoyTest):
    def setUp(self):
        self.work = self.folder / self._testMethodName
        (self.work / "bin").mkdir(parents=True)
        self.calls = self.work / "calls"
        self.environment = dict(os.environ, CALLS=str(self.calls), PATH=f"{self.work}/bin:{os.environ['PATH']}")

    def stand_in(self, text, *names):
        for name in names:
            path = self.work / "bin" / name
            path.write_text(text)
            path.chmod(0o755)

    def launch(self, machine, *flags):
        job = self.folder / "eight.toml"
        job.write_text(self.job.read_text().replace("workers = 4", "workers = 8"))
        code, _, err = convoy("launch", job, "--machine", MACHINES / f"{machine}.toml", *self.sets[:4], *flags, "--name", "x",
                              cwd=self.work)
        self.assertEqual(code, 0, err)

    def submitted(self, machine, *flags):
        self.stand_in(SUBMIT, "sbatch", "qsub", "bsub", "flux")
        self.launch(machine, *flags)
        subprocess.run(["bash", "launch/x/submit.sh"], cwd=self.work, env=self.environment, check=True, capture_output=True)
        return self.calls.read_text().replace("launch/x/", "").splitlines()

    def run_train(self, **variables):
        done = subprocess.run(["bash", "launch/x/train.sh"], cwd=self.work, env=dict(self.environment, **variables),
                              capture_output=True, text=True)
        return done.returncode


class Submitting(StandIns):
    chain = ["--pack", "a", "--pack-held-out", "b", "--seeds", "1-2", "--compare"]

    def test_slurm(self):
        wait = "--dependency=afterok:{} --kill-on-invalid-dep=yes"
        self.assertEqual(self.submitted("slurm-cpu", *self.chain), [
            "sbatch --parsable pack.sh", f"sbatch --parsable {wait.format(1)} train.sh",
            f"sbatch --parsable {wait.format(2)} compare.sh"])

    def test_pbs_sends_every_leg(self):
        self.assertEqual(self.submitted("pbs-cpu", *self.chain, "--restarts", 2), [
            "qsub pack.sh", "qsub -W depend=afterok:1.server train.sh",
            "qsub -W depend=afterany:2.server -v CONVOY_LEG=2 train.sh", "qsub -W depend=afterany:3.server -v CONVOY_LEG=3 train.sh",
            "qsub -W depend=afterok:4.server compare.sh"])

    def test_lsf_waits_for_every_element(self):
        self.assertEqual(self.submitted("lsf-gpu", *self.chain, "--nodes", 2), ["bsub ", "bsub -w done(1)", "bsub -w numdone(2, *)"])

    def test_flux_sends_a_chain_for_every_seed(self):
        batch = "flux batch"
        self.assertEqual(self.submitted("flux-cpu", *self.chain, "--restarts", 1), [
            f"{batch} pack.sh", f"{batch} --dependency=afterok:1 --env=CONVOY_SEED=1 train.sh",
            f"{batch} --dependency=afterany:2 --env=CONVOY_LEG=2 --env=CONVOY_SEED=1 train.sh",
            f"{batch} --dependency=afterok:1 --env=CONVOY_SEED=2 train.sh",
            f"{batch} --dependency=afterany:4 --env=CONVOY_LEG=2 --env=CONVOY_SEED=2 train.sh",
            f"{batch} --dependency=afterok:3 --dependency=afterok:5 compare.sh"])

    def test_a_refused_submission_ends_the_chain(self):
        for machine, command in (("slurm-cpu", "sbatch"), ("pbs-cpu", "qsub"), ("lsf-gpu", "bsub"), ("flux-cpu", "flux")):
            with self.subTest(machine):
                shutil.rmtree(self.work / "launch", ignore_errors=True)
                self.stand_in(f'#!/bin/bash\necho "{command}" >>"$CALLS"\nexit 1\n', command)
                self.calls.write_text("")
                self.launch(machine, *self.chain, "--nodes", 2)
                done = subprocess.run(["bash", "launch/x/submit.sh"], cwd=self.work, env=self.environment, capture_output=True)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(self.calls.read_text().split(), [command], "nothing is sent after what failed")

    def test_a_scheduler_that_is_not_there_ends_it(self):
        code, _, err = convoy("launch", self.job, "--machine", MACHINES / "flux-cpu.toml", *self.sets[:4], "--nodes", 2,
                              "--name", "x", "--submit", cwd=self.work)
        self.assertNotEqual(code, 0)
        self.assertIn("flux", err)


class Ending(StandIns):
    def test_a_leg_goes_on_after_85_and_stops_after_anything_else(self):
        self.launch("pbs-cpu")
        self.stand_in(START, "mpirun")
        (self.work / "codes").write_text("85\n85\n0\n")
        self.assertEqual([self.run_train(CONVOY_LEG=str(leg)) for leg in (1, 2, 3, 4, 5)], [85, 85, 0, 0, 0])
        self.assertEqual(len(self.calls.read_text().splitlines()), 3)  # the rest trained nothing
        (self.work / "codes").write_text("85\n2\n")
        self.assertEqual([self.run_train(CONVOY_LEG=str(leg)) for leg in (1, 2, 3)], [85, 2, 2])
        (self.work / "launch/x/train.code").write_text("")  # killed with its node: no code
        (self.work / "codes").write_text("0\n")
        self.assertEqual(self.run_train(CONVOY_LEG="2"), 0)
        self.assertIn("--time-limit 23:50:00", self.calls.read_text())

    def test_lsf_is_asked_to_requeue_only_so_often(self):
        self.launch("lsf-gpu", "--nodes", 2, "--restarts", 2)
        self.stand_in(START, "jsrun")
        (self.work / "codes").write_text("85\n" * 3 + "85\n0\n")
        self.assertEqual([self.run_train() for _ in range(5)], [85, 85, 75, 85, 0])

    def test_slurm_requeues_what_runs_and_not_what_was_cancelled(self):
        self.launch("slurm-cpu", "--restarts", 2)
        self.stand_in(START, "srun")
        self.stand_in('#!/bin/bash\necho "scontrol $*" >>"$CALLS"\n', "scontrol")
        for state, count, code, requeued in (("RUNNING", "0", 85, True), ("RUNNING\\nRUNNING", "0", 85, True),
                                             ("RUNNING\\nPENDING", "0", 85, False), ("RUNNING", "2", 85, False),
                                             ("COMPLETING", "0", 85, False), ("RUNNING", "1", 2, False)):
            self.stand_in(f"#!/bin/bash\nprintf '{state}\\n'\n", "squeue")
            (self.work / "codes").write_text(f"{code}\n")
            self.calls.write_text("")
            self.assertEqual(self.run_train(SLURM_RESTART_COUNT=count, SLURM_JOB_ID="7"), code)
            self.assertEqual("scontrol requeue 7" in self.calls.read_text(), requeued, (state, count, code))


class WithoutScheduler(ConvoyTest):
    def setUp(self):
        shutil.rmtree(self.folder / "launch", ignore_errors=True)
        (self.folder / "bin").mkdir(exist_ok=True)
        if not (self.folder / "bin/mpirun").exists():
            (self.folder / "bin/mpirun").symlink_to(shutil.which("mpirun.openmpi") or shutil.which("mpirun"))
        self.environment = dict(os.environ, PATH=f"{self.folder}/bin:{CONVOY.parent}:{os.environ['PATH']}")
        text = (MACHINES / "local.toml").read_text().replace('["--oversubscribe"]',
                                                             '["--oversubscribe", "--mca", "mpi_yield_when_idle", "1"]')
        (self.folder / "local.toml").write_text(text)

    def launch(self, name, *flags, sets=None, wait=True):
        command = [str(word) for word in (CONVOY, "launch", self.job, "--machine", "local.toml", *(sets or self.sets[:4]), "--name",
                                          name, *flags, "--submit", "--replace")]
        started = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        self.addCleanup(started.stdout.close)
        if not wait:
            return started
        out = started.communicate(timeout=200)[0]
        return started.returncode, out

    def test_pack_train_and_compare_are_one_command(self):
        code, out = self.launch("chain", "--pack", "images/train", "--pack-held-out", "images/val", "--seeds", "1,4", "--compare",
                                "--out", "runs/it's one", sets=["--train", "fresh/train", "--held-out", "fresh/val"])
        self.assertEqual(code, 0, out)
        digests = {self.result(f"runs/it's one/seed{seed}")["numerics"]["final_weights_xxh3"] for seed in (1, 4)}
        self.assertEqual(len(digests), 2)
        self.assertTrue((self.folder / "launch/chain/compare.html").exists())

    def test_a_signal_is_one_checkpoint_and_the_same_command_goes_on(self):
        more = ["--set", "train.epochs=80", "--set", "train.evaluate_every=0"]
        whole = self.train("whole", *more, ranks=2)
        started = self.launch("stopped", *more, wait=False)
        metrics = self.folder / "runs/stopped/metrics.jsonl"
        while started.poll() is None and (not metrics.exists() or metrics.read_text().count("step") < 3):
            time.sleep(0.02)
        started.send_signal(signal.SIGTERM)
        out = started.communicate(timeout=100)[0]
        self.assertEqual(started.returncode, 85, out)
        self.assertEqual(self.result("runs/stopped")["status"], "time_limit")
        code, out = self.launch("stopped", *more)
        self.assertEqual(code, 0, out)
        self.assertEqual(self.result("runs/stopped")["numerics"]["final_weights_xxh3"], whole["numerics"]["final_weights_xxh3"])


if __name__ == "__main__":
    unittest.main()
