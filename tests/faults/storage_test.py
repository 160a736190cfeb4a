"""Full disks, killed packers, sets that do not fit: nothing half-written in place of something whole."""
import signal
import struct
import subprocess
import time
import unittest
import zlib

from convoy_cli import CONVOY, ConvoyTest, convoy, shared_library


class Storage(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.preload = shared_library(cls.folder, "faults/full_disk.c")

    def full_disk(self, path, after):
        return {"LD_PRELOAD": str(self.preload), "CONVOY_DISK_PATH": str(path), "CONVOY_DISK_BYTES": str(after)}

    def test_pack_on_a_full_disk(self):
        out = self.folder / "full"
        self.refused(75, "pack", self.folder / "images/train", "--out", out, "--quiet", says=[str(out), "No space left"],
                     env=self.full_disk(out, 8000))
        self.assertFalse((out / "dataset.json").exists())
        self.assertEqual([p.name for p in out.glob("*.h5")], [], "no shard under its final name")
        self.must("pack", self.folder / "images/train", "--out", out, "--shards", 3, "--quiet")  # with space again
        self.same_files(out, self.folder / "set/train")

    def same_files(self, a, b):
        names = sorted(p.name for p in b.iterdir())
        self.assertEqual(sorted(p.name for p in a.iterdir()), names)
        for name in names:
            if name.endswith(".h5"):
                self.assertEqual((a / name).read_bytes(), (b / name).read_bytes(), name)

    def test_a_checkpoint_on_a_full_disk_keeps_the_one_before(self):
        straight = self.train("roomy")
        one = max(path.stat().st_size for path in (self.folder / "roomy/checkpoints").iterdir())
        run = self.folder / "cramped"
        code, _, err = convoy("train", self.job, *self.sets, "--out", run, "--checkpoint-steps", 1, "--keep", 100, "--quiet",
                              env=self.full_disk(run / "checkpoints", one * 5 // 2))
        self.assertEqual(code, 75, err)
        self.assertIn("No space left", err)
        self.assertIn("the run goes on, earlier checkpoints are whole", err)
        self.assertEqual((run / "metrics.jsonl").read_text().count('"event":"step"'), 6)
        kept = sorted((run / "checkpoints").glob("checkpoint-*.h5"))
        self.assertGreater(len(kept), 0, "the checkpoints from before the disk was full")
        self.must("train", "--resume", run, "--threads", 1, "--quiet")
        self.assertEqual(self.result("cramped")["numerics"]["final_weights_xxh3"],
                         straight["numerics"]["final_weights_xxh3"])

    def test_a_checkpoint_that_found_no_room_is_a_warning_where_a_later_one_does(self):
        run = self.folder / "tight"
        code, _, err = convoy("train", self.job, *self.sets, "--out", run, "--checkpoint-steps", 1, "--quiet",
                              env=self.full_disk("checkpoint-00000003", 0))
        self.assertEqual(code, 0, err)
        self.assertEqual(err.count("no checkpoint at step 3: "), 1, err)
        self.assertEqual(self.result("tight")["status"], "completed")

    def test_a_final_result_that_finds_no_room_is_75_and_written_on_resume(self):
        run = self.folder / "untold"
        self.refused(75, "train", self.job, *self.sets, "--out", run, "--quiet", says=["is not the final result", "--resume"],
                     env=self.full_disk(run / "result.json", 0))
        self.assertFalse((run / "result.json").exists())
        self.must("train", "--resume", run, "--threads", 1, "--quiet")
        self.assertEqual(self.result("untold")["status"], "completed")

    def test_no_memory_to_decode_an_image_is_75_and_no_fault_of_the_image(self):
        shared_library(self.folder, "faults/no_memory.c")
        side, images = 2000, self.folder / "large"
        def chunk(name, data):
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name in ("a", "b"):
            (images / name).mkdir(parents=True)
            rows = (b"\0" + bytes(3 * side)) * side
            (images / name / "black.png").write_bytes(
                b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
                chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))
        pack = ["pack", images, "--out", self.folder / "set/large", "--on-bad", "quarantine", "--quiet"]
        self.refused(75, *pack, says=["black.png", "no memory to decode it", "run it again"],
                     env={"LD_PRELOAD": str(self.folder / "no_memory.so"), "CONVOY_MEMORY_BYTES": str(8 << 20)})
        self.must(*pack)
        self.assertFalse((self.folder / "set/large/quarantine.tsv").exists())

    def killed_pack(self, name, per_class):
        """Kills a pack once its first shard is whole; the pack's arguments, and whether it was killed before its end."""
        self.must("synth", "--out", self.folder / f"{name}-images", "--classes", 4, "--train-per-class", per_class,
                  "--val-per-class", 1)
        pack = ["pack", self.folder / f"{name}-images/train", "--shards", 8, "--threads", 1, "--quiet"]
        process = subprocess.Popen([str(CONVOY), *map(str, pack), "--out", str(self.folder / name)])
        while process.poll() is None and not list((self.folder / name).glob("shard-*.h5")):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        return pack, process.wait() == -signal.SIGKILL and not (self.folder / name / "dataset.json").exists()

    def test_a_killed_pack_is_taken_up_again(self):
        for per_class in (400, 1600, 6400):
            name = f"big{per_class}"
            pack, killed = self.killed_pack(name, per_class)
            if killed:
                break
        self.assertTrue(killed, "every pack ended before it could be killed")
        self.must(*pack, "--out", self.folder / "straight")
        self.must(*pack, "--out", self.folder / name)
        self.same_files(self.folder / name, self.folder / "straight")

    def test_one_class_is_no_training_set(self):
        self.must("synth", "--out", self.folder / "two", "--classes", 2, "--train-per-class", 4, "--val-per-class", 2)
        only = next((self.folder / "two/train").iterdir())
        lonely = self.folder / "lonely"
        lonely.mkdir()
        only.rename(lonely / only.name)
        out = self.folder / "set/lonely"
        self.refused(1, "pack", lonely, "--out", out, "--quiet", says=[str(lonely), "one class only", only.name])
        self.assertFalse((out / "dataset.json").exists())

    def test_a_held_out_set_of_other_classes(self):
        self.must("synth", "--out", self.folder / "other", "--classes", 5, "--train-per-class", 2, "--val-per-class", 2)
        self.must("pack", self.folder / "other/val", "--out", self.folder / "set/other", "--quiet")
        self.refused(1, "train", self.job, "--train", self.folder / "set/train", "--held-out", self.folder / "set/other", "--out",
                     self.folder / "run-other", says=["class", "--classes"])

    def test_an_image_that_is_none(self):
        images = self.folder / "spoilt"
        self.must("synth", "--out", images, "--classes", 2, "--train-per-class", 8, "--val-per-class", 2)
        bad = sorted((images / "train").rglob("*.JPEG"))[3]
        bad.write_text("<html>404 not found</html>")
        self.refused(1, "pack", images / "train", "--out", self.folder / "set/spoilt", "--quiet", says=[bad.name])
        self.assertFalse((self.folder / "set/spoilt/dataset.json").exists())
        out = self.must("pack", images / "train", "--out", self.folder / "set/spoilt", "--on-bad", "quarantine", "--quiet")
        self.assertIn(bad.name, out)
        self.assertIn(bad.name, (self.folder / "set/spoilt/quarantine.tsv").read_text())


if __name__ == "__main__":
    unittest.main()
