"""Whether a piece of evidence carries a claim, judged without a chat model.

The exact checks come first, because models of relevance are blind to them: every number, date and
name of the claim must be found in the evidence, up to its normal form. What is left is judged by
how many of the claim's content words the evidence holds, and by whether one of the two denies what
the other says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.records import Support, Verdict
from bot.words import (
    STOPWORDS,
    TITLES,
    alias,
    canonical,
    content,
    dates,
    fold,
    is_value,
    names,
    numbers,
    ordinals,
    same_name,
    stem,
)

WEAK = 0.6
"""Support below this is weak: less than about half of the claim's words are in the evidence."""

UNSUPPORTED = 0.3
"""Support below this is none; a failed exact check always falls below."""

NEGATED = 2
"""Content words after a "not" that it denies ("is not set to attend")."""

_NO_TITLE = frozenset(title.lower() for title in TITLES)
_NOT = re.compile(
    r"\b(?:not(?! only| just)|never|no|nor|neither|cannot|without|unable|fail(?:s|ed|ing)?|"
    r"refus(?:es|ed|e|ing)|lack(?:s|ed|ing)?)\b|n['’]t\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:.!?()«»“”\"–—]\s|[;:()«»“”\"–—]|\b(?:but|because|although|while)\b")
_OPENING = re.compile(
    r"\W*(?P<name>[^\W\d_][\w’'.\-]*?)(?P<own>['’]s)?(?:\s+(?P<next>[^\W\d_][\w’'\-]*))?(?=\W|$)"
)
# A word that opens a sentence without an article, before a verb of the third person: a name, or one
# of the nouns that take no article.
_VERB = re.compile(
    r"(?:is|was|has|had|will|would|can|could|may|might|should|must|does|did|said|says)$|\w{2,}ed$"
)
_COMMON = re.compile(
    r"(?!beijing|boeing|italy|sicily).{3,}(?:ing|[st]ion|ment|ity|ness|ism|[ae]nce|ship|ly|body|one)$|"
    r"(?:peace|war|today|tomorrow|yesterday|tonight|half|everywhere|nobody|none|another|work|trade)$"
)
_NATION = re.compile(r"\w{3,}(?:ean|ian|can|ese)$")


def support(claim: str, evidence: str, context: str = "") -> Support:
    """Judge whether evidence carries a claim.

    Args:
        claim: a sentence.
        evidence: the text that should carry it.
        context: what stands before the evidence, where that leans on it ("It insists …"): names
            may be found there as well.

    Returns:
        The score in [0, 1], the verdict, and a line for each thing that is missing or differs.
    """
    if not any(ch.isalnum() for ch in claim):
        return Support(1.0, "supported")
    if not any(ch.isalnum() for ch in evidence):
        return Support(0.0, "unsupported", ("nothing is cited for it",))
    if claim.split() == evidence.split():
        return Support(1.0, "supported")
    reasons = tuple(dict.fromkeys(_missing(claim, evidence, context)))
    share = _share(claim, evidence, context)
    if reasons:
        score = share * UNSUPPORTED * 0.9
    elif share < UNSUPPORTED:
        score, reasons = share, ("the cited sentence speaks of something else",)
    elif denied := _denied(claim, evidence):
        score, reasons = min(share, WEAK * 0.9), (f"only one of the two denies: {denied}",)
    else:
        score = share
        reasons = ("only part of it is in the cited sentence",) if score < WEAK else ()
    return Support(round(score, 4), verdict(score), reasons)


def verdict(score: float) -> Verdict:
    """Return the verdict that a support score stands for."""
    if score < UNSUPPORTED:
        return "unsupported"
    return "weak" if score < WEAK else "supported"


def _share(claim: str, evidence: str, context: str) -> float:
    """Return the share of the claim's content words that are in the evidence.

    Numbers and dates count as found: they are compared by value, and one that is missing is fatal.
    """
    wanted = content(fold(claim))
    held = set(content(fold(evidence))) | {stem(w) for w in canonical(evidence)}
    held |= {stem(w) for name in names(context) for w in canonical(name)}
    found = sum(w in held or alias(w) in held or is_value(w) or _in_parts(w, held) for w in wanted)
    return found / len(wanted) if wanted else 0.5  # "Yes." cannot be checked


def _in_parts(word: str, held: set[str]) -> bool:
    parts = word.split("-")
    return len(parts) > 1 and all(stem(p) in held or p in STOPWORDS for p in parts)


def _missing(claim: str, evidence: str, context: str) -> Iterator[str]:
    """Yield a line for each number, date and name of the claim that the evidence lacks."""
    held = numbers(evidence)
    ranks = ordinals(evidence)
    values = {value for value, _ in held} | ranks
    for value, unit in sorted(numbers(claim)):
        if value not in values:
            yield f"the article does not give the number {_show(value, unit)} there"
        elif unit and (value, unit) not in held and any(v == value and u for v, u in held):
            yield f"the article gives {_show(value, '')} in another unit there"
    for rank in sorted(ordinals(claim)):
        # "First" is often said in other words ("inaugural"): it is wrong only beside another.
        if rank not in values and (rank > 1 or ranks):
            yield f"the article does not give the rank {rank} there"
    known = dates(evidence)
    for date in sorted(dates(claim) - known):
        yield f"the article does not name {date.capitalize()} there"
    held_words = canonical(evidence) | canonical(context)
    opening = _OPENING.match(claim)
    first = opening["name"] if opening else ""
    for name in names(claim):
        missing = [w for w in _parts(name) if not _held(w, held_words)]
        if missing and (name != first or _is_name(claim, evidence)):
            yield f"the article does not name {name} there"


def _parts(name: str) -> list[str]:
    """Return the words of a name that must be found: no titles, numbers, dates or small words."""
    return [
        p
        for p in canonical(name)
        if "-" not in p and p not in _NO_TITLE and not is_value(p) and len(p) > 1
    ]


def _held(word: str, held: set[str]) -> bool:
    own = stem(word)
    return word in held or any(own == stem(h) or same_name(word, h) for h in held)


def _is_name(claim: str, evidence: str) -> bool:
    """Whether the word that opens a claim, where any word has a capital, is a name nevertheless."""
    opening = _OPENING.match(claim)
    if not opening:
        return False
    name, after = opening["name"], opening["next"] or ""
    if not name.islower() and any(ch.isupper() for ch in name[1:]):
        return True  # "NATO", "U.S."
    other = rf"(?<!\w)(?!{re.escape(name)}\b)[A-Z]\w+\W+{re.escape(after)}\b"
    if after and re.search(other, evidence):
        return True  # "France denies" of "Russia denies"
    if _COMMON.match(name.lower()):
        return False
    if opening["own"] or _NATION.match(name.lower()):
        return True
    singular = not name.endswith("s") or after in ("is", "was", "has")
    return singular and bool(_VERB.match(after) or (after == "and" and _named_next(claim, opening)))


def _named_next(claim: str, opening: re.Match[str]) -> bool:
    return claim[opening.end() :].lstrip()[:1].isupper()


def _denied(claim: str, evidence: str) -> str:
    """Return a word that one of two texts denies and the other only affirms; "" where none."""
    said, held = _polarity(claim), _polarity(evidence)
    shared = [word for word in said if word in held]
    if any(True in said[word] and True in held[word] for word in shared):
        return ""  # both deny it, though perhaps not in the same words
    return next((word for word in shared if not said[word] & held[word]), "")


def _polarity(text: str) -> dict[str, set[bool]]:
    """Return for each content word of a text whether it is denied (True) or affirmed (False)."""
    found: dict[str, set[bool]] = {}
    for clause in _CLAUSE.split(text):
        first, *rest = _NOT.split(clause)
        for word in content(first):
            found.setdefault(word, set()).add(False)
        for part in rest:
            for i, word in enumerate(content(part)):
                found.setdefault(word, set()).add(i < NEGATED)
    return found


def _show(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value.is_integer() else f"{value:,}"
    if len(unit) > 1:
        return f"{number} {unit}s"
    return f"{number}%" if unit == "%" else f"{unit}{number}"
