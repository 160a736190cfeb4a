"""Damaged, empty and hostile files: one sentence, exit code 2 or 64, never a crash; what is merely unknown is passed over."""
import copy
import json
import os
import random
import unittest

from convoy_cli import convoy
from crafted import CompareTest, mlperf_log, result, step_line


class Hostile(CompareTest):
    def setUp(self):
        self.good = self.run_folder("good", result("good"))

    def held_against(self, content, code, says, name="bad.json"):
        self.write(name, content)
        self.refused(code, "good", name, says=[name, says] if isinstance(says, str) else [name, *says])

    def test_truncated_at_any_place(self):
        whole = json.dumps(result("whole"))
        for share in (0.001, 0.1, 0.5, 0.9, 0.999):
            self.held_against(whole[:int(share * len(whole))], 2, "not whole JSON")

    def test_empty(self):
        self.held_against("", 2, "is empty")
        self.held_against(" \n\n", 2, "is empty")
        (self.folder / "hollow").mkdir(exist_ok=True)
        self.refused(64, "good", "hollow", says=["hollow", "holds no run"])

    def test_not_there(self):
        self.refused(64, "good", "nowhere", says=["nowhere", "name a run's folder"])
        self.refused(64, "good", "no-*-such", says="no-*-such")
        self.refused(64, "good", says="nothing to compare")
        code, _, err = convoy("compare")
        self.assertEqual(code, 64, err)

    def test_nested_deeply(self):
        for text in ("[" * 1000000, "[" * 100000 + "]" * 100000, '{"schema":"convoy.result/1","x":' + '{"x":' * 5000 + "1" + "}" * 5001):
            self.held_against(text, 2, "nested")

    def test_binary(self):
        self.held_against(bytes(range(256)) * 64, 2, "binary")
        self.held_against(b"\x89HDF\r\n\x1a\n" + bytes(1000), 2, "binary")
        self.held_against(b'{"schema": "convoy.result/1", "run_id": "\xff\xfe"}', 2, "not whole JSON")
        self.held_against(random.Random(1).randbytes(100000), 2, "is ")

    def test_other_files(self):
        self.held_against("hello, world\n", 2, "no result file known")
        self.held_against("<!DOCTYPE html><html></html>", 2, "no result file known")
        self.held_against('{"benchmarks": 3}', 2, "no result file known")
        self.held_against("[1, 2]", 2, "no result file known")
        self.held_against('{"schema": 1}', 2, "no result file known")
        self.refused(2, "good", "/dev/null", says=["/dev/null", "not a file"])

    def test_huge_numbers(self):
        self.held_against(json.dumps(result("huge")).replace("24000", "1e999"), 2, "number beyond")
        document = result("huge", [1e308, 5e-324, 1e-300] * 20, hash_="h2")
        document["experiment"]["resolved"]["minibatch"] = {"workers": 2**62, "images": 2**62}
        document["steps"]["count"] = 10**40
        document["efficiency"]["images_per_s"] = 1e300
        document["epochs"][0]["step"] = 1e300
        self.run_folder("huge", document)
        self.assertIn("same task", self.compare("good", "huge", "--speed-margin", "100", "--accuracy-margin", "1"))

    def test_every_value_of_a_wrong_type(self):
        """Each value in turn becomes null, a number, a text, a list, a table: the comparison may be refused, no more."""
        def walk(node, path):
            for key in list(node.keys() if isinstance(node, dict) else range(min(len(node), 1))):
                yield path + [key]
                if isinstance(node[key], (dict, list)):
                    yield from walk(node[key], path + [key])

        whole = result("whole", [0.3] * 10)
        for path in walk(whole, []):
            document = copy.deepcopy(whole)
            for number, wrong in enumerate((None, -1e300, "text\u001b[2J", [[]], {"a": {}})):
                place = document
                for key in path[:-1]:
                    place = place[key]
                place[path[-1]] = wrong
                self.run_folder(f"wrong-{number}", document)
            names = [f"wrong-{number}" for number in range(5)]
            code, out, err = convoy("compare", "good", *names, cwd=self.folder)
            self.assertIn(code, (0, 1, 2), f"{path}: {code} {out} {err}")
            self.assertNotIn("\x1b", out + err, path)
            self.assertLessEqual(len(err.splitlines()), 1, err)

    def test_metrics_and_predictions_that_are_damaged_are_passed_over(self):
        lines = [step_line(s, 1000 + s) for s in range(10)]
        self.run_folder("whole", result("whole"), lines)
        torn = self.run_folder("torn", result("torn"), lines, predictions="# convoy.predictions/1 held_out=fv weights=d3 steps=9\nlabel,")
        with open(self.folder / torn / "metrics.jsonl", "a") as file:
            file.write('{"event": "step", "step": 10, "loss_su' + "\n" + "[" * 10000 + "\n\0\0\n" + '{"event": 3}\n{"event":"step","step":-5}\n')
        out = self.compare("whole", "torn", code=0)
        self.assertIn("bitwise equal", out)
        self.assertIn("predictions.csv is not of the final weights", out)

    def test_a_result_with_next_to_nothing_in_it(self):
        self.write("bare.json", '{"schema": "convoy.result/1"}')
        self.assertIn("network.model", self.compare("good", "bare.json", code=2))
        self.compare("good", "bare.json", "--force", code=0)
        self.compare("bare.json", "bare.json", "--force", code=0)

    def test_older_and_newer_files(self):
        old, new = result("old", hash_="h2"), result("new", hash_="h3", recipe={"train.seed": 2})
        new["experiment"]["resolved"]["network"]["bn_group"] = 0  # what files older than the key meant
        new["experiment"]["resolved"]["allreduce"] = {"wire": "f32"}
        new["schema"], new["new"] = "convoy.result/3", [1, 2, {"three": None}]
        del old["memory"], old["tool"], old["claim"]
        self.write("old.json", json.dumps(old))
        self.write("new.json", json.dumps(new))
        out = self.compare("old.json", "new.json", "--accuracy-margin", "1", code=0)
        self.assertIn("same recipe, other seed", out)
        self.assertIn("convoy.result/3", out)
        self.assertNotIn("bn_group", out)
        self.assertNotIn("allreduce", out)
        new["experiment"]["resolved"]["network"]["a_new_key"] = 7
        self.write("new.json", json.dumps(new))
        self.assertIn("network.a_new_key: not recorded | 7", self.compare("old.json", "new.json", code=0))

    def test_mlperf_logs_cut_off_and_spoilt(self):
        whole = mlperf_log()
        self.held_against(whole[:100], 2, "cut off?", "log.txt")
        self.held_against(":::MLLOG " + "[" * 100000 + "\n", 2, "cut off?", "log.txt")
        self.write("cut.txt", whole[:len(whole) * 3 // 4] + "\n:::MLLOG {torn\n")
        self.write("whole.txt", whole)
        out = self.compare("whole.txt", "cut.txt")
        self.assertIn("running", out)
        self.assertIn("damaged lines were passed over", out)

    def test_a_folder_that_may_not_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("root may read everything")
        path = self.folder / self.run_folder("locked", result("locked")) / "result.json"
        path.chmod(0)
        self.refused(2, "good", "locked", says="locked")

    def test_rules_and_keys_that_are_wrong(self):
        self.run_folder("other", result("other"))
        for rule, says in (("images_per_s", "no METRIC < BOUND"), ("images_per_s < fast", '"fast" is no number'),
                           ("image_per_s < -5%", "did you mean images_per_s?"), ("< 5", "no METRIC"), ("images_per_s < ", "is no number"),
                           ("images_per_s < inf", "is no number"), ("images_per_s < 5 %x", "is no number")):
            self.refused(64, "good", "other", "--fail-if", rule, says=says)
        self.refused(64, "good", "other", "--group-by", "experiment.hasch", says="did you mean experiment.hash?")
        self.refused(64, "good", "other", "--group-by", "experiment.hash", says="nothing to compare")
        self.refused(64, "good", "other", "--forse", says="did you mean --force?")
        self.refused(64, "good", "other", "--json", "--csv", says="--csv")


if __name__ == "__main__":
    unittest.main()
