#!/usr/bin/env python3
"""Writes the golden files: what PyTorch computes in float64 for each network, from weights and images that are functions
of a counter. Forward values, gradients, the weights' movement in 20 optimizer steps and the running statistics after
them, each as norm, three inner products and four elements; at full size also how far PyTorch in float32 is from that.
Needs PyPI's torch and numpy; with torchvision the networks are compared to torchvision's own.

  tests/golden/dump.py [--full] [NAME ...]     small inputs (for Machine<double>) or full ones (for float32 backends)
"""
import argparse
import json
import sys
from pathlib import Path

import torch

import counter
import networks

SMALL = {"resnet18": (64, 2), "resnet50-v1": (64, 2), "resnet50-v1.5": (64, 2), "alexnet-original": (67, 2),
         "alexnet-bn": (67, 4), "alexnet-torchvision": (224, 1)}
FULL = {"resnet18": (224, 2), "resnet50-v1": (224, 2), "resnet50-v1.5": (224, 2), "alexnet-original": (227, 2),
        "alexnet-bn": (227, 2), "alexnet-torchvision": (224, 2)}
# At full size float32 is compared, whose rounding fast training amplifies without bound: there the rates are less.
SLOWER = {"resnet18": 8, "resnet50-v1": 32, "resnet50-v1.5": 2, "alexnet-original": 128, "alexnet-bn": 32,
          "alexnet-torchvision": 32}
# All factors are short binary fractions, equal in float32 and float64. Rates: rate * (step + 1) / 32.
SGD = {"kind": "sgd", "convention": "outside", "nesterov": True, "momentum": 0.875, "decay": 2.0**-11,
       "decay_norm": False, "rate": 2.0**-9}
CAFFE = {"kind": "sgd", "convention": "inside", "nesterov": False, "momentum": 0.875, "decay": 2.0**-11,
         "decay_norm": False, "rate": 2.0**-9}
PAPER = {"kind": "lars", "variant": "paper", "decay_norm": True, "momentum": 0.875, "decay": 2.0**-11, "trust": 2.0**-10, "rate": 1.0}
LARS_CAFFE = dict(PAPER, variant="caffe", decay_norm=False)
OPTIMIZERS = {"resnet18": {"sgd": SGD, "lars-paper": PAPER}, "resnet50-v1": {"lars-caffe": LARS_CAFFE},
              "resnet50-v1.5": {"sgd": SGD}, "alexnet-original": {"sgd-caffe": CAFFE},
              "alexnet-bn": {"lars-paper": PAPER}, "alexnet-torchvision": {"sgd": dict(SGD, rate=2.0**-10)}}
STEPS = 20


def optimizer_step(options, net, velocities, step):
    """Goyal et al. 2017, eq. 9 (outside) and 10 (inside); LARS: You et al. 2017, Alg. 1, inside. The authors' Caffe has
    the global decay in the ratio, also for tensors that do not decay."""
    lars = options["kind"] == "lars"
    rate = options["rate"] * (step + 1) / 32
    for name, w in net.params.items():
        decays = options["decay_norm"] or not net.roles[name].startswith("norm")
        decay = options["decay"] if decays else 0.0
        a, m, v = rate, options["momentum"], velocities[name]
        if lars:
            wn, gn = torch.linalg.vector_norm(w), torch.linalg.vector_norm(w.grad)
            if wn > 0 and gn > 0:
                in_ratio = options["decay"] if options["variant"] == "caffe" else decay
                a = rate * float(options["trust"] * wn / (gn + in_ratio * wn))
        g = w.grad + decay * w
        if lars or options["convention"] == "inside":
            v.mul_(m).add_(a * g)
            w.sub_(m * v + a * g if options.get("nesterov") else v)
        else:
            v.mul_(m).add_(g)
            w.sub_(a * (g + m * v if options.get("nesterov") else v))


def run_step(net, size, images, step):
    x = torch.from_numpy(counter.values("images", (images, 3, size, size), 0.0, 2.0, step)).to(net.dtype)
    y = torch.from_numpy(counter.labels(images, net.options["classes"], step))
    x, y = net.start(x, y, step)
    for w in net.params.values():
        w.grad = None
    loss = networks.BUILDERS[net.name](net, x, y).mean()
    loss.backward()
    return float(loss.detach())


def compare_with_torchvision(net, logits):
    try:
        import torchvision
    except ImportError:
        print("  torchvision is not there: not compared")
        return
    theirs = {"resnet18": "resnet18", "resnet50-v1.5": "resnet50", "alexnet-torchvision": "alexnet"}.get(net.name)
    if theirs is None:
        return
    model = getattr(torchvision.models, theirs)(num_classes=net.options["classes"]).double()
    missing, unexpected = model.load_state_dict({k: v.detach() for k, v in net.params.items()}, strict=False)
    assert not unexpected and all("running" in k or "num_batches" in k for k in missing), (missing, unexpected)
    if theirs == "alexnet":
        model.eval()  # our masks are not theirs: compare without dropout
        net.options["dropout"] = 0.0
        net.options["keep"] = False
        x = net.nodes["input"].detach()
        net.nodes = {"input": x}
        networks.BUILDERS[net.name](net, x, torch.zeros(x.shape[0], dtype=torch.long))
        logits = net.nodes["classifier.6"]
    else:
        model.train()
    error = float(((model(net.nodes["input"].detach()) - logits).abs().max() / logits.abs().max()).detach())
    print(f"  logits against torchvision.models.{theirs}: relative error {error:.1e}")
    assert error < 1e-5  # torchvision's BN epsilon is 1e-5 in double, ours is float32(1e-5)


def compute(name, full, dtype, compare=False):
    """Everything a golden file holds, in the given precision."""
    size, images = (FULL if full else SMALL)[name]
    options = {"classes": 1000 if full else 10, "dropout": 0.5, "smoothing": 0.125, "keep": True, "dtype": dtype}
    results = {"network": name, "torch": torch.__version__, "input": size, "images": images, "steps": STEPS,
               "classes": options["classes"], "dropout": options["dropout"], "smoothing": options["smoothing"]}
    net = networks.Network(name, dict(options))
    results["losses"] = [run_step(net, size, images, 0)]
    signs = max(t.numel() for t in list(net.params.values()) + list(net.nodes.values()))
    tensors = {"value " + k: v.detach() for k, v in net.nodes.items()}
    if not full:  # gradients of values depend on ties and signs of zeros, which float32 resolves in its own way
        tensors |= {"gradient " + k: v.grad for k, v in net.nodes.items() if k != "loss"}
    tensors |= {"d " + k: v.grad for k, v in net.params.items()}
    results["parameters"] = net.specs
    results["first"] = {k: counter.summary(k, v.numpy(), signs) for k, v in tensors.items()}
    results["sizes"] = {k: v.numel() for k, v in tensors.items()}
    if compare:
        compare_with_torchvision(net, net.nodes["fc" if name.startswith("resnet") else list(net.nodes)[-2]].detach())
    results["optimizers"] = {}
    for kind, optimizer in OPTIMIZERS[name].items():
        optimizer = dict(optimizer, rate=optimizer["rate"] / (SLOWER[name] if full else 1))
        net = networks.Network(name, dict(options, keep=False))
        losses, velocities = [], {}
        for step in range(STEPS):
            losses.append(run_step(net, size, images, step))
            velocities = velocities or {k: torch.zeros_like(w) for k, w in net.params.items()}
            with torch.no_grad():
                optimizer_step(optimizer, net, velocities, step)
        print(f"  {dtype}, {kind}: losses {losses[0]:.4f} ... {losses[-1]:.4f}")
        moved = {k: w.detach().numpy() - counter.values(k, w.shape, *net.specs[k]) for k, w in net.params.items()}
        moved |= {k: s.numpy() for k, s in net.stats.items()}
        final = {k: counter.summary("moved " + k, x, signs) for k, x in moved.items()}
        results["sizes"] |= {k: x.size for k, x in moved.items()}
        results["optimizers"][kind] = {"options": optimizer, "losses": losses, "final": final}
        results["norms"] = {k: float(torch.linalg.vector_norm(w.detach())) for k, w in net.params.items()}
    return results


def relative_error(got, expected, size):
    """As relative_error of golden.cpp."""
    norm = expected[0]
    if norm == 0:
        return 0.0 if got[0] == 0 else float("inf")
    worst = max(abs(g - e) / norm for g, e in zip(got[:4], expected[:4]))
    return max([worst] + [abs(g - e) / max(abs(e), norm / size**0.5) for g, e in zip(got[4:], expected[4:])])


def errors_of_float32(exact, rounded):
    """PyTorch's own float32 against its float64: by heading, the worst tensor."""
    def worst(got, expected, keys):
        return max([relative_error(got[k], expected[k], exact["sizes"][k]) for k in keys], default=0.0)

    def loss(got, expected):
        return max(abs(g / e - 1) for g, e in zip(got, expected))

    first, here = rounded["first"], exact["first"]
    errors = {"loss": loss(rounded["losses"], exact["losses"]),
              "values": worst(first, here, [k for k in here if k.startswith("value ")]),
              "weight gradients": worst(first, here, [k for k in here if k.startswith("d ")])}
    for kind, run in exact["optimizers"].items():
        got, expected = rounded["optimizers"][kind], run["final"]
        errors[kind + " losses"] = loss(got["losses"], run["losses"])
        # As backend_test.cpp: those moved by less than a few units in the last place show nothing in float32.
        seen = [k for k, norm in exact["norms"].items() if STEPS * 2.0**-24 * norm <= 0.25 * expected[k][0]]
        errors[kind + " weights"] = worst(got["final"], expected, seen)
        errors[kind + " statistics"] = worst(got["final"], expected, [k for k in expected if k not in exact["parameters"]])
    return errors


def dump(name, full):
    print(f"{name} at {(FULL if full else SMALL)[name]}")
    results = compute(name, full, torch.float64, compare=True)
    if full:
        results["float32"] = errors_of_float32(results, compute(name, full, torch.float32))
        print("  PyTorch's float32: " + ", ".join(f"{k} {v:.1e}" for k, v in results["float32"].items()))
    del results["sizes"], results["norms"]
    path = Path(__file__).parent / f"{'full' if full else 'small'}-{name}.json"
    write(path, results, 9 if full else 17)


def write(path, results, digits):
    """One line a tensor: what changed shows in a diff."""
    def number(x):
        return float(f"{x:.{digits}g}") if isinstance(x, float) else x

    def rounded(x):
        if isinstance(x, dict):
            return {k: rounded(v) for k, v in x.items()}
        return [number(v) for v in x] if isinstance(x, list) else number(x)

    def text(x, depth):
        if isinstance(x, dict) and depth < 5 and any(isinstance(v, (dict, list)) for v in x.values()):
            inner = ",\n".join(f"{json.dumps(k)}: {text(v, depth + 1)}" for k, v in x.items())
            return "{\n" + inner + "\n}"
        return json.dumps(x)

    path.write_text(text(rounded(results), 0) + "\n")
    print(f"  {path.name}: {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("names", nargs="*", default=list(SMALL))
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(SMALL)
    if unknown:
        sys.exit(f"no network {', '.join(sorted(unknown))}; there are {', '.join(SMALL)}")
    for name in arguments.names:
        dump(name, arguments.full)


if __name__ == "__main__":
    main()
