#!/usr/bin/env python3
"""Kills a run at every point of its writing and at random moments, resumes it, and requires the digest of an undisturbed run; and a
pack at every point of its writing, packs again, and requires the same bytes.

  campaign.py [--build build] [--ranks 1,2,4] [--random 200] [--per-kind 3] [--only-random | --only-packs] [--seed 1] [--out table.md]

Points: every call of rank 0 that creates, writes, syncs, renames or removes a file of the run's (or the set's) folder (kill_at.c), before the call and,
for writes, half-way through it. Random: SIGKILL for one rank, chosen by chance, at a moment within the length of an undisturbed run.
Killed or not, the same command goes on: `convoy train JOB --out RUN --resume auto`. Points are of one kind if the call and the file's kind are
the same; --per-kind N takes N of them, the first, the last and between (0: all, a checkpoint alone has a hundred writes).
"""
import argparse
import collections
import hashlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))


class Campaign:
    def __init__(self, folder, ranks):
        import convoy_cli
        self.convoy, self.folder, self.ranks, self.hung = convoy_cli, folder, ranks, 0
        self.launcher = convoy_cli.mpirun(ranks) if ranks > 1 else []
        self.set = folder / "set"
        self.job = folder / "job.toml"
        if not self.set.exists():
            self.job.write_text(convoy_cli.TINY_JOB)
            subprocess.run([convoy_cli.CONVOY, "synth", "--out", folder / "images", "--classes", "3", "--train-per-class", "16",
                            "--val-per-class", "6", "--size", "20", "--quiet"], check=True, stdout=subprocess.DEVNULL)
            for part in ("train", "val"):
                classes = ["--classes", self.set / "train"] if part == "val" else []
                subprocess.run([convoy_cli.CONVOY, "pack", folder / "images" / part, *classes, "--out", self.set / part, "--quiet"],
                               check=True, stdout=subprocess.DEVNULL)
            convoy_cli.shared_library(folder, "faults/kill_at.c")

    def command(self, run):
        return [self.convoy.CONVOY, "train", self.job, "--train", self.set / "train", "--held-out", self.set / "val", "--out", run,
                "--resume", "auto", "--threads", "1", "--checkpoint-steps", "1", "--quiet", "--oversubscribe"]

    def start(self, run, **environment):
        """The job on its ranks; the environment is rank 0's."""
        command = self.command(run)
        if environment:
            mine = [f"{key}={value}" for key, value in environment.items()]
            if self.ranks > 1:  # MPMD: rank 0, then the others
                count = self.launcher.index("-n") + 1
                first = [*self.launcher[:count], "1", *self.launcher[count + 1:], "env", *mine, *command]
                command = [*first, ":", "-n", str(self.ranks - 1), *command]
            else:
                command = ["env", *mine, *command]
        else:
            command = [*self.launcher, *command]
        variables = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_WAIT_POLICY="passive")
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                env=variables, stdin=subprocess.DEVNULL, start_new_session=True)

    def end_of(self, process):
        """After a kill. A launcher that loses a rank while it still starts others may wait for ever (Open MPI's does, once in some
        hundred kills): it is ended, and counted. A rank that lives and does not go on is our own fault."""
        try:
            process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            alone = not self.convoy.ranks_of(process.pid)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=30)
            if not alone:
                raise
            self.hung += 1

    def digest(self, run):
        import json
        result = json.loads((run / "result.json").read_text())
        return result["numerics"]["final_weights_xxh3"] if result["status"] == "completed" else result["status"]

    def finish(self, run):
        """Goes on until the run says that it is complete."""
        for _ in range(3):
            process = self.start(run)
            error = process.communicate(timeout=300)[1]
            if process.returncode == 0:
                return self.digest(run)
        return f"exit {process.returncode}: {error.strip()[-300:]}"

    def points(self):
        log = self.folder / f"points-{self.ranks}"
        run = self.folder / f"dry-{type(self).__name__}-{self.ranks}"
        process = self.start(run, LD_PRELOAD=self.folder / "kill_at.so", CONVOY_KILL_PATH=run, CONVOY_KILL_LOG=log)
        process.communicate(timeout=300)
        if process.returncode != 0:
            sys.exit(f"the run whose points are counted ended with {process.returncode}")
        lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
        return [(call, str(Path(path).relative_to(run)) if path != str(run) else ".") for call, path in lines]

    def kill_at(self, number, half):
        run = self.folder / f"point-{self.ranks}"
        shutil.rmtree(run, ignore_errors=True)
        more = {"CONVOY_KILL_HALF": 1} if half else {}
        process = self.start(run, LD_PRELOAD=self.folder / "kill_at.so", CONVOY_KILL_PATH=run, CONVOY_KILL_AT=number, **more)
        self.end_of(process)
        return process.returncode != 0, self.finish(run)

    def kill_after(self, seconds, chance):
        run = self.folder / f"random-{self.ranks}"
        shutil.rmtree(run, ignore_errors=True)
        process = self.start(run)
        time.sleep(seconds)
        processes = self.convoy.ranks_of(process.pid)
        killed = False
        if processes and process.poll() is None:
            try:
                os.kill(chance.choice(processes), signal.SIGKILL)
                killed = True
            except ProcessLookupError:
                pass
        self.end_of(process)
        return killed and process.returncode != 0, self.finish(run)


class Packing(Campaign):
    """The same of a pack: three shards of a folder's images."""

    def command(self, run):
        return [self.convoy.CONVOY, "pack", self.folder / "images/train", "--out", run, "--shards", "3", "--threads", "1", "--quiet"]

    def digest(self, run):
        files = sorted(path for path in run.rglob("*") if path.is_file())
        return hashlib.md5(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def kind_of(call, path):
    """Points are counted by what is done to which kind of file."""
    name = re.sub(r"\.tmp\.\d+$", ".tmp", Path(path).name) or "the run's folder"
    name = re.sub(r"^(events\.out\.tfevents)\..*", r"\1", name)
    name = re.sub(r"shard-\d+-of-\d+", "shard", name)
    if name.startswith("checkpoint-"):
        name = "checkpoint" + "".join(Path(name).suffixes)
    return f"{call} {name}"


def chosen(points, per_kind):
    """(number, call, path), numbers from 1."""
    kinds = collections.defaultdict(list)
    for number, (call, path) in enumerate(points, 1):
        kinds[kind_of(call, path)].append((number, call, path))
    for of_kind in kinds.values():
        if per_kind == 0 or len(of_kind) <= per_kind:
            yield from of_kind
        else:
            yield from (of_kind[round(i * (len(of_kind) - 1) / max(1, per_kind - 1))] for i in range(per_kind))


def table_text(table, counts, wrong, state):
    """What has been killed so far, in Markdown: a campaign that is itself cut short still says what it saw."""
    lines = [f"`{' '.join(['tests/faults/campaign.py', *sys.argv[1:]])}`: {state}", "",
             "| killed at | " + " | ".join(f"{count} rank{'s' if count > 1 else ''}" for count in counts) + " | other digests |",
             "|---" * (len(counts) + 2) + "|"]
    for row in sorted({row for row, _ in table}):
        cells = [table[row, count] if (row, count) in table else (0, 0, 0) for count in counts]
        lines.append(f"| {row} | " + " | ".join(str(kills) for kills, _, _ in cells) + f" | {sum(other for *_, other in cells)} |")
    return "\n".join([*lines, "| all | " + " | ".join(str(sum(v[0] for (_, r), v in table.items() if r == count)) for count in counts) +
                      f" | {len(wrong)} |"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--ranks", default="1,2,4")
    parser.add_argument("--random", type=int, default=200)
    parser.add_argument("--per-kind", type=int, default=3)
    parser.add_argument("--only-random", action="store_true")
    parser.add_argument("--only-packs", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    os.environ["CONVOY_BUILD"] = str(options.build)
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="convoy-campaign-"))
    table = collections.defaultdict(lambda: [0, 0, 0])  # kills, not killed, other digests
    wrong, expected, hung = [], {}, 0
    counts = [int(count) for count in options.ranks.split(",")]
    works = {Campaign: "", Packing: "pack: "}
    for ranks, (work, prefix) in itertools.product(counts, works.items()):
        if options.only_packs and work is Campaign or options.only_random and work is Packing:
            continue
        campaign = work(folder, ranks)
        began = time.monotonic()
        undisturbed = campaign.finish(folder / f"straight-{work.__name__}-{ranks}")
        seconds = time.monotonic() - began
        wanted = expected.setdefault(work, undisturbed)
        if undisturbed != wanted or len(wanted) != 32:
            sys.exit(f"{prefix}undisturbed, {ranks} ranks ended with {undisturbed}, not {wanted}")

        def note(row, killed, digest, ranks=ranks, wanted=wanted):
            table[row, ranks][0 if killed else 1] += 1
            if digest != wanted:
                table[row, ranks][2] += 1
                wrong.append(f"{row}, {ranks} ranks: {digest}")
                print(wrong[-1], flush=True)
            if options.out:
                options.out.write_text(table_text(table, counts, wrong, "not at its end"))

        points = [] if options.only_random else campaign.points()
        for number, call, path in chosen(points, options.per_kind):
            for half in (False, True) if "write" in call else (False,):
                note(prefix + kind_of(call, path) + (", half-way" if half else ""), *campaign.kill_at(number, half))
        for _ in range(-(-options.random // len(counts)) if work is Campaign else 0):
            note("at random", *campaign.kill_after(chance.uniform(0, seconds), chance))
        done = sum(v[0] for (row, r), v in table.items() if r == ranks and row.startswith("pack: ") == bool(prefix))
        print(f"{prefix}{ranks} ranks: {len(points)} points, {done} kills, {campaign.hung} launchers that hung", flush=True)
        hung += campaign.hung
        if done < len({kind_of(call, path) for _, call, path in chosen(points, 1)}) or done == 0:
            wrong.append(f"{prefix}{ranks} ranks: {done} kills, fewer than there are kinds of points")
    kills = sum(value[0] for value in table.values())
    state = f"{kills} kills, {len(wrong)} that did not end with the digest of the undisturbed: {', '.join(expected.values())}; {hung} launchers hung"
    if options.out:
        options.out.write_text(table_text(table, counts, wrong, state))
    print(table_text(table, counts, wrong, state))
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if wrong or kills == 0 else 0)


if __name__ == "__main__":
    main()
