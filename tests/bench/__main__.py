"""Which workloads run, and where do their figures go? `python -m tests.bench [B1 B2 …] [--scale 0.1] [--quick] [--json FILE]`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from .report import table, write

WORKLOADS = {"B1": "b1_pull", "B2": "b2_rebuild", "B3": "b3_steady", "B6": "b6_scrape", "B11": "b11_start"}


def main(argv: list[str]) -> int:
    """Run the named workloads, or all, and print one table."""
    parser = argparse.ArgumentParser(prog="tests.bench", description="Measure Tieout beside the limit and its peers.")
    parser.add_argument("workloads", nargs="*", metavar="ID", help=f"some of {', '.join(WORKLOADS)}; none means all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size, for trying things out")
    parser.add_argument("--quick", action="store_true", help="one run instead of five: a look, not a result")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where the figures go as JSON")
    options = parser.parse_args(argv)
    unknown = sorted(set(options.workloads) - set(WORKLOADS))
    if unknown:
        parser.error(f"there is no workload {', '.join(unknown)}; there are {', '.join(WORKLOADS)}")
    results = []
    for name in options.workloads or WORKLOADS:
        print(f"{name} …", file=sys.stderr, flush=True)
        workload = importlib.import_module(f".{WORKLOADS[name]}", __package__)
        results += workload.run(options.scale, 1 if options.quick else 5)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    write(results, options.json)
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
