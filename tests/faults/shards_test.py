"""Damaged, shortened and vanishing shards: a clear end, and `verify` names the record."""
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from convoy_cli import CONVOY, ConvoyTest, convoy


def largest_shard(dataset):
    return max(dataset.glob("*.h5"), key=lambda path: path.stat().st_size)


def flip(path, marker):
    """Changes one byte in the middle of the first JPEG found in the file."""
    data = bytearray(path.read_bytes())
    at = data.index(marker) + 200
    data[at] ^= 0x10
    path.write_bytes(data)


class Shards(ConvoyTest):
    def copy(self, name):
        target = self.folder / name
        shutil.copytree(self.folder / "set/train", target)
        return target

    def train_on(self, dataset, name, code, says, *more, **options):
        return self.refused(code, "train", self.job, "--train", dataset, "--held-out", self.folder / "set/val", "--threads", 1,
                            "--out", self.folder / name, "--quiet", "--oversubscribe", *more, says=says, **options)

    def test_a_changed_byte(self):
        dataset = self.copy("flipped")
        shard = largest_shard(dataset)
        flip(shard, b"\xff\xd8\xff")
        for ranks in (0, 2):
            message = self.train_on(dataset, f"run-flipped-{ranks}", 1, [shard.name, "record", "convoy verify"], ranks=ranks)
            self.assertNotIn("internal error", message)
        code, out, _ = convoy("verify", dataset)
        self.assertEqual(code, 1)
        for piece in (shard.name, "record", ".JPEG"):
            self.assertIn(piece, out)

    def test_a_truncated_shard(self):
        dataset = self.copy("short")
        shard = largest_shard(dataset)
        os.truncate(shard, shard.stat().st_size * 2 // 3)
        self.train_on(dataset, "run-short", 1, shard.name)
        code, out, _ = convoy("verify", dataset)
        self.assertEqual(code, 1)
        for piece in (shard.name, "is truncated", "records"):
            self.assertIn(piece, out)

    def test_a_shard_that_is_missing(self):
        dataset = self.copy("missing")
        shard = largest_shard(dataset)
        shard.unlink()
        self.train_on(dataset, "run-missing", 1, shard.name)
        code, out, _ = convoy("verify", dataset)
        self.assertEqual(code, 1)
        self.assertIn(shard.name, out)

    def vanish(self, name, spoil):
        """Trains for long, spoils a shard once steps are done, and returns exit code and messages."""
        dataset = self.copy(name)
        run = self.folder / f"run-{name}"
        command = [CONVOY, "train", self.job, "--train", dataset, "--threads", "1", "--out", run, "--quiet", "--set",
                   "train.epochs=20000"]
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        metrics = run / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 5):
            time.sleep(0.02)
        spoil(largest_shard(dataset))
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
        return process.returncode, err, largest_shard

    def test_a_shard_removed_during_the_run(self):
        code, err, _ = self.vanish("removed", pathlib.Path.unlink)
        self.assertEqual(code, 1, err)
        self.assertRegex(err, r"shard-\d+.*\.h5")

    def test_a_shard_truncated_during_the_run(self):
        code, err, _ = self.vanish("cut", lambda shard: os.truncate(shard, 4096))
        self.assertEqual(code, 1, err)
        self.assertRegex(err, r"shard-\d+.*\.h5.*")

    def test_an_epoch_of_real_images_through_damage(self):
        real = os.environ.get("CONVOY_REAL_DATA")
        if not real:
            print("SKIPPED: an epoch of tiny100 through damaged shards (CONVOY_REAL_DATA is not set)")
            self.skipTest("CONVOY_REAL_DATA is not set")
        whole = self.folder / "tiny100"
        self.must("pack", f"{real}/tiny100/tiny100_img_train.tar", "--out", whole, "--quiet")
        steps = ["--set", "minibatch.images=64", "--set", "train.epochs=1", "--set", "network.input=32", "--set", "data.resize=36"]
        for name, spoil in (("flip", lambda s: flip(s, b"\xff\xd8\xff")), ("cut", lambda s: os.truncate(s, s.stat().st_size // 2)),
                            ("gone", pathlib.Path.unlink)):
            dataset = self.folder / f"tiny100-{name}"
            shutil.copytree(whole, dataset)
            shard = sorted(dataset.glob("*.h5"))[3]
            spoil(shard)
            self.refused(1, "train", self.job, "--train", dataset, "--out", self.folder / f"run-tiny100-{name}", "--quiet", *steps,
                         says=[shard.name])
            code, out, _ = convoy("verify", dataset, "--quiet")
            self.assertEqual(code, 1)
            for piece in (shard.name, "records") if name == "gone" else (shard.name, "record", ".JPEG"):
                self.assertIn(piece, out)
            shutil.rmtree(dataset)


if __name__ == "__main__":
    unittest.main()
