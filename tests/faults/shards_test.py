"""Damaged, shortened and vanishing shards: a clear end, and `verify` names the record."""
import os
import pathlib
import re
import shutil
import subprocess
import time
import unittest

from convoy_cli import CONVOY, ConvoyTest, convoy


def flip(shard):
    """Changes one byte within an image in the middle of the file, in place, and returns its offset."""
    data = shard.read_bytes()
    at = data.index(b"\xff\xd8\xff", len(data) // 2) + 200
    with shard.open("r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ 0x10]))
    return at


def cut(shard):
    os.truncate(shard, shard.stat().st_size // 2)


class Shards(ConvoyTest):
    def copy(self, name, of=None):
        """A copy of a dataset, and the shard to spoil; the other files are shared with the original."""
        of, target = of or self.folder / "set/train", self.folder / name
        shard = target / sorted(of.glob("*.h5"))[1].name
        shutil.copytree(of, target, copy_function=lambda a, b: (shutil.copy2 if b == str(shard) else os.link)(a, b))
        return target, shard

    def train_on(self, dataset, name, says, **options):
        return self.refused(1, "train", self.job, "--train", dataset, "--held-out", self.folder / "set/val", "--threads", 1,
                            "--out", self.folder / name, "--quiet", "--oversubscribe", says=says, **options)

    def spoilt_during_the_run(self, name, spoil, *sets, of=None):
        """Trains, spoils a shard once a step is done, and requires the clear end. Returns dataset, shard, message and what
        `spoil` returned."""
        dataset, shard = self.copy(name, of)
        run = self.folder / f"run-{name}"
        command = [CONVOY, "train", self.job, "--train", dataset, "--threads", "1", "--out", run, "--quiet"]
        for key in sets:
            command += ["--set", key]
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(process.kill)
        metrics = run / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and '"event":"step"' in metrics.read_text()):
            time.sleep(0.01)
        self.assertIsNone(process.poll(), "the run ended before its shard could be spoilt")
        spoilt = spoil(shard)
        _, message = process.communicate(timeout=200)
        self.assertEqual(process.returncode, 1, message)
        self.assertEqual(message.count("convoy: "), 1, f"said once:\n{message}")
        for piece in (str(shard), "at offset", f"convoy verify {dataset}"):
            self.assertIn(piece, message)
        self.assertNotIn('"status": "completed"', (run / "result.json").read_text() if (run / "result.json").exists() else "")
        return dataset, shard, message, spoilt

    def verify_says(self, dataset, *pieces):
        code, out, _ = convoy("verify", dataset, "--quiet")
        self.assertEqual(code, 1)
        for piece in pieces:
            self.assertIn(str(piece), out)
        return out

    def verify_names_the_record(self, dataset, shard, message, at):
        """The one bad record is that in which byte `at` lies, and training named it by the same number, name and offset."""
        out = self.verify_says(dataset, f"{dataset}: 1 of ")
        found = re.search(rf"{shard}: record (\d+) \((\S+), (\d+) bytes at offset (\d+)\) has changed bytes", out)
        self.assertIsNotNone(found, out)
        record, image, size, offset = found[1], found[2], int(found[3]), int(found[4])
        self.assertTrue(offset <= at < offset + size, (offset, at, size))
        self.assertIn(f"{shard}, record {record} ({image}) at offset {offset}: its bytes are not those that were packed", message)
        return image, shard.read_bytes()[offset:offset + size]

    def test_a_changed_byte(self):
        dataset, shard = self.copy("flipped")
        at = flip(shard)
        for ranks in (0, 2):
            message = self.train_on(dataset, f"run-flipped-{ranks}", [shard, "record", "convoy verify"], ranks=ranks)
            self.assertNotIn("internal error", message)
        image, damaged = self.verify_names_the_record(dataset, shard, message, at)
        packed = (self.folder / "images/train" / image).read_bytes()  # the name is that of the image whose bytes these were
        self.assertEqual(sum(a != b for a, b in zip(packed, damaged, strict=True)), 1)

    def test_a_truncated_shard(self):
        dataset, shard = self.copy("short")
        bytes_before = shard.stat().st_size
        cut(shard)
        self.train_on(dataset, "run-short", [shard, "truncated"])
        self.verify_says(dataset, f"{shard} is truncated: it has {bytes_before // 2} bytes of {bytes_before}")

    def test_a_shard_that_is_missing(self):
        dataset, shard = self.copy("missing")
        shard.unlink()
        self.train_on(dataset, "run-missing", [shard, "missing"])
        self.verify_says(dataset, f"{shard} is missing (16 records)")

    def damaged_in_every_way(self, of, name, records, *sets):
        """`records` are those of the shard that is spoilt."""
        dataset, shard, message, at = self.spoilt_during_the_run(f"{name}-flip", flip, *sets, of=of)
        self.verify_names_the_record(dataset, shard, message, at)
        dataset, shard, message, _ = self.spoilt_during_the_run(f"{name}-cut", cut, *sets, of=of)
        self.assertRegex(message, rf"{shard}, record \d+ \(\S+\.JPEG\) at offset \d+: .*truncated")
        out = self.verify_says(dataset, f"{shard} is truncated")
        if records > 1000:  # of a small shard HDF5 may put the index behind the images
            self.assertRegex(out, rf"{shard}: record \d+ \(\S+\.JPEG, .*\) lies behind the end of the truncated file")
        dataset, shard, message, _ = self.spoilt_during_the_run(f"{name}-gone", pathlib.Path.unlink, *sets, of=of)
        self.assertRegex(message, rf"{shard}, record \d+ \(.+\) at offset \d+: .*(removed while|No such file)")
        self.verify_says(dataset, f"{shard} is missing ({records} records)")

    def test_a_shard_spoilt_during_the_run(self):
        self.damaged_in_every_way(None, "small", 16, "train.epochs=1000000")

    def test_epochs_of_real_images_through_damage(self):
        real = os.environ.get("CONVOY_REAL_DATA")
        if not real:
            self.skipTest("tiny100 through damaged shards: CONVOY_REAL_DATA is not set")
        whole = self.folder / "tiny100"
        self.must("pack", f"{real}/tiny100/tiny100_img_train.tar", "--out", whole, "--quiet")
        # Two epochs: whatever the first had read before the damage, the second meets it.
        self.damaged_in_every_way(whole, "tiny100", 3000, "train.epochs=2", "minibatch.images=64", "network.input=32",
                                  "data.resize=36")


if __name__ == "__main__":
    unittest.main()
