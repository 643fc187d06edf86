"""Whether a piece of evidence carries a claim, judged without a chat model.

The exact checks come first, because models of relevance are blind to them: every number, date and
name of the claim must be found in the evidence, up to its normal form. What is left is judged by
how many of the claim's content words the evidence holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from bot.records import Support, Verdict
from bot.words import alias, canonical, content, dates, names, numbers, stem

WEAK = 0.6
"""Support below this is weak: less than about half of the claim's words are in the evidence."""

UNSUPPORTED = 0.3
"""Support below this is none; a failed exact check always falls below."""


def support(claim: str, evidence: str) -> Support:
    """Judge whether evidence carries a claim.

    Args:
        claim: a sentence.
        evidence: the text that should carry it.

    Returns:
        The score in [0, 1], the verdict, and a line for each thing that is missing or differs.
    """
    if not any(ch.isalnum() for ch in claim):
        return Support(1.0, "supported")
    if not any(ch.isalnum() for ch in evidence):
        return Support(0.0, "unsupported", ("nothing is cited for it",))
    reasons = tuple(dict.fromkeys(_missing(claim, evidence)))
    wanted = content(claim)
    held = set(content(evidence)) | {stem(w) for w in canonical(evidence)}
    share = sum(w in held or alias(w) in held for w in wanted) / len(wanted) if wanted else 1.0
    score = share * UNSUPPORTED * 0.9 if reasons else share
    if not reasons and score < UNSUPPORTED:
        reasons = ("the cited sentence speaks of something else",)
    elif not reasons and score < WEAK:
        reasons = ("only part of it is in the cited sentence",)
    return Support(round(score, 4), verdict(score), reasons)


def verdict(score: float) -> Verdict:
    """Return the verdict that a support score stands for."""
    if score < UNSUPPORTED:
        return "unsupported"
    return "weak" if score < WEAK else "supported"


def _missing(claim: str, evidence: str) -> Iterator[str]:
    """Yield a line for each number, date and name of the claim that the evidence lacks."""
    held = numbers(evidence)
    values = {value for value, _ in held}
    for value, unit in numbers(claim):
        if value not in values:
            yield f"the article does not give the number {_show(value, unit)} there"
        elif unit and (value, unit) not in held and any(v == value and u for v, u in held):
            yield f"the article gives {_show(value, '')} in another unit there"
    known = dates(evidence)
    for date in dates(claim):
        if date not in known:
            yield f"the article does not name {date.capitalize()} there"
    held_words = canonical(evidence)
    for name in names(claim):
        if name.lower() in known or name.lower() in dates(name):
            continue
        missing = [
            w
            for w in canonical(name)
            if w not in held_words and stem(w) not in {stem(h) for h in held_words}
        ]
        if missing and not _opens_sentence(name, claim):
            yield f"the article does not name {name} there"


def _opens_sentence(name: str, claim: str) -> bool:
    """Whether a one-word "name" merely opens the claim, where any word has a capital."""
    return " " not in name and claim.lstrip("\"'«“‘(*-• ").startswith(name)


def _show(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value == int(value) else f"{value:,}"
    return f"{number}%" if unit == "%" else f"{unit}{number}"
