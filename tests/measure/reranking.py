"""What the second reranking model is worth beside the cross-encoder."""

from __future__ import annotations

from collections.abc import Iterable

from bot import rerank
from bot.evaluate import Report, Row
from tests.measure.common import ask_all, by_half, opened, patched, questions, table

WEIGHTS = dict.fromkeys((rerank.SECOND_WEIGHT, 0.0, 10.0, 30.0, 60.0, 100.0))
"""Values of ``SECOND_WEIGHT``; the one in use comes first."""

KINDS = ("fact", "paraphrase", "typo", "multi", "followup")

METRICS = {"hit@1": "hit@1", "mrr": "mrr", "answer": "answer", "AUROC": "auroc"}


def measure(*, quick: bool) -> str:
    """Return the tables by half and by kind."""
    asked = questions(quick=quick)
    reports: dict[str, Report] = {}
    unrefused: dict[str, dict[str, Report]] = {}
    with opened() as bot, opened(threshold=0.0) as eager:
        for weight in WEIGHTS:
            name = f"{weight:g}"
            with patched(rerank, "SECOND_WEIGHT", weight):
                reports[name] = ask_all(bot, asked, f"reranking: weight {name}")
                report = ask_all(eager, asked, f"reranking: weight {name}, nothing refused")
            unrefused[name] = report.by("split")
    what = "Weight of the bi-encoder (SECOND_WEIGHT) beside the cross-encoder"
    kinds = [
        [kind, name, *of_kind(report.rows, kind)]
        for kind in KINDS
        for name, report in reports.items()
    ]
    return "\n\n".join(
        [
            by_half(
                reports,
                what,
                METRICS,
                {"answer, nothing refused": lambda n, half: unrefused[n][half].metrics["answer"]},
            ),
            table(
                f"{what}, by kind; both halves ({len(asked)} questions)",
                ["kind", "weight", "questions", *METRICS],
                kinds,
            ),
        ]
    )


def of_kind(rows: Iterable[Row], kind: str) -> list[object]:
    """Return the measures of one kind; its AUROC is against all unanswerable questions."""
    kept = list(rows)
    alone = Report.of(r for r in kept if r.kind == kind)
    against = Report.of(r for r in kept if r.kind == kind or not r.answerable)
    values = [alone.metrics[m] for m in METRICS.values()]
    return [len(alone.rows), *values[:-1], against.metrics["auroc"]]
