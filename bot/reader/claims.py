"""What the support head is trained on: claims with passages that support them, or do not.

Pairs come from the entailment sets of a data folder, those that word overlap alone decides capped.
Others are made from the question-answering sets: a question and its answer said as one sentence,
a sentence of a passage, and both changed so that the passage no longer supports them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bot.metrics import contains_answer
from bot.reader.corrupt import WAYS, Pool, corrupt
from bot.reader.examples import Asked, Example, is_watched, questions, rows_of
from bot.words import TO_TWELVE, numbers
from index.sentences import sentence_spans

CAPS = {"conjnli": 4_000, "begin": 2_000, "snli_dev_test": 8_000, "breaking_nli": 3_000,
        "cad_nli": 6_000, "scone_nli": 3_000}  # fmt: skip
"""Pairs of a source at most: words alone nearly decide conjnli and begin, the rest are captions or
of one mould."""

PADDED = ("fever_nli_dev", "sufficient_facts", "wice_train_partial", "conjnli", "begin")
"""Sources whose premises are sentences as they stand in passages, and may stand among others."""

PADDING = 0.35
"""Share of these premises that are put among other sentences."""

PADDED_WORDS = (60, 220)
"""Fewest and most words of a premise put among others."""

WINDOW = (1, 5)
"""Fewest and most sentences of a passage that a made claim is checked against."""

SENTENCES = 1
"""Sentences of each passage that claims are made of."""

WORDS = (5, 45)
"""Fewest and most words of such a sentence."""

SHORTENED = 0.5
"""Share of the supported sentences that are cut to their first clause, where they have one."""

CLAIMED = {"qamr": 0.3, "fairytaleqa": 0.5, "amazon_reviews": 0.5, "reddit": 0.5}
"""Share of a set's questions that are said as claims, where it is not all of them."""


def make_claims(folder: Path, seed: int = 0) -> tuple[list[Example], list[Example]]:
    """Return claims to train on and to watch training by, about different premises.

    Args:
        folder: the data folder with a ``train`` folder in it.
        seed: the same seed gives the same claims.

    Raises:
        TrainingDataError: a file is missing or is not what it should be.
    """
    rng = random.Random(seed)  # noqa: S311  # nothing secret is drawn
    made = [*_pairs(folder / "train", rng)]
    for asked in questions(folder / "train"):
        made += _from_questions(asked, rng)
        made += _from_sentences(asked, rng)
    rng.shuffle(made)
    documents = [(document, example) for document, example in made if example.question.strip()]
    training = [e for document, e in documents if not is_watched(document)]
    return training, [e for document, e in documents if is_watched(document)]


# -- pairs of the entailment sets --


def _pairs(folder: Path, rng: random.Random) -> Iterator[tuple[str, Example]]:
    by_source: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows_of(folder / "support_pairs.jsonl.gz"):
        by_source[row["source"]].append(row)
    for source, rows in by_source.items():
        rng.shuffle(rows)
        rows = rows[: CAPS.get(source)]
        premises = [row["premise"] for row in rows]
        for row in rows:
            premise = row["premise"]
            if source in PADDED and rng.random() < PADDING:
                premise = _among(premise, premises, rng)
            yield (
                row["premise"],
                Example(row["hypothesis"], premise, (), source, supported=bool(row["support"])),
            )


def _among(premise: str, others: Sequence[str], rng: random.Random) -> str:
    """Return a premise among others of its source, as a sentence stands in a passage."""
    wanted = rng.randint(*PADDED_WORDS)
    texts = [premise]
    count = len(premise.split())
    for other in rng.choices(others, k=wanted):
        if count >= wanted:
            break
        if other != premise and len(other.split()) < PADDED_WORDS[1]:
            texts.insert(rng.randint(0, len(texts)), other)
            count += len(other.split())
    return " ".join(texts)


# -- questions and their answers as claims --

_AUXILIARY = "is|are|was|were|has|had|will|would|can|could|should|might|may|must"
_PAST = (
    "wrote|won|led|made|became|took|gave|built|held|began|said|ran|left|found|sold|told|taught|"
    "bought|brought|fought|caught|sent|met|lost|spoke|chose|drew|grew|knew|threw|sang|beat|set|"
    "put|got|saw|came|went|did not|owns|plays|makes|has|owned"
)
_PLAIN = rf"(?!(?:the|an?|did|does|do|of|to|in|have|{_AUXILIARY})\b)[a-z-]+"
_ASKED = re.compile(
    rf"^(?:(?i:who|what)|(?i:which|how many)(?: {_PLAIN}){{1,3}}?) "
    rf"(?P<rest>(?:(?:{_AUXILIARY}) (?:\w+(?:ed|ing|wn|en|ght)|the|a|an|not|in|on|at|from|"
    rf"responsible|able)\b|(?:{_PAST})\b|(?!does\b|this\b|its\b|his\b|happen)[a-z]{{3,}}(?:ed|es|s)\b"
    r"(?<!ss)).*?)\?*\s*$",
)
_LOOSE = re.compile(
    r"\b(?:in|of|to|for|from|with|by|on|at|about|into|do|did|called|named|like|doing)$"
)
_KIND = re.compile(r"^(?:who|how many|which \w+|what)", re.IGNORECASE)


def claim_of(question: str, answer: str) -> str | None:
    """Return a question about its subject and an answer as one sentence; None for other questions.

    "Who wrote the report?" and "Ada" give "Ada wrote the report."
    """
    asked = _ASKED.match(question.strip())
    if not asked or _LOOSE.search(asked["rest"].strip()):
        return None
    answer = answer.strip().rstrip(".,;")
    return f"{answer[:1].upper()}{answer[1:]} {asked['rest'].strip()}."


def _from_questions(asked: Sequence[Asked], rng: random.Random) -> Iterator[tuple[str, Example]]:
    """Yield each claim with its passage, and the same about another answer of its document."""
    by_document: dict[str, list[Asked]] = defaultdict(list)
    for row in asked:
        by_document[row.document].append(row)
    for row in asked:
        if not row.spans or rng.random() > CLAIMED.get(row.source, 1.0):
            continue
        start, end = row.spans[0]
        answer = row.text[start:end]
        if not (claim := claim_of(row.question, answer)):
            continue
        text = _window(row.text, start, end, rng)
        example = Example(claim, text, (), f"{row.source}-claim", supported=True)
        yield row.document, example
        wrong = _other_answer(row, by_document[row.document], rng)
        if wrong and (other := claim_of(row.question, wrong)):
            yield row.document, replace(example, question=other, supported=False)


def _other_answer(row: Asked, near: Sequence[Asked], rng: random.Random) -> str | None:
    """Return an answer to another question of the same kind about the same document."""
    kind = _KIND.match(row.question)
    others = []
    for other in near:
        if not other.spans or other.question == row.question or not kind:
            continue
        answer = other.text[slice(*other.spans[0])]
        same = other.question.lower().startswith(kind.group().lower())
        distinct = not contains_answer(answer, row.answers) and not any(
            contains_answer(accepted, [answer]) for accepted in row.answers
        )
        if same and distinct and bool(numbers(answer)) == bool(numbers(row.answers[0])):
            others.append(answer)
    return rng.choice(others) if others else None


# -- sentences of passages as claims --

_CLAUSE = re.compile(r"(?:, (?:and|but|which|while|who|where|after|with)|;| – | after | because )")


def shortened(sentence: str) -> str | None:
    """Return the first clause of a sentence as one of its own; None where it has no other."""
    match = _CLAUSE.search(sentence, 20)
    head = sentence[: match.start()] if match else ""
    return f"{head.rstrip(' ,;')}." if 4 <= len(head.split()) < len(sentence.split()) - 2 else None


def in_figures(sentence: str) -> str:
    """Return a sentence with its number words in figures."""
    return re.sub(rf"\b(?:{'|'.join(TO_TWELVE)})\b", lambda m: str(TO_TWELVE[m.group()]), sentence)


def _from_sentences(asked: Sequence[Asked], rng: random.Random) -> Iterator[tuple[str, Example]]:
    """Yield sentences of passages, shortened or as they are, and changed ones."""
    documents = {row.document: row for row in asked}
    by_title: dict[str, list[str]] = defaultdict(list)
    sentences: dict[str, list[tuple[int, int]]] = {}
    for row in documents.values():
        spans = sentence_spans(row.text)
        found = [(s, e) for s, e in spans if WORDS[0] <= len(row.text[s:e].split()) <= WORDS[1]]
        sentences[row.document] = found
        by_title[_group(row)] += [row.text[s:e] for s, e in found]
    pools = {title: Pool.of(texts) for title, texts in by_title.items()}
    for row in documents.values():
        if row.source == "qamr" and rng.random() > CLAIMED["qamr"]:
            continue
        found = sentences[row.document]
        for start, end in rng.sample(found, min(SENTENCES, len(found))):
            sentence = row.text[start:end]
            text = _window(row.text, start, end, rng)
            pool = pools[_group(row)]
            short = shortened(sentence) if rng.random() < SHORTENED else None
            said = short or sentence
            if rng.random() < 0.5:
                said = in_figures(said)
            source = f"{row.source}-sentence"
            yield row.document, Example(said, text, (), source, supported=True)
            ways = list(WAYS)
            rng.shuffle(ways)
            changed = ((way, corrupt(said, way, pool, rng)) for way in ways)
            for way, claim in [(w, c) for w, c in changed if c and c not in text][:1]:
                yield row.document, Example(claim, text, (), f"{source}-{way}", supported=False)


def _group(row: Asked) -> str:
    """Return what other sentences a row's are changed with: its article, or its whole set."""
    return row.source if row.source == "qamr" else f"{row.source} {row.title}"


def _window(text: str, start: int, end: int, rng: random.Random) -> str:
    """Return some sentences of a text, with the stretch among them."""
    spans = sentence_spans(text)
    inside = [i for i, (s, e) in enumerate(spans) if s < end and start < e]
    if not inside:
        return text
    count = rng.randint(*WINDOW)
    low = max(0, inside[0] - rng.randint(0, count - 1))
    high = min(len(spans) - 1, max(inside[-1], low + count - 1))
    return text[spans[low][0] : spans[high][1]]
