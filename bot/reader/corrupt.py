"""Sentences changed so that they say something that their article does not.

What the support head learns to tell from a paraphrase, and what verification is measured on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.words import DAYS, MONTH, MONTHS, TO_TWELVE, names, same_name

_NUMBER = re.compile(
    rf"(?<![\w.,:-])(?:\d{{1,3}}(?:,\d{{3}})+|\d+(?:\.\d+)?)(?![\w:-]|[.,]\d)|(?<!-)\b(?:{'|'.join(TO_TWELVE)})\b(?!-)"
)
_DAYS = [day.title() for day in DAYS]
_MONTHS = [month.title() for month in MONTHS]
_DAY = re.compile(rf"\b(?:{'|'.join(_DAYS)})\b")
_MONTH = re.compile(MONTH)
_YEAR = re.compile(r"\b(?:1[5-9]\d\d|20\d\d)\b")
_NOT = re.compile(
    r"(?P<verb>\b(?:is|are|was|were|will|would|has|have|had|can|could|did|does|do|should|must))"
    r"(?: not|n[’']t)\b|\b(?P<can>ca)nnot\b",
    re.IGNORECASE,
)
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|will|would|has|have|had|can|could|should|must|may|might|Is|Are|Was|Were|"
    r"Will|Would|Has|Have|Had|Can|Could|Should|Must)\b(?! (?:not|no|never)\b)(?!n?['’]t)"
)
_LIST = re.compile(r"^(?:’s|'s)?(?:,? (?:and|or|as well as|with|versus|vs\.?)|,|/|-)\s*(?:the )?$")
_MUTUAL = re.compile(
    r"\b(?:meet|met|meeting|talks?|talked|together|between|joined|married|like|same)\b", re.I
)
_VERB_BETWEEN = re.compile(
    r"(?:\w{2,}(?:ed|es|s|ing)|was|is|were|has|had|will|would|gave|took|said|told|made|led|won|"
    r"wrote|left|became|beat|sent|met|held|kept|knew|saw|went|came|found|thought|put)\b"
)
_PHRASE = re.compile(
    r"\b(?:the|a|an|his|her|its|their)\s(?:[a-z][a-z-]+\s){0,2}?(?P<head>[a-z][a-z-]{2,})"
    r"(?=[,.;:!?)”\"]|\s(?:of|in|on|at|to|for|with|from|by|and|or|that|which|who|as|is|are|was|"
    r"were|has|had|will|would|about|between|against|over|after|before|during|until|into)\b|$)"
)
_ADJECTIVE = re.compile(r"(?:[^m]an|ish|ese|ern|ic|ist)$")
_SKIPPED = frozenset(
    "same first last next most least more less such lot number kind end time way one own "
    "rest part fact case but necessary only main other".split()
)
TRIED = 20
"""Names that are drawn until one is unlike those of the sentence."""

CLAUSE = (5, 14)
"""Fewest and most words of a clause that is appended."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What a sentence may be changed with: from its own article, or from others.

    Attributes:
        names: names.
        heads: nouns that stand at the end of a phrase.
        clauses: sentences, short enough to be appended.
    """

    names: tuple[str, ...]
    heads: tuple[str, ...]
    clauses: tuple[str, ...]

    @classmethod
    def of(cls, sentences: Sequence[str]) -> Pool:
        """Gather what these sentences hold."""
        least, most = CLAUSE
        return cls(
            tuple(dict.fromkeys(n for s in sentences for n in _proper(s))),
            tuple(dict.fromkeys(m["head"] for s in sentences for m in _PHRASE.finditer(s))),
            tuple(s for s in sentences if s.endswith(".") and least <= len(s.split()) <= most),
        )


Way = Callable[[str, Pool, random.Random], str | None]


def number(sentence: str, rng: random.Random) -> str | None:
    """Put another number for one."""
    found = [m for m in _NUMBER.finditer(sentence) if not _YEAR.fullmatch(m.group())]
    if not found:
        return None
    match = rng.choice(found)
    said = match.group()
    if said.isalpha():
        return _put(sentence, match, rng.choice([w for w in TO_TWELVE if w != said]))
    value = float(said.replace(",", ""))
    factor = rng.choice([0.25, 0.5, 1.5, 2, 3, 10])
    other = max(1.0, round(value * factor, 1)) + rng.choice([0, 1, 2])
    if "." not in said:
        other = round(other)
    if other == value:
        other += 1
    return _put(sentence, match, f"{other:,}" if "," in said else f"{other}")


def date(sentence: str, rng: random.Random) -> str | None:
    """Put another weekday, month or year for one."""
    found = [(m, _DAYS) for m in _DAY.finditer(sentence)]
    found += [(m, _MONTHS) for m in _MONTH.finditer(sentence)]
    years = list(_YEAR.finditer(sentence))
    if not found and not years:
        return None
    choice = rng.randrange(len(found) + len(years))
    if choice < len(found):
        match, among = found[choice]
        return _put(sentence, match, rng.choice([d for d in among if d != match.group()]))
    match = years[choice - len(found)]
    return _put(sentence, match, str(int(match.group()) + rng.choice([-40, -10, -3, -1, 1, 2, 7])))


def name(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Put another name for one."""
    own = _proper(sentence)
    drawn = rng.sample(pool.names, min(TRIED, len(pool.names)))
    other = next((n for n in drawn if not _related(n, sentence)), None)
    return _replaced(sentence, rng.choice(own), other) if own and other else None


def negation(sentence: str, rng: random.Random) -> str | None:
    """Deny what is affirmed, or the other way round."""
    denied = list(_NOT.finditer(sentence))
    if denied:
        match = rng.choice(denied)
        verb = match["verb"] or "can"
        return _put(sentence, match, verb)
    affirmed = _AUXILIARY.search(sentence)
    return _put(sentence, affirmed, f"{affirmed.group()} not") if affirmed else None


def actors(sentence: str, rng: random.Random) -> str | None:
    """Exchange two names that do different things."""
    own = _proper(sentence)
    places = sorted((sentence.find(n), n) for n in own)
    pairs = []
    for (at, one), (to, other) in pairwise(places):
        between = sentence[at + len(one) : to]
        mutual = _MUTUAL.search(between) or _LIST.match(between)
        if not mutual and _VERB_BETWEEN.search(between) and one not in other and other not in one:
            pairs.append((at, one, to, other))
    if not pairs:
        return None
    at, one, to, other = rng.choice(pairs)
    end = to + len(other)
    middle = sentence[at + len(one) : to]
    return sentence[:at] + other + middle + one + sentence[end:]


def thing(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Put another noun for one that ends a phrase."""
    found = [m for m in _PHRASE.finditer(sentence) if m["head"] not in _SKIPPED]
    if not found:
        return None
    match = rng.choice(found)
    plural = match["head"].endswith("s")
    others = [
        h
        for h in pool.heads
        if h.endswith("s") == plural and h not in sentence and h not in _SKIPPED
    ]
    if not others:
        return None
    start, end = match.span("head")
    return sentence[:start] + rng.choice(others) + sentence[end:]


def clause(sentence: str, pool: Pool, rng: random.Random) -> str | None:
    """Append something else that is said elsewhere."""
    others = [c for c in pool.clauses if c not in sentence]
    if not others:
        return None
    other = rng.choice(others).strip().rstrip('.!?”»"')
    first = other.split(maxsplit=1)[0]
    if not names(first) and first != "I":
        other = other[:1].lower() + other[1:]
    joined = rng.choice([", and", " and", ", while", " after", ", because", ", although"])
    body = sentence.rstrip()
    return f"{body.rstrip('.!?')}{joined} {other}."


WAYS: dict[str, Way] = {
    "number": lambda sentence, _, rng: number(sentence, rng),
    "date": lambda sentence, _, rng: date(sentence, rng),
    "name": name,
    "negation": lambda sentence, _, rng: negation(sentence, rng),
    "actors": lambda sentence, _, rng: actors(sentence, rng),
    "object": thing,
    "clause": clause,
}
"""The ways a sentence is changed, by what is changed in it."""


def corrupt(sentence: str, way: str, pool: Pool, rng: random.Random) -> str | None:
    """Return a sentence changed in a way; None where it cannot be.

    Args:
        sentence: what an article says.
        way: one of ``WAYS``.
        pool: what may be put into it.
        rng: draws what is changed, and with what.
    """
    changed = WAYS[way](sentence, pool, rng)
    return None if changed is None or changed == sentence else changed


def _put(sentence: str, match: re.Match[str], other: str) -> str:
    return sentence[: match.start()] + other + sentence[match.end() :]


def _replaced(sentence: str, own: str, other: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(own)}(?!\w)", lambda _: other, sentence)


def _related(one: str, sentence: str) -> bool:
    """Whether a name, or a word of it, is in a sentence in this form or another."""
    low = {w.lower() for n in names(sentence) for w in n.split()}
    return any(same_name(w.lower(), other) for w in one.split() for other in low)


def _proper(sentence: str) -> list[str]:
    """Return the names of a sentence that are no dates and no adjectives ("Western").

    A single word that opens it is none: any word stands there with a capital.
    """
    return [
        n
        for n in names(sentence)
        if n not in _DAYS
        and n not in _MONTHS
        and not any(ch.isdigit() for ch in n)
        and (" " in n or not (sentence.startswith(n) or _ADJECTIVE.search(n)))
    ]
