#!/usr/bin/env python3
"""The rules of the house that a machine can check: include directions, headers that must not leak, file sizes.

  lint.py [ROOT]          check the tree; exit 1 and one line a violation
  lint.py --self-test     plant one violation of every kind in a copy and require that each is caught
"""
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# A room may include itself and what stands to its left.
ALLOWED = {
    "src/base": [],
    "src/net": ["src/base"],
    "src/port": ["src/base", "src/net"],
    "src/comm": ["src/base", "src/net", "src/port"],
    "data": ["src/base", "src/net", "src/port"],
    "backends/common": ["src/base", "src/net", "src/port"],
    "backends/reference": ["src/base", "src/net", "src/port", "backends/common"],
    "backends/onednn": ["src/base", "src/net", "src/port", "backends/common"],
    "backends/fused": ["src/base", "src/net", "src/port", "backends/common"],
    "backends/cudnn": ["src/base", "src/net", "src/port", "backends/common", "backends/fused"],
    "backends/check": ["src/base", "src/net", "src/port", "backends/common"],
    "backends": ["src/base", "src/net", "src/port", "backends/common", "backends/reference", "backends/onednn",
                 "backends/check", "backends/fused", "backends/cudnn"],
    "src/train": ["src/base", "src/net", "src/port", "src/comm"],
    "src/report": ["src/base", "src/net", "src/port", "src/train"],
    "src/observe": ["src/base", "src/net", "src/port", "src/train"],
    "src/interop": ["src/base", "src/net", "src/port", "src/train"],
    "src/launch": ["src/base"],
    "src/simulate": ["src/base", "src/net", "src/port", "src/comm", "src/train"],
    "src/cli": ["src/base", "src/net", "src/port", "src/comm", "src/train", "src/report", "src/observe", "src/interop",
                "src/simulate", "src/launch", "data", "backends", "backends/check"],
}
# Library headers and the only places that may see them.
FENCED = {
    r"mpi\.h": ["src/comm"],
    r"hwloc.*\.h": ["src/comm"],
    r"hdf5\.h": ["data", "src/train/checkpoint"],
    r"(oneapi/)?dnnl.*\.hpp?|oneapi/dnnl/.*": ["backends/onednn"],
    r"cuda.*\.h|cudnn.*\.h|nccl\.h|nvjpeg\.h": ["backends/cudnn"],
    r"jpeglib\.h|png\.h|matio\.h": ["data"],
    r"toml\+\+/.*": ["src/train", "src/launch", "src/cli", "src/simulate"],
    r"simgrid/.*|smpi/.*": ["src/simulate/smpi"],
    r"CLI/.*": ["src/cli"],
    r"omp\.h": ["backends", "src/comm"],
}
ROOMS = ("src", "backends", "data", "tests", "jobs")
TOP_LEVEL = {"CMakeLists.txt", "README.md", "LICENSE", "results", *ROOMS}
SOURCES = (".cpp", ".h", ".cu", ".cuh")
PORT_FUNCTIONS = 22
MEDIAN_LINES, LONG_LINES, LONG_SHARE = 130, 400, 0.05


def room_of(path):
    parts = Path(path).parts
    if parts[0] in ("src", "backends") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def sources(root, tops, suffixes):
    for path in sorted(path for top in tops for path in (root / top).rglob("*")):
        if path.suffix in suffixes:
            yield path.relative_to(root).as_posix(), path.read_text().splitlines()


def resolve(root, name, folders):
    for base in folders:
        if (base / name).is_file():
            return (base / name).resolve().relative_to(root.resolve()).as_posix()
    return None


def check_includes(root):
    for relative, lines in sources(root, ("src", "backends", "data"), SOURCES):
        room = room_of(relative)
        if room not in ALLOWED:
            yield f"{relative}: its folder {room} is no room of the house (tests/lint/lint.py names them)"
            continue
        for number, line in enumerate(lines, 1):
            header = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if not header:
                continue
            # The compiler looks for <...> in the same folders: an arrow is one in any brackets.
            quoted, name = header[1], header[1] or header[2]
            target = resolve(root, name, [root / "src", root] + ([(root / relative).parent] if quoted else []))
            if target is None and quoted:
                yield f"{relative}:{number}: includes {name}, which is not in the tree"
            elif target and room_of(target) != room and room_of(target) not in ALLOWED[room]:
                yield f"{relative}:{number}: {room} must not include {target}"
            for pattern, places in FENCED.items():
                if re.fullmatch(pattern, name) and not any(relative.startswith(p) for p in places):
                    yield f"{relative}:{number}: <{name}> belongs to {' and '.join(places)} alone"


def check_sizes(root):
    sizes = {name: len(lines) for name, lines in sources(root, ROOMS, SOURCES + (".py", ".sh"))}
    if not sizes:
        return
    median = statistics.median(sizes.values())
    if median > MEDIAN_LINES:
        yield f"median source file has {median:g} lines, at most {MEDIAN_LINES} wanted"
    long_files = {name: lines for name, lines in sizes.items() if lines > LONG_LINES}
    if len(long_files) > LONG_SHARE * len(sizes):
        yield f"{len(long_files)} of {len(sizes)} files have over {LONG_LINES} lines: {long_files}"
    print(f"lint: {len(sizes)} source files, median {median:g} lines, {len(long_files)} above {LONG_LINES}")


def tracked(root):
    """What git tracks: a user's own folders in a checkout are no matter of ours. None where there is no git."""
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    listed = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z"], capture_output=True,
                            text=True, check=True)
    return listed.stdout.split("\0")[:-1]


def check_top_level(names):
    for name in sorted({name.split("/")[0] for name in names}):
        if not name.startswith(".") and name not in TOP_LEVEL:
            yield f"{name}: nothing else belongs at the top level"


def check_port(root):
    """What every backend has to implement stays small, and what an experiment is does not depend on where it runs."""
    functions = [line for _, lines in sources(root, ("src/port",), (".h",)) if _.endswith(("/backend.h", "/planted.h"))
                 for line in lines if re.match(r"\s*virtual\s+(?!~)", line)]
    if len(functions) > PORT_FUNCTIONS:
        yield f"src/port/backend.h: {len(functions)} virtual functions, at most {PORT_FUNCTIONS}"
    for relative, lines in sources(root, ("jobs",), (".toml",)):
        if relative.startswith("jobs/launch/"):
            continue
        for number, line in enumerate(lines, 1):
            if re.match(r"\s*(backend|backends)\s*=", line):
                yield f"{relative}:{number}: a job file names no backend"


def check(root, names):
    return [*check_includes(root), *check_sizes(root), *check_port(root), *check_top_level(names)]


def self_test(root):
    include = "#include {}\n".format
    plants = {  # what: (place, text, what must be said of it); {} in a place: as many files as the tree has
        "a fat port": ("src/port/planted.h", "  virtual void f() = 0;\n" * 22, "virtual functions, at most"),
        "a job that names a backend": ("jobs/planted.toml", 'backend = "cudnn"\n', "a job file names no backend"),
        "an arrow from net to port": ("src/net/planted.cpp", include('"port/backend.h"'), "src/net must not include"),
        "an arrow from train to data": ("src/train/planted.cpp", include('"data/decode.h"'), "src/train must not include"),
        "the same in angle brackets": ("src/train/planted.cpp", include("<data/decode.h>"), "src/train must not include"),
        "an arrow between backends": ("backends/reference/planted.h", include('"backends/onednn/onednn.h"'), "must not include"),
        "MPI outside comm": ("src/train/planted.h", include("<mpi.h>"), "belongs to src/comm alone"),
        "HDF5 outside data and checkpoint": ("src/train/planted.cpp", include("<hdf5.h>"), "belongs to data"),
        "oneDNN outside its backend": ("src/cli/planted.cpp", include("<oneapi/dnnl/dnnl.hpp>"), "belongs to backends/onednn"),
        "a header that is not there": ("src/base/planted.cpp", include('"base/no_such.h"'), "not in the tree"),
        "a new room": ("src/planted/planted.h", "\n", "is no room of the house"),
        "a new top-level folder": ("planted/planted.h", "\n", "planted: nothing else"),
        "files that are all a bit long": ("tests/planted{}.py", "\n" * (MEDIAN_LINES + 1), "median source file"),
        "many long files": ("tests/planted{}.py", "\n" * (LONG_LINES + 1), f"have over {LONG_LINES} lines"),
    }
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for top in ROOMS:
            shutil.copytree(root / top, copy / top, ignore=shutil.ignore_patterns("__pycache__"))
        before = check(copy, [])
        many = sum(1 for _ in copy.rglob("*"))
        for what, (place, text, words) in plants.items():
            places = sorted({place.format(i) for i in range(many)})
            made = (copy / place).parent.exists() or (copy / place).parent.mkdir()
            for one in places:
                (copy / one).write_text(text)
            found = [line for line in check(copy, places) if words in line and line not in before]
            print(f"  planted {what}: {found[0][:150] if found else 'NOT CAUGHT'}")
            if not found:
                missed.append(what)
            for one in places:
                (copy / one).unlink()
            if not made:
                (copy / place).parent.rmdir()
    return missed


if __name__ == "__main__":
    arguments = sys.argv[1:]
    here = Path(__file__).resolve().parents[2]
    if arguments == ["--self-test"]:
        sys.exit(1 if self_test(here) else 0)
    root = Path(arguments[0]) if arguments else here
    names = tracked(root)
    if names is None:
        print(f"lint: {root} is no git checkout: its top level was not looked at")
    violations = check(root, names or [])
    print(*violations, sep="\n", end="\n" if violations else "")
    sys.exit(1 if violations else 0)
