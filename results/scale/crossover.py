#!/usr/bin/env python3
"""Halving and doubling against a ring among Goyal's 32 servers, by message size: results/scale/crossover.py [BUILD_FOLDER]

Writes crossover.json and crossover.svg: how many times as long the ring takes. Goyal et al. (2017), sec. 4, found
halving/doubling "much better" up to a million elements, and 3 times as fast on 32 servers.
"""
import json
import math
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONVOY = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build") / "bin/convoy"
SIZES = [1 << power for power in range(12, 29)]


def times(algorithm):
    done = subprocess.run([CONVOY, "simulate", "jobs/goyal-1hour.toml", "--cluster", "jobs/launch/clusters/goyal-p100.toml",
                           "--basis", "calibration", "--with", "nodes.ranks=1", "--ranks", "32", "--algorithm", algorithm,
                           "--sizes", *map(str, SIZES)], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {row["bytes"]: row["simulated_s"] for row in json.loads(done)}


def svg(rows):
    west, east, north, south, top = 64, 836, 56, 380, 8
    x = lambda size: west + (east - west) * (math.log2(size) - 12) / 16
    y = lambda ratio: south - (south - north) * ratio / top
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 440" role="img"><style>',
           "svg { background: #fff; font: 13px system-ui, sans-serif; } text { fill: #52514e; } .grid { stroke: #e1e0d9; }",
           ".t { fill: #0b0b0b; font-size: 16px; font-weight: 600; } polyline { fill: none; stroke: #2a78d6; stroke-width: 2; }",
           "circle { fill: #2a78d6; } .mark { stroke: #c4570b; stroke-dasharray: 5 4; }</style>",
           f'<text class="t" x="{west}" y="26">Ring against halving/doubling, 32 servers, 50 Gbit Ethernet, simulated</text>',
           f'<text x="{west}" y="46">time of the ring over that of halving and doubling</text>']
    for ratio in range(0, top + 1):
        out.append(f'<line class="grid" x1="{west}" x2="{east}" y1="{y(ratio):.1f}" y2="{y(ratio):.1f}"/>'
                   f'<text x="{west - 8}" y="{y(ratio) + 4:.1f}" text-anchor="end">{ratio}</text>')
    for power in range(12, 29, 2):
        size = 1 << power
        name = f"{size >> 10} KiB" if power < 20 else f"{size >> 20} MiB"
        out.append(f'<text x="{x(size):.1f}" y="{south + 20}" text-anchor="middle">{name}</text>')
    out.append(f'<line class="mark" x1="{x(4e6):.1f}" x2="{x(4e6):.1f}" y1="{north}" y2="{south}"/>'
               f'<text x="{x(4e6) + 6:.1f}" y="{north + 12}">a million elements</text>')
    out.append('<polyline points="' + " ".join(f"{x(r['bytes']):.1f},{y(r['ratio']):.1f}" for r in rows) + '"/>')
    out += [f'<circle cx="{x(r["bytes"]):.1f}" cy="{y(r["ratio"]):.1f}" r="3"><title>{r["bytes"]} bytes: {r["ratio"]:.2f}'
            "</title></circle>" for r in rows]
    return "\n".join(out + ["</svg>"]) + "\n"


def main():
    halving, ring = times("tree"), times("ring")
    rows = [{"bytes": size, "halving_doubling_s": halving[size], "ring_s": ring[size], "ratio": ring[size] / halving[size]}
            for size in SIZES]
    (HERE / "crossover.json").write_text(json.dumps(rows, indent=1) + "\n")
    (HERE / "crossover.svg").write_text(svg(rows))
    for row in rows:
        print(f'{row["bytes"]:>10} bytes: ring {row["ratio"]:.2f} x halving/doubling')
    near = [row["bytes"] for row in rows if row["ratio"] > 1.1]
    print(f"within 10 % of each other from {2 * max(near)} bytes on" if near else "never more than 10 % apart")


if __name__ == "__main__":
    main()
