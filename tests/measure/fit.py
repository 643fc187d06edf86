"""Where the weights of the refusal decision come from: a logistic regression, fitted anew."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.optimize import minimize

from bot import Answer, Settings, abstain, exact, read
from bot.abstain import Signs, answerability
from bot.metrics import auroc, calibration_error, token_f1
from bot.odds import logit, probability
from bot.questions import Question
from tests.measure.common import held_out, opened, patched, questions, remembered, table
from tests.measure.logistic import Array, logistic, spread_of

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

HALF = 0.5
"""Word overlap with an accepted answer from which an exact answer counts as right."""


def measure(*, quick: bool, data: Path | None = None) -> str:
    """Return the weights fitted beside those in use, and how well they part.

    With ``data`` also of questions on documents that were kept out of training the reader.
    """
    said: list[Said] = []
    rows = gather(questions(quick=quick), said)
    if data is not None:
        rows += gather_elsewhere(data, said, quick=quick)
    parts = {part: matrix(rows, part) for part in dict.fromkeys(r.part for r in rows)}
    spread = spread_of(np.concatenate([signs for signs, _ in parts.values()]))
    chosen = {part: [part] for part in parts}
    if data is not None:
        chosen = {"tune, elsewhere": ["tune", ELSEWHERE], **chosen}
    weights = {name: fit([parts[p] for p in of], spread) for name, of in chosen.items()}
    weights["in use"] = np.array([*astuple(abstain.WEIGHTS), abstain.BIAS])
    titles = ["fitted on", *(f.name for f in fields(Signs)), "bias"]
    titles += [f"{what}, {part}" for what in ("AUROC", "calibration error") for part in parts]
    table_rows = [
        [
            name,
            *map(float, w),
            *(auroc(list(x @ w[:-1]), list(y)) for x, y in parts.values()),
            *(
                calibration_error([probability(o) for o in x @ w[:-1] + w[-1]], list(y))
                for x, y in parts.values()
            ),
        ]
        for name, w in weights.items()
    ]
    sizes = ", ".join(f"{len(y)} questions {TOLD[part]}" for part, (_, y) in parts.items())
    weighed = table(
        f"Logistic regression of answerable on the signs, weights at or above 0; {sizes}",
        titles,
        table_rows,
    )
    tables = [weighed, thresholds(parts, weights["in use"])]
    if data is not None:
        tables.append(scaling(said))
    return "\n\n".join(tables)


def scaling(said: Sequence[Said]) -> str:
    """Return a table of the scaling of exact answers' log odds, and how well calibrated it is.

    It is fitted on every second question elsewhere, and all figures are of those left out.
    """
    elsewhere = [s for s in said if s.part == ELSEWHERE]
    parts = {f"{ELSEWHERE}, left out": elsewhere[1::2]}
    parts |= {part: [s for s in said if s.part == part] for part in ("tune", "report")}
    scales = {
        "none": (1.0, 0.0),
        "fitted": platt(elsewhere[::2]),
        "in use": (exact.SCALE, exact.SHIFT),
    }
    rows: list[list[object]] = []
    for name, (scale, shift) in scales.items():
        row: list[object] = [name, f"{scale:.3f}", f"{shift:.3f}"]
        for rows_of in parts.values():
            sure = [probability(scale * s.odds + shift) for s in rows_of]
            row.append(calibration_error(sure, [s.right for s in rows_of]))
        rows.append(row)
    counts = ", ".join(
        f"{part}: {len(p)} exact answers, {sum(s.right for s in p)} of them right"
        for part, p in parts.items()
    )
    return table(
        f"Calibration error of exact answers by the scaling of their log odds; {counts}",
        ["scaling", "SCALE", "SHIFT", *parts],
        rows,
    )


def platt(said: Sequence[Said]) -> tuple[float, float]:
    """Return the scale and the shift of log odds that make the right answers likeliest."""
    odds = np.array([s.odds for s in said])
    sign = np.where([s.right for s in said], 1.0, -1.0)

    def loss(w: Array) -> float:
        return float(np.logaddexp(0.0, -sign * (w[0] * odds + w[1])).mean())

    scale, shift = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(scale), float(shift)


def thresholds(parts: Mapping[str, Part], weights: Array) -> str:
    """Return a table of what each threshold refuses and risks, with the weights in use.

    The risk is the share of the questions answered that have no answer, were half of all without.
    """
    rows = []
    for step in range(3, 20):
        threshold = step * 0.05
        row: list[object] = [f"{threshold:.2f}"]
        for signs, answerable in parts.values():
            refused = signs @ weights[:-1] + weights[-1] < logit(threshold)
            due, others = float(refused[answerable].mean()), float(refused[~answerable].mean())
            answered = 2 - due - others
            row += [due, others, (1 - others) / answered if answered else None]
        rows.append(row)
    titles = [f"{part}, {kind}" for part in parts for kind in ("answerable", "others", "risk")]
    return table("Share refused below each threshold, and the risk of what is answered",
                 ["threshold", *titles], rows)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Said:
    """An exact answer that was given.

    Attributes:
        part: as of ``Seen``.
        odds: its log odds, before they are scaled.
        right: whether at least half of its words and of an accepted answer's are shared.
    """

    part: str
    odds: float
    right: bool


def exact_said(answer: Answer, accepted: Sequence[str], part: str) -> list[Said]:
    """Return the exact answer of an answer that is no list and that the bot would give."""
    if answer.score < Settings.model_construct().threshold or len(answer.exact) != 1:
        return []
    right = token_f1(answer.short or "", accepted) >= HALF
    return [Said(part, logit(answer.exact[0].score), right)]


def gather(asked: Sequence[Question], said: list[Said]) -> list[Seen]:
    """Return the questions of the set that are looked up; add the exact answers given to ``said``.

    Of answerable questions only those count that have accepted exact answers.
    """
    rows = []
    with opened() as bot, watched() as seen:
        for question in track(asked, "Asking", console=BAR, transient=True):
            seen.clear()
            answer = bot.ask(question.question, question.history)
            part = question.extra["split"]
            rows += [Seen(part, s, question.answerable) for s in seen[-1:]]
            if question.short or not question.answerable:
                said += exact_said(answer, question.short, part)
    return rows


def gather_elsewhere(data: Path, said: list[Said], *, quick: bool) -> list[Seen]:
    """Return questions on documents kept out of training the reader, each asked in four ways.

    It is asked of all documents and of its own; and, as one that has no answer, of all but its own
    and of that one of them which is found first. Half are typed as people type into a search box:
    small and without a question mark. The exact answers given to those asked of all documents are
    added to ``said``.
    """
    articles, asked = held_out(data, quick=quick)
    everywhere = [a.id for a in articles]
    rng = random.Random(0)
    rows: list[Seen] = []
    with opened(articles=articles, threshold=0.0) as bot, watched() as seen:

        def ask(text: str, scope: list[str], *, answerable: bool) -> Answer:
            seen.clear()
            answer = bot.ask(text, articles=scope)
            rows.extend(Seen(ELSEWHERE, signs, answerable) for signs in seen[-1:])
            return answer

        for question in track(asked, "Asking elsewhere", console=BAR, transient=True):
            text = question.question
            if rng.random() < TYPED_SMALL:
                text = text.lower().rstrip("?. ")
            own, answerable = question.extra["article"], question.answerable
            answer = ask(text, everywhere, answerable=answerable)
            said += exact_said(answer, question.short if answerable else (), ELSEWHERE)
            ask(text, [own], answerable=answerable)
            if answerable:
                others = [a for a in everywhere if a != own]
                nearest = ask(text, others, answerable=False).trace[0].passage.article_id
                ask(text, [nearest], answerable=False)
    return rows


@contextmanager
def watched() -> Iterator[list[Signs]]:
    """Give the list to which the signs of each question are added in the block.

    Exact answers are not scaled in it.
    """
    seen: list[Signs] = []

    def watch(signs: Signs) -> float:
        seen.append(signs)
        return answerability(signs)

    with (
        remembered(),
        patched(read, "answerability", watch),
        patched(exact, "SCALE", 1.0),
        patched(exact, "SHIFT", 0.0),
    ):
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
    counts = np.concatenate([np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum()) for _, y in parts])
    return logistic(
        np.concatenate([x for x, _ in parts]),
        np.concatenate([y for _, y in parts]),
        spread=spread,
        senses=[1] * len(fields(Signs)),
        held=[HELD.get(f.name) for f in fields(Signs)],
        counts=counts / len(parts),
    )
