"""How close to the best sentence a further one must be to be read out as well."""

from __future__ import annotations

from bot import read
from tests.measure.common import ask_all, by_half, opened, patched, questions

VALUES = dict.fromkeys((read.CLOSE, 0.5, 1.0, 2.0, 3.0, 4.0))
"""Values of ``CLOSE``, in logits; the one in use comes first."""

METRICS = {
    "answer": "answer",
    "citation precision": "citation_precision",
    "citation recall": "citation_recall",
}


def measure(*, quick: bool) -> str:
    """Return the tables."""
    asked = questions(quick=quick)
    reports = {}
    with opened() as bot:
        for value in VALUES:
            with patched(read, "CLOSE", value):
                reports[f"{value:g}"] = ask_all(bot, asked, f"reading: CLOSE {value:g}")
    what = "Logits below the best sentence at which a further one is read (CLOSE)"
    return by_half(reports, what, METRICS)
