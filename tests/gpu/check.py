"""Checks of the cudnn backend on a real GPU; started by check.sh. Every check is a function below, its first line what it holds the
backend to. Prints one line a check and writes them, with GPU, driver and commit, as JSON."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["CONVOY_BUILD"]).resolve()
CONVOY = BUILD / "bin/convoy"
JOB = """
name = "gpu-check"
[network]
model = "resnet18"
width = 8
stem = "small"
input = 16
[data]
resize = 18
[minibatch]
workers = 4
images = 8
[train]
epochs = 3
[optimizer]
kind = "lars"
[schedule]
kind = "constant"
rate = 0.05
"""


class Failed(Exception):
    pass


class NotRun(Exception):
    pass


def run(*command, env=None, codes=(0,), timeout=590):
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **(env or {}))
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, stdin=subprocess.DEVNULL)
    if done.returncode not in codes:
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def launcher(ranks):
    for name in ("mpirun.openmpi", "mpirun", "orterun"):
        if shutil.which(name):
            return [name, "-n", ranks, "--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "self,vader"]
    raise NotRun("no mpirun on PATH")


class Checks:
    def __init__(self, folder):
        self.folder = folder
        self.job = folder / "job.toml"
        self.job.write_text(JOB)
        run(CONVOY, "synth", "--classes", 4, "--train-per-class", 56, "--val-per-class", 8, "--size", 20, "--out", folder / "images")
        run(CONVOY, "pack", folder / "images/train", "--out", folder / "set/train", "--quiet")
        run(CONVOY, "pack", folder / "images/val", "--classes", folder / "set/train", "--out", folder / "set/val", "--quiet")

    def train(self, name, backend, *more, ranks=0, codes=(0,), env=None, quiet=True):
        """The run's digest and its losses by step; self.said and self.fingerprint are of the last one."""
        begin = (["--resume", self.folder / name] if "resume" in more else
                 [self.job, "--train", self.folder / "set/train", "--held-out", self.folder / "set/val", "--out", self.folder / name])
        flags = [word for word in more if word != "resume"]
        self.said = run(*(launcher(ranks) if ranks else []), CONVOY, "train", *begin, "--backend", backend, "--threads", 1,
                        *(["--quiet"] if quiet else []), "--oversubscribe", *flags, codes=codes, env=env)
        lines = map(json.loads, (self.folder / name / "metrics.jsonl").read_text().splitlines())
        losses = {line["step"]: line["loss"] for line in lines if line["event"] == "step"}
        result = json.loads((self.folder / name / "result.json").read_text()) if codes == (0,) else {}
        self.fingerprint = result.get("numerics", {}).get("fingerprint", "")
        return result.get("numerics", {}).get("final_weights_xxh3"), [losses[step] for step in sorted(losses)]

    # --- the checks, in this order ---

    def device(self):
        """memory, queues, marks in graphs, errors, the optimizers' bits (test_gpu)"""
        return run(BUILD / "bin/test_gpu").strip().splitlines()[-1]

    def parity(self):
        """every shape of the networks against the reference, zero tolerance where arithmetic is exact; planted bugs are caught"""
        cases = ("every shape*", "odd shapes*", "other thread counts*", "fused plans are exact*", "the backends agree*",
                 "a planted*")
        return run(BUILD / "bin/test_parity", ",".join(cases), env={"CONVOY_TEST_BACKEND": "cudnn"}).strip().splitlines()[-1]

    def golden(self):
        """values, gradients and 20 optimizer steps against PyTorch in float64"""
        env = {"CONVOY_TEST_BACKEND": "cudnn"}
        return run(BUILD / "bin/test_golden", "float32 agrees*", env=env).strip().splitlines()[-1]

    def training(self):
        """20 steps as the onednn backend makes them: every loss within 1e-3"""
        ours, theirs = (self.train(f"training-{b}", b, "--stop-after", 20, codes=(85,))[1] for b in ("cudnn", "onednn"))
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        if len(ours) != 20 or not worst < 1e-3:
            raise Failed(f"{len(ours)} losses, they differ by up to {worst:.2e}")
        return f"losses of 20 steps differ by up to {worst:.1e}"

    def repeatable(self):
        """the same bits, twice"""
        first, second = (self.train(f"repeat-{i}", "cudnn")[0] for i in range(2))
        if first is None or first != second:
            raise Failed(f"{first} and {second}")
        return first

    def resumed(self):
        """stopped and resumed: the bits of an undisturbed run"""
        whole = self.train("whole", "cudnn")[0]
        self.train("parts", "cudnn", "--stop-after", 9, codes=(85,))
        parts = self.train("parts", "cudnn", "resume")[0]
        if whole is None or parts != whole:
            raise Failed(f"{parts} instead of {whole}")
        return whole

    def pictures(self):
        """images resized, mirrored and normalized by the GPU: the bits of those that the host prepares"""
        here, there = (self.train(f"pictures-{how}", "cudnn", "--device-input", how)[0] for how in ("none", "resize"))
        if here is None or here != there:
            raise Failed(f"{here} by the host, {there} by the GPU")
        return here

    def decoded(self):
        """and decoded by nvJPEG: the same bits twice, every loss of 20 steps within 5e-2 of those on the host's pixels"""
        first, second = (self.train(f"decoded-{i}", "cudnn", "--device-input", "decode")[0] for i in range(2))
        if first is None or first != second or ", nvJPEG " not in self.fingerprint:
            raise Failed(f"{first} and {second}, {self.fingerprint}")
        ours, theirs = (self.train(f"decoded-{how}", "cudnn", "--device-input", how, "--stop-after", 20, codes=(85,))[1]
                        for how in ("decode", "none"))
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
        if not worst < 5e-2:  # decoders differ by steps of 255, which a batch norm of few images makes more of
            raise Failed(f"losses differ by up to {worst:.2e}")
        return f"{first}; losses of 20 steps differ by up to {worst:.1e}"

    def ranks(self):
        """1 and 2 ranks on one GPU: the same bits on the tree"""
        one, two = (self.train(f"ranks-{n}", "cudnn", ranks=n)[0] for n in (1, 2))
        if one is None or one != two:
            raise Failed(f"{one} on 1 rank, {two} on 2")
        return one

    def library(self):
        """2 ranks on one GPU on the library's road, which NCCL refuses: sums by MPI in page-locked memory, every loss within 1e-3"""
        one, two = (self.train(f"library-{n}", "cudnn", "--road", "library", "--stop-after", 20, ranks=n, codes=(85,), quiet=False)[1]
                    for n in (1, 2))
        if "summed by the MPI library in page-locked memory" not in self.said:
            raise Failed(f"2 ranks do not say who sums:\n{self.said}")
        worst = max(abs(a - b) / abs(b) for a, b in zip(two, one, strict=True))
        if not worst < 1e-3:
            raise Failed(f"losses differ by up to {worst:.2e}")
        return f"losses of 20 steps differ by up to {worst:.1e}"

    def timed(self):
        """engines chosen by a clock, once for a cache folder: the same bits twice"""
        env = {"CONVOY_TIME_ENGINES": "4", "CONVOY_CACHE": str(self.folder / "cache")}
        first, second = (self.train(f"timed-{i}", "cudnn", env=env)[0] for i in range(2))
        if first is None or first != second or ", engines " not in self.fingerprint:
            raise Failed(f"{first} and {second}, {self.fingerprint}")
        return first

    def mixed(self):
        """a CPU's and a GPU's rank in one job: every loss within 1e-3 of the GPU's alone"""
        alone = self.train("alone", "cudnn", "--stop-after", 20, codes=(85,))[1]
        both = self.train("mixed", "onednn,cudnn", "--stop-after", 20, ranks=2, codes=(85,))[1]
        worst = max(abs(a - b) / abs(b) for a, b in zip(both, alone, strict=True))
        if not worst < 1e-3:
            raise Failed(f"losses differ by up to {worst:.2e}")
        return f"losses of 20 steps differ by up to {worst:.1e}"

    def main_loop(self):
        """batch norm in the convolutions' main loops, fp16: losses of 20 steps within 2e-2 of those without, and the same bits twice"""
        wide = ("--set", "network.width=32", "--set", "precision.activations=fp16", "--stop-after", 20)
        with_it, without = (self.train(f"{b}-fp16", b, *wide, codes=(85,))[1] for b in ("cudnn-mainloop", "cudnn"))
        worst = max(abs(a - b) / abs(b) for a, b in zip(with_it, without, strict=True))
        if len(with_it) != 20 or not worst < 2e-2:  # gradients lie 7 times as far from PyTorch's (results/gpu)
            raise Failed(f"{len(with_it)} losses, they differ by up to {worst:.2e}")
        first, second = (self.train(f"main-loop-{i}", "cudnn-mainloop", *wide[:-2])[0] for i in range(2))
        if first is None or first != second:
            raise Failed(f"{first} and {second}")
        return f"losses of 20 steps differ by up to {worst:.1e}; {first}"

    def sanitizer(self):
        """compute-sanitizer finds nothing in a few operations and in a step of training"""
        tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path="/usr/local/cuda/bin")
        if tool is None:
            raise NotRun("no compute-sanitizer on PATH or in /usr/local/cuda/bin")
        for checker in ("memcheck", "initcheck"):
            watch = [tool, "--tool", checker, "--error-exitcode", "9", "--target-processes", "all"]
            run(*watch, BUILD / "bin/test_parity", "fused plans are exact*", env={"CONVOY_TEST_BACKEND": "cudnn"})
        run(tool, "--tool", "memcheck", "--error-exitcode", "9", CONVOY, "train", self.job, "--train", self.folder / "set/train",
            "--out", self.folder / "sanitized", "--backend", "cudnn", "--stop-after", 2, "--quiet", codes=(85,))
        return "memcheck, initcheck"


CHECKS = ("device", "parity", "golden", "training", "repeatable", "resumed", "pictures", "decoded", "ranks", "library", "timed", "mixed", "main_loop", "sanitizer")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "results/gpu")
    parser.add_argument("--only", default=",".join(CHECKS))
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - set(CHECKS):
        sys.exit(f"check.py: no check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    facts = json.loads(run(CONVOY, "info", "--json"))
    trouble = next(backend for backend in facts["backends"] if backend["name"] == "cudnn").get("trouble")
    if trouble:
        for name in wanted:
            print(f"SKIPPED: gpu check {name} DID NOT RUN: {getattr(Checks, name).__doc__}")
        print(f"no usable GPU: {trouble}")
        return 77
    now = datetime.datetime.now(datetime.timezone.utc)
    report = {"date": now.isoformat(timespec="seconds"), "tool": facts["tool"], "gpu": facts["gpu"], "host": facts["machine"],
              "checks": []}
    with tempfile.TemporaryDirectory() as folder:
        checks = Checks(pathlib.Path(folder))
        for name in wanted:
            begin, status = time.monotonic(), "ok"
            try:
                detail = getattr(checks, name)()
            except NotRun as reason:
                status, detail = "did not run", str(reason)
            except (Failed, subprocess.TimeoutExpired) as failure:
                status, detail = "FAILED", str(failure)
            seconds = time.monotonic() - begin
            report["checks"].append({"name": name, "what": getattr(Checks, name).__doc__, "status": status, "detail": detail,
                                     "seconds": round(seconds, 1)})
            print(f"{status:12} {name:11} {seconds:6.1f} s   {detail}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"check-{now:%Y%m%d-%H%M%S}.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written: {file}")
    return 0 if all(check["status"] == "ok" for check in report["checks"]) else 1


if __name__ == "__main__":
    sys.exit(main())
