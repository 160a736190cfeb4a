"""The plug-in that CUDA's compiler made: it loads, says what it was built with and for, and its errors come through the door. Skipped
where the build has none."""
import json
import unittest

import probe_test
from convoy_cli import BUILD, convoy

PLUGIN = BUILD / "lib/libconvoy_cudnn.so"


@unittest.skipUnless(PLUGIN.exists(), "the GPU backend WAS NOT COMPILED: this build found no CUDA with cuDNN (its configuration says what)")
class Plugin(probe_test.Host):
    def here(self, cuda):
        environment = self.host("libcuda.so.1", cuda=cuda, plugins="")
        environment["LD_LIBRARY_PATH"] = self.libraries["libcuda.so.1"]  # and this host's own cuDNN
        return environment

    def test_what_it_was_built_with(self):
        facts = json.loads(convoy("info", "--json", env=self.here("11080 0 90:0:0"))[1])
        plugin = facts["gpu"]["plugin"]
        self.assertEqual(plugin["file"], str(PLUGIN))
        self.assertNotIn("trouble", plugin)
        self.assertRegex(plugin["cuda"], r"^1[2-9]\.\d+$")
        self.assertRegex(plugin["cudnn"], r"^(8\.9|9\.\d+)\.\d+$")
        cache = (BUILD / "CMakeCache.txt").read_text().split("CONVOY_CUDA_ARCHITECTURES:STRING=", 1)[1].split("\n", 1)[0].split(";")
        capabilities = [f"{int(number) // 10}.{int(number) % 10}" for number in cache]
        self.assertEqual(plugin["code"], f"{', '.join(capabilities)} and, as PTX, {capabilities[-1]} and above")
        trouble = next(backend["trouble"] for backend in facts["backends"] if backend["name"] == "cudnn")
        self.assertIn(f"runs CUDA 11.8 and this plug-in was built with CUDA {plugin['cuda']}", trouble)

    def test_its_errors_come_through_the_door(self):
        """Where the driver lets the CUDA runtime down, here because it is none: one sentence, from info as from train."""
        host = self.here("13000 0 90:0:0")
        self.refused(1, "train", self.job, *self.sets, "--out", self.folder / "none", "--backend", "cudnn", says="the GPU cannot be opened",
                     env=host)
        self.assertIn("cudnn          not here: the GPU cannot be opened", self.must("info", env=host))
