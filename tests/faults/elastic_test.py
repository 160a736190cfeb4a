"""train --elastic: ranks that are killed, a launcher that is not there, and jobs that no restart helps."""
import os
import signal
import subprocess
import time
import unittest

from convoy_cli import CONVOY, ConvoyTest, mpirun, ranks_of


class Elastic(ConvoyTest):
    launcher = " ".join(word for word in mpirun(0) if word not in ("-n", "0"))

    def start(self, name, *more, ranks=4):
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_WAIT_POLICY="passive")
        command = [CONVOY, "train", self.job, *self.sets, "--out", self.folder / name, "--oversubscribe", "--quiet", "--elastic", ranks,
                   "--launcher", self.launcher, "--checkpoint-steps", 1, *more]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=environment)

    def wait_for(self, name, steps, process):
        """Until the run has a checkpoint of so many steps."""
        folder = self.folder / name / "checkpoints"
        while not any(int(path.stem.split("-")[1]) >= steps for path in folder.glob("checkpoint-*.h5")):
            self.assertIsNone(process.poll(), "the run ended before it could be disturbed")
            time.sleep(0.005)

    def kill_a_rank(self, process, which, number=signal.SIGKILL):
        ranks = [pid for pid in ranks_of(process.pid) if pid != process.pid]
        os.kill(ranks[which], number)
        return len(ranks)

    def test_a_killed_rank(self):
        epochs = ["--set", "train.epochs=4"]
        straight = self.train("straight", *epochs)
        for which in (0, 2):
            name = f"killed-{which}"
            process = self.start(name, *epochs)
            self.wait_for(name, 3, process)
            self.assertEqual(self.kill_a_rank(process, which), 4)
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
            self.assertEqual(self.result(name)["numerics"]["final_weights_xxh3"], straight["numerics"]["final_weights_xxh3"])
            self.assertEqual(self.result(name)["launch"]["ranks"], 2)
            said = [line for line in err.splitlines() if "restart 1 of 10, on 2 ranks" in line]
            self.assertEqual(len(said), 1, err)

    def test_a_signal_is_passed_on(self):
        process = self.start("stopped", "--set", "train.epochs=40", ranks=2)
        self.wait_for("stopped", 2, process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 85, err)
        self.assertNotIn("restart", err)
        self.assertEqual(self.result("stopped")["status"], "time_limit")

    def test_what_no_restart_helps(self):
        out = ["--out", self.folder / "never"]
        self.refused(64, "train", self.job, "--elastic", 2, says="--out")
        self.refused(64, "train", self.job, *out, "--launcher", "mpirun", says="--elastic")
        self.refused(64, "train", self.job, *out, "--elastic", 2, "--launcher", "no-such-launcher", says="no-such-launcher")
        self.refused(64, "train", self.job, *out, "--elastic", 2, env={"OMPI_COMM_WORLD_SIZE": "2"}, says="mpirun")
        process = self.start("nothing", "--set", "data.train='/nowhere'", "--train", "/nowhere", ranks=2)
        _, err = process.communicate(timeout=60)
        self.assertIn(process.returncode, (1, 64), err)
        self.assertNotIn("restart", err)


if __name__ == "__main__":
    unittest.main()
