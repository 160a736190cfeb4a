"""How a checkpoint comes to be: beside its name, synced, renamed, while the training goes on."""
import re
import signal
import unittest

from convoy_cli import ConvoyTest, shared_library


class Writing(ConvoyTest):
    def preload(self, name):
        return str(shared_library(self.folder, f"faults/{name}.c"))

    def test_written_beside_synced_and_renamed(self):
        log = self.folder / "calls.txt"
        self.train("whole", "--checkpoint-steps", 1, env={"LD_PRELOAD": self.preload("kill_at"), "CONVOY_KILL_LOG": str(log),
                                                          "CONVOY_KILL_PATH": "whole/checkpoints/checkpoint-"})
        calls = {}
        for call, step, suffix in re.findall(r"(?m)^(\w+) .*/checkpoint-(\d+)\.h5(\S*)$", log.read_text()):
            calls.setdefault(int(step), []).append((call, suffix))
        self.assertEqual(sorted(calls), [1, 2, 3, 4, 5, 6])
        for step, made in calls.items():
            before, after = made[:made.index(("rename", ""))], made[made.index(("rename", "")) + 1:]
            self.assertEqual({suffix for _, suffix in before}, {".tmp"})
            self.assertEqual(before[-1], ("fsync", ".tmp"), "nothing is written between the last sync and the renaming")
            self.assertIn(("pwrite", ".tmp"), before)
            self.assertEqual(after, [("remove", "")] if step <= 4 else [], "the newest two stay, as they were written")

    def test_the_training_goes_on_meanwhile(self):
        until, run = self.folder / "until", self.folder / "meanwhile"
        process = self.begin("meanwhile", "--checkpoint-steps", 50, "--checkpoint-epochs", 0, "--set", "train.epochs=1000000", "--set",
                             "train.evaluate_every=0", steps=99, env={"LD_PRELOAD": self.preload("hold_sync"), "CONVOY_HOLD_PATH":
                                                                      "checkpoint-00000050", "CONVOY_HOLD_UNTIL": str(until)})
        self.assertEqual([path.name for path in (run / "checkpoints").iterdir()], ["checkpoint-00000050.h5.tmp"])
        until.touch()
        self.await_steps(process, "meanwhile", 101)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(60), 85)
        self.assertGreaterEqual(self.result("meanwhile")["steps"]["count"], 101)


if __name__ == "__main__":
    unittest.main()
