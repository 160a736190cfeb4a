"""Every machine file's scripts, word for word, and under bash -n and shellcheck."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from convoy_cli import ROOT, TINY_JOB, convoy

GOLDEN = pathlib.Path(__file__).parent / "golden"
SEEDS = ["--seeds", "1-3", "--against", "runs/sgd"]
CHAIN = ["--pack", "images/train.tar", "--pack-held-out", "images/val.tar", "--labels", "devkit"]
# The golden file's name: the machine file, and flags.
CASES = {
    "slurm-cpu": ("slurm-cpu", ["--account", "proj12", "--partition", "long", *CHAIN, *SEEDS]),
    "slurm-cpu-plain": ("slurm-cpu", ["--nodes", "2", "--set", "optimizer.momentum=0.8", "--train-flag=--keep=5", "--road", "tree"]),
    "slurm-gpu": ("slurm-gpu", ["--nodes", "1"]),
    "slurm-knl": ("slurm-knl", ["--nodes", "8"]),
    "slurm-mixed": ("slurm-mixed", ["--road", "library", "--set", "minibatch.workers=64"]),
    "pbs-cpu": ("pbs-cpu", [*CHAIN, *SEEDS]),
    "pbs-cpu-plain": ("pbs-cpu", ["--account", "proj12", "--restarts", "0"]),
    "lsf-gpu": ("lsf-gpu", ["--nodes", "2", *CHAIN, *SEEDS]),
    "flux-cpu": ("flux-cpu", [*CHAIN, *SEEDS]),
    "flux-cpu-plain": ("flux-cpu", ["--restarts", "2"]),
    "local": ("local", ["--pack", "the images/train", "--pack-held-out", "the images/val", "--seeds", "1,5", "--compare"]),
}


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-launch-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        (cls.folder / "tiny.toml").write_text(TINY_JOB.replace("workers = 4", "workers = 8"))
        for name in ("set/train", "set/val"):
            (cls.folder / name).mkdir(parents=True)

        cls.launched = {}

    def launch(self, case):
        if case not in self.launched:
            self.launched[case] = self.written(case)
        return self.launched[case]

    def written(self, case):
        machine, flags = CASES[case]
        shutil.copy(ROOT / f"jobs/launch/machines/{machine}.toml", self.folder)
        arguments = ["tiny.toml", "--machine", f"{machine}.toml", "--train", "set/train", "--held-out", "set/val", *flags,
                     "--scripts", f"launch/{case}"]
        code, out, err = convoy("launch", *arguments, cwd=self.folder)
        self.assertEqual(code, 0, err)
        return arguments, sorted((self.folder / "launch" / case).iterdir())

    def test_every_machine_file_is_here(self):
        machines = {path.stem for path in (ROOT / "jobs/launch/machines").glob("*.toml")}
        self.assertEqual({machine for machine, _ in CASES.values()}, machines)
        self.assertEqual({path.stem for path in GOLDEN.glob("*.txt")}, set(CASES))

    def test_scripts_are_as_they_were_read(self):
        for case in CASES:
            with self.subTest(case):
                arguments, scripts = self.launch(case)
                text = "".join(f"===== {path.name}\n{path.read_text()}" for path in scripts).replace(str(self.folder), "/here")
                golden = GOLDEN / f"{case}.txt"
                if os.environ.get("CONVOY_WRITE_GOLDEN"):
                    golden.write_text(text)
                self.assertEqual(text, golden.read_text())
                before = sorted((self.folder / "launch").rglob("*"))
                code, out, _ = convoy("launch", *arguments, "--dry-run", cwd=self.folder)
                for path in scripts:  # the same but for the line that holds the command itself
                    lines = [line for line in path.read_text().splitlines() if not line.startswith("# ")]
                    self.assertEqual([line for line in lines if line not in out.splitlines()], [])
                self.assertEqual((code, sorted((self.folder / "launch").rglob("*"))), (0, before))

    def test_bash_reads_every_script(self):
        for case in CASES:
            for path in self.launch(case)[1]:
                done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), path)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not here: the scripts were not checked")
    def test_shellcheck_has_nothing_to_say(self):
        paths = [path for case in CASES for path in self.launch(case)[1]]
        done = subprocess.run(["shellcheck", "--shell=bash", *paths], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))


if __name__ == "__main__":
    unittest.main()
