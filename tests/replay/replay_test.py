"""20 steps of every recipe, computed again in float64 from the program's initial weights and its gradients.

The gradients come from a small network with batch norms, biases and weights, on 3 workers of 4 images (tests/replay/
dump.cpp); the rules from recipes.py. Errors are of a tensor's L2 norm, after every step:
  double  1e-10 of what the tensor has moved since the start
  float   20 u (|w| + 8 path), u = 2^-24: in each of 20 steps the weight is rounded once and its own movement in about
          eight operations; |w| is the largest norm and path the length of the way so far
"""
import json
import os
import subprocess
import tempfile
import unittest
from math import fsum, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import recipes
from recipes import EVERYTHING, LARS, gradual, norm, poly

PROGRAM = Path(os.environ["CONVOY_BUILD"]) / "bin/test_replay"
STEPS, SAMPLES, WORKERS, GLOBAL = 20, 16, 3, 12
UNIT = 2.0**-24


def milestones_passed(step, milestones):
    return sum(step * GLOBAL >= m * SAMPLES for m in milestones)


# name: the keys, the rate of a step, the steps of warm-up
SCHEDULES = {
    "linear, poly shifted": (
        'kind = "poly"\nrate = 0.5\nwarmup_steps = 6\nwarmup_from = 0.02',
        lambda s: gradual(0.02, 0.5, s, 6) if s < 6 else poly(0.5, s - 6, STEPS - 6), 6),
    "quadratic, poly continued": (
        'kind = "poly"\ndecay = "continued"\nrate = 0.5\nwarmup = "quadratic"\nwarmup_steps = 6\nwarmup_from = 0.02',
        lambda s: 0.02 + 0.48 * (s / 6) ** 2 if s < 6 else poly(0.5, s, STEPS), 6),
    "constant, then steps": (
        'rate = 0.5\nwarmup = "constant"\nwarmup_steps = 6\nwarmup_from = 0.05\nmilestones = [6, 9, 12]\nfactor = 0.1',
        lambda s: 0.05 if s < 6 else 0.5 * 0.1 ** milestones_passed(s, [6, 9, 12]), 6),
    "Goyal: scaled, gradual, steps": (
        'rate = 0.1\nper_images = 4\nallow_large_rate = true\nwarmup_epochs = 3.75\nwarmup_from = 0.1\n'
        'milestones = [6, 9, 12]\nfactor = 0.1',
        lambda s: gradual(0.1, 0.3, s, 5) if s < 5 else 0.3 * 0.1 ** milestones_passed(s, [6, 9, 12]), 5),
    "Akiba: slow start": (
        'rate = 0.1\nmilestones = [4, 7, 13]\nfactors = [0.5, 0.075, 0.01, 0.001]',
        lambda s: 0.1 * [0.5, 0.075, 0.01, 0.001][milestones_passed(s, [4, 7, 13])], 0),
}
NOT_NORM = ("weight", "bias")


def case(optimizer, rule, schedule="linear, poly shifted", adapts=EVERYTHING, decays=EVERYTHING, decay=0.02, momentum=0.9,
         eta=0.01, eps=0.0, states=1):
    return SimpleNamespace(
        optimizer=f"{optimizer}\nweight_decay = {decay}\nmomentum = {momentum}", rule=rule, schedule=schedule, adapts=adapts,
        decays=decays, decay=decay, momentum=momentum, eta=eta, eps=eps, states=states)


def cases():
    all_cases = {
        "sgd outside": case('kind = "sgd"', recipes.sgd_outside, decays=NOT_NORM),
        "sgd inside": case('convention = "inside"\nmomentum_correction = false', recipes.sgd_inside, decays=NOT_NORM),
        "sgd inside, corrected": case('convention = "inside"', recipes.sgd_inside_corrected, decays=NOT_NORM),
        "Goyal": case("nesterov = true", recipes.sgd_outside_nesterov, "Goyal: scaled, gradual, steps", decays=NOT_NORM,
                      decay=1e-4),
        "constant warm-up": case("decay_norm = true", recipes.sgd_outside, "constant, then steps"),
        "LARS quadratic": case('kind = "lars"\nvariant = "nvcaffe-larc-clip"\ntrust = 0.01', recipes.nvcaffe_larc_clip,
                               "quadratic, poly continued"),
        "apex as it comes": case('kind = "lars"\nvariant = "larc-clip"', recipes.larc_clip, eta=0.02, eps=1e-8),
    }
    for name, (rule, adapts, decays) in LARS.items():
        keys = f'kind = "lars"\nvariant = "{name}"\ntrust = 0.01\nepsilon = 0.0'
        all_cases[f"LARS {name}"] = case(keys, rule, adapts=adapts, decays=decays)
        # Decay of weights alone tells the variants apart that put other decays into the ratio.
        keys += "\ndecay_bias = false\ndecay_norm = false"
        all_cases[f"LARS {name}, weights decay"] = case(keys, rule, adapts=adapts, decays=("weight",))
    for literal in (False, True):
        for per_epoch in (True, False):
            keys = 'kind = "rmsprop-warmup"' + ('\ntransition = "literal"' if literal else "")
            keys += "" if per_epoch else '\nalpha_per = "iteration"'
            name = f"Akiba {'literal' if literal else 'continuous'}, per {'epoch' if per_epoch else 'iteration'}"
            all_cases[name] = case(keys, recipes.rmsprop_warmup(literal, per_epoch), "Akiba: slow start", decays=NOT_NORM,
                                   states=2)
    return all_cases


class Dump:
    """What the program did: .weights[step][param], .gradients[step][param] (the mean), .rates."""

    def __init__(self, folder, job, precision):
        text = (f"[minibatch]\nworkers = {WORKERS}\nimages = {GLOBAL // WORKERS}\n[train]\nsteps = {STEPS}\nseed = 11\n"
                f"[optimizer]\n{job.optimizer}\n[schedule]\n{SCHEDULES[job.schedule][0]}\n")
        (folder / "job.toml").write_text(text)
        subprocess.run([PROGRAM, precision, folder / "job.toml", folder / "out"], check=True)
        facts = json.loads((folder / "out.json").read_text())
        self.params, self.rates, self.states = facts["params"], facts["rates"], facts["states"]
        ends = np.cumsum([p["count"] for p in self.params])
        rows = np.fromfile(folder / "out.bin").reshape(2 * STEPS + 1, ends[-1])
        split = [np.split(row, ends[:-1]) for row in rows]
        self.weights = split[0::2]
        self.gradients = [[g / WORKERS for g in row] for row in split[1::2]]


def replay(job, dump, rule=None, adapts=None):
    """The weights after each step, by the job's rule or by another."""
    rule, adapts = rule or job.rule, adapts or job.adapts
    _, rate, warmup = SCHEDULES[job.schedule]
    weights = [list(dump.weights[0])]
    states = [np.zeros_like(w) if job.states == 1 else (np.zeros_like(w), np.zeros_like(w)) for w in weights[0]]
    for step in range(STEPS):
        weights.append([])
        for p, param in enumerate(dump.params):
            k = SimpleNamespace(m=job.momentum, D=job.decay, d=job.decay if param["role"] in job.decays else 0.0, a=rate(step),
                                a_prev=rate(max(step - 1, 0)), eta=job.eta, eps=job.eps, warming_up=step < warmup,
                                adapts=param["role"] in adapts, epoch=step * GLOBAL / SAMPLES)
            new, states[p] = rule(weights[step][p], dump.gradients[step][p], states[p], k)
            weights[-1].append(new)
    return weights


def worst(dump, mine, allowed):
    """The largest error over steps and tensors, as a share of allowed(w0, the way so far, w)."""
    found = 0.0
    for p in range(len(dump.params)):
        path = 0.0
        for step in range(1, STEPS + 1):
            path += norm(mine[step][p] - mine[step - 1][p])
            error = norm(dump.weights[step][p] - mine[step][p])
            if error > 0:
                found = max(found, error / allowed(mine[0][p], path, mine[step][p]))
    return found


def in_double(start, path, now):
    return norm(now - start)


def in_float(start, path, now):
    return STEPS * UNIT * (max(norm(start), norm(now)) + 8 * path)


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cases = cases()
        with tempfile.TemporaryDirectory(prefix="convoy-replay-") as folder:
            cls.double, cls.float = ({name: Dump(Path(folder), job, precision) for name, job in cls.cases.items()}
                                     for precision in ("double", "float"))

    def test_weights_in_double_agree_to_1e_10(self):
        errors = {name: worst(self.double[name], replay(job, self.double[name]), in_double) for name, job in self.cases.items()}
        print(f"\ndouble: worst relative error {max(errors.values()):.1e} ({max(errors, key=errors.get)})")
        for name, error in errors.items():
            with self.subTest(name):
                self.assertLess(error, 1e-10)

    def test_weights_in_float_agree_to_the_stated_bound(self):
        errors = {name: worst(self.float[name], replay(job, self.float[name]), in_float) for name, job in self.cases.items()}
        print(f"\nfloat: worst share of the bound {max(errors.values()):.2f} ({max(errors, key=errors.get)})")
        for name, error in errors.items():
            with self.subTest(name):
                self.assertLess(error, 1)

    def test_rates_and_states(self):
        for name, job in self.cases.items():
            rate = SCHEDULES[job.schedule][1]
            with self.subTest(name):
                np.testing.assert_allclose(self.double[name].rates, [rate(s) for s in range(STEPS)], rtol=1e-13)
                self.assertEqual(self.double[name].states, job.states)

    def test_every_lars_variant_is_told_apart(self):
        """Other weights after 20 steps, and another variant's rule does not explain them, in one of the two settings."""
        for a in LARS:
            for b in LARS:
                if a == b:
                    continue
                apart = unexplained = 0.0
                for setting in ("", ", weights decay"):
                    mine, other = self.double[f"LARS {a}{setting}"], self.double[f"LARS {b}{setting}"]
                    job = self.cases[f"LARS {a}{setting}"]
                    apart = max(apart, *(norm(x - y) / norm(x) for x, y in zip(mine.weights[-1], other.weights[-1])))
                    stranger = replay(job, mine, *LARS[b][:2])
                    unexplained = max(unexplained, worst(mine, stranger, in_double))
                with self.subTest(f"{a} and {b}"):
                    self.assertGreater(apart, 1e-4)
                    self.assertGreater(unexplained, 1e-4)

    def test_every_other_recipe_is_told_apart(self):
        for family in ("sgd ", "Akiba "):
            names = [name for name in self.cases if name.startswith(family)]
            for a in names:
                for b in names:
                    if a < b:
                        with self.subTest(f"{a} and {b}"):
                            ends = zip(self.double[a].weights[-1], self.double[b].weights[-1])
                            if {a, b} == {"sgd outside", "sgd inside, corrected"}:  # one rule in two forms (Goyal, sec. 3)
                                self.assertLess(max(norm(x - y) / norm(x) for x, y in ends), 1e-10)
                            else:
                                self.assertGreater(max(norm(x - y) / norm(x) for x, y in ends), 1e-4)

    def test_first_trust_ratios_are_algorithm_1_by_hand(self):
        """From the first step, w0 - w1 = rate lambda (g + beta w0): lambda = eta |w| / (|g| + beta |w|), every tensor."""
        dump = self.double["LARS paper"]
        eta, beta, rate = 0.01, 0.02, 0.02
        for param, w0, w1, g in zip(dump.params, dump.weights[0], dump.weights[1], dump.gradients[0]):
            weight = sqrt(fsum(float(x) * float(x) for x in w0))
            gradient = sqrt(fsum(float(x) * float(x) for x in g))
            ratio = eta * weight / (gradient + beta * weight) if weight > 0 and gradient > 0 else 1.0
            step = [float(x) + beta * float(y) for x, y in zip(g, w0)]
            found = fsum((float(x) - float(y)) * s for x, y, s in zip(w0, w1, step)) / fsum(s * s for s in step) / rate
            with self.subTest(param["name"]):
                self.assertAlmostEqual(found / ratio, 1, delta=1e-10)

    def test_a_wrong_number_is_noticed(self):
        """The tolerance is not so wide that a recipe could be off: each number by a part in a million."""
        for name, key in (("LARS paper", "eta"), ("LARS nvidia", "decay"), ("Goyal", "momentum"), ("LARS quadratic", "eta")):
            job = SimpleNamespace(**vars(self.cases[name]))
            setattr(job, key, getattr(job, key) * (1 + 1e-6))
            with self.subTest(f"{name}: {key}"):
                self.assertGreater(worst(self.double[name], replay(job, self.double[name]), in_double), 1e-8)


if __name__ == "__main__":
    unittest.main()
