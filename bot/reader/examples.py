"""What the reader is trained on: questions with the passages that answer them, or do not.

Passages that answer come from the question-answering sets of a data folder. Passages that do not
are made: those that a retriever would bring back by mistake, the passage without its answering
sentence, and the passage under a question that was edited so that it no longer answers it.
"""

from __future__ import annotations

import gzip
import json
import logging
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bot.metrics import contains_answer
from bot.words import names
from index.embed import Embedder
from index.errors import AskArticleError
from index.sentences import sentence_spans

log = logging.getLogger(__name__)

Spans = tuple[tuple[int, int], ...]

WHOLE = 0.35
"""Share of the passages that are shown whole; the others are cut to some sentences."""

SHARES = {"qamr": 0.35, "fairytaleqa": 0.4, "amazon_reviews": 0.65, "reddit": 0.65}
"""Share of a set's questions that are taken, where it is not all of them."""

NEAR = ("new_wiki", "squad2", "amazon_reviews", "reddit")
"""Sets whose questions are also put to wrong passages near to them."""

PAIRS = 0.5
"""Share of the sentence pairs that are taken."""

SEARCHED = 0.25
"""Share of the questions that lose their question mark."""

CUT = (1, 6)
"""Fewest and most sentences that a passage is cut to."""

VALIDATED = 40
"""One in so many documents is kept out of training, to watch it by."""

NEGATED = 0.2
"""Share of the questions without anything else to edit that are negated."""

POOL = 500
"""Passages among which the nearest are sought where all of a set are of one kind."""

NEAREST = 6
"""Wrong passages among which one is drawn: those nearest to the question."""


class TrainingDataError(AskArticleError):
    """The data folder does not hold what training needs."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question, or a claim, and a passage.

    Attributes:
        question: the question, or the claim.
        text: the passage.
        spans: every accepted answer, as half-open character offsets into ``text``; none where
            the passage does not answer.
        source: which set it comes from and how it was made ("new_wiki", "reddit-deleted").
        weak: whether ``spans`` says only where the answer lies somewhere within.
        supported: whether the passage supports the claim; None for a question.
    """

    question: str
    text: str
    spans: Spans
    source: str
    weak: bool = False
    supported: bool | None = None

    @property
    def answerable(self) -> bool:
        """Whether the passage answers the question."""
        return bool(self.spans)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of a set with its document."""

    question: str
    document: str
    title: str
    text: str
    spans: Spans
    answers: tuple[str, ...]
    source: str


def make(folder: Path, embedder: Embedder, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """Return examples to train on and to watch training by, from disjoint documents.

    Args:
        folder: the data folder with a ``train`` folder in it.
        embedder: finds the passages that a retriever would bring back by mistake.
        seed: the same seed gives the same examples.

    Raises:
        TrainingDataError: a file is missing or is not what it should be.
    """
    rng = random.Random(seed)  # noqa: S311  # nothing secret is drawn
    asked = [row for rows in questions(folder / "train") for row in rows]
    kept = [row for row in asked if not is_watched(row.document)]
    watched = [row for row in asked if is_watched(row.document)]
    training = [*_all_of(kept, embedder, rng), *_sentence_pairs(folder / "train", rng)]
    training = [_searched(e) if rng.random() < SEARCHED else e for e in training]
    rng.shuffle(training)
    return training, _all_of(watched, embedder, rng, repeat=False)


def _searched(example: Example) -> Example:
    """Return an example whose question is typed as into a search box: without its question mark."""
    return replace(example, question=example.question.rstrip("? "))


def save(examples: Iterable[Example], file: Path) -> None:
    """Write examples as gzipped JSON lines."""
    unfinished = file.with_suffix(".new")
    with gzip.open(unfinished, "wt", encoding="utf-8") as stream:
        for example in examples:
            stream.write(json.dumps(asdict(example), ensure_ascii=False) + "\n")
    unfinished.replace(file)


def load(file: Path) -> list[Example]:
    """Read examples that ``save`` wrote."""
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [
            Example(**{**row, "spans": tuple((s, e) for s, e in row["spans"])})
            for row in map(json.loads, stream)
        ]


# -- the sets --


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a gzipped file of JSON lines.

    Raises:
        TrainingDataError: it is missing or is not what it should be.
    """
    try:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            return [json.loads(line) for line in stream]
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise TrainingDataError(
            f"The training file {file} cannot be read: {error}. Give the folder that holds "
            "train/ with the sets that bot/reader/MODEL_CARD.md names."
        ) from error


def questions(folder: Path) -> Iterator[list[Asked]]:
    """Yield the questions of each question-answering set in a folder.

    Raises:
        TrainingDataError: a file is missing or is not what it should be.
    """
    for name in ("new_wiki", "amazon_reviews", "reddit"):
        yield _squad_like(folder, f"squadshifts_{name}", name)
    yield _squad_like(folder, "squad2_dev_train", "squad2")
    yield [
        Asked(
            row["question"],
            "fairytaleqa " + row["gold_docs"][0],
            row["gold_docs"][0].split("#")[0],
            row["context"],
            (tuple(row["span"]),),
            tuple(row["answers"]),
            "fairytaleqa",
        )
        for row in rows_of(folder / "fairytaleqa.qas.jsonl.gz")
        if row.get("span")
    ]
    yield list(_qamr(folder))


def _squad_like(folder: Path, name: str, source: str) -> list[Asked]:
    documents = {d["doc_id"]: d for d in rows_of(folder / f"{name}.docs.jsonl.gz")}
    return [
        Asked(
            row["question"].strip(),
            row["doc_id"],
            documents[row["doc_id"]]["title"],
            documents[row["doc_id"]]["text"],
            tuple(sorted({(s, e) for s, e in row["spans"]})),
            tuple(row["answers"]),
            source,
        )
        for row in rows_of(folder / f"{name}.questions.jsonl.gz")
    ]


def _qamr(folder: Path, most: int = 3) -> Iterator[Asked]:
    """Yield at most so many questions of each sentence, of those whose answer is one stretch."""
    taken: dict[str, int] = defaultdict(int)
    for row in rows_of(folder / "qamr.jsonl.gz"):
        sentence = row["sentence"]
        spans = tuple(
            (at, at + len(answer))
            for answer in row["answers"]
            if (at := sentence.find(answer)) >= 0 and sentence.count(answer) == 1
        )
        if row["contiguous"] and spans and taken[sentence] < most:
            taken[sentence] += 1
            yield Asked(
                row["question"], "qamr " + sentence, "qamr", sentence, spans,
                tuple(row["answers"]), "qamr",
            )  # fmt: skip


def is_watched(document: str) -> bool:
    """Whether a document is kept out of training, to watch it by."""
    return random.Random(document).randrange(VALIDATED) == 0  # noqa: S311  # nothing secret


def _sentence_pairs(folder: Path, rng: random.Random) -> Iterator[Example]:
    """Yield questions whose answer is somewhere in one sentence, among its neighbours.

    Half of them stand beside sentences of the same article, half are asked of those alone.
    """
    rows = rows_of(folder / "squad_sentence_pairs.jsonl.gz")
    for i, row in enumerate(rows):
        if rng.random() > PAIRS:
            continue
        near = [r["sentence"].strip() for r in rows[max(0, i - 6) : i + 7]]
        others = [s for s in dict.fromkeys(near) if s != row["sentence"].strip()]
        rng.shuffle(others)
        others = others[: rng.randint(1, 4)]
        if rng.random() < 0.3:
            if others:
                yield Example(row["question"], " ".join(others), (), "sentences-without")
            continue
        at = rng.randint(0, len(others))
        before = "".join(s + " " for s in others[:at])
        sentence = row["sentence"].strip()
        text = " ".join([before + sentence, *others[at:]])
        span = (len(before), len(before) + len(sentence))
        yield Example(row["question"], text, (span,), "sentences", weak=True)


# -- the examples --


def _all_of(
    asked: Sequence[Asked], embedder: Embedder, rng: random.Random, *, repeat: bool = True
) -> list[Example]:
    made: list[Example] = []
    near = _Nearest(asked, embedder, rng)
    wanted: list[Asked] = []
    asked_about: dict[str, list[str]] = defaultdict(list)
    for row in asked:
        asked_about[f"{row.source} {row.title}"] += _names_asked(row)
    for row in asked:
        encyclopedic = row.source in ("new_wiki", "squad2")
        if rng.random() > SHARES.get(row.source, 1.0):
            continue
        times = 2 if encyclopedic and repeat else 1
        made.extend(_cut(row, rng) for _ in range(times))
        if not row.spans:
            continue
        if rng.random() < (0.6 if encyclopedic else 0.25):
            made.extend(_edited(row, asked_about[f"{row.source} {row.title}"], rng))
        if rng.random() < (0.35 if encyclopedic else 0.2):
            made.extend(_deleted(row, rng))
        if row.source in NEAR and rng.random() < (0.4 if encyclopedic else 0.15):
            wanted.append(row)
    made.extend(near.examples(wanted, rng))
    return made


def _cut(row: Asked, rng: random.Random) -> Example:
    """Return the passage whole, or some sentences of it around an accepted answer."""
    example = Example(row.question, row.text, row.spans, row.source)
    if rng.random() < WHOLE:
        return example
    sentences = sentence_spans(row.text)
    if not sentences:
        return example
    count = rng.randint(*CUT)
    if row.spans:
        held = rng.choice(row.spans)
        inside = [i for i, (s, e) in enumerate(sentences) if s < held[1] and held[0] < e]
        if not inside:
            return example
        first, last = inside[0], inside[-1]
    else:
        first = last = rng.randrange(len(sentences))
        count = max(count, 4)  # an unanswerable question was written for much of its passage
    before = rng.randint(0, max(0, count - 1 - (last - first)))
    low = max(0, first - before)
    high = min(len(sentences) - 1, max(last, low + count - 1))
    start, end = sentences[low][0], sentences[high][1]
    spans = tuple((s - start, e - start) for s, e in row.spans if start <= s and e <= end)
    if row.spans and not spans:
        return example
    return replace(example, text=row.text[start:end], spans=spans)


def _deleted(row: Asked, rng: random.Random) -> Iterator[Example]:
    """Yield the passage without the sentences that answer."""
    rest = [
        row.text[s:e]
        for s, e in sentence_spans(row.text)
        if not any(s < end and start < e for start, end in row.spans)
    ]
    text = " ".join(rest[-6:] if rng.random() < 0.5 else rest[:6])
    if rest and not contains_answer(text, row.answers):
        yield Example(row.question, text, (), row.source + "-deleted")


class _Nearest:
    """Finds passages near to a question that do not answer it."""

    def __init__(self, asked: Sequence[Asked], embedder: Embedder, rng: random.Random) -> None:
        self._embedder = embedder
        self._rng = rng
        self._groups: dict[str, dict[str, str]] = defaultdict(dict)
        for row in asked:
            self._groups[f"{row.source} {row.title}"][row.document] = row.text

    def examples(self, wanted: Sequence[Asked], rng: random.Random) -> Iterator[Example]:
        """Yield each question with a passage of its article, or of its kind, near to it."""
        import numpy as np

        by_group: dict[str, list[Asked]] = defaultdict(list)
        for row in wanted:
            by_group[f"{row.source} {row.title}"].append(row)
        for name, rows in by_group.items():
            texts = list(self._groups[name].values())
            if len(texts) < 3:
                continue
            texts = self._rng.sample(texts, min(len(texts), POOL))
            passages = np.array(self._embedder.embed_documents([t[:500] for t in texts]))
            questions = np.array(self._embedder.embed_queries([r.question for r in rows]))
            for row, likeness in zip(rows, questions @ passages.T, strict=True):
                order = [texts[i] for i in np.argsort(-likeness)]
                wrong = [t for t in order[: NEAREST + 1] if t != row.text]
                wrong = [t for t in wrong if not contains_answer(t, row.answers)]
                if wrong:
                    other = replace(row, text=rng.choice(wrong), spans=())
                    yield replace(_cut(other, rng), source=row.source + "-near")


# -- edited questions --

_YEAR = re.compile(r"\b(1[0-9]\d\d|20[0-2]\d)\b")
_COUNT = re.compile(r"\b\d+(?:[.,]\d+)*\b")
_AUXILIARY = re.compile(r"\b(is|are|was|were|did|does|do|can|could|will|would|has|have|had)\b")
_OPPOSITES = {
    one: other
    for pair in (
        "first last, before after, highest lowest, largest smallest, biggest smallest, most least, "
        "north south, east west, northern southern, eastern western, old young, oldest youngest, "
        "early late, earliest latest, begin end, began ended, start finish, best worst, more less, "
        "always never, increase decrease, increased decreased, rise fall, upper lower, good bad, "
        "high low, long short, longest shortest, large small, male female, men women, man woman, "
        "win lose, won lost, love hate, loved hated, like dislike, liked disliked, hot cold, "
        "strong weak, same different, common rare, inside outside, above below, positive negative, "
        "father mother, son daughter, brother sister, husband wife, buy sell, bought sold, "
        "legal illegal, public private, successful unsuccessful, top bottom, left right, "
        "minimum maximum, easy difficult, modern ancient, internal external, domestic foreign, "
        "founded dissolved, opened closed, allowed forbidden, agreed refused, gained lost, "
        "supported opposed, support oppose, accepted rejected, accept reject, next previous, "
        "open close, opens closes, arrives leaves, hired fired, enter leave, "
        "praised criticised, confirmed denied, allies enemies, cause effect"
    ).split(", ")
    for one, other in (pair.split(), pair.split()[::-1])
}
_OPPOSITE = re.compile(rf"\b({'|'.join(_OPPOSITES)})\b", re.IGNORECASE)
_ASKERS = re.compile(r"^(?:who|what|when|where|why|how|which|whose|whom|in|on|the)\b", re.I)


def _edited(row: Asked, others: Sequence[str], rng: random.Random) -> Iterator[Example]:
    """Yield the passage under a question with another name, number, year, sense or negation.

    Negation is rare: seen often, the word itself would come to mean "not here".

    Args:
        row: the question.
        others: names that are asked about elsewhere in the same article.
        rng: draws what is edited and how.
    """
    ways: list[Callable[[], str | None]] = [
        lambda: _other_name(row, others, rng),
        lambda: _other_number(row, rng),
        lambda: _opposite(row),
        lambda: _negated(row) if rng.random() < NEGATED else None,
    ]
    weights = [5, 4, 4, 1]
    while ways:
        way = rng.choices(range(len(ways)), weights)[0]
        edited = ways[way]()
        if edited and edited != row.question:
            cut = _cut(row, rng)
            yield replace(cut, question=edited, spans=(), source=row.source + "-edited")
            return
        del ways[way], weights[way]


def _names_asked(row: Asked) -> list[str]:
    return [n for n in names(row.question) if not _ASKERS.match(n) and n in row.question]


def _other_name(row: Asked, others: Sequence[str], rng: random.Random) -> str | None:
    own = _names_asked(row)
    if not own:
        return None
    name = rng.choice(own)
    for other in rng.sample(others, min(len(others), 12)):
        if other.lower() not in row.text.lower() and len(other.split()) <= len(name.split()) + 1:
            return row.question.replace(name, other)
    return None


def _other_number(row: Asked, rng: random.Random) -> str | None:
    years = list(_YEAR.finditer(row.question))
    numbers = years or list(_COUNT.finditer(row.question))
    if not numbers:
        return None
    match = rng.choice(numbers)
    if years:
        other = str(int(match.group()) + rng.choice([-100, -30, -12, -5, -2, 1, 3, 7, 10, 20]))
    else:
        value = float(match.group().replace(",", ""))
        other = f"{max(1, round(value * rng.choice([0.3, 0.5, 2, 3, 10]) + rng.choice([-1, 1]))):,}"
    if other in row.text:
        return None
    return row.question[: match.start()] + other + row.question[match.end() :]


def _opposite(row: Asked) -> str | None:
    match = _OPPOSITE.search(row.question)
    if not match:
        return None
    other = _OPPOSITES[match.group().lower()]
    return row.question[: match.start()] + other + row.question[match.end() :]


def _negated(row: Asked) -> str | None:
    match = _AUXILIARY.search(row.question)
    if not match or re.search(r"\b(?:not|never|no)\b|n't", row.question):
        return None
    # After the subject where it is one word ("did he not"), else at the auxiliary ("was not").
    rest = row.question[match.end() :]
    subject = re.match(r" (?:he|she|it|they|we|you|i|people|there)\b", rest, re.I)
    at = match.end() + (subject.end() if subject else 0)
    return row.question[:at] + " not" + row.question[at:]
