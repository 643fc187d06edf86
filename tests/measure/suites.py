"""The table of results on published sets, beside what others reached on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot import Settings
from bot.figures import Figure
from bot.suites import run_suites
from tests.measure.common import caption

MOST = 300
"""Questions of each set at most, drawn with seed 0: all of them take three hours on two cores."""

DRAWN = {"nq_oracle": 600, "fever_symmetric": 1_061, "canard_dev": 3_430, "mtrag_rewrites": 777}
"""The same for single sets: more where one target is that .98 are found or .02 drift, and where
asking is cheap."""

QUICK = 60
"""Questions of each set in a quick run."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure of the table.

    Attributes:
        suite: set and task.
        figure: its name in the report.
        meaning: what it says.
        wanted: what it should be; empty where nothing was set.
        reference: what others reached; empty where nothing is known.
    """

    suite: str
    figure: str
    meaning: str
    wanted: str = ""
    reference: str = ""


_MBERT = "mBERT {}, XLM-R large {} (trained on 87k)"
TABLE = (
    Wanted("xquad_en given", "short_f1", "exact answer, F1", "≥ 0.77",
           _MBERT.format("0.835", "0.865")),
    Wanted("xquad_en given", "short_em", "exact answer, equal", "≥ 0.63",
           _MBERT.format("0.722", "0.757")),
    Wanted("xquad_en given", "short_f1@not_in_train", "F1, article not in training"),
    Wanted("xquad_en given", "short_f1@in_train", "F1, article in training"),
    Wanted("xquad_en found", "hit@1", "best document is the gold one", "≥ 0.97", "BM25 0.92"),
    Wanted("xquad_en found", "short_f1", "exact answer, F1", "≥ 0.74"),
    Wanted("xquad_en found", "answer_holds", "answer holds an accepted string"),
    Wanted("squad2_dev_eval given", "short_f1", "exact answer, F1 of the answerable", "≥ 0.80"),
    Wanted("squad2_dev_eval given", "f1_all", "F1, both kinds, refusals counted", "",
           "BiDAF about 0.61"),
    Wanted("squad2_dev_eval given", "em_all", "equal, both kinds, refusals counted", "",
           "BiDAF about 0.58"),
    Wanted("squad2_dev_eval given", "auroc", "refusal score, AUROC", "≥ 0.80"),
    Wanted("squad2_dev_eval given", "ece", "refusal score, calibration error"),
    Wanted("squad2_dev_eval found", "hit@1", "best document is the gold one", "≥ 0.92"),
    Wanted("squad2_dev_eval found", "short_f1", "exact answer, F1 of the answerable"),
    Wanted("nq_oracle given", "short_holds", "exact answer holds the gold", "≥ 0.72",
           "GPT-3.5-turbo 0.88"),
    Wanted("nq_oracle found", "hit@1", "best document is the gold one", "≥ 0.88", "BM25 0.76"),
    Wanted("nq_oracle found", "hit@10", "gold one in the first 10", "≥ 0.98", "BM25 0.94"),
    Wanted("nq_oracle found", "short_holds", "exact answer holds the gold", "≥ 0.64"),
    Wanted("nq_oracle found", "answer_holds", "answer holds the gold", "≥ 0.78"),
    Wanted("clapnq_dev found", "hit@1", "best document is the gold one", "", "BM25 0.88"),
    Wanted("clapnq_dev given", "auroc", "refusal score, AUROC", "≥ 0.85"),
    Wanted("clapnq_dev given", "ece", "refusal score, calibration error"),
    Wanted("clapnq_dev given", "citation_recall", "evidence that is cited, by characters"),
    Wanted("multihop_rag_500 facts", "all_in_10", "all gold facts in the first 10", "≥ 0.68",
           "BM25 0.57"),
    Wanted("canard_dev rewrites", "unigram_recall_longest", "words of the human rewrite", "",
           "copying the question 0.61"),
    Wanted("canard_dev rewrites", "unigram_recall_copied", "the same, question copied", "", "0.61"),
    Wanted("canard_dev rewrites", "entity_recall_longest", "names of the human rewrite"),
    Wanted("canard_dev rewrites", "entity_recall_copied", "the same, question copied"),
    Wanted("canard_dev rewrites", "drift", "another passage first though nothing was to change",
           "≤ 0.02"),
    Wanted("mtrag_rewrites rewrites", "unigram_recall_longest", "words of the human rewrite"),
    Wanted("mtrag_rewrites rewrites", "unigram_recall_copied", "the same, question copied"),
    Wanted("mtrag_rewrites rewrites", "entity_recall_longest", "names of the human rewrite"),
    Wanted("mtrag_rewrites rewrites", "entity_recall_copied", "the same, question copied"),
    Wanted("mtrag_rewrites rewrites", "drift", "another passage first though nothing was to change",
           "≤ 0.02"),
    Wanted("mtrag_humaneval conversation", "recall@10_last", "gold found, last turn alone"),
    Wanted("mtrag_humaneval conversation", "recall@10_ours", "gold found, with the history",
           "half way at least"),
    Wanted("mtrag_humaneval conversation", "recall@10_rewrite", "gold found, human rewrite"),
    Wanted("mtrag_humaneval faithfulness", "spearman", "support and human faithfulness, rank"),
    Wanted("wice_dev support", "auroc", "support of claims, AUROC", "≥ 0.80"),
    Wanted("fever_symmetric support", "auroc", "support of claims, AUROC", "≥ 0.86",
           "word overlap 0.68"),
    Wanted("summedits_news_podcast support", "auroc", "support of claims, AUROC", "≥ 0.68",
           "word overlap 0.48"),
)  # fmt: skip
"""What the table holds; what the sets' own publications and baselines give stands beside it."""


def measure(*, quick: bool, data: Path | None = None, only: Sequence[str] = ()) -> str:
    """Return the table, or its rows of some sets.

    What ``askarticle eval --suite`` ran before is not computed again. Measured are the defaults,
    whatever the environment and ``.env`` of a developer say.
    """
    if data is None:
        raise SystemExit("Give the folder with the question sets: --data FOLDER")
    found = {}
    wanted = [one for one in TABLE if not only or one.suite.split()[0] in only]
    for name in dict.fromkeys(one.suite.split()[0] for one in wanted):
        report = run_suites(
            data,
            names=[name],
            settings=Settings.model_construct(),
            sample=QUICK if quick else DRAWN.get(name, MOST),
            progress=True,
        )
        found |= {
            f"{suite.name} {suite.task}": (suite, {f.name: f for f in suite.figures})
            for suite in report.suites
        }
    rows = []
    for one in wanted:
        suite, figures = found.get(one.suite, (None, {}))
        figure = figures.get(one.figure)
        if suite is None or figure is None:
            raise SystemExit(
                f"There is no figure {one.figure!r} of {one.suite!r} in the report; there are "
                f"{', '.join(figures) or ', '.join(found)}. Correct TABLE in {Path(__file__).name}."
            )
        rows.append(
            f"| {suite.name} | {suite.task} | {one.meaning} | {_shown(figure)} | {figure.count:,} "
            f"| {one.wanted or '–'} | {one.reference or '–'} |"
        )
    head = "| set | asked | figure | ours (95 % interval) | of | wanted | others |"
    rule = "|---|---|---|---|---:|---|---|"
    return "\n".join([caption("Results on published sets"), "", head, rule, *rows])


def _shown(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    interval = f" ({figure.interval[0]:.3f} to {figure.interval[1]:.3f})" if figure.interval else ""
    return f"{figure.value:.3f}{interval}"
