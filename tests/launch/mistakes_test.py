"""Every mistake in a machine file or on the command line is one sentence that names it, exit code 64, and nothing is written."""
import unittest

from convoy_cli import ROOT, ConvoyTest

GOOD = (ROOT / "jobs/launch/machines/slurm-cpu.toml").read_text()
# (a line of the file, what stands there instead, pieces of the sentence)
FILE = [
    ('scheduler = "slurm"', 'scheduler = "slrum"', ["machine.toml:4", "did you mean \"slurm\"?"]),
    ('scheduler = "slurm"', "", ["scheduler is missing"]),
    ("nodes = 4", "nodes = 0", ["node.nodes", "at least 1"]),
    ("nodes = 4", "", ["node.nodes is missing", "--nodes"]),
    ("cores = 48 ", "cores = 1 ", ["2 ranks do not fit the 1 cores"]),
    ("cores = 48 ", "", ["node.cores is missing"]),
    ("ranks = 2 ", "rank = 2 ", ["unknown key node.rank, did you mean node.ranks?"]),
    ("ranks = 2 ", "ranks = 3 ", ["12 ranks", "start 1, 2, 4"]),
    ("ranks = 2 ", "ranks = 2.5 ", ["node.ranks must be a whole number"]),
    ("spare_cores = 1", "spare_cores = 24", ["24 cores a rank 24 are spare"]),
    ("spare_cores = 1", "gpus = 3", ["3 GPUs", "2 ranks"]),
    ("spare_cores = 1", 'mcdram = "flt"', ["node.mcdram", "did you mean \"flat\"?"]),
    ("spare_cores = 1", 'numa_mode = "quad"', ["without node.mcdram"]),
    ("spare_cores = 1", 'partition = "a b"', ["node.partition", "a space"]),
    ("spare_cores = 1", 'mcdram = "flat"\nnuma_mode = "snc4"', ["snc4", "quad"]),
    ('scheduler = "slurm"', 'scheduler = "pbs"', ["mpi.launcher"]),
    ('account = ""', 'account = "a\\nb"', ["job.account must be one line"]),
    ('wall_time = "24:00:00"', 'wall_time = "24h"', ["job.wall_time", "HH:MM:SS"]),
    ('wall_time = "24:00:00"', "", ["job.wall_time is missing", "--wall-time"]),
    ('stop_before = "00:10:00"', "", ["job.stop_before is missing", "--stop-before"]),
    ('stop_before = "00:10:00"', 'stop_before = "24:00:00"', ["leaves no time to train"]),
    ('stop_before = "00:10:00"', 'stop_before = "20:00:00"', ["65535"]),
    ('launcher = "srun"', 'launcher = "jsrun"', ["jsrun", "lsf alone", "slurm"]),
    ('options = ["--exclusive"]', 'options = "--exclusive"', ["job.options must be a list"]),
    ('OMP_WAIT_POLICY = "active"', '"A B" = "active"', ["A B", "environment variable"]),
    ("[compare]", "[compar]", ["unknown key compar, did you mean compare?"]),
    ("[pack]", "[pack", ["machine.toml:"]),
    ("[compare]", "[[also]]\nnodes = 2\ncores = 4\nranks = 3\n[compare]", ["14 ranks"]),
]
FLAGS = [
    (["--nodes", "2000000000"], ["--nodes"]),
    (["--nodes", "3"], ["6 ranks", "start 1, 2, 4"]),
    (["--seeds", "3-1"], ["--seeds 3-1"]),
    (["--seeds", "1,x"], ["--seeds 1,x"]),
    (["--seeds", "1,1"], ["twice"]),
    (["--compare"], ["--compare needs something"]),
    (["--name", "a b"], ["the name \"a b\""]),
    (["--scripts", "100%"], ["a % in"]),
    (["--train", "nowhere"], ["there is no packed set nowhere", "--train"]),
    (["--machine", "nowhere.toml"], ["no machine file nowhere.toml"]),
    (["--road", "tre"], ["did you mean tree?"]),
    (["--set", "train.epoch=3"], ["unknown key train.epoch"]),
    (["--wall-time", "1d"], ["HH:MM:SS"]),
    (["--submit", "--dry-run"], ["--dry-run"]),
]


class Mistakes(ConvoyTest):
    def setUp(self):
        self.machine = self.folder / "machine.toml"
        self.machine.write_text(GOOD)
        self.job.write_text(self.job.read_text().replace("workers = 4", "workers = 8"))

    def one_sentence(self, pieces, *flags):
        arguments = ["launch", self.job, *self.sets[:4]]
        if "--machine" not in flags:
            arguments += ["--machine", self.machine]
        if "--train" in flags:
            arguments = [word for word in arguments if word not in self.sets[:2]]
        message = self.refused(64, *arguments, *flags, says=pieces, cwd=self.folder)
        self.assertEqual(len(message.strip().splitlines()), 1, message)
        self.assertFalse((self.folder / "launch").exists())

    def test_in_the_machine_file(self):
        for line, instead, pieces in FILE:
            with self.subTest(instead or f"no {line}"):
                self.assertIn(line, GOOD)
                self.machine.write_text(GOOD.replace(line, instead))
                self.one_sentence(pieces)

    def test_on_the_command_line(self):
        for flags, pieces in FLAGS:
            with self.subTest(flags):
                self.one_sentence(pieces, *flags)

    def test_scripts_are_not_written_over_unasked(self):
        flags = ["launch", self.job, *self.sets[:4], "--machine", self.machine, "--scripts", "here"]
        self.must(*flags, cwd=self.folder)
        text = (self.folder / "here/train.sh").read_text()
        self.refused(64, *flags, "--nodes", 1, says=["train.sh is there already", "--replace"], cwd=self.folder)
        self.assertEqual((self.folder / "here/train.sh").read_text(), text)
        self.must(*flags, "--nodes", 1, "--replace", cwd=self.folder)
        self.assertNotEqual((self.folder / "here/train.sh").read_text(), text)


if __name__ == "__main__":
    unittest.main()
