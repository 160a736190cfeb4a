"""What `convoy compare` says, word for word, and its exit code: tests/compare/golden holds the text of every case."""
import json
import os
import unittest

from convoy_cli import ROOT
from crafted import CompareTest, mlperf_log, result, step_line, steps

GOLDEN = ROOT / "tests/compare/golden"


def predictions(right, images=5000, held_out="fv", weights="d3"):
    lines = [f"# convoy.predictions/1 held_out={held_out} weights={weights} steps=2250", "label,predicted,rank"]
    lines += [f"{i % 100},{i % 100},0" if right(i) else f"{i % 100},{(i + 1) % 100},7" for i in range(images)]
    return "\n".join(lines) + "\n"


class Golden(CompareTest):
    maxDiff = None

    def golden(self, name, code, *arguments):
        out = f"exit code {code}\n" + self.compare(*arguments, code=code)
        file = GOLDEN / f"{name}.txt"
        if os.environ.get("CONVOY_UPDATE_GOLDEN"):
            file.write_text(out)
        self.assertEqual(out, file.read_text())

    def test_two_runs_equal_bit_by_bit(self):
        metrics = [step_line(s, 2465287587 + s) for s in range(60)]
        self.run_folder("equal-a", result("equal-a", steps(seed=1)), metrics)
        self.run_folder("equal-b", result("equal-b", steps(seed=2)), metrics)
        self.golden("equal", 0, "equal-a", "equal-b")

    def test_reference_against_onednn(self):
        a = [step_line(s, 2465287587 + s) for s in range(60)]
        b = [step_line(s, 2465287587 + s + (s >= 17) * (s - 10)) for s in range(60)]
        self.run_folder("reference", result("reference", steps(median=3.0), backend="reference"), a)
        self.run_folder("onednn", result("onednn", steps(seed=3), digests=("e1", "e2", "e3"), correct=(529, 611, 697)), b)
        self.golden("reference-onednn", 0, "reference", "onednn")

    def test_one_against_two_ranks(self):
        self.run_folder("two-ranks", result("two-ranks", steps(median=0.3)))
        self.run_folder("one-rank", result("one-rank", steps(median=0.55, seed=4), ranks=1))
        self.golden("ranks", 1, "two-ranks", "one-rank")
        self.golden("ranks-allowed", 0, "two-ranks", "one-rank", "--speed-margin", 100)
        self.golden("ranks-markdown", 1, "two-ranks", "one-rank", "--md")
        self.golden("ranks-csv", 1, "two-ranks", "one-rank", "--csv")
        self.golden("ranks-json", 1, "two-ranks", "one-rank", "--json")

    def test_two_recipes(self):
        self.run_folder("plain", result("plain"))
        other = {"optimizer.momentum": 0.8, "schedule.rate": 0.1, "train.evaluate_every": 2, "data.train": "/elsewhere"}
        self.run_folder("changed", result("changed", steps(seed=5), hash_="h2", recipe=other, correct=(500, 580, 590),
                                          digests=("f1", "f2", "f3")))
        self.golden("recipes", 1, "plain", "changed")
        self.golden("recipes-rules", 0, "plain", "changed", "--fail-if", "held_out_top1 < -5", "--fail-if", "images_per_s<-5%")
        self.golden("recipes-rule-broken", 1, "plain", "changed", "--fail-if", "val_top1 < -0.2")

    def test_predictions_decide_what_counts_alone_cannot(self):
        # 700 and 650 right of 5000: two proportions find little; that B lost 60 and won 10 of the same images is clear.
        self.run_folder("sure-a", result("sure-a"), predictions=predictions(lambda i: i < 700))
        self.run_folder("sure-b", result("sure-b", hash_="h2", recipe={"train.seed": 2}, correct=(529, 609, 650)),
                        predictions=predictions(lambda i: 60 <= i < 710))
        self.golden("predictions", 1, "sure-a", "sure-b")
        self.run_folder("unsure-b", result("unsure-b", hash_="h2", recipe={"train.seed": 2}, correct=(529, 609, 650)),
                        predictions=predictions(lambda i: 60 <= i < 710, weights="d2"))  # of other weights: not used
        self.golden("predictions-stale", 0, "sure-a", "unsure-b")

    def test_two_machines_files(self):
        slow, old = steps(median=0.4, seed=6), result("old-machine", steps(median=0.4, seed=6), digests=("g1", "g2", "g3"))
        for rank in old["launch"]["per_rank"]:
            rank.update(device="Intel Xeon Phi", isa="avx512_core", library="oneDNN 2.6.0")
        old["schema"], old["a_new_field"] = "convoy.result/2", {"of": "a later version"}
        self.assertEqual(len(slow), 200)
        self.run_folder("new-machine", result("new-machine"))
        self.write("old-machine.json", json.dumps(old))
        self.golden("machines", 1, "new-machine", "old-machine.json")

    def test_a_foreign_mlperf_log(self):
        self.write("mlperf/result_0.txt", mlperf_log())
        document = result("mine", images=50000, correct=(20000, 30000, 37000), recipe={"network.model": "resnet50",
                          "minibatch.workers": 64, "minibatch.images": 51, "optimizer.kind": "lars"})
        document["dataset"]["train"]["images"] = 1281167
        self.run_folder("mine", document)
        self.golden("mlperf", 1, "mlperf/result_0.txt", "mine", "--speed-margin", 100)
        self.run_folder("other-task", result("other-task"))
        self.golden("mlperf-refused", 2, "mlperf/result_0.txt", "other-task")

    def test_other_tasks_are_refused_with_the_keys_unless_forced(self):
        self.run_folder("narrow", result("narrow"))
        self.run_folder("wide", result("wide", hash_="h9", recipe={"network.width": 128}))
        self.golden("refused", 2, "narrow", "wide")
        self.golden("forced", 0, "narrow", "wide", "--force")

    def test_seeds(self):
        for side, base in (("lars", 700), ("sgd", 640)):
            for seed in range(1, 5):
                self.run_folder(f"seeds/{side}-{seed}", result(
                    f"{side}-{seed}", steps(seed=seed), hash_=f"{side}{seed}", correct=(529, 609, base + 7 * seed),
                    digests=(f"x{seed}", f"y{seed}", f"z{seed}"), recipe={"train.seed": seed, "optimizer.kind": side}))
        self.golden("seeds", 1, "seeds/lars-*", "seeds/sgd-*")
        grouped = self.compare("seeds", "--group-by", "experiment.recipe", code=1)
        self.assertEqual(grouped, self.compare("seeds/lars-*", "seeds/sgd-*", code=1))
        self.golden("seeds-rank-test", 1, "seeds/lars-*", "seeds/sgd-*", "--rank-test")

    def test_three_runs(self):
        for name, seed, right in (("one", 1, 700), ("two", 2, 702), ("three", 3, 600)):
            self.run_folder(name, result(name, steps(seed=seed), correct=(529, 609, right), hash_=name,
                                         digests=("p", "q", name), recipe={"train.seed": seed}))
        self.golden("three", 1, "one", "two", "three")


if __name__ == "__main__":
    unittest.main()
