"""How long passages should be, and whether a leaning one is searched with the sentence before."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from rich.console import Console
from rich.progress import track

from bot import Bot
from bot.questions import Question
from index.chunk import Chunking, Passage
from tests.measure.common import ask_all, by_half, opened, questions

VARIANTS = {
    "paragraph": Chunking(),
    "paragraph, overlap 1": Chunking(overlap=1),
    "paragraph, no context": Chunking(context=False),
    **{
        f"{tokens} tokens, overlap {overlap}": Chunking(target_tokens=tokens, overlap=overlap)
        for tokens in (80, 120, 200)
        for overlap in (0, 1)
    },
}

METRICS = {
    "dense hit@1": "dense_hit@1",
    "dense hit@5": "dense_hit@5",
    "hit@1": "hit@1",
    "mrr": "mrr",
    "answer": "answer",
    "citation precision": "citation_precision",
}

TIMED = 16
"""Questions that are timed, without history."""


def measure(*, quick: bool) -> str:
    """Return the tables."""
    asked = questions(quick=quick)
    with ExitStack() as stack:
        every = {name: stack.enter_context(opened(chunking=c)) for name, c in VARIANTS.items()}
        bots, same = distinct(every)
        reports = {name: ask_all(bot, asked, f"chunking: {name}") for name, bot in bots.items()}
        ratios = seconds(bots, [q for q in asked if q.answerable and not q.history])
        passages = {name: bot.store.count() for name, bot in bots.items()}
    tables = by_half(
        reports,
        "Passages of the bundled article cut in different ways; hit@1 and mrr after reranking, "
        f"seconds for a question as a ratio (median of {TIMED}, nothing remembered)",
        METRICS,
        {"passages": lambda name, _: passages[name], "seconds": lambda name, _: ratios[name]},
    )
    equal = "; ".join(f"“{name}” as “{other}”" for name, other in same.items())
    return f"{tables}\n\nThe same passages, not measured twice: {equal or 'none'}."


def distinct(bots: Mapping[str, Bot]) -> tuple[dict[str, Bot], dict[str, str]]:
    """Return the bots whose passages differ, and by name which earlier one another equals."""
    first: dict[tuple[Passage, ...], str] = {}
    same = {}
    for name, bot in bots.items():
        passages = tuple(p for a in bot.articles() for p in bot.store.passages(a.id))
        if (earlier := first.setdefault(passages, name)) != name:
            same[name] = earlier
    return {name: bots[name] for name in first.values()}, same


def seconds(bots: Mapping[str, Bot], asked: Sequence[Question]) -> dict[str, str]:
    """Return the seconds for a question in ratio to the first bot.

    The bots take turns at each question, so that a busy computer slows all of them.
    """
    taken: dict[str, list[float]] = {name: [] for name in bots}
    sample = asked[:: max(1, len(asked) // TIMED)][:TIMED]
    for question in track(sample, "Timing", console=Console(stderr=True), transient=True):
        for name, bot in bots.items():
            began = time.perf_counter()
            bot.ask(question.question)
            taken[name].append(time.perf_counter() - began)
    first = next(iter(taken.values()))
    return {
        name: f"{statistics.median(t / f for t, f in zip(times, first, strict=True)):.2f}"
        for name, times in taken.items()
    }
