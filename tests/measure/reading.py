"""How sentences are chosen for an answer: the reader's weight, and how close a further one is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bot import read
from bot.questions import Question
from tests.measure.common import ask_all, by_half, held_out, opened, patched, questions, table

WEIGHTS = dict.fromkeys((read.READER, 0.0, 0.25, 0.5, 1.0, 2.0))
"""Values of ``READER``, in logits for one of the reader's log odds; the one in use comes first."""

CLOSE = dict.fromkeys((read.CLOSE, 0.5, 1.0, 2.0, 3.0, 4.0))
"""Values of ``CLOSE``, in logits; the one in use comes first."""

VALUES = {"READER": WEIGHTS, "CLOSE": CLOSE}
WHAT = {
    "READER": "Weight of the reader in choosing a sentence",
    "CLOSE": "Logits below the best sentence at which a further one is read",
}

METRICS = {
    "answer": "answer",
    "short F1": "short_f1",
    "citation precision": "citation_precision",
    "citation recall": "citation_recall",
}


def measure(*, quick: bool, data: Path | None = None) -> str:
    """Return the tables; with ``data`` also of questions kept out of training the reader."""
    asked = questions(quick=quick)
    parts = [varied(asked, name, values) for name, values in VALUES.items()]
    return "\n\n".join(parts if data is None else [*parts, elsewhere(data, quick=quick)])


def varied(asked: Sequence[Question], name: str, values: Iterable[float]) -> str:
    """Return the tables for values of one of the constants of ``bot.read``."""
    reports = {}
    with opened() as bot:
        for value in values:
            with patched(read, name, value):
                reports[f"{value:g}"] = ask_all(bot, asked, f"reading: {name} {value:g}")
    return by_half(reports, f"{WHAT[name]} ({name})", METRICS)


def elsewhere(data: Path, *, quick: bool) -> str:
    """Return the table for questions on documents that were kept out of training the reader.

    None is refused, so that it says which sentence is chosen, and only that.
    """
    articles, asked = held_out(data, quick=quick)
    answerable = [q for q in asked if q.answerable]
    rows = []
    with opened(articles=articles, threshold=0.0) as bot:
        for value in WEIGHTS:
            with patched(read, "READER", value):
                report = ask_all(bot, answerable, f"reading: kept out, READER {value:g}")
            for kind, part in report.by("kind").items():
                shown = [part.metrics[m] for m in ("hit@1", "answer", "short_f1", "short_em")]
                rows.append([f"{value:g}", kind, len(part.rows), *shown])
    return table(
        f"{WHAT['READER']} (READER), on documents kept out of training, among {len(articles)}",
        ["READER", "set", "questions", "hit@1", "answer", "short F1", "short EM"],
        rows,
    )
