"""Where the weights of the refusal decision come from: a logistic regression, fitted anew."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.optimize import minimize

from bot import abstain, read
from bot.abstain import Signs, answerability
from bot.metrics import auroc
from bot.odds import logit
from bot.questions import Question
from tests.measure.common import held_out, opened, patched, questions, remembered, table

Array = NDArray[np.float64]

Part = tuple[Array, NDArray[np.bool_]]
BAR = Console(stderr=True)

ELSEWHERE = "elsewhere"
TOLD = {
    "tune": "of the tuning half",
    "report": "of the half kept for reporting",
    ELSEWHERE: "elsewhere (documents kept out of training the reader)",
}

TYPED_SMALL = 0.5
"""Share of the questions elsewhere that are typed as into a search box."""

HELD = {"stranger": abstain.STRANGER}
"""Weights that are not fitted."""

PENALTY = 0.01
"""Weight of the squared weights, on signs divided by their standard deviation."""


def measure(*, quick: bool, data: Path | None = None) -> str:
    """Return the weights fitted beside those in use, and how well they part.

    With ``data`` also of questions on documents that were kept out of training the reader.
    """
    rows = gather(questions(quick=quick))
    if data is not None:
        rows += gather_elsewhere(data, quick=quick)
    parts = {part: matrix(rows, part) for part in dict.fromkeys(r.part for r in rows)}
    spread = np.concatenate([signs for signs, _ in parts.values()]).std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)  # a sign that never varies
    chosen = {part: [part] for part in parts}
    if data is not None:
        chosen = {"tune, elsewhere": ["tune", ELSEWHERE], **chosen}
    weights = {name: fit([parts[p] for p in of], spread) for name, of in chosen.items()}
    weights["in use"] = np.array([*astuple(abstain.WEIGHTS), abstain.BIAS])
    titles = ["fitted on", *(f.name for f in fields(Signs)), "bias"]
    titles += [f"AUROC, {part}" for part in parts]
    table_rows = [
        [name, *map(float, w), *(auroc(list(x @ w[:-1]), list(y)) for x, y in parts.values())]
        for name, w in weights.items()
    ]
    sizes = ", ".join(f"{len(y)} questions {TOLD[part]}" for part, (_, y) in parts.items())
    weighed = table(
        f"Logistic regression of answerable on the signs, weights at or above 0; {sizes}",
        titles,
        table_rows,
    )
    return f"{weighed}\n\n{thresholds(parts, weights['in use'])}"


def thresholds(parts: Mapping[str, Part], weights: Array) -> str:
    """Return a table of what each threshold refuses, with the weights in use."""
    rows = []
    for step in range(3, 11):
        threshold = step * 0.05
        row: list[object] = [f"{threshold:.2f}"]
        for signs, answerable in parts.values():
            refused = signs @ weights[:-1] + weights[-1] < logit(threshold)
            row += [float(refused[answerable].mean()), float(refused[~answerable].mean())]
        rows.append(row)
    titles = [f"{part}, {kind}" for part in parts for kind in ("answerable", "others")]
    return table("Share refused below each threshold", ["threshold", *titles], rows)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one question.

    Attributes:
        part: ``"tune"`` or ``"report"`` of the question set, or ``ELSEWHERE``.
        signs: its signs.
        answerable: whether what was searched answers it.
    """

    part: str
    signs: Signs
    answerable: bool


def gather(asked: Sequence[Question]) -> list[Seen]:
    """Return the questions of the set that are looked up."""
    rows = []
    with opened() as bot, watched() as seen:
        for question in track(asked, "Asking", console=BAR, transient=True):
            seen.clear()
            bot.ask(question.question, question.history)
            rows += [Seen(question.extra["split"], s, question.answerable) for s in seen[-1:]]
    return rows


def gather_elsewhere(data: Path, *, quick: bool) -> list[Seen]:
    """Return questions on documents kept out of training the reader, each asked in four ways.

    It is asked of all documents and of its own; and, as one that has no answer, of all but its own
    and of that one of them which is found first. Half are typed as people type into a search box:
    small and without a question mark.
    """
    articles, asked = held_out(data, quick=quick)
    everywhere = [a.id for a in articles]
    rng = random.Random(0)
    rows: list[Seen] = []
    with opened(articles=articles, threshold=0.0) as bot, watched() as seen:

        def ask(text: str, scope: list[str], *, answerable: bool) -> str:
            seen.clear()
            answer = bot.ask(text, articles=scope)
            rows.extend(Seen(ELSEWHERE, signs, answerable) for signs in seen[-1:])
            return answer.trace[0].passage.article_id

        for question in track(asked, "Asking elsewhere", console=BAR, transient=True):
            text = question.question
            if rng.random() < TYPED_SMALL:
                text = text.lower().rstrip("?. ")
            own, answerable = question.extra["article"], question.answerable
            ask(text, everywhere, answerable=answerable)
            ask(text, [own], answerable=answerable)
            if answerable:
                others = [a for a in everywhere if a != own]
                ask(text, [ask(text, others, answerable=False)], answerable=False)
    return rows


@contextmanager
def watched() -> Iterator[list[Signs]]:
    """Give the list to which the signs of each question are added in the block."""
    seen: list[Signs] = []

    def watch(signs: Signs) -> float:
        seen.append(signs)
        return answerability(signs)

    with remembered(), patched(read, "answerability", watch):
        yield seen


def matrix(rows: Sequence[Seen], part: str) -> Part:
    """Return the signs of a part, a row for each question, and whether each is answerable."""
    kept = [(astuple(row.signs), row.answerable) for row in rows if row.part == part]
    return np.array([s for s, _ in kept], float), np.array([y for _, y in kept])


def fit(parts: Sequence[Part], spread: Array) -> Array:
    """Return a weight for each sign, at or above 0 unless held, and the bias.

    Each part counts the same, and in it both classes, however many questions each has.

    Args:
        parts: signs and whether they are of answerable questions.
        spread: what each sign is divided by before the penalty; its standard deviation over all
            questions, answers unseen, since the rare signs hardly vary within a half.
    """
    signs = np.concatenate([x for x, _ in parts])
    scaled = np.column_stack([signs / spread, np.ones(len(signs))])
    counts = np.concatenate([np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum()) for _, y in parts])
    counts /= len(parts)
    sign = np.where(np.concatenate([y for _, y in parts]), 1.0, -1.0)

    free = np.array([*(f.name not in HELD for f in fields(Signs)), False])

    def loss(w: Array) -> tuple[float, Array]:
        margin = sign * (scaled @ w)
        ridge = np.where(free, w, 0.0)
        value = counts @ np.logaddexp(0.0, -margin) + PENALTY * (ridge @ ridge)
        slope = scaled.T @ (-counts * sign / (1.0 + np.exp(margin))) + 2 * PENALTY * ridge
        return float(value), slope

    held = [
        HELD[f.name] * s if f.name in HELD else None
        for f, s in zip(fields(Signs), spread, strict=True)
    ]
    bounds: list[Any] = [(0.0, None) if h is None else (h, h) for h in held] + [(None, None)]
    start = np.array([*(h or 0.0 for h in held), 0.0])
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B")
    weights: Array = found.x / np.append(spread, 1.0)
    return weights
