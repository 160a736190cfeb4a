"""The program's statistics against scipy's, and what they decide: null comparisons raise no alarm, planted ones are found."""
import random
import statistics
import unittest

from crafted import CompareTest, result, steps

try:
    import scipy.stats as scipy
except ImportError:
    scipy = None
needs_scipy = unittest.skipUnless(scipy, "SKIPPED: scipy is not there (jobs/launch/debian.sh --tests; CONVOY_PYTHON)")

IMAGES = 32


def independent(count, median=0.3, seed=1, digits=None):
    source = random.Random(seed)
    times = [median * source.lognormvariate(0, 0.02) for _ in range(count)]
    return times if digits is None else [round(t, digits) for t in times]


def blocks(seconds, length):
    speeds = [IMAGES / s for s in seconds]
    speeds = speeds[len(speeds) % length:]
    return [statistics.median(speeds[i:i + length]) for i in range(0, len(speeds), length)]


class AgainstScipy(CompareTest):
    def two(self, a, b):
        self.run_folder("a", a)
        self.run_folder("b", b)
        return self.compared("a", "b")

    @needs_scipy
    def test_mann_whitney_over_blocks(self):
        # Few and many, tied (rounded to milliseconds) and not, as many and not, independent and not.
        cases = [(independent(8, seed=1), independent(8, seed=2)), (independent(8, seed=3), independent(60, 0.29, seed=4)),
                 (independent(300, seed=5), independent(200, 0.302, seed=6)),
                 (independent(150, seed=7, digits=3), independent(90, 0.301, seed=8, digits=3)),
                 (steps(400, seed=9), steps(300, 0.305, seed=10)), (steps(64, seed=11), steps(64, seed=12))]
        for number, (x, y) in enumerate(cases):
            with self.subTest(number):
                row = self.row(self.two(result("a", x), result("b", y)), "images_per_s")
                test = row["changes"][1]["test"]
                sides = [blocks(s, cell["block"]) for s, cell in zip((x, y), row["cells"])]
                wanted = scipy.mannwhitneyu(*sides, alternative="two-sided")
                self.assertEqual((test["n_a"], test["n_b"]), tuple(map(len, sides)))
                self.assertAlmostEqual(test["statistic"], wanted.statistic)
                self.assertAlmostEqual(test["p"], wanted.pvalue, delta=1e-9 + 1e-9 * wanted.pvalue)

    @needs_scipy
    def test_the_interval_of_independent_steps_is_the_bootstrap_s(self):
        x = independent(200, seed=21)
        cell = self.row(self.two(result("a", x), result("b", x)), "images_per_s")["cells"][0]
        self.assertEqual(cell["block"], 1)
        wanted = scipy.bootstrap(([IMAGES / s for s in x],), statistics.median, n_resamples=4000, method="percentile",
                                 vectorized=False, random_state=1).confidence_interval
        width = wanted.high - wanted.low
        self.assertAlmostEqual(cell["interval95"][0], wanted.low, delta=0.2 * width)
        self.assertAlmostEqual(cell["interval95"][1], wanted.high, delta=0.2 * width)

    @needs_scipy
    def test_welch_and_mann_whitney_over_seeds(self):
        source = random.Random(31)
        for n, m, apart in ((2, 2, 0), (3, 5, 40), (5, 4, 15), (10, 12, 5), (4, 4, 0)):
            x = [700 + source.randrange(-20, 20) for _ in range(n)]
            y = [700 - apart + source.randrange(-60, 60) for _ in range(m)]
            for side, rights in (("x", x), ("y", y)):
                for i, right in enumerate(rights):
                    self.run_folder(f"{n}-{m}/{side}{i}", result(f"{side}{i}", [], correct=(1, 2, right), hash_=f"{side}{i}",
                                                                 recipe={"train.seed": i, "optimizer.momentum": len(side + 'y')}))
            shares = [[right / 5000 for right in side] for side in (x, y)]
            arguments = [f"{n}-{m}/x*", f"{n}-{m}/y*"]
            test = self.row(self.compared(*arguments), "held_out_top1")["changes"][1]["test"]
            wanted = scipy.ttest_ind(*shares, equal_var=False)
            self.assertAlmostEqual(test["statistic"], wanted.statistic, delta=1e-9 * abs(wanted.statistic) + 1e-12)
            self.assertAlmostEqual(test["p"], wanted.pvalue, delta=1e-9)
            test = self.row(self.compared(*arguments, "--rank-test"), "held_out_top1")["changes"][1]["test"]
            wanted = scipy.mannwhitneyu(*shares, alternative="two-sided")
            self.assertAlmostEqual(test["p"], wanted.pvalue, delta=1e-9)

    @needs_scipy
    def test_mcnemar_and_two_proportions(self):
        for images, only_a, only_b, both in ((5000, 60, 10, 640), (5000, 3, 4, 600), (50, 5, 0, 30), (20000, 900, 700, 9000),
                                             (5000, 500, 500, 1000), (5000, 501, 500, 1000)):
            a_right = [True] * (both + only_a) + [False] * only_b
            b_right = [True] * both + [False] * only_a + [True] * only_b
            for name, right in (("a", a_right), ("b", b_right)):
                lines = ["# convoy.predictions/1 held_out=fv weights=d3 steps=9", "label,predicted,rank"]
                lines += ["1,1,0" if ok else "1,2,3" for ok in right + [False] * (images - len(right))]
                self.run_folder(name, result(name, images=images, correct=(1, 1, sum(right)), hash_=name,
                                             recipe={"train.seed": len(name) + (name == "a")}), predictions="\n".join(lines) + "\n")
            test = self.row(self.compared("a", "b"), "held_out_top1")["changes"][1]["test"]
            if only_a + only_b <= 1000:
                self.assertEqual((test["name"], test["n_a"], test["n_b"]), ("McNemar exact", only_a, only_b))
                wanted = scipy.binomtest(only_a, only_a + only_b).pvalue
            else:
                self.assertEqual(test["name"], "McNemar chi2")
                wanted = scipy.chi2.sf((abs(only_a - only_b) - 1) ** 2 / (only_a + only_b), 1)
            self.assertAlmostEqual(test["p"], wanted, delta=1e-10)
            for name in "ab":
                (self.folder / name / "predictions.csv").unlink()
            test = self.row(self.compared("a", "b"), "held_out_top1")["changes"][1]["test"]
            table = [[sum(a_right), images - sum(a_right)], [sum(b_right), images - sum(b_right)]]
            self.assertAlmostEqual(test["p"], scipy.chi2_contingency(table, correction=False).pvalue, delta=1e-10)


class Decisions(CompareTest):
    def verdict(self, x, y, code):
        self.run_folder("a", result("a", x))
        self.run_folder("b", result("b", y))
        return self.row(self.compared("a", "b", code=code), "images_per_s")["changes"][1]

    def test_null_comparisons_raise_no_alarm(self):
        for seed in range(40):  # steps that depend on each other for 5, 10, 20 steps
            depends = (0.8, 0.9, 0.95)[seed % 3]
            change = self.verdict(steps(300, depends=depends, seed=2 * seed), steps(300, depends=depends, seed=2 * seed + 1), 0)
            self.assertIn(change["verdict"], ("same", "undecided"), f"seed {seed}: {change}")

    def test_a_planted_slowdown_of_five_percent_is_found(self):
        for seed in range(40):
            change = self.verdict(steps(400, seed=seed), steps(400, median=0.3 / 0.95, seed=100 + seed), 1)
            self.assertEqual(change["verdict"], "worse", f"seed {seed}: {change}")

    def test_blocks_are_what_keeps_the_alarms_away(self):
        # Taken as independent, these steps would be significant at 0.01 in more than a tenth of the null comparisons.
        alarms = 0
        for seed in range(30):
            x, y = steps(300, depends=0.95, seed=2 * seed), steps(300, depends=0.95, seed=2 * seed + 1)
            order = random.Random(1)
            shuffled = [order.sample(side, len(side)) for side in (x, y)]
            naive = self.verdict(*shuffled, None)["test"]["p"]
            blocked = self.verdict(x, y, 0)["test"]["p"]
            alarms += naive < 0.01
            self.assertGreater(blocked, 1e-4)
        self.assertGreater(alarms, 3)

    def test_few_samples_and_none_are_judged_by_the_margin_and_said_so(self):
        self.assertEqual(self.verdict([0.5] * 3, [0.6] * 3, 1)["words"], "slower (not tested: 3 and 3 samples)")
        self.assertEqual(self.verdict([0.5] * 3, [0.505] * 3, 0)["words"], "same")
        self.assertEqual(self.verdict([0.5] * 9, [0.5] * 9, 0)["verdict"], "same")

    def test_a_run_that_drifts_decides_nothing(self):
        drifting = [0.3 + 0.001 * i for i in range(200)]
        change = self.verdict(drifting, [1.2 * t for t in drifting], 0)
        self.assertRegex(change["words"], "^undecided: [1-4] independent blocks? of steps, run longer$")

    def test_the_same_files_give_the_same_numbers(self):
        self.verdict(steps(seed=1), steps(seed=2), 0)
        self.assertEqual(self.compare("a", "b", "--json"), self.compare("a", "b", "--json"))


if __name__ == "__main__":
    unittest.main()
