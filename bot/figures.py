"""What the rows of a suite come to: every figure with its count and its 95 % interval.

A figure is made from rows alone, so that kept rows can be counted again in another way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bot.evaluate import TOP, Row
from bot.metrics import (
    auroc,
    bootstrap_interval,
    bootstrap_statistic,
    calibration_error,
    contains_answer,
    exact_match,
    hit_at,
    mean,
    percentile,
    spearman,
    token_f1,
)

DEPTHS = (1, 3, 5, 10, 20)
"""Depths at which the recall before reranking is told."""

RERANKED_DEPTHS = (1, 10, 20)
"""Depths at which it is told after reranking."""

Measure = Callable[[str, Sequence[str]], float]
"""Compares a short answer with the accepted ones."""


@dataclass(frozen=True, slots=True)
class Item:
    """A row of a task that asks the bot no question.

    Attributes:
        id: names it.
        text: the turn or the claim.
        values: what was measured.
        shown: further texts by what they are.
        right: whether it came out as it should; None where there is no right and wrong.
        notice: why a chat model that was asked failed; None where none did.
    """

    id: str
    text: str
    values: Mapping[str, float]
    shown: Mapping[str, str] = field(default_factory=dict)
    right: bool | None = None
    notice: str | None = None

    @property
    def failed(self) -> bool:
        """Whether a chat model was asked and failed."""
        return self.notice is not None


@dataclass(frozen=True, slots=True)
class Figure:
    """One number.

    Attributes:
        name: what it is called in tables and in JSON.
        value: the number; None where there is nothing to measure.
        count: how many rows it is taken over.
        interval: its 95 % bootstrap interval.
        meaning: what it says in one line.
    """

    name: str
    value: float | None
    count: int
    interval: tuple[float, float] | None
    meaning: str


def of_means(name: str, meaning: str, values: Sequence[float]) -> Figure:
    """Return the figure that is the mean of these values."""
    return Figure(name, mean(values), len(values), bootstrap_interval(values), meaning)


def of_statistic(
    name: str, meaning: str, statistic: Callable[..., float | None], *columns: Sequence[Any]
) -> Figure:
    """Return the figure that a statistic of the columns of rows is."""
    interval = bootstrap_statistic(statistic, *columns)
    return Figure(name, statistic(*columns), len(columns[0]), interval, meaning)


def found(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of questions asked of all documents: retrieval, answers, refusals."""
    answerable = [r for r in rows if r.answerable]
    return [*_retrieval(answerable), *_answers(rows), *_refusals(rows), *_seconds(rows)]


def given(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of questions asked of their own document."""
    answerable = [r for r in rows if r.answerable]
    figures = [*_answers(rows), *_refusals(rows), *_seconds(rows)]
    for seen, suffix in ((True, "@in_train"), (False, "@not_in_train")):
        part = [r for r in answerable if r.extra.get("article_in_train") is seen]
        if part:
            figures += [
                Figure(f.name + suffix, f.value, f.count, f.interval, f"{f.meaning}, {words}")
                for f in _short(part)
                for words in [f"article {'' if seen else 'not '}among the training data"]
            ]
    return figures


def facts(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of questions whose answer needs several documents."""
    gold = [(r, r.extra["gold"]) for r in rows if r.answerable]

    def share(stage: str, enough: Callable[[int, int], bool]) -> list[float]:
        ranks = [(r.reranked if stage == "rerank" else r.dense, n) for r, n in gold]
        return [enough(sum((marks or ())[:TOP]), n) for marks, n in ranks]

    return [
        of_means(
            "all_in_10",
            "Share of questions with all gold documents in the first 10 after reranking",
            share("rerank", lambda held, n: held >= n),
        ),
        of_means(
            "any_in_10",
            "Share with any of them in the first 10 after reranking",
            share("rerank", lambda held, _: held > 0),
        ),
        of_means("dense_all_in_10", "all_in_10 before reranking",
                 share("dense", lambda held, n: held >= n)),
        of_means("dense_any_in_10", "any_in_10 before reranking",
                 share("dense", lambda held, _: held > 0)),
        *_refusals(rows),
        *_seconds(rows),
    ]  # fmt: skip


def rewrites(items: Sequence[Item]) -> list[Figure]:
    """Return the figures of follow-ups made to stand alone, each wording beside the turn copied."""
    meanings = {
        "copied": "of the turn as it was typed",
        "resolved": "of the form with the least handicap",
        "longest": "of the longest form, which joins the earlier question where one does",
    }
    figures = []
    for measure, what in (
        ("unigram", "Share of the words of the human rewrite in the wording"),
        ("entity", "Share of the names of the human rewrite in the wording"),
    ):
        for form, meaning in meanings.items():
            name = f"{measure}_recall_{form}"
            values = [i.values[name] for i in items if name in i.values]
            figures.append(of_means(name, f"{what}: {meaning}", values))
    drifts = {
        "drift": "another passage is found first with the history than without",
        "drift_forms": "another wording is tried",
    }
    for name, what in drifts.items():
        values = [i.values[name] for i in items if name in i.values]
        meaning = f"Share of turns that a human left as they are for which {what}"
        figures.append(of_means(name, meaning, values))
    return figures


def conversation(items: Sequence[Item]) -> list[Figure]:
    """Return the figures of retrieval for the last turn of a conversation."""
    meanings = {
        "last": "the last turn alone",
        "history": "all turns in one, the newest 2,000 characters of them",
        "ours": "the last turn with its history, as the bot condenses it",
        "rewrite": "a human rewrite",
    }
    figures = []
    for wording, meaning in meanings.items():
        for stage, when in (("", "after"), ("dense_", "before")):
            name = f"{stage}recall@10_{wording}"
            values = [i.values[name] for i in items if name in i.values]
            what = f"Share of gold documents in the first 10 {when} reranking: {meaning}"
            figures.append(of_means(name, what, values))
    return figures


def faithfulness(items: Sequence[Item]) -> list[Figure]:
    """Return how the support of answers agrees with how faithful people find them."""
    support = [i.values["support"] for i in items]
    human = [i.values["human"] for i in items]
    return [
        of_statistic(
            "spearman",
            "Rank correlation of the mean support of an answer's sentences with its human "
            "faithfulness",
            spearman,
            support,
            human,
        ),
        of_means("support", "Mean support of an answer's sentences", support),
        of_means("human", "Mean human faithfulness, from 1 to 4", human),
    ]


def support(items: Sequence[Item]) -> list[Figure]:
    """Return how well support tells what evidence carries from the rest."""
    scores = [i.values["score"] for i in items]
    labels = [bool(i.values["label"]) for i in items]
    return [
        of_statistic("auroc", "Chance that a supported claim scores above another", auroc,
                     scores, labels),
        of_means("accuracy", "Share of claims whose verdict is supported where it should be and "
                 "is not where it should not", [bool(i.right) for i in items]),
        of_means("supported", "Share of claims that are supported", labels),
    ]  # fmt: skip


def _retrieval(answerable: Sequence[Row]) -> list[Figure]:
    stages = [("hit", k, [r.reranked for r in answerable]) for k in RERANKED_DEPTHS]
    stages += [("dense_hit", k, [r.dense for r in answerable]) for k in DEPTHS]
    figures = []
    for name, k, ranks in stages:
        when = "before" if name.startswith("dense") else "after"
        depth = "best document is" if k == 1 else f"first {k} documents hold"
        meaning = f"Share of answerable questions whose {depth} the gold one, {when} reranking"
        values = [hit_at(marks, k) for marks in ranks if marks is not None]
        figures.append(of_means(f"{name}@{k}", meaning, values))
    return figures


def _answers(rows: Sequence[Row]) -> list[Figure]:
    answerable = [r for r in rows if r.answerable]
    figures = []
    if any(r.answers for r in answerable):
        held = [not r.refused and contains_answer(r.text, r.answers) for r in answerable]
        figures = _short(answerable)
        if len(answerable) < len(rows):
            figures += _all(rows)
        figures.append(of_means("answer_holds", "Share of answers that hold an accepted one", held))
    cited = [r for r in answerable if "cited_precision" in r.extra]
    if cited:
        figures += [
            of_means("citation_precision", "Share of the characters cited that are evidence; of "
                     "answers", [r.extra["cited_precision"] for r in cited if not r.refused]),
            of_means("citation_recall", "Share of the characters of evidence that are cited; of "
                     "answers", [r.extra["cited_recall"] for r in cited if not r.refused]),
        ]  # fmt: skip
    return figures


def _short(answerable: Sequence[Row]) -> list[Figure]:
    """Return the figures of short answers; one that is refused or missing counts 0."""

    def over(measure: Measure) -> list[float]:
        return [_measured(measure, r) for r in answerable]

    return [
        of_means("short_f1", "Word overlap (F1) of the short answer with an accepted one; "
                 "0 where there is none", over(token_f1)),
        of_means("short_em", "Share of short answers that equal an accepted one",
                 over(exact_match)),
        of_means("short_holds", "Share of short answers that hold an accepted one",
                 over(contains_answer)),
    ]  # fmt: skip


def _all(rows: Sequence[Row]) -> list[Figure]:
    """Return the figures of SQuAD 2.0: over both kinds, a refusal being right where it is due."""

    def over(measure: Measure) -> list[float]:
        return [_measured(measure, r) if r.answerable else float(r.refused) for r in rows]

    return [
        of_means("f1_all", "short_f1 of all questions; an unanswerable one counts 1 where it is "
                 "refused, else 0", over(token_f1)),
        of_means("em_all", "short_em of all questions, counted alike", over(exact_match)),
    ]  # fmt: skip


def _measured(measure: Measure, row: Row) -> float:
    """Return the measure of a short answer, 0 where there is none or the question was refused."""
    return float(measure(row.short, row.answers)) if row.short and not row.refused else 0.0


def _refusals(rows: Sequence[Row]) -> list[Figure]:
    figures = []
    for answerable, name in ((True, "answerable"), (False, "unanswerable")):
        part = [r.refused for r in rows if r.answerable is answerable]
        if part:
            meaning = f"Share of {name} questions that are refused"
            figures.append(of_means(f"refused_{name}", meaning, part))
    scores, labels = [r.score for r in rows], [r.answerable for r in rows]
    if len(set(labels)) == 2:
        figures.append(
            of_statistic(
                "auroc",
                "Chance that an answerable question scores above an unanswerable one",
                auroc,
                scores,
                labels,
            )
        )
    figures.append(
        of_statistic(
            "ece",
            "Distance of the score from the share of questions that are answerable, over 10 bins",
            calibration_error,
            scores,
            labels,
        )
    )
    return figures


def _seconds(rows: Sequence[Row]) -> list[Figure]:
    median = partial(percentile, percent=50)
    seconds = [r.seconds for r in rows]
    return [of_statistic("seconds_p50", "Seconds for a question, median", median, seconds)]
