"""What convoy says of a host's driver, GPUs, cuDNN and plug-in, and whether it then trains: libcuda.so.1, libcudnn.so.N and the
plug-in itself are stand-ins, through which every sentence is provoked."""
import json
import os

from convoy_cli import BUILD, ConvoyTest, convoy, shared_library

DRIVER_13 = "13000 0 90:0:0"


class Host(ConvoyTest):
    """A host that has what a test says."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.libraries = {}
        for name, source in (("libcuda.so.1", "gpu/libcuda.c"), ("libcudnn.so.9", "gpu/libcudnn.c"), ("libcudnn.so.8", "gpu/libcudnn.c")):
            folder = cls.folder / name
            folder.mkdir()
            shared_library(folder, source).rename(folder / name)
            cls.libraries[name] = str(folder)
        cls.none = cls.folder / "none-of-them"  # hides what this host has itself: the loader takes these for broken
        cls.none.mkdir()
        for name in ("libcudnn.so.8", "libcudnn.so.9", "libcudnn.so.10"):
            (cls.none / name).touch()

    def host(self, *libraries, cuda=DRIVER_13, cudnn="91900", plugin="", plugins=BUILD / "fake_plugin"):
        """The environment of a host that has these."""
        path = [*(self.libraries[name] for name in libraries), str(self.none), os.environ.get("LD_LIBRARY_PATH", "")]
        return {"LD_LIBRARY_PATH": ":".join(filter(None, path)), "FAKE_CUDA": cuda, "FAKE_CUDNN": cudnn, "FAKE_PLUGIN": plugin,
                "CONVOY_PLUGINS": str(plugins), "CUDA_VISIBLE_DEVICES": ""}

    def complete(self, **more):
        return self.host("libcuda.so.1", "libcudnn.so.9", **more)


class Probe(Host):
    def trouble(self, environment):
        """The one sentence, which info and train must both say."""
        code, out, err = convoy("info", "--json", env=environment)
        self.assertEqual(code, 0, err)
        facts = json.loads(out)
        said = {backend.get("trouble") for backend in facts["backends"] if backend["name"].endswith("cudnn")}
        self.assertEqual(len(said), 1)
        sentence = said.pop()
        if sentence:
            text = self.refused(1, "train", self.job, *self.sets, "--out", self.folder / "none", "--backend", "cudnn", env=environment)
            self.assertIn("the backend cudnn cannot be used: " + sentence, text)
            self.assertFalse((self.folder / "none").exists())
        return sentence

    def says(self, environment, *pieces):
        sentence = self.trouble(environment)
        self.assertIsNotNone(sentence, "nothing was wrong")
        for piece in pieces:
            self.assertIn(piece, sentence)
        self.assertNotIn("\n", sentence)

    def test_no_driver(self):
        if os.path.exists("/proc/driver/nvidia/version"):
            self.skipTest("this host has a driver")
        self.says(self.host(), "no NVIDIA driver", "libcuda.so.1", "--backend onednn")

    def test_driver_older_than_the_toolkit(self):
        self.says(self.complete(cuda="12020 0 90:0:0"), "runs CUDA 12.2", "built with CUDA 13.0", "install driver 580",
                  "build convoy with CUDA 12")
        self.assertIsNone(self.trouble(self.complete(cuda="12020 0 90:0:0", plugin="toolkit=12090")))  # NVIDIA's promise within 12

    def test_no_device(self):
        self.says(self.complete(cuda="13000 100"), "CUDA 13.0", "no GPU", "CUDA_VISIBLE_DEVICES")
        self.says(self.complete(cuda="13000 0"), "no GPU")
        self.says(self.complete(cuda="13000 999 90:0:0"), "cuInit says CUDA_ERROR_UNKNOWN")
        self.says(self.complete(cuda="13000 34"), "stub", "LD_LIBRARY_PATH")

    def test_compute_capability(self):
        self.says(self.complete(cuda="13000 0 61:0:0"), "capability 6.1", "code for 8.0, 9.0 and, as PTX, 9.0 and above",
                  "-DCONVOY_CUDA_ARCHITECTURES=61")
        self.says(self.complete(cuda="13000 0 120:0:0", plugin="ptx=0"), "capability 12.0", "code for 8.0, 9.0:")
        self.says(self.complete(cuda="12020 0 120:0:0", plugin="toolkit=12090"), "translate PTX of CUDA 12.9", "CUDA 12.2")
        for capability in ("80", "86", "90", "120"):  # by machine code, or by PTX
            self.assertIsNone(self.trouble(self.complete(cuda=f"13000 0 {capability}:0:0")))

    def test_cudnn(self):
        self.says(self.host("libcuda.so.1"), "no cuDNN", "libcudnn.so.9", "version 9.19.0")
        self.says(self.host("libcuda.so.1", "libcudnn.so.8", cudnn="8907"), "cuDNN 8.9.7", "built with cuDNN 9.19.0", "libcudnn.so.8")
        self.says(self.complete(cudnn="100000"), "cuDNN 10.0.0", "built with cuDNN 9.19.0")
        self.assertIsNone(self.trouble(self.complete(cudnn="90100")))  # of the same major version

    def test_taken(self):
        self.says(self.complete(cuda="13000 0 90:3:1"), "GPU 0 (Fake GPU of capability 90, 0000:1B:00.0)", "exclusive mode",
                  "another process has it")
        self.says(self.complete(cuda="13000 0 90:2:0"), "closed to computing", "nvidia-smi -c DEFAULT")
        self.assertIsNone(self.trouble(self.complete(cuda="13000 0 90:3:0")))  # exclusive, and free

    def test_plugin_missing_broken_or_of_another_build(self):
        empty = self.folder / "empty"
        empty.mkdir()
        if not (BUILD / "lib/libconvoy_cudnn.so").exists():
            self.says(self.complete(plugins=empty), "no cuDNN plug-in", "libconvoy_cudnn.so", "CONVOY_PLUGINS")
        broken = self.folder / "broken"
        broken.mkdir()
        (broken / "libconvoy_cudnn.so").write_text("no library")
        self.says(self.complete(plugins=broken), "cannot be loaded", str(broken))
        other = self.folder / "other"
        other.mkdir()
        (other / "libconvoy_cudnn.so").write_bytes((self.folder / "libcudnn.so.9/libcudnn.so.9").read_bytes())
        self.says(self.complete(plugins=other), "another build", "it has no convoy_cudnn_plugin")
        self.says(self.complete(plugin="commit=0123abc"), "another build (0123abc)", "build both together")
        self.says(self.complete(plugin="abi=7"), "another build (interface 7 instead of 2)")

    def test_info(self):
        host = self.complete(cuda="13010 0 90:0:0 61:0:0")
        text = self.must("info", env=host)
        for line in ("GPU       Fake GPU of capability 90, 80.0 GiB, compute capability 9.0, 0000:1B:00.0", "driver    CUDA 13.1",
                     "GPU       Fake GPU of capability 61, 81.0 GiB, compute capability 6.1, 0000:1C:00.0", "cuDNN     9.19.0",
                     "libconvoy_cudnn.so: CUDA 13.0, cuDNN 9.19.0, code for 8.0, 9.0 and, as PTX, 9.0 and above"):
            self.assertIn(line, text)
        self.assertIn("not here: GPU 0 (Fake", self.must("info", env=self.complete(cuda="13010 0 61:0:0")))
        cards = json.loads(convoy("info", "--json", env=host)[1])["gpu"]["gpus"]
        self.assertEqual(cards[0]["trouble"], "")
        self.assertIn("capability 6.1", cards[1]["trouble"])

    def test_trains_through_the_plugin(self):
        """The stand-in's arithmetic is the reference's: the same bits must come through the door."""
        here = self.train("reference", "--backend", "reference", "--stop-after", 2, code=85)
        there = self.train("plugin", "--backend", "cudnn", "--stop-after", 2, code=85, env=self.complete())
        self.assertEqual(here, there)

    def train(self, name, *more, code, env=None):
        got, _, err = convoy("train", self.job, *self.sets, "--out", self.folder / name, "--quiet", *more, env=env or {})
        self.assertEqual(got, code, err)
        lines = (self.folder / name / "metrics.jsonl").read_text().splitlines()
        return [line["loss"] for line in map(json.loads, lines) if line["event"] == "step"]

    def test_ranks_share_out_the_gpus(self):
        """One GPU of two is fit: the rank whose turn it is on the other says so, by its number."""
        code, _, err = convoy("train", self.job, *self.sets, "--out", self.folder / "shared", "--quiet", "--oversubscribe",
                              "--backend", "onednn,cudnn,cudnn,onednn", ranks=4, env=self.complete(cuda="13000 0 90:0:0 61:0:0"))
        self.assertEqual(code, 1, err)
        self.assertIn("rank 2 of 4", err)
        self.assertIn("GPU 1 (Fake GPU of capability 61", err)

    def test_errors_cross_the_door(self):
        """Sentence and exit code of convoy::Error; what is no Error of ours ends as such, not as a crash."""
        train = ("train", self.job, *self.sets, "--out", self.folder / "fails", "--backend", "cudnn")
        self.refused(75, *train, says="GPU 0 fell off the bus", env=self.complete(plugin="fails=yes"))
        code, _, err = convoy(*train, env=self.complete(plugin="fails=foreign"))
        self.assertEqual(code, 1)
        self.assertIn("of a library", err)

    def test_unknown_backends(self):
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "none", "--backend", "cuddn",
                     says=('perhaps you mean "cudnn"', "reference, onednn, fused, fused-mainloop, cudnn, cudnn-mainloop, check:onednn, check:fused, check:cudnn"))
