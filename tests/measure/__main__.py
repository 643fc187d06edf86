"""Print the tables of a measurement, as they stand in tests/MEASUREMENTS.md."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

DATA = ("retrieval", "reader", "suites")
"""Measurements on sets from outside, which need ``--data``."""

MORE = ("reading", "sentences", "fit", "verification")
"""Measurements that do more with ``--data``."""

NAMES = ("chunking", "reranking", "refusal", "written", *MORE, *DATA)


def main() -> None:
    """Run a measurement, or all of them one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.measure", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all"], help="what to measure")
    parser.add_argument("--quick", action="store_true", help="a rough run on part of the data")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="folder with the sets from outside"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="float weights of the reader to compare with"
    )
    parser.add_argument("--only", nargs="+", default=(), metavar="SET", help="sets of `suites`")
    given = parser.parse_args()
    everything = NAMES if given.data else [n for n in NAMES if n not in DATA]
    for name in everything if given.name == "all" else [given.name]:
        module = importlib.import_module(f"tests.measure.{name}")
        more = {"data": given.data} if name in (*DATA, *MORE) else {}
        if name == "reader":
            more["weights"] = given.weights
        if name == "suites":
            more["only"] = given.only
        print(module.measure(quick=given.quick, **more), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
