"""Mistyped words, unknown keys, missing files: one sentence, the right exit code."""
import json
import unittest

from convoy_cli import ConvoyTest, ROOT, convoy


class Usage(ConvoyTest):
    def test_help_and_version(self):
        self.assertEqual(convoy("--help")[0], 0)
        self.assertIn("convoy ", convoy("--version")[1])
        for command in ("train", "evaluate", "pack", "verify", "synth", "plan", "info", "compare"):
            code, out, _ = convoy(command, "--help")
            self.assertEqual(code, 0)
            self.assertIn("--help", out)

    def test_without_a_command_shows_what_there_is(self):
        code, out, _ = convoy()
        self.assertEqual(code, 64)
        self.assertIn("convoy train", out)

    def test_misspelt_words_are_suggested(self):
        self.refused(64, "train", self.job, "--thread", "1", says=["--thread", "did you mean --threads?"])
        self.refused(64, "trian", self.job, says="did you mean train?")
        self.refused(64, "--verison", says="did you mean --version?")
        self.refused(64, "plan", self.job, "--raod=tree", says=["--raod is not a flag", "did you mean --road?"])
        self.refused(64, "plan", self.job, "--road", "tere", says=["--road", "did you mean tree?"])
        self.refused(64, "completion", "bahs", says="did you mean bash?")

    def test_misspelt_keys_are_suggested_in_full(self):
        for wrong, right in (("optimizer.momentm", "optimizer.momentum"), ("optmizer.momentum", "optimizer.momentum"),
                             ("trian.epochs", "train.epochs"), ("momentum", "optimizer.momentum"),
                             ("momentmu", "optimizer.momentum"), ("data.epochs", "train.epochs")):
            self.refused(64, "plan", self.job, "--set", f"{wrong}=0.5", says=f"unknown key {wrong}: did you mean {right}?")

    def test_what_resembles_nothing_is_not_suggested(self):
        for arguments in (("xyzzy",), ("plan", self.job, "--xyzzy"), ("plan", self.job, "--set", "xyzzy.frob=1"),
                          ("plan", self.job, "--set", "optimizer.xyzzy=1"), ("plan", self.job, "--road", "xyzzy")):
            self.assertNotIn("did you mean", self.refused(64, *arguments, says="xyzzy"))

    def test_unknown_backends_are_suggested(self):
        self.refused(64, "train", self.job, *self.sets, "--backend", "onednnn", says=["onednnn", "onednn"])

    def test_bf16_is_refused_where_the_cpu_would_have_to_emulate_it(self):
        self.refused(64, "train", self.job, *self.sets, "--set", "precision.activations=bf16", env={"ONEDNN_MAX_CPU_ISA": "AVX2"},
                     says=["AVX512-BF16", "precision.activations=f32"])

    def test_a_misspelt_key_names_file_and_line(self):
        job = self.folder / "misspelt.toml"
        job.write_text(self.job.read_text().replace("workers = 4", "workes = 4"))
        self.refused(64, "plan", job, says=["misspelt.toml:", "workes", "workers"])

    def test_a_key_that_nothing_reads_is_refused(self):
        job = self.folder / "unread.toml"
        job.write_text(self.job.read_text().replace('kind = "sgd"', 'kind = "sgd"\ntrust = 0.1'))
        self.refused(64, "plan", job, says=["unread.toml:", "trust"])

    def test_wrong_types_and_ranges(self):
        self.refused(64, "plan", self.job, "--set", 'minibatch.workers="many"', says="minibatch.workers")
        self.refused(64, "plan", self.job, "--set", "minibatch.images=0", says="minibatch.images")
        self.refused(64, "plan", self.job, "--set", "optimizer.momentum=1.5", says=["optimizer.momentum", "1.5"])

    def test_missing_files(self):
        self.refused(1, "plan", self.folder / "no.toml", says=["no.toml", "jobs/demo.toml"])
        self.refused(1, "train", self.job, "--train", self.folder / "nowhere", says="nowhere")
        self.refused(64, "train", self.job, says="--train")
        self.refused(1, "verify", self.folder / "nowhere", says="nowhere")
        self.refused(64, "compare", self.folder / "a", self.folder / "b", says=str(self.folder / "a"))

    def test_rank_counts_that_do_not_fit_say_which_would(self):
        self.refused(64, "train", self.job, *self.sets, "--oversubscribe", "--out", self.folder / "three", ranks=3,
                     says=["3", "1, 2, 4", "library"])

    def test_plan_shows_the_known_networks(self):
        out = self.must("plan", ROOT / "jobs/goyal-256.toml", "--ranks", 8, "--layers")
        for piece in ("25557032 parameters", "450410 steps", "4.09 G", "layer4.2.conv3", "bucket"):
            self.assertIn(piece, out)

    def test_plan_says_what_a_mix_of_ranks_would_gain(self):
        job = ROOT / "jobs/goyal-1hour.toml"  # 256 workers of 32
        mix = json.loads(self.must("plan", job, "--speeds", "4000,400,200", "--json"))["mix"]
        self.assertEqual(mix["workers"], [223, 22, 11])
        self.assertAlmostEqual(mix["step_s"], 223 * 32 / 4000)
        self.assertAlmostEqual(mix["step_s_even"], 86 * 32 / 200)
        self.assertAlmostEqual(mix["gain"], 256 / 223)
        self.assertIn("a gain of 14.8 %", self.must("plan", job, "--speeds", "4000,400,200"))
        self.assertIn("a loss of", self.must("plan", job, "--speeds", "4000,1"))
        self.refused(64, "plan", job, "--speeds", "4000,0", says="images a second are above 0")
        self.refused(64, "plan", job, "--speeds", ",".join(["1"] * 257), says="257 ranks for 256 runs")

    def test_info(self):
        out = self.must("info")
        for piece in ("oneDNN", "MPI", "HDF5", "cores"):
            self.assertIn(piece, out)


if __name__ == "__main__":
    unittest.main()
