"""A rank that stops: named with its host by the others within the stall limit, and the job ends everywhere."""
import os
import signal
import socket
import unittest

from convoy_cli import ConvoyTest, is_rank, ranks_of


class Silence(ConvoyTest):
    def test_a_stopped_rank_is_named_and_the_job_ends(self):
        process = self.begin("stopped", "--set", "train.epochs=1000000", "--set", "train.evaluate_every=0", "--checkpoint-epochs", 0,
                             "--stall-limit", 3, ranks=2)
        ranks = ranks_of(process.pid)
        self.assertEqual(len(ranks), 2)
        os.kill(ranks[1], signal.SIGSTOP)
        _, err = process.communicate(timeout=120)
        self.assertNotIn(process.returncode, (0, 85), err)
        said = [line for line in err.splitlines() if line.startswith("convoy: ")]
        self.assertEqual(len(said), 1, err)
        self.assertRegex(said[0], rf"no sign of life within 3 s from rank \d on {socket.gethostname()}: stopped")
        self.assertEqual(self.result("stopped")["status"], "failed")
        for rank in ranks:
            self.assertFalse(is_rank(rank), "no rank outlives the job")


if __name__ == "__main__":
    unittest.main()
