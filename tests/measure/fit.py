"""Where the weights of the refusal decision come from: a logistic regression, fitted anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.optimize import minimize

from bot import abstain, read
from bot.abstain import Signs, answerability
from bot.metrics import auroc
from bot.questions import Question
from tests.measure.common import HALVES, opened, patched, questions, remembered, table

Array = NDArray[np.float64]

PENALTY = 0.01
"""Weight of the squared weights, on signs divided by their standard deviation."""


def measure(*, quick: bool) -> str:
    """Return the weights fitted on each half beside those in use, and how well they part."""
    rows = gather(questions(quick=quick))
    data = {half: matrix(rows, half) for half in HALVES}
    spread = np.concatenate([signs for signs, _ in data.values()]).std(axis=0)
    weights = {f"{half} half": fit(*data[half], spread) for half in HALVES}
    weights["in use"] = np.array([*astuple(abstain.WEIGHTS), abstain.BIAS])
    titles = ["fitted on", *(f.name for f in fields(Signs)), "bias"]
    titles += [f"AUROC, {half} half" for half in HALVES]
    table_rows = [
        [name, *map(float, w), *(auroc(list(x @ w[:-1]), list(y)) for x, y in data.values())]
        for name, w in weights.items()
    ]
    sizes = ", ".join(f"{len(y)} questions of the {half} half" for half, (_, y) in data.items())
    return table(
        f"Logistic regression of answerable on the signs, weights at or above 0; {sizes}",
        titles,
        table_rows,
    )


def gather(asked: Sequence[Question]) -> list[tuple[Question, Signs]]:
    """Return the questions that are looked up, each with its signs."""
    seen: list[Signs] = []

    def watch(signs: Signs) -> float:
        seen.append(signs)
        return answerability(signs)

    rows = []
    bar = Console(stderr=True)
    with opened() as bot, remembered(), patched(read, "answerability", watch):
        for question in track(asked, "Asking", console=bar, transient=True):
            seen.clear()
            bot.ask(question.question, question.history)
            rows += [(question, signs) for signs in seen[-1:]]
    return rows


def matrix(rows: Sequence[tuple[Question, Signs]], half: str) -> tuple[Array, NDArray[np.bool_]]:
    """Return the signs of a half, a row for each question, and whether each is answerable."""
    kept = [(astuple(s), q.answerable) for q, s in rows if q.extra["split"] == half]
    return np.array([s for s, _ in kept], float), np.array([y for _, y in kept])


def fit(signs: Array, answerable: NDArray[np.bool_], spread: Array) -> Array:
    """Return a weight for each sign, all at or above 0, and the bias.

    Both classes count the same, however many questions each has.

    Args:
        signs: a row for each question.
        answerable: whether each is answerable.
        spread: what each sign is divided by before the penalty; its standard deviation over the
            whole question set, answers unseen, since the rare signs hardly vary within a half.
    """
    scaled = np.column_stack([signs / spread, np.ones(len(signs))])
    share = answerable.mean()
    counts = np.where(answerable, 0.5 / share, 0.5 / (1 - share)) / len(signs)
    sign = np.where(answerable, 1.0, -1.0)

    def loss(w: Array) -> tuple[float, Array]:
        margin = sign * (scaled @ w)
        ridge = np.append(w[:-1], 0.0)
        value = counts @ np.logaddexp(0.0, -margin) + PENALTY * (ridge @ ridge)
        slope = scaled.T @ (-counts * sign / (1.0 + np.exp(margin))) + 2 * PENALTY * ridge
        return float(value), slope

    bounds: list[Any] = [(0.0, None)] * signs.shape[1] + [(None, None)]
    found = minimize(loss, np.zeros(len(bounds)), jac=True, bounds=bounds, method="L-BFGS-B")
    weights: Array = found.x / np.append(spread, 1.0)
    return weights
