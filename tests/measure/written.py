"""What is left of the answers of a small chat model that is often wrong and never refuses.

Whether a sentence that it wrote is true of the article was judged by hand, in
``tests/questions/small_model.jsonl``; sentences that nobody has judged are told, and not counted.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import Answer, Bot, Sentence
from bot import bot as pipeline
from bot.cite import cite
from bot.evaluate import Report, evaluate
from bot.metrics import contains_answer
from bot.questions import Question
from bot.records import Draft
from tests.llm_server import MODEL_NAME, fetch_weights, small_model_server
from tests.measure.common import HALVES, opened, patched, questions, table

JUDGED = Path(__file__).parent.parent / "questions" / "small_model.jsonl"
VERDICTS = ("supported", "weak", "unsupported")


@dataclass(frozen=True, slots=True)
class Run:
    """A half of the question set asked once.

    Attributes:
        report: what the evaluation found.
        answers: the answers, in the order of its rows.
        written: for each of them the sentences that the model wrote, also where they were all
            dropped for the read answer.
    """

    report: Report
    answers: tuple[Answer, ...]
    written: tuple[tuple[Sentence, ...], ...]


def measure(*, quick: bool) -> str:
    """Return how often answers are right, and what becomes of wrong sentences."""
    asked = questions(quick=quick)
    read = run(asked, "read")
    fetch_weights()
    with small_model_server() as url:
        written = run(asked, "written", model=f"openai:{MODEL_NAME}", base_url=url, api_key="none")
    return "\n\n".join([rights(asked, read, written), *sentences(written)])


def run(asked: Sequence[Question], what: str, **settings: Any) -> Run:
    """Ask the questions and keep the answers as well."""
    print(what, file=sys.stderr)
    answers: list[Answer] = []
    written: list[tuple[Sentence, ...]] = []
    seen: list[Answer] = []
    ask = Bot.ask

    def asking(self: Bot, *args: Any, **options: Any) -> Answer:
        seen.clear()
        answers.append(ask(self, *args, **options))
        written.append(seen[0].sentences if seen else ())
        return answers[-1]

    def citing(draft: Draft, **options: Any) -> Answer:
        made = cite(draft, **options)
        if draft.model and draft.done:
            seen.append(made)
        return made

    with opened(**settings) as bot, patched(Bot, "ask", asking), patched(pipeline, "cite", citing):
        report = evaluate(bot, asked, progress=True)
    return Run(report, tuple(answers), tuple(written))


def rights(asked: Sequence[Question], read: Run, written: Run) -> str:
    """Return a table of the right answers of both ways, by half."""
    rows: list[list[object]] = []
    for half in HALVES:
        part = [i for i, q in enumerate(asked) if q.extra["split"] == half and q.answerable]
        with_answers = [i for i in part if asked[i].answers]
        replies = [written.answers[i].trace.written for i in with_answers]
        said = [contains_answer(text, asked[i].answers)
                for text, i in zip(replies, with_answers, strict=True)]  # fmt: skip
        rows.append(
            [half, len(part), sum(read.report.rows[i].verdict == "right" for i in part),
             sum(written.report.rows[i].verdict == "right" for i in part),
             f"{sum(said)} of {len(with_answers)}",
             sum(written.answers[i].model is None for i in part)]
        )  # fmt: skip
    return table(
        "Answers to answerable questions that are right: read, written by the small model and "
        "verified, and its replies as they are (those that hold an accepted string)",
        ["half", "questions", "read", "written, verified", "replies", "of the written ones read"],
        rows,
    )


def sentences(written: Run) -> list[str]:
    """Return tables of the verdicts of the sentences that the small model wrote."""
    judged = {
        (row["question"], row["sentence"]): row["true"]
        for row in map(json.loads, JUDGED.read_text("utf-8").splitlines())
    }
    counts: Counter[tuple[str, str]] = Counter()
    unknown = []
    for question, sentence, verdict in verdicts(written):
        true = judged.get((question, sentence))
        if true is None:
            unknown.append({"question": question, "sentence": sentence, "true": None})
        else:
            counts["true" if true else "wrong", verdict] += 1
    for row in unknown:
        print(json.dumps(row, ensure_ascii=False), file=sys.stderr)
    rows: list[list[object]] = []
    for kind in ("true", "wrong"):
        total = sum(counts[kind, v] for v in VERDICTS)
        shares = [counts[kind, v] / total if total else None for v in VERDICTS]
        rows.append([kind, total, *shares])
    what = "Sentences that the small model wrote, by what the article says and their verdict; "
    return [table(f"{what}{len(unknown)} are not judged", ["said", "sentences", *VERDICTS], rows)]


def verdicts(written: Run) -> list[tuple[str, str, str]]:
    """Return the question, text and verdict of each sentence that was written."""
    return [
        (row.question, sentence.text, sentence.verdict)
        for row, made in zip(written.report.rows, written.written, strict=True)
        for sentence in made
    ]
