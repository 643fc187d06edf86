"""How good a bot is on a question set: questions in, a report of measures and rows out.

>>> report = bot.evaluate("questions.jsonl")
>>> report.metrics["answer"], report.below({"answer": 0.9})
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal, Protocol

from bot.cite import MARKER, strip_markdown
from bot.metrics import (
    Place,
    auroc,
    bootstrap_interval,
    bootstrap_statistic,
    citation_precision_recall,
    contains_answer,
    exact_match,
    hit_at,
    match_citations,
    mean,
    overlap,
    percentile,
    reciprocal_rank,
    refusal_precision_recall,
    token_f1,
)
from bot.questions import Question, load_questions, locate_all
from bot.records import Answer, Candidate
from index import Article, Passage, SettingsError, UnknownArticle

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "Question",
    "Report",
    "Row",
    "ThresholdPoint",
    "evaluate",
    "judge",
    "load_questions",
    "threshold_curve",
]

METRICS: dict[str, str] = {
    "questions": "Questions asked",
    "hit@1": "Share of questions whose best passage holds evidence",
    "hit@3": "Share of questions with evidence in the best 3 passages",
    "hit@5": "Share of questions with evidence in the best 5 passages",
    "mrr": "Mean of 1 / the rank of the first passage with evidence",
    "dense_hit@1": "hit@1 before reranking",
    "dense_hit@3": "hit@3 before reranking",
    "dense_hit@5": "hit@5 before reranking",
    "dense_mrr": "mrr before reranking",
    "answer": "Share of answerable questions whose answer holds an accepted string",
    "short_f1": "Word overlap (F1) of the exact answer with an accepted one, where there is one",
    "short_em": "Share of exact answers that equal an accepted one",
    "citation_precision": "Share of an answer's citations that point at evidence, mean of answers",
    "citation_recall": "Share of the evidence that an answer cites, mean of answers",
    "citation_precision_micro": "Share of all citations that point at evidence",
    "citation_recall_micro": "Share of all evidence that is cited",
    "refusal_precision": "Share of refusals that were due",
    "refusal_recall": "Share of unanswerable questions that were refused",
    "false_refusals": "Share of answerable questions that were refused (lower is better)",
    "auroc": "Chance that an answerable question scores above an unanswerable one",
    "seconds_p50": "Seconds for a question, median (lower is better)",
    "seconds_p95": "Seconds for a question, 95th percentile (lower is better)",
}
"""Every metric of a report in the order of its table, with what it says in one line."""

LOWER_IS_BETTER = frozenset({"false_refusals", "seconds_p50", "seconds_p95"})
"""Metrics for which ``Report.below`` takes the value given as the most that is allowed."""

OVERVIEW_CITATIONS = 3
"""Fewest citations of a right answer to a question without accepted strings."""

OVERVIEW_PRECISION = 0.5
"""Least share of these that points at evidence: a summary may choose other sentences."""

SHOWN = 160
"""Characters of a passage that a row keeps of its trace."""

TOP = 10
"""Documents of a ranking among which those of a question with several are counted."""

NOTICES = 3
"""Different notices that a report repeats."""

INTERVALS = (
    "percentile bootstrap over questions: 1,000 draws for means, 200 for other statistics, seed 0"
)
"""How the 95 % intervals are made (see ``bootstrap_interval`` and ``bootstrap_statistic``)."""

_MARKER = re.compile(rf"[^\S\n]*{MARKER.pattern}")

Outcome = Literal["right", "wrong", "refused"]


# -- rows: a question and how it was answered --


@dataclass(frozen=True, slots=True)
class MarkedPassage:
    """A passage that an answer cites.

    Attributes:
        title: the article's title.
        pieces: its text in pieces, each with whether it is cited.
    """

    title: str
    pieces: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Considered:
    """A passage of the trace, cut short.

    Attributes:
        title: the article's title.
        text: how it begins.
        scores: score by stage.
        kept: whether it became evidence.
        reason: why it was kept or dropped.
        gold: whether it holds evidence.
    """

    title: str
    text: str
    scores: Mapping[str, float]
    kept: bool
    reason: str
    gold: bool


@dataclass(frozen=True, slots=True)
class Row:
    """How one question was answered.

    Attributes:
        id: the question's id.
        kind: its kind.
        question: as asked.
        searched: the standalone question that was searched.
        text: the answer as plain text, without markers.
        short: the exact answer span, or None.
        answers: the accepted strings.
        exact: the accepted exact answers; empty where the question set gives none.
        evidence: the stretches of the article that answer it.
        answerable: whether the article answers it.
        verdict: ``"refused"``; else ``"right"`` or ``"wrong"`` (an unanswerable question that
            was answered is wrong).
        quotes: what the answer cites.
        score: the answerability score.
        seconds: from question to answer.
        dense: for each passage in the order found, before reranking, whether it holds evidence;
            None where retrieval is not measured (no evidence, an overview, nothing retrieved).
        reranked: the same in the order after reranking.
        right_citations: for each citation, whether it points at evidence.
        covered: for each piece of evidence, whether it is cited.
        extra: whatever else the question set tells of the question.
        timings: seconds by stage.
        passages: the passages cited, with what is cited of them.
        trace: every passage considered, best first.
        notice: one line where something did not work as configured, such as a chat model that
            failed, so that the answer is read; None where all did.
        failed: whether a chat model failed; else a notice is about what it wrote.
    """

    id: str
    kind: str
    question: str
    searched: str
    text: str
    short: str | None
    answers: tuple[str, ...]
    evidence: tuple[str, ...]
    answerable: bool
    verdict: Outcome
    quotes: tuple[str, ...]
    score: float
    seconds: float
    dense: tuple[bool, ...] | None
    reranked: tuple[bool, ...] | None
    right_citations: tuple[bool, ...]
    covered: tuple[bool, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)
    exact: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)
    passages: tuple[MarkedPassage, ...] = ()
    trace: tuple[Considered, ...] = ()
    notice: str | None = None
    failed: bool = False

    @property
    def refused(self) -> bool:
        """Whether the bot said that the article does not answer it."""
        return self.verdict == "refused"

    @property
    def right(self) -> bool:
        """Whether it did what was due: answered rightly, or refused what is not answerable."""
        return self.verdict == ("right" if self.answerable else "refused")

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values, without the passages and the trace, which are long."""
        values = asdict(replace(self, passages=(), trace=()))
        del values["passages"], values["trace"]
        return values


def judge(
    question: Question,
    answer: Answer,
    gold: Sequence[Sequence[Place]],
    articles: Sequence[Article],
    seconds: float,
) -> Row:
    """Compare an answer with what the question set expects.

    What is struck out, and what only that cites, answers nothing.

    Args:
        question: what was asked.
        answer: what the bot answered.
        gold: for each piece of evidence every place where it stands.
        articles: the articles asked about.
        seconds: how long it took.
    """
    text = strip_markdown(_MARKER.sub("", answer.text))
    quotes = tuple(c.quote for c in answer.citations)
    cited = [(c.article_id, c.start, c.end) for c in answer.citations]
    held = [s for s in answer.sentences if s.verdict != "unsupported"]
    said = " ".join(s.text for s in held) if answer.sentences else text
    used = {number for s in held for number in s.citations}
    proof = [c.quote for c in answer.citations if c.number in used or not answer.sentences]
    right, covered = match_citations(cited, gold)
    dense, reranked = _gold_ranks(question, answer, gold)
    verdict: Outcome = "wrong"
    if answer.refused:
        verdict = "refused"
    elif question.answerable:
        if question.answers:
            right_answer = any(contains_answer(t, question.answers) for t in (said, *proof))
        else:
            right_answer = _covers(answer, cited, gold, articles)
        verdict = "right" if right_answer else "wrong"
    return Row(
        id=question.id,
        kind=question.kind,
        question=question.question,
        searched=answer.question,
        text=text,
        short=answer.short,
        answers=question.answers,
        evidence=question.evidence,
        answerable=question.answerable,
        verdict=verdict,
        quotes=quotes,
        score=answer.score,
        seconds=seconds,
        dense=dense,
        reranked=reranked,
        right_citations=tuple(right),
        covered=tuple(covered),
        extra=question.extra,
        exact=question.short,
        timings=dict(answer.timings),
        passages=_marked(answer),
        trace=_considered(answer, gold, {a.id: a.title for a in articles}),
        notice=answer.notice,
        failed=failure(answer) is not None,
    )


def failure(answer: Answer) -> str | None:
    """Return why the chat model did not write an answer; None where it wrote, or none was asked.

    An answer whose every sentence was struck out is the model's own, though it is read then.
    """
    return None if answer.trace.written else answer.notice


class _Noticed(Protocol):
    """A row that may have a notice."""

    @property
    def notice(self) -> str | None: ...


def noticed(rows: Sequence[_Noticed]) -> list[str]:
    """Return a line for each of the commonest notices of rows, with how many have it."""
    counts = Counter(row.notice for row in rows if row.notice)
    return [f"{n:,} of {len(rows):,}: {text}" for text, n in counts.most_common(NOTICES)]


def _marked(answer: Answer) -> tuple[MarkedPassage, ...]:
    """Return the passages that an answer cites, what is cited of them marked."""
    cited: dict[Passage, dict[tuple[int, int], None]] = {}
    titles: dict[str, str] = {}
    for c in answer.citations:
        titles[c.article_id] = c.title
        around = [
            p.passage
            for p in answer.trace
            if p.passage.article_id == c.article_id
            and p.passage.start <= c.start
            and c.end <= p.passage.end
        ]
        passage = around[0] if around else Passage(c.article_id, c.start, c.end, c.quote)
        cited.setdefault(passage, {}).setdefault((c.start, c.end))
    found = []
    for passage, spans in cited.items():
        pieces, at = [], passage.start
        for start, end in sorted(spans):
            begin = max(start, at)
            pieces += [
                (passage.text[at - passage.start : begin - passage.start], False),
                (passage.text[begin - passage.start : end - passage.start], True),
            ]
            at = max(at, end)
        pieces.append((passage.text[at - passage.start :], False))
        found.append(
            MarkedPassage(titles[passage.article_id], tuple(piece for piece in pieces if piece[0]))
        )
    return tuple(found)


def _considered(
    answer: Answer, gold: Sequence[Sequence[Place]], titles: Mapping[str, str]
) -> tuple[Considered, ...]:
    """Return the trace of an answer as it is kept in a row."""
    found = []
    for c in answer.trace:
        stretch = (c.passage.article_id, c.passage.start, c.passage.end)
        found.append(
            Considered(
                titles.get(c.passage.article_id, ""),
                shorten(c.passage.text, SHOWN, placeholder="…"),
                {stage: round(score, 4) for stage, score in c.scores.items()},
                c.kept,
                c.reason,
                any(overlap(stretch, place) for places in gold for place in places),
            )
        )
    return tuple(found)


def _covers(
    answer: Answer,
    cited: Sequence[Place],
    gold: Sequence[Sequence[Place]],
    articles: Sequence[Article],
) -> bool:
    """Whether an overview cites enough sentences, all of an article, most of them expected."""
    texts = {a.id: a.text for a in articles}
    exact = all(
        c.quote and texts.get(c.article_id, "")[c.start : c.end] == c.quote
        for c in answer.citations
    )
    precision, _ = citation_precision_recall(cited, gold)
    return len(cited) >= OVERVIEW_CITATIONS and exact and precision >= OVERVIEW_PRECISION


def _gold_ranks(
    question: Question, answer: Answer, gold: Sequence[Sequence[Place]]
) -> tuple[tuple[bool, ...] | None, tuple[bool, ...] | None]:
    """Return which passages hold evidence, in the order found and in reranked order."""
    if not gold or question.kind == "overview" or not len(answer.trace):
        return None, None
    places = [place for evidence in gold for place in evidence]

    def right(candidate: Candidate) -> bool:
        passage = candidate.passage
        stretch = (passage.article_id, passage.start, passage.end)
        return any(overlap(stretch, place) for place in places)

    return tuple(map(right, answer.trace.as_found())), tuple(map(right, answer.trace))


# -- the report --


@dataclass(frozen=True)
class Report:
    """What an evaluation found; made of rows by ``Report.of``.

    Attributes:
        rows: a row for each question.
        metrics: value by the names of ``METRICS``; None where there is nothing to measure.
        counts: how many questions (for micro averages: citations or pieces of evidence) a metric
            is taken over.
    """

    rows: tuple[Row, ...]
    metrics: dict[str, float | None]
    counts: dict[str, int]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Report:
        """Return the report of these rows."""
        kept = tuple(rows)
        samples = _samples(kept)
        metrics: dict[str, float | None] = {name: mean(s) for name, s in samples.items()}
        refused, answerable = [r.refused for r in kept], [r.answerable for r in kept]
        precision, recall = refusal_precision_recall(refused, answerable)
        scores, seconds = [r.score for r in kept], [r.seconds for r in kept]
        metrics |= {
            "questions": float(len(kept)),
            "refusal_precision": precision,
            "refusal_recall": recall,
            "auroc": auroc(scores, answerable),
            "seconds_p50": percentile(seconds, 50),
            "seconds_p95": percentile(seconds, 95),
        }
        return cls(
            kept,
            {name: metrics[name] for name in METRICS},
            {name: len(samples.get(name, kept)) for name in METRICS},
        )

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % bootstrap intervals of all metrics that have a value, made when first asked for.

        How they are made is in ``INTERVALS``.
        """
        rows = self.rows
        cited = _cited(rows)
        scores, answerable = [r.score for r in rows], [r.answerable for r in rows]
        seconds = [r.seconds for r in rows]
        found = {name: bootstrap_interval(sample) for name, sample in _samples(rows).items()} | {
            "citation_precision_micro": bootstrap_statistic(
                _share, [r.right_citations for r in cited]
            ),
            "citation_recall_micro": bootstrap_statistic(_share, [r.covered for r in cited]),
            "auroc": bootstrap_statistic(auroc, scores, answerable),
            "seconds_p50": bootstrap_statistic(partial(percentile, percent=50), seconds),
            "seconds_p95": bootstrap_statistic(partial(percentile, percent=95), seconds),
        }
        return {name: pair for name in METRICS if (pair := found.get(name)) is not None}

    def by(self, name: str) -> dict[str, Report]:
        """Return a report for each value of a field of the questions (``"kind"``, ``"split"``).

        Questions without the field come under ``"-"``.
        """
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            value = row.kind if name == "kind" else str(row.extra.get(name, "-"))
            groups.setdefault(value, []).append(row)
        return {value: Report.of(rows) for value, rows in groups.items()}

    def below(self, minimums: Mapping[str, float]) -> list[str]:
        """Return a line for each metric that misses what is wanted; empty where none does.

        Args:
            minimums: least value by name of the metric; the most for ``LOWER_IS_BETTER``.

        Raises:
            SettingsError: there is no metric of that name.
        """
        lines = []
        for name, wanted in minimums.items():
            if name not in METRICS:
                raise SettingsError(
                    f"There is no metric {name!r}; the metrics are {', '.join(METRICS)}."
                )
            value = self.metrics[name]
            lower = name in LOWER_IS_BETTER
            limit = f"{'at most' if lower else 'at least'} {wanted:g} is wanted"
            if value is None:
                lines.append(f"{name} has no value on these questions; {limit}.")
            elif not (value <= wanted if lower else value >= wanted):
                lines.append(f"{name} is {value:.4f}; {limit}.")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON."""
        return {
            "notices": noticed(self.rows),
            "intervals_by": INTERVALS,
            "metrics": dict(self.metrics),
            "counts": dict(self.counts),
            "intervals": {name: list(pair) for name, pair in self.intervals.items()},
            "by_kind": {kind: dict(part.metrics) for kind, part in self.by("kind").items()},
            "rows": [row.to_dict() for row in self.rows],
        }


def _cited(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose citations count: answered questions with evidence."""
    return [r for r in rows if r.answerable and not r.refused and r.covered]


def _share(parts: Sequence[Sequence[bool]]) -> float | None:
    """Return the share of all parts that are true."""
    return mean([one for part in parts for one in part])


def _samples(rows: Sequence[Row]) -> dict[str, Sequence[float]]:
    """Return the values that each metric is the mean of."""
    answerable = [r for r in rows if r.answerable]
    # Where the set names exact answers a missing one counts as wrong, and only questions that have
    # one count; where it names none, those count that got one, against the accepted strings.
    with_short = [(r.short or "", r.exact) for r in answerable if r.exact] or [
        (r.short, r.answers) for r in answerable if r.answers and r.short is not None
    ]
    cited = _cited(rows)
    samples: dict[str, Sequence[float]] = {}
    for prefix, ranks in (
        ("", [r.reranked for r in rows if r.reranked is not None]),
        ("dense_", [r.dense for r in rows if r.dense is not None]),
    ):
        for k in (1, 3, 5):
            samples[f"{prefix}hit@{k}"] = [hit_at(gold, k) for gold in ranks]
        samples[f"{prefix}mrr"] = [reciprocal_rank(gold) for gold in ranks]
    return samples | {
        "answer": [r.verdict == "right" for r in answerable],
        "short_f1": [token_f1(short, gold) for short, gold in with_short],
        "short_em": [exact_match(short, gold) for short, gold in with_short],
        "citation_precision": [mean(r.right_citations) or 0.0 for r in cited],
        "citation_recall": [mean(r.covered) or 0.0 for r in cited],
        "citation_precision_micro": [right for r in cited for right in r.right_citations],
        "citation_recall_micro": [found for r in cited for found in r.covered],
        "refusal_precision": [not r.answerable for r in rows if r.refused],
        "refusal_recall": [r.refused for r in rows if not r.answerable],
        "false_refusals": [r.refused for r in answerable],
    }


# -- running --


class Answers(Protocol):
    """What is evaluated: a ``Bot``, or anything that answers like one."""

    def ask(
        self, question: str, history: Sequence[Any] = (), *, articles: Sequence[str] | None = None
    ) -> Answer:
        """Answer a question."""

    def articles(self) -> list[Article]:
        """Return the articles that can be asked about."""


def evaluate(
    bot: Answers,
    questions: str | Path | Iterable[Question],
    *,
    article_ids: Sequence[str] | None = None,
    progress: bool = False,
) -> Report:
    """Ask a bot every question of a set and measure its answers.

    Args:
        bot: what to measure; its models are loaded before the first question is timed.
        questions: the path of a question set (see ``load_questions``), or questions.
        article_ids: ids of the articles to ask about; all by default.
        progress: whether to draw a bar on standard error.

    Raises:
        QuestionSetError: the set cannot be read, or evidence stands nowhere in the articles.
        UnknownArticle: there is no article with one of the ids.
    """
    asked = load_questions(questions) if isinstance(questions, str | Path) else list(questions)
    articles = _chosen(bot.articles(), article_ids)
    gold = [locate_all(question, articles) for question in asked]
    load = getattr(bot, "load", None)
    if callable(load):
        load()
    rows = []
    with progress_bar(len(asked), "Asking", shown=progress) as advance:
        for question, places in zip(asked, gold, strict=True):
            history = [{"role": m.role, "content": m.content} for m in question.history]
            began = time.perf_counter()
            answer = bot.ask(question.question, history, articles=article_ids)
            seconds = time.perf_counter() - began
            rows.append(judge(question, answer, places, articles, seconds))
            advance()
    return Report.of(rows)


def _chosen(articles: list[Article], ids: Sequence[str] | None) -> list[Article]:
    if ids is None:
        return articles
    known = {a.id: a for a in articles}
    for article_id in ids:
        if article_id not in known:
            raise UnknownArticle(
                f"There is no article with the id {article_id!r}; there are: "
                f"{', '.join(known) or 'none'}. Add the article, or use one of these."
            )
    return [known[article_id] for article_id in ids]


@contextlib.contextmanager
def progress_bar(total: int, what: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    """Draw a progress bar on standard error and yield what moves it by one.

    Args:
        total: how often it moves.
        what: what is being done, shown before the bar.
        shown: whether to draw it at all.
    """
    if not shown:
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


# -- thresholds --


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """What a threshold on the answerability score would do.

    Attributes:
        threshold: questions that score below it are refused.
        refusal_recall: share of the unanswerable questions that are refused.
        false_refusals: share of the answerable questions that are refused.
        coverage: share of all questions that are answered.
        risk: share of the answered ones that are answered wrongly; None where none is answered,
            or where one is that the bot refused in the run (its answer is not known).
    """

    threshold: float
    refusal_recall: float | None
    false_refusals: float | None
    coverage: float | None
    risk: float | None


def threshold_curve(
    report: Report, thresholds: Sequence[float] | None = None
) -> list[ThresholdPoint]:
    """Return what each threshold would do, from the scores of one run.

    Risk and coverage are those of selective prediction (El-Yaniv and Wiener 2010, "On the
    foundations of noise-free selective classification"). Run the bot with the threshold 0, so
    that every question has an answer to judge.

    Args:
        report: a run.
        thresholds: what to try; by default 0, 0.05, … 1.
    """
    points = []
    for threshold in [i / 20 for i in range(21)] if thresholds is None else thresholds:
        answered = [r for r in report.rows if r.score >= threshold]
        # An unanswerable question is answered wrongly whatever the answer would have been.
        known = all(not r.refused or not r.answerable for r in answered)
        wrong = [not r.answerable or r.verdict != "right" for r in answered]
        points.append(
            ThresholdPoint(
                threshold,
                mean([r.score < threshold for r in report.rows if not r.answerable]),
                mean([r.score < threshold for r in report.rows if r.answerable]),
                mean([r.score >= threshold for r in report.rows]),
                mean(wrong) if known else None,
            )
        )
    return points
