"""Print the tables of a measurement, as they stand in tests/MEASUREMENTS.md."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

NAMES = ("chunking", "reranking", "refusal", "fit", "reading", "sentences")


def main() -> None:
    """Run a measurement, or all of them one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.measure", description=__doc__)
    parser.add_argument("name", choices=[*NAMES, "all"], help="what to measure")
    parser.add_argument("--quick", action="store_true", help="a rough run on part of the data")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="folder with WiCE's claims, for sentences"
    )
    given = parser.parse_args()
    for name in NAMES if given.name == "all" else [given.name]:
        module = importlib.import_module(f"tests.measure.{name}")
        more = {"data": given.data} if name == "sentences" else {}
        print(module.measure(quick=given.quick, **more), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
