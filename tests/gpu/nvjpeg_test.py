"""JPEGs decoded by nvJPEG, for which a stand-in makes pixels: what is asked of it, and what is said where it cannot be had."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from convoy_cli import BUILD, shared_library

PROGRAM = BUILD / "bin/test_nvjpeg"


class Nvjpeg(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        for folder, source in (("whole", "gpu/libnvjpeg.c"), ("other", "gpu/libnccl.c")):
            (cls.folder / folder).mkdir()
            shared_library(cls.folder, source).rename(cls.folder / folder / "libnvjpeg.so.13")
        (cls.folder / "none").mkdir()
        (cls.folder / "none/libnvjpeg.so.13").touch()  # hides the library that this host may have

    def run_with(self, library, planted="", in_hardware=3):
        environment = dict(os.environ, FAKE_NVJPEG=planted, LD_LIBRARY_PATH=str(self.folder / library))
        return subprocess.run([PROGRAM, str(in_hardware)], capture_output=True, text=True, env=environment, timeout=60)

    def test_it_decodes_in_hardware_or_by_kernels(self):
        for planted, in_hardware, text in (("", 3, "hardware"), ("kernels", 0, "kernels")):
            done = self.run_with("whole", planted, in_hardware)
            self.assertEqual((done.returncode, done.stdout), (0, f"nvJPEG 13.0.4 ({text}, chroma interpolated)\n"), done.stderr)

    def test_files_that_fail_together_are_tried_one_by_one(self):
        done = self.run_with("whole", "kernels together", 0)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_its_troubles_are_sentences_that_say_what_to_do(self):
        for planted, text in (("start", "nvJPEG cannot start: an internal error (status 8)"),
                              ("state", "nvJPEG cannot start: an internal error (status 8)"),
                              ("damaged", "nvJPEG cannot decode a JPEG of 7 x 2 pixels and 10 bytes: a damaged JPEG (status 3)")):
            done = self.run_with("whole", planted)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(text, done.stderr)
            self.assertIn("let the host decode (--device-input resize)", done.stderr)

    def test_a_library_that_is_not_there_or_another(self):
        self.assertIn("the GPU cannot decode JPEGs: ", self.run_with("none").stderr)
        self.assertIn("libnvjpeg.so.13 lacks functions that nvJPEG 12 has", self.run_with("other").stderr)
