"""When to refuse: what each threshold on the answerability score would do."""

from __future__ import annotations

from bot.evaluate import Report, threshold_curve
from tests.measure.common import HALVES, ask_all, opened, questions, table

THRESHOLDS = [i / 20 for i in range(2, 17)]


def measure(*, quick: bool) -> str:
    """Return the curves of both halves and how well the score parts the questions."""
    asked = questions(quick=quick)
    with opened(threshold=0.0) as bot:
        report = ask_all(bot, asked, "refusal: threshold 0")
    parts: list[str] = []
    rows: list[list[object]] = []
    for half, part in report.by("split").items():
        what = f"Risk and coverage by threshold; {half} half ({HALVES[half]}, "
        titles = ["threshold", "unanswerable refused", "answerable refused", "coverage", "risk"]
        curve = [
            [f"{p.threshold:.2f}", p.refusal_recall, p.false_refusals, p.coverage, p.risk]
            for p in threshold_curve(part, THRESHOLDS)
        ]
        parts.append(table(f"{what}{len(part.rows)} questions)", titles, curve))
        rows.append([half, *areas(part)])
    what = f"AUROC of the answerability score; both halves ({len(asked)} questions)"
    titles = ["half", "all", "without paraphrases"]
    return "\n\n".join([*parts, table(what, titles, [*rows, ["both", *areas(report)]])])


def areas(report: Report) -> list[float | None]:
    """Return the AUROC over all questions, and without those that share no words with the text."""
    plain = Report.of(r for r in report.rows if r.kind != "paraphrase")
    return [report.metrics["auroc"], plain.metrics["auroc"]]
