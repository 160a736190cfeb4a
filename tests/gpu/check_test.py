"""tests/gpu/check.sh itself: what it says where there is no GPU, and, with the stand-ins of probe_test.py and the reference's
arithmetic in the GPU's place, that its checks pass and that they can fail."""
import json
import os
import subprocess

from convoy_cli import BUILD, ROOT
import probe_test


class Check(probe_test.Host):
    def check(self, code, *arguments, env):
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **env)
        done = subprocess.run([ROOT / "tests/gpu/check.sh", BUILD, *arguments], capture_output=True, text=True, env=environment,
                              timeout=300)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_without_a_gpu_it_says_what_did_not_run(self):
        said = self.check(77, env=self.complete(cuda="13000 100"))
        for name in ("device", "parity", "golden", "training", "repeatable", "resumed", "pictures", "decoded", "ranks", "library", "timed", "mixed", "main_loop", "sanitizer"):
            self.assertIn(f"gpu check {name} DID NOT RUN", said)
        self.assertIn("shows no GPU", said)

    def test_rehearsal(self):
        out = self.folder / "report"
        said = self.check(0, "--only", "training,resumed,ranks", "--out", out, env=self.complete())
        report = json.loads(next(out.iterdir()).read_text())
        self.assertEqual([check["status"] for check in report["checks"]], ["ok"] * 3, said)
        self.assertIn("Fake GPU", report["gpu"]["gpus"][0]["name"])
        self.assertIn("commit", report["tool"])

    def test_a_gpu_that_only_looks_sound_is_none(self):
        said = self.check(77, "--only", "resumed", env=self.complete(plugin="fails=yes"))
        self.assertIn("gpu check resumed DID NOT RUN", said)
        self.assertIn("no usable GPU: GPU 0 fell off the bus", said)

    def test_wrong_arithmetic_fails_the_check(self):
        out = self.folder / "wrong"
        self.check(1, "--only", "repeatable", "--out", out, env=self.complete(plugin="arithmetic=wrong"))
        checks = json.loads(next(out.iterdir()).read_text())["checks"]
        self.assertEqual([check["status"] for check in checks], ["FAILED"])


