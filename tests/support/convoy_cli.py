"""Runs the built program as a user would, for tests/cli and tests/faults (standard library only)."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CONVOY_BUILD", ROOT / "build")).resolve()
CONVOY = BUILD / "bin" / "convoy"

TINY_JOB = """
name = "tiny"
[network]
model = "resnet18"
width = 4
stem = "small"
input = 16
[data]
resize = 18
[minibatch]
workers = 4
images = 4
[train]
epochs = 2
[optimizer]
kind = "sgd"
[schedule]
kind = "constant"
rate = 0.05
"""


def mpirun(ranks):
    """The launcher that fits the MPI library of the build."""
    cache = (BUILD / "CMakeCache.txt").read_text()
    if "mpich" in cache.split("MPI_CXX_COMPILER:", 1)[1].split("\n", 1)[0]:
        return ["mpiexec.hydra", "-n", str(ranks)]
    return ["mpirun.openmpi", "-n", str(ranks), "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]


def convoy(*arguments, ranks=0, timeout=300, unprivileged=False, **more):
    """(exit code, standard output, standard error) of `convoy ARGUMENTS`, on `ranks` MPI ranks if given. Unprivileged: file
    permissions count, also for root."""
    command = (mpirun(ranks) if ranks else []) + [str(CONVOY)] + [str(a) for a in arguments]
    if unprivileged and os.geteuid() == 0:
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **more.pop("env", {}))
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment,
                          stdin=subprocess.DEVNULL, **more)
    return done.returncode, done.stdout, done.stderr


def children(process):
    """Processes below this one, by the kernel's word."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(words[1]) == process:
            found.append(int(stat.parent.name))
    return found + [below for child in found for below in children(child)]


def is_rank(process):
    try:
        words = pathlib.Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"/convoy")


def ranks_of(process):
    """The convoy processes below a launcher, or the process itself where it is one."""
    return sorted(pid for pid in [process, *children(process)] if is_rank(pid))


def shared_library(folder, source):
    """A C file of tests/, built to be preloaded or found by dlopen."""
    library = pathlib.Path(folder) / f"{pathlib.Path(source).stem}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests" / source, "-ldl"], check=True)
    return library


class ConvoyTest(unittest.TestCase):
    """A folder of its own for every class, with a tiny packed set of shapes in set/train and set/val."""

    synth = ["--classes", "3", "--train-per-class", "16", "--val-per-class", "6", "--size", "20"]

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="convoy-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.job = cls.folder / "tiny.toml"
        cls.job.write_text(TINY_JOB)
        cls.must("synth", "--out", cls.folder / "images", *cls.synth)
        cls.must("pack", cls.folder / "images/train", "--out", cls.folder / "set/train", "--shards", 3, "--quiet")
        cls.must("pack", cls.folder / "images/val", "--classes", cls.folder / "set/train", "--out", cls.folder / "set/val",
                 "--quiet")
        cls.sets = ["--train", cls.folder / "set/train", "--held-out", cls.folder / "set/val", "--threads", "1"]

    @classmethod
    def must(cls, *arguments, **more):
        code, out, err = convoy(*arguments, **more)
        if code != 0:
            raise AssertionError(f"convoy {' '.join(map(str, arguments))} ended with {code}\n{out}\n{err}")
        return out + err

    def refused(self, code, *arguments, says=(), **more):
        """The command must end with `code`, said once on standard error, with every piece of `says`."""
        got, out, err = convoy(*arguments, **more)
        self.assertEqual(got, code, f"{out}\n{err}")
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("convoy:")]), 1, f"said once:\n{err}")
        message = err[err.index("convoy:"):]
        for piece in [says] if isinstance(says, str) else says:
            self.assertIn(str(piece), message)
        return message

    def train(self, name, *more, job=None, ranks=0, **options):
        self.must("train", job or self.job, *self.sets, "--out", self.folder / name, "--quiet", "--oversubscribe", *more,
                  ranks=ranks, **options)
        return self.result(name)

    def begin(self, name, *more, ranks=0, steps=5, env=None):
        """A `convoy train` under way, with so many steps behind it."""
        run = self.folder / name
        command = [*(mpirun(ranks) if ranks else []), CONVOY, "train", self.job, *self.sets, "--out", run, "--quiet",
                   "--oversubscribe", *more]
        environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **(env or {}))
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=environment)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        self.await_steps(process, name, steps)
        return process

    def await_steps(self, process, name, steps):
        metrics = self.folder / name / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text().count('"event":"step"') >= steps):
            time.sleep(0.01)
        self.assertIsNone(process.poll(), "the run ended before it could be disturbed")

    def result(self, name):
        return json.loads((self.folder / name / "result.json").read_text())
