#!/usr/bin/env python3
"""The rules of the house that a machine can check: include directions, headers that must not leak, file sizes.

  lint.py [ROOT]          check the tree; exit 1 and one line a violation
  lint.py --self-test     plant one violation of every kind in a copy and require that each is caught
"""
import re
import shutil
import statistics
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
    "backends/check": ["src/base", "src/net", "src/port", "backends/common"],
    "backends": ["src/base", "src/net", "src/port", "backends/common", "backends/reference", "backends/onednn",
                 "backends/check"],
    "src/train": ["src/base", "src/net", "src/port", "src/comm"],
    "src/cli": ["src/base", "src/net", "src/port", "src/comm", "src/train", "data", "backends"],
}
# Library headers and the only places that may see them.
FENCED = {
    r"mpi\.h": ["src/comm"],
    r"hwloc.*\.h": ["src/comm"],
    r"hdf5\.h": ["data", "src/train/checkpoint"],
    r"(oneapi/)?dnnl.*\.hpp?|oneapi/dnnl/.*": ["backends/onednn"],
    r"cuda.*\.h|cudnn.*\.h|nccl\.h": ["backends/cudnn"],
    r"jpeglib\.h|png\.h|matio\.h": ["data"],
    r"toml\+\+/.*": ["src/train", "src/cli"],
    r"CLI/.*": ["src/cli"],
    r"omp\.h": ["backends", "src/comm"],
}
SOURCES = (".cpp", ".h", ".cu", ".cuh")
MEDIAN_LINES, LONG_LINES, LONG_SHARE = 130, 400, 0.05


def room_of(path):
    parts = Path(path).parts
    if parts[0] in ("src", "backends") and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def resolve(root, name, source):
    for base in (root / "src", root, source.parent):
        if (base / name).is_file():
            return (base / name).resolve().relative_to(root.resolve()).as_posix()
    return None


def check_includes(root):
    for source in sorted(root.rglob("*")):
        relative = source.relative_to(root).as_posix()
        if source.suffix not in SOURCES or relative.split("/")[0] not in ("src", "backends", "data"):
            continue
        room = room_of(relative)
        if room not in ALLOWED:
            yield f"{relative}: its folder {room} is no room of the house (tests/lint/lint.py names them)"
            continue
        for number, line in enumerate(source.read_text().splitlines(), 1):
            quoted = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            angled = re.match(r"\s*#\s*include\s*<([^>]+)>", line)
            if quoted:
                target = resolve(root, quoted[1], source)
                if target is None:
                    yield f"{relative}:{number}: includes {quoted[1]}, which is not in the tree"
                elif room_of(target) != room and room_of(target) not in ALLOWED[room]:
                    yield f"{relative}:{number}: {room} must not include {target}"
            header = (quoted or angled)
            for pattern, places in FENCED.items():
                if header and re.fullmatch(pattern, header[1]) and not any(relative.startswith(p) for p in places):
                    yield f"{relative}:{number}: <{header[1]}> belongs to {' and '.join(places)} alone"


def check_sizes(root):
    sizes = {}
    for top in ("src", "backends", "data", "tests", "jobs"):
        for source in (root / top).rglob("*"):
            if source.suffix in SOURCES + (".py", ".sh"):
                sizes[source.relative_to(root).as_posix()] = len(source.read_text().splitlines())
    if not sizes:
        return
    median = statistics.median(sizes.values())
    if median > MEDIAN_LINES:
        yield f"median source file has {median:g} lines, at most {MEDIAN_LINES} wanted"
    long_files = {name: lines for name, lines in sizes.items() if lines > LONG_LINES}
    if len(long_files) > LONG_SHARE * len(sizes):
        yield f"{len(long_files)} of {len(sizes)} files have over {LONG_LINES} lines: {long_files}"
    print(f"lint: {len(sizes)} source files, median {median:g} lines, {len(long_files)} above {LONG_LINES}")


def check_top_level(root):
    expected = {"CMakeLists.txt", "src", "backends", "data", "jobs", "tests", "results", "README.md", "LICENSE"}
    for entry in root.iterdir():
        if not entry.name.startswith((".", "build")) and entry.name not in expected and entry.name != "runs":
            yield f"{entry.name}: nothing else belongs at the top level"


def check(root):
    return [*check_includes(root), *check_sizes(root), *check_top_level(root)]


def self_test(root):
    plants = {
        "an arrow from net to port": ("src/net/planted.cpp", '#include "port/backend.h"\n'),
        "an arrow from train to data": ("src/train/planted.cpp", '#include "data/decode.h"\n'),
        "an arrow between backends": ("backends/reference/planted.h", '#include "backends/onednn/onednn.h"\n'),
        "MPI outside comm": ("src/train/planted.h", "#include <mpi.h>\n"),
        "HDF5 outside data and checkpoint": ("src/train/planted.cpp", "#include <hdf5.h>\n"),
        "oneDNN outside its backend": ("src/cli/planted.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n"),
        "a header that is not there": ("src/base/planted.cpp", '#include "base/no_such.h"\n'),
        "a new top-level folder": ("utils/planted.h", "\n"),
    }
    missed = []
    for what, (place, text) in plants.items():
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "tree"
            shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".*", "build*", "results", "runs"))
            (copy / place).parent.mkdir(parents=True, exist_ok=True)
            (copy / place).write_text(text)
            found = [line for line in check(copy) if "planted" in line or line.startswith("utils")]
            print(f"  planted {what}: {found[0] if found else 'NOT CAUGHT'}")
            if not found:
                missed.append(what)
    return missed


if __name__ == "__main__":
    arguments = sys.argv[1:]
    here = Path(__file__).resolve().parents[2]
    if arguments == ["--self-test"]:
        sys.exit(1 if self_test(here) else 0)
    violations = check(Path(arguments[0]) if arguments else here)
    print(*violations, sep="\n", end="\n" if violations else "")
    sys.exit(1 if violations else 0)
