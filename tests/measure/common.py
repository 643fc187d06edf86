"""What the measurements share: questions, bots, remembered model outputs, tables."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import Bot, Settings
from bot.evaluate import Report, evaluate
from bot.questions import Question, load_questions
from bot.reader import Reader, Reading, examples
from bot.rerank import _Bundled
from index import Article, bundled
from index.embed import Embedder

if TYPE_CHECKING:
    from tokenizers import Encoding

QUESTIONS = Path(__file__).parent.parent / "questions" / "alaska_summit.jsonl"

HALVES = {"tune": "the half that values are chosen on", "report": "the half kept for reporting"}
"""The halves of the question set, by the name in their ``split`` field."""

_cross: dict[tuple[int, ...], float] = {}
_queries: dict[str, list[float]] = {}
_readings: dict[tuple[int, ...], Reading] = {}


def questions(*, quick: bool) -> list[Question]:
    """Return the question set; of each kind and half every fifth question for a quick run."""
    groups: dict[tuple[str, str], list[Question]] = {}
    for question in load_questions(QUESTIONS):
        groups.setdefault((question.kind, question.extra["split"]), []).append(question)
    return [q for group in groups.values() for q in group[:: 5 if quick else 1]]


def evaluation(folder: Path) -> Path:
    """Return the folder with the evaluation sets: this one, or ``evaluate`` in it."""
    return folder / "evaluate" if (folder / "evaluate").is_dir() else folder


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a gzipped JSON Lines file."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


HELD_OUT = ("squadshifts_new_wiki", "squad2_dev_train", "squadshifts_reddit")
DISTRACTORS = 150
"""Further documents of each set among which those of the questions must be found."""


def held_out(folder: Path, *, quick: bool) -> tuple[list[Article], list[Question]]:
    """Return documents of the training sets and questions on those kept out of training.

    Args:
        folder: the data folder, with ``train`` in it.
        quick: whether a fifth of the questions is enough.
    """
    articles: dict[str, Article] = {}
    asked: list[Question] = []
    for name in HELD_OUT:
        documents = read_rows(folder / "train" / f"{name}.docs.jsonl.gz")
        kept = {d["doc_id"] for d in documents if examples.is_watched(d["doc_id"])}
        others = [d for d in documents if d["doc_id"] not in kept][:DISTRACTORS]
        ids: dict[str, str] = {}
        for document in [d for d in documents if d["doc_id"] in kept] + others:
            article = Article.from_text(document["text"], title=document["title"])
            articles[article.id] = article
            ids[document["doc_id"]] = article.id
        for row in read_rows(folder / "train" / f"{name}.questions.jsonl.gz"):
            if row["doc_id"] in kept:
                answers = tuple(dict.fromkeys(row["answers"]))
                extra = {"kind": name, "split": "tune", "article": ids[row["doc_id"]]}
                asked.append(
                    Question(row["qid"], row["question"].strip(), (), answers,
                             (articles[ids[row["doc_id"]]].text,), row["answerable"], answers,
                             extra)
                )  # fmt: skip
    return list(articles.values()), asked[:: 5 if quick else 1]


@contextmanager
def opened(**options: Any) -> Iterator[Bot]:
    """Open a bot on the bundled article in a temporary store, without a developer's settings."""
    patch = {name for name in os.environ if name.startswith("ASKARTICLE_")}
    for name in patch:
        del os.environ[name]
    Settings.model_config["env_file"] = None
    with (
        tempfile.TemporaryDirectory() as folder,
        Bot.open(Path(folder) / "store", **{"articles": [bundled()], **options}) as bot,
    ):
        yield bot


@contextmanager
def patched(owner: object, name: str, value: object) -> Iterator[None]:
    """Set an attribute for the time of the block."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def remembered() -> Iterator[None]:
    """Run the models once a text: what they say of it depends on nothing else.

    Remembered are the cross-encoder's logits, the vectors of questions and what the reader reads.
    The second reranking model keeps its vectors itself, and its weight is applied after both.
    """
    cross_score, embed_query, read = _Bundled._cross_score, Embedder.embed_query, Reader._read

    def logit(self: _Bundled, encoding: Encoding) -> float:
        key = (*encoding.ids, -1, *encoding.type_ids)
        if key not in _cross:
            _cross[key] = cross_score(self, encoding)
        return _cross[key]

    def vector(self: Embedder, text: str) -> list[float]:
        if text not in _queries:
            _queries[text] = embed_query(self, text)
        return _queries[text]

    def reading(self: Reader, encoding: Encoding) -> Reading:
        key = (*encoding.ids, -1, *encoding.type_ids)
        if key not in _readings:
            _readings[key] = read(self, encoding)
        return _readings[key]

    with (
        patched(_Bundled, "_cross_score", logit),
        patched(Embedder, "embed_query", vector),
        patched(Reader, "_read", reading),
    ):
        yield


def ask_all(bot: Bot, asked: Sequence[Question], what: str) -> Report:
    """Evaluate a bot with remembered model outputs; say on standard error what is asked."""
    print(what, file=sys.stderr)
    with remembered():
        return evaluate(bot, asked, progress=True)


def by_half(
    reports: Mapping[str, Report],
    what: str,
    metrics: Mapping[str, str],
    columns: Mapping[str, Callable[[str, str], object]] | None = None,
) -> str:
    """Return a table for each half: a row for each variant, the first being the one in use.

    Args:
        reports: report by variant.
        what: what was measured, for the line above each table.
        metrics: name of a metric by the title of its column.
        columns: further columns, from the names of the variant and the half.
    """
    parts = {name: report.by("split") for name, report in reports.items()}
    base = next(iter(parts.values()))
    more = columns or {}
    tables = []
    for half, told in HALVES.items():
        rows = [
            [
                name if i else f"{name} (in use)",
                *(column(name, half) for column in more.values()),
                *(part[half].metrics[m] for m in metrics.values()),
                won_and_lost(part[half], base[half]),
            ]
            for i, (name, part) in enumerate(parts.items())
        ]
        of = f"{what}; {half} half ({told}, {len(base[half].rows)} questions)"
        tables.append(table(of, ["variant", *more, *metrics, "won : lost"], rows))
    return "\n\n".join(tables)


def won_and_lost(report: Report, base: Report) -> str:
    """Return how many answerable questions are right in one run alone, and in the other alone."""
    pairs = [
        (one.verdict == "right", other.verdict == "right")
        for one, other in zip(report.rows, base.rows, strict=True)
        if one.answerable
    ]
    return f"{pairs.count((True, False))} : {pairs.count((False, True))}"


def table(what: str, titles: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table below a line that says what was measured, and on how many cores."""
    lines = [
        f"| {' | '.join(titles)} |",
        f"|---|{'---:|' * (len(titles) - 1)}",
        *(f"| {' | '.join(map(_shown, row))} |" for row in rows),
    ]
    return caption(what) + "\n\n" + "\n".join(lines)


def caption(what: str) -> str:
    """Return the line above a table."""
    return f"{what}; {os.cpu_count()} cores."


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
