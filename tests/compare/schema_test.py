"""results/result.schema.json describes what convoy writes, all of it; fresh runs' hashes, commits and predictions."""
import json
import os
import re
import shutil
import subprocess
import unittest

from convoy_cli import ConvoyTest, ROOT, convoy

try:
    import jsonschema
except ImportError:
    jsonschema = None

SCHEMA = json.loads((ROOT / "results/result.schema.json").read_text())


def undocumented(value, schema, path="$"):
    """Members that the schema does not name (free tables apart)."""
    for choice in schema.get("oneOf", []):
        if isinstance(value, dict) and "properties" in choice:
            schema = choice
    if isinstance(value, list):
        for element in value[:1]:
            yield from undocumented(element, schema.get("items", {}), path + "[]")
    if isinstance(value, dict) and "properties" in schema:
        for key, member in value.items():
            if key in schema["properties"]:
                yield from undocumented(member, schema["properties"][key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(value, dict) and "additionalProperties" not in schema:
        yield path


class Schema(ConvoyTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.must("train", cls.job, *cls.sets, "--out", cls.folder / "fresh", "--quiet")
        cls.fresh = json.loads((cls.folder / "fresh/result.json").read_text())

    @unittest.skipUnless(jsonschema, "SKIPPED: jsonschema is not there (jobs/launch/debian.sh --tests; CONVOY_PYTHON)")
    def test_results_follow_the_schema(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)
        validator = jsonschema.Draft202012Validator(SCHEMA)
        code, _, _ = convoy("train", self.job, *self.sets, "--out", self.folder / "half", "--quiet", "--stop-after", 1)
        self.assertEqual(code, 85)
        convoy("train", self.job, *self.sets, "--out", self.folder / "diverged", "--quiet", "--set", "schedule.rate=1e30")
        self.train("wire", "--set", "allreduce.wire=fp16", ranks=2)
        results = [self.result(name) for name in ("fresh", "half", "diverged", "wire")]
        results.append(json.loads((ROOT / "results/tiny100/result.json").read_text()))
        for result in results:
            self.assertEqual([f"{list(e.path)}: {e.message}" for e in validator.iter_errors(result)], [], result["run_id"])
        for wrong in ({"status": "done"}, {"schema": "convoy.result/0"}, {"steps": {}}, {"experiment": {"hash": "x"}}):
            self.assertTrue(list(validator.iter_errors({**self.fresh, **wrong})), wrong)

    def test_every_field_is_documented(self):
        self.assertEqual(list(undocumented(self.fresh, SCHEMA)), [])
        self.assertEqual(list(undocumented({**self.fresh, "new": 1}, SCHEMA)), ["$.new"])

    def test_the_commit_is_the_tree_s(self):
        git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
        top = subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True) if shutil.which("git") else None
        tool = self.fresh["tool"]
        if top is None or top.returncode != 0 or os.path.realpath(top.stdout.strip()) != os.path.realpath(ROOT):
            self.assertEqual((tool["commit"], tool["dirty"]), (None, None))
            return
        self.assertRegex(tool["commit"], "^[0-9a-f]{40}$")
        known = subprocess.run([*git, "cat-file", "-t", tool["commit"]], capture_output=True, text=True)
        self.assertEqual(known.stdout.strip(), "commit")  # HEAD may have moved on since the build
        self.assertIn(tool["dirty"], (True, False))

    def test_the_commit_script(self):
        """In a tree of its own: clean, changed, changed back, committed, and no tree at all."""
        if shutil.which("git") is None:
            self.skipTest("SKIPPED: there is no git")
        tree, header = self.folder / "tree", self.folder / "generated/commit.h"
        tree.mkdir()
        git = ["git", "-C", str(tree), "-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main"]

        def run(*command):
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        def said():
            run("cmake", f"-DSOURCE={tree}", f"-DHEADER={header}", "-P", str(ROOT / "src/train/commit.cmake"))
            return re.findall(r"#define \w+ (\S+)", header.read_text())

        self.assertEqual(said(), ['""', "false"])
        run(*git, "init", "-q")
        self.assertEqual(said(), ['""', "false"])  # no commit yet
        (tree / "file").write_text("one")
        run(*git, "add", "file")
        run(*git, "commit", "-qm", "one")
        first = run(*git, "rev-parse", "HEAD")
        self.assertEqual(said(), [f'"{first}"', "false"])
        stamp = header.stat().st_mtime_ns
        (tree / "untracked").write_text("x")
        self.assertEqual(said(), [f'"{first}"', "false"])
        self.assertEqual(header.stat().st_mtime_ns, stamp)  # nothing is compiled anew
        (tree / "file").write_text("two")
        self.assertEqual(said(), [f'"{first}"', "true"])
        run(*git, "commit", "-qam", "two")
        self.assertEqual(said(), ['"' + run(*git, "rev-parse", "HEAD") + '"', "false"])

    def test_what_is_outside_the_hash_changes_no_bit(self):
        other = self.train("other", "--set", "train.bucket_mib=0.01", "--set", "train.evaluate_every=0", "--set",
                           "schedule.per_images=16", "--set", "schedule.allow_large_rate=true", ranks=2)
        scaled = self.train("scaled", "--set", "schedule.per_images=16")
        self.assertEqual(other["experiment"]["hash"], scaled["experiment"]["hash"])
        self.assertEqual(other["numerics"]["final_weights_xxh3"], scaled["numerics"]["final_weights_xxh3"])

    def test_predictions(self):
        counts = []
        for ranks in (0, 2, 3):
            file = self.folder / f"predictions-{ranks}.csv"
            self.must("evaluate", self.folder / "fresh", "--threads", 1, "--oversubscribe", "--predictions", file, ranks=ranks)
            counts.append(file.read_text())
        self.assertEqual(counts[1:], counts[:1] * 2)
        head, columns, *images = counts[0].splitlines()
        last = self.fresh["epochs"][-1]
        self.assertEqual(columns, "label,predicted,rank")
        self.assertIn(f"held_out={self.fresh['dataset']['held_out']['fingerprint']} weights={last['weights_xxh3']} steps=6", head)
        rows = [tuple(map(int, line.split(","))) for line in images]
        self.assertEqual(len(rows), 18)
        self.assertEqual(sum(rank == 0 for _, _, rank in rows), last["correct1"])
        self.assertEqual(sum(rank < 5 for _, _, rank in rows), last["correct5"])
        self.assertTrue(all((label == predicted) == (rank == 0) for label, predicted, rank in rows))
        self.assertEqual({label: [r[0] for r in rows].count(label) for label in range(3)}, {0: 6, 1: 6, 2: 6})
        copy = self.folder / "with-predictions"
        shutil.copytree(self.folder / "fresh", copy)
        (copy / "predictions.csv").write_text(counts[0])
        code, out, _ = convoy("compare", copy, copy, "--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out)["notes"], [])


if __name__ == "__main__":
    unittest.main()
