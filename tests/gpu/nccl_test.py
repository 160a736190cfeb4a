"""The sum of gradients by NCCL, for which a stand-in adds up on the host: what it gives, and what is said where it cannot be used."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from convoy_cli import BUILD, mpirun, shared_library

PROGRAM = BUILD / "bin/test_nccl"


@unittest.skipUnless(PROGRAM.exists(), "sums by NCCL WERE NOT COMPILED: this build found no CUDA with nccl.h")
class Nccl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        shared_library(cls.folder, "gpu/libnccl.c").rename(cls.folder / "libnccl.so.2")
        (cls.folder / "none").mkdir()
        (cls.folder / "none/libnccl.so.2").touch()  # hides the library that this host may have

    def run_on(self, ranks, mode, planted="", library=True):
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", FAKE_NCCL=planted)
        environment["LD_LIBRARY_PATH"] = str(self.folder if library else self.folder / "none")
        return subprocess.run([*mpirun(ranks), PROGRAM, mode], capture_output=True, text=True, env=environment, timeout=120)

    def says(self, text, *arguments, **more):
        done = self.run_on(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(text, done.stdout)

    def test_sums(self):
        for ranks in (1, 2, 3):
            self.says("gradients are summed by NCCL 2.28.9; ", ranks, "sums")

    def test_two_ranks_on_one_gpu(self):
        self.says("gradients are summed by the MPI library in page-locked memory: ranks 0 and 1 share a GPU (", 3, "shared-gpu")

    def test_no_library(self):
        self.says("gradients are summed by the MPI library in page-locked memory: rank 0 has no NCCL (", 2, "missing", library=False)

    def test_its_errors(self):
        for planted, text in (("init", "NCCL cannot connect the ranks"), ("sum", "NCCL cannot start a sum"),
                              ("later", "NCCL cannot finish a sum")):
            done = self.run_on(2, "fails", planted)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(f"{text}: internal error of the fake (NCCL_DEBUG=INFO says more)", done.stderr)
