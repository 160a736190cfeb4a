"""Datasets copied to a node's own storage: whole, checked, and again only what is missing."""
import json
import os
import shutil
import unittest

from convoy_cli import ConvoyTest, convoy


class Stage(ConvoyTest):
    def stage(self, to, *more, **options):
        return json.loads(self.must("stage", self.folder / "set/train", "--to", to, "--json", *more, **options).splitlines()[0])

    def test_what_is_staged_is_the_dataset_and_trains_to_the_same_bits(self):
        to = self.folder / "local"
        report = self.stage(to, ranks=3)
        self.assertEqual((report["nodes"], report["shards"], report["copied"], report["kept"]), (1, 3, 3, 0))
        names = sorted(path.name for path in (to / "train").iterdir())
        self.assertEqual(names, sorted(path.name for path in (self.folder / "set/train").iterdir()))
        for name in names:
            self.assertEqual((to / "train" / name).read_bytes(), (self.folder / "set/train" / name).read_bytes(), name)
        here = self.train("here")
        self.must("train", self.job, "--train", to / "train", *self.sets[2:], "--out", self.folder / "there", "--quiet")
        there = self.result("there")
        self.assertEqual(here["numerics"]["final_weights_xxh3"], there["numerics"]["final_weights_xxh3"])
        self.assertEqual(here["experiment"]["hash"], there["experiment"]["hash"])

    def test_again_it_copies_what_is_missing_or_damaged(self):
        to = self.folder / "again"
        self.stage(to)
        shards = sorted((to / "train").glob("*.h5"))
        shards[0].unlink()
        with shards[1].open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            last = file.read(1)
            file.seek(-1, os.SEEK_END)
            file.write(bytes([last[0] ^ 1]))
        report = self.stage(to, ranks=2)
        self.assertEqual((report["copied"], report["kept"]), (2, 1))
        self.assertIn("every byte as packed", self.must("verify", to / "train"))

    def test_a_damaged_source_is_said_and_leaves_no_dataset(self):
        damaged = self.folder / "damaged/train"
        shutil.copytree(self.folder / "set/train", damaged)
        shard = sorted(damaged.glob("*.h5"))[1]
        shard.write_bytes(shard.read_bytes()[:-1] + b"?")
        self.refused(1, "stage", damaged, "--to", self.folder / "bad", says=[shard.name, "is not as it was packed", "convoy verify"])
        left = {path.name for path in (self.folder / "bad/train").iterdir()}
        self.assertFalse({name for name in left if name.startswith(shard.name) or name == "dataset.json"}, left)

    def test_mistakes(self):
        self.refused(64, "stage", self.folder / "set/train", "--to", self.folder / "set", says="is the dataset itself")
        self.refused(1, "stage", self.folder / "images", "--to", self.folder / "no", says="dataset.json")
        other = self.folder / "other/train"
        self.must("pack", self.folder / "images/train", "--out", other, "--seed", 7, "--quiet")
        self.stage(self.folder / "taken")
        self.refused(64, "stage", other, "--to", self.folder / "taken", says="holds another dataset")

    def test_a_full_disk(self):
        full = self.folder / "full"
        full.mkdir()
        if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=16k none {full} 2>/dev/null") != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(os.system, f"umount {full}")
        self.refused(75, "stage", self.folder / "set/train", "--to", full, says=["are to be copied there", "stage elsewhere"])


if __name__ == "__main__":
    unittest.main()
