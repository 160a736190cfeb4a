"""At the prompt: the help, the man page and the shells' completion hold every flag of every command; nothing is coloured
for a pipe; a dry run writes nothing; --json is JSON and says what the text says."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

from convoy_cli import CONVOY, ConvoyTest, ROOT, convoy

# Named in the source, whatever the program says of itself.
COMMANDS = re.findall(r"void add_(\w+)\(CLI::App& app, Context", (ROOT / "src/cli/commands.h").read_text())
WRITTEN_FLAGS = {flag for source in (ROOT / "src/cli").glob("*.cpp")
                 for flag in re.findall(r'add_(?:option|flag)\(\s*"(--[a-z0-9-]+)"', source.read_text())}


def output(*arguments, **more):
    code, out, err = convoy(*arguments, **more)
    if code != 0:
        raise AssertionError(f"convoy {arguments} ended with {code}\n{out}\n{err}")
    return out


def flags_in_help(command):
    return set(re.findall(r"^  (?:-h, )?(--[a-z0-9-]+)", output(command, "--help"), re.M))


def complete(line, folder=None):
    """What bash offers at the end of `line`, with the words that it has split at spaces, = and :."""
    words = []
    for word in line.split(" "):
        words += [piece for piece in re.split(r"([=:]+)", word) if piece] or [""]
        if word[-1:] in ("=", ":"):
            words.append("")
    script = output("completion", "bash") + """
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _convoy; printf '%s\\n' "${COMPREPLY[@]}"
"""
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", *words], capture_output=True, text=True, cwd=folder)
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.stdout.split()


class Words(unittest.TestCase):
    def test_every_command_is_in_the_overview(self):
        overview = output("--help")
        for command in COMMANDS:
            self.assertRegex(overview, rf"(?m)^  {command} ")

    def test_help_shows_an_example_first(self):
        for command in COMMANDS:
            lines = output(command, "--help").splitlines()
            usage = lines.index("Usage:")
            self.assertNotIn("convoy", lines[0][:6])
            self.assertEqual(lines[1], "", command)
            self.assertTrue(any(f"convoy {command}" in line for line in lines[2:usage]), f"{command}: no example\n{lines}")
            self.assertTrue(all(line.startswith("  ") for line in lines[2:usage - 1]), command)

    def test_every_flag_is_in_help_man_page_and_completion(self):
        manual = output("man").replace("\\-", "-")
        found = set()
        for command in COMMANDS:
            flags = flags_in_help(command)
            self.assertIn("--help", flags)
            section = manual.split(f".SS convoy {command}\n", 1)[1].split("\n.S", 1)[0]
            self.assertEqual(flags, set(re.findall(r"(?m)^\\fB(?:-h, )?(--[a-z0-9-]+)", section)), command)
            offered = {word for word in complete(f"convoy {command} --") if word.startswith("--")}
            self.assertEqual(flags, offered, command)
            zsh = output("completion", "zsh").split(f"\n        {command})\n", 1)[1].split(";;", 1)[0]
            self.assertEqual(flags, set(re.findall(r"(?m)^\s+'\*?(--[a-z0-9-]+)\[", zsh)), command)
            found |= flags
        self.assertLessEqual({"--set", "--json", "--dry-run"}, WRITTEN_FLAGS)
        self.assertEqual(WRITTEN_FLAGS, found - {"--help"})

    def test_every_key_is_in_man_page_and_completion(self):
        resolved = (ROOT / "src/train/experiment_fields.cpp").read_text()
        keys = {".".join(pair) for pair in re.findall(r'visit\(\{"(\w+)",\s*"(\w+)",', resolved)}
        keys |= {".".join(pair) for pair in re.findall(r'\.section = "(\w+)",\s*\.key = "(\w+)"', resolved)}
        self.assertIn("network.bn_group", keys)
        self.assertEqual(keys, set(re.findall(r"(?m)^\\fB(\w+\.\w+)\\fR$", output("man"))))
        self.assertEqual(keys, {word.rstrip("=") for word in complete("convoy train --set ")})

    def test_completion_offers_commands_choices_and_keys(self):
        self.assertEqual(set(complete("convoy ")), set(COMMANDS))
        self.assertEqual(complete("convoy ev"), ["evaluate"])
        self.assertEqual(complete("convoy train --road "), ["tree", "library"])
        self.assertEqual(complete("convoy train job.toml --quiet --road=t"), ["tree"])
        self.assertEqual(complete("convoy train --backend check:o"), ["onednn"])
        self.assertEqual(complete("convoy plan x.toml --set optimizer.ki"), ["optimizer.kind="])
        self.assertEqual(complete("convoy plan --set optimizer.kind="), ["sgd", "lars", "rmsprop-warmup"])
        self.assertEqual(complete("convoy plan --set=network.zero_gamma=t"), ["true"])
        self.assertEqual(complete("convoy train --threads "), [])
        self.assertEqual(complete("convoy completion z"), ["zsh"])
        self.assertIn("--json", complete("convoy info "))

    def test_completion_offers_the_files_that_fit(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one.toml", "two.svg"):
                (pathlib.Path(folder) / name).touch()
            (pathlib.Path(folder) / "runs").mkdir()
            self.assertEqual(set(complete("convoy plan ", folder)), {"one.toml", "runs"})
            self.assertEqual(complete("convoy evaluate ", folder), ["runs"])
            self.assertEqual(complete("convoy train --quiet --out r", folder), ["runs"])
            self.assertEqual(set(complete("convoy plan --picture=", folder)), {"one.toml", "two.svg", "runs"})

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not here: its completion was not run")
    def test_zsh_reads_its_completion(self):
        with tempfile.NamedTemporaryFile("w", suffix=".zsh") as script:
            script.write(output("completion", "zsh"))
            script.flush()
            done = subprocess.run(["zsh", "-n", script.name], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            load = f"autoload -U compinit; compinit -D -u; source {script.name}; print $_comps[convoy]"
            done = subprocess.run(["zsh", "-f", "-c", load], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "_convoy\n", ""))

    @unittest.skipUnless(shutil.which("groff") or shutil.which("mandoc"), "neither groff nor mandoc is here: the man page was not checked")
    def test_the_manual_page_is_sound(self):
        check = ["groff", "-man", "-ww", "-z", "-Tutf8"] if shutil.which("groff") else ["mandoc", "-Tlint", "-Wwarning"]
        done = subprocess.run(check, input=output("man"), capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_every_level_has_its_counterpart(self):
        for command in COMMANDS:
            flags = flags_in_help(command)
            self.assertEqual("--quiet" in flags, "--verbose" in flags, command)
        code, _, err = convoy("synth", "--out", "nowhere", "--quiet", "--verbose")
        self.assertEqual(code, 64, err)


class Colour(unittest.TestCase):
    def seen(self, *arguments, **variables):
        """What a terminal gets of standard output and error."""
        keeper, end = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        done = subprocess.run([str(CONVOY), *arguments], stdout=end, stderr=end, stdin=subprocess.DEVNULL,
                              env={**environment, "TERM": "xterm", **variables})
        os.close(end)
        text = b""
        try:
            while piece := os.read(keeper, 65536):
                text += piece
        except OSError:  # Linux ends a terminal without holders so
            pass
        os.close(keeper)
        return done.returncode, text.decode()

    def test_only_on_a_terminal_and_without_no_color(self):
        for arguments, code in ((["trian"], 64), (["train", "--help"], 0)):
            plain = "".join(convoy(*arguments)[1:])
            self.assertNotIn("\x1b", plain)
            got, text = self.seen(*arguments)
            self.assertEqual(got, code)
            self.assertIn("\x1b[", text)
            self.assertEqual(re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\r\n", "\n"), plain)
            for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
                self.assertNotIn("\x1b", self.seen(*arguments, **variables)[1])
            self.assertIn("\x1b", self.seen(*arguments, NO_COLOR="")[1])


class Output(ConvoyTest):
    def tree(self):
        return sorted(str(path) for path in self.folder.rglob("*"))

    def nothing_written(self, *arguments, says=(), **more):
        before = self.tree()
        out = output(*arguments, cwd=self.folder, **more)
        self.assertEqual(before, self.tree())
        for piece in says:
            self.assertIn(piece, out)
        return out

    def test_a_dry_run_says_what_it_would_do_and_writes_nothing(self):
        self.nothing_written("synth", "--out", "other", "--dry-run", says=["would make other: 10 classes", "4000 training"])
        source = self.folder / "images/train"
        self.nothing_written("pack", source, "--out", "other", "--dry-run", "--shards", 3,
                             says=["48 images of 3 classes (16 to 16 each)", "3 shards", "nothing is written"])
        train = ("train", self.job, *self.sets, "--dry-run")
        self.nothing_written(*train, says=["6 steps of 16 images", "1 rank", "runs/<time>_tiny"])
        self.nothing_written(*train, "--out", "other", "--oversubscribe", ranks=2, says=["2 ranks", "other"])
        facts = json.loads(self.nothing_written(*train, "--json"))
        self.assertEqual((facts["steps"], facts["images_per_step"], facts["ranks"], facts["dry_run"]), (6, 16, 1, True))

    def test_a_dry_run_refuses_what_the_run_would_refuse(self):
        self.refused(1, "synth", "--out", self.folder / "images", "--dry-run", says="not empty")
        self.refused(1, "pack", self.folder / "images/val", "--out", self.folder / "set/train", "--dry-run", says="another dataset")
        self.refused(64, "train", self.job, *self.sets, "--out", self.folder / "set", "--dry-run", says="not empty")
        self.refused(64, "train", self.job, *self.sets, "--dry-run", "--set", "optimizer.momentum=2", says="momentum")

    def test_train_s_summary_is_its_result(self):
        code, out, err = convoy("train", self.job, *self.sets, "--out", self.folder / "a", "--json", "--quiet")
        self.assertEqual((code, err, len(out.splitlines())), (0, "", 1))
        summary = json.loads(out)
        result = self.result("a")
        self.assertEqual(summary["weights_xxh3"], result["numerics"]["final_weights_xxh3"])
        self.assertEqual(summary["held_out"]["correct1"], result["epochs"][-1]["correct1"])
        self.assertEqual((summary["steps"], summary["exit_code"]), (6, 0))
        self.assertEqual(pathlib.Path(summary["result"]), self.folder / "a/result.json")
        self.nothing_written("train", "--resume", self.folder / "a", *self.sets, "--dry-run", says=["go on at step 6 of"])
        evaluated = json.loads(output("evaluate", self.folder / "a", "--threads", 1, "--json", "--quiet"))
        self.assertEqual(evaluated["weights_xxh3"], summary["weights_xxh3"])

    def test_pack_and_synth_end_with_one_line_of_json(self):
        made = json.loads(output("synth", "--out", self.folder / "shapes", "--classes", 2, "--train-per-class", 3,
                                 "--val-per-class", 1, "--json", "--quiet"))
        self.assertEqual((made["training_images"], made["held_out_images"]), (6, 2))
        out = output("pack", self.folder / "shapes/train", "--out", self.folder / "packed", "--json", "--quiet")
        packed = json.loads(out)
        self.assertEqual((packed["images"], packed["classes"], packed["left_out"], len(out.splitlines())), (6, 2, [], 1))
        manifest = json.loads((self.folder / "packed/dataset.json").read_text())
        self.assertEqual(packed["fingerprint"], manifest["fingerprint"])

    def test_pack_writes_jpegs_as_it_is_told(self):
        source, sizes = self.folder / "images/train", {}
        for jpegs, flags in (("kept", ()), ("restart markers", ("--restart-markers",)), ("coefficients", ("--coefficients",))):
            out = self.folder / f"packed {jpegs}"
            packed = json.loads(output("pack", source, "--out", out, *flags, "--json", "--quiet"))
            self.assertEqual((packed["jpegs"], packed["rewritten"]), (jpegs, 48 if flags else 0))
            manifest = json.loads((out / "dataset.json").read_text())
            self.assertEqual((manifest.get("jpegs", "kept"), manifest.get("rewritten", 0)), (jpegs, packed["rewritten"]))
            sizes[jpegs] = packed["image_bytes"]
            self.assertIn(b"\xcdDCT" if jpegs == "coefficients" else b"\xff\xd8\xff", next(out.glob("shard-*.h5")).read_bytes())
        self.assertEqual(len(set(sizes.values())), 3)
        self.nothing_written("pack", source, "--out", "other", "--dry-run", "--coefficients", says=["about twice"])
        self.refused(64, "pack", source, "--out", "other", "--coefficients", "--restart-markers", says="excludes")

    def test_verify_in_json(self):
        whole, torn = self.folder / "set/val", self.folder / "torn"
        shutil.copytree(whole, torn)
        shard = next(torn.glob("shard-*.h5"))
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
        facts = json.loads(output("verify", whole, "--json", "--quiet"))
        self.assertEqual((facts["whole"], facts["datasets"][0]["records"], facts["datasets"][0]["problems"]), (True, 18, []))
        code, out, _ = convoy("verify", whole, torn, "--json", "--quiet")
        facts = json.loads(out)
        self.assertEqual((code, facts["whole"]), (1, False))
        self.assertEqual([bool(set_["problems"]) for set_ in facts["datasets"]], [False, True])

    def test_plan_in_json_says_what_the_text_says(self):
        arguments = ("plan", ROOT / "jobs/akiba-15min.toml", "--ranks", 8, "--layers")
        text, facts = output(*arguments), json.loads(output(*arguments, "--json"))
        self.assertIn(f"{facts['network']['parameters']} parameters", text)
        self.assertIn(f"{facts['steps']} steps", text)
        self.assertEqual(facts["network"]["multiply_adds_per_image"], 4089184256)
        self.assertEqual(facts["minibatch"], {"images": 32768, "workers": 1024, "images_per_worker": 32})
        self.assertEqual(facts["workers_per_rank"], {"least": 128, "most": 128})
        self.assertEqual(facts["allreduce"]["wire"], "fp16")
        self.assertIn("alpha_sgd", facts["schedule"][0])
        flops = sum(step["flops"] for step in facts["layers"])
        each = facts["flops_per_image"]
        self.assertAlmostEqual(flops / 32, each["forward"] + each["backward"], delta=1)
        self.assertEqual(max(step["live_bytes"] for step in facts["layers"]), facts["memory_bytes"]["values_and_gradients_peak"])

    def test_info_in_json(self):
        facts = json.loads(output("info", "--json"))
        self.assertEqual([backend["name"] for backend in facts["backends"]],
                         ["reference", "onednn", "fused", "fused-mainloop", "cudnn", "cudnn-mainloop",
                          "check:onednn", "check:fused", "check:cudnn"])

    def test_quiet_and_verbose(self):
        verify = ("verify", self.folder / "set/train")
        errors = [convoy(*verify, *level)[2] for level in ((), ("--verbose",))]
        self.assertNotIn("verified", errors[0])
        self.assertEqual(errors[1].count("verified"), 3)  # one a shard
        synth = ("synth", "--classes", 2, "--train-per-class", 1, "--val-per-class", 1, "--out")
        for level, lines in ((("--quiet",), 0), ((), 1), (("--verbose",), 3)):
            err = convoy(*synth, self.folder / f"level{lines}", *level)[2]
            self.assertEqual(len(err.splitlines()), lines, err)


if __name__ == "__main__":
    unittest.main()
