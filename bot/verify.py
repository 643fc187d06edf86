"""Whether a piece of evidence carries a claim, judged without a chat model.

The exact checks (``bot.checks``) come first: a claim of which they find a number, a date or a name
missing is never supported. What is left is a logistic regression of what the support head of
our own small model says (``bot.reader``), of the share of the claim's words that are there, and of
what else the checks found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache

from bot.checks import Checks, check, share_of
from bot.odds import probability
from bot.reader import load_support_model
from bot.records import Support, Verdict
from bot.words import IRREGULAR, content, fold, in_terms_of, numbers
from index.sentences import sentence_spans

WEAK = 0.25
"""Support below this is weak. Chosen on claims kept out of training: of those made of articles it
marks one supported claim in twenty, and 84 in 100 of the others."""

UNSUPPORTED = 0.15
"""Support below this is none: 73 in 100 of those that are not supported, 3 of those that are."""

PARTLY = "only part of it is in the cited sentence"
EMPTY = "it says nothing that can be checked"
NOT_SAID = "the cited sentence does not say so"

WINDOW = 3
"""Sentences that are read together where the evidence has more."""

TRIED = 3
"""Windows, and single sentences, of long evidence that are read: those that share most words."""

SEVERAL = 0.5
"""Log odds that a window loses against a single sentence: more text holds more by chance."""

LONGEST = 1_000
"""Characters of a claim at most that is taken apart into clauses."""

CLAUSE = 4
"""Words of a clause at least."""

SURE = 8.0
"""Log odds above which, and the negative below which, the model's say no longer grows."""

REMEMBERED = 4_096
"""Claims with their evidence whose support is remembered: an answer's are looked at repeatedly."""

_JOINT = re.compile(
    r"(?:[;:–—]|,(?=\s(?:and|but|or|while|because|although|though|which|who|where|after|before)\b)|"
    r"(?=\s(?:while|because|although|after|before)\s)|"
    r"(?=\s(?:and|but)\s(?:the|an?|he|she|it|they|we|his|her|its|"
    r"their|this|that|there|is|are|was|were|has|have|had|will|would|can|could|\w{3,}ed)\b))\s*"
    r"(?:(?:and|but|or|while|because|although|though|which|who|where)\b)?\s*"
)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|can|could|may|might|must|should|do|does|did|says?|"
    rf"said|{IRREGULAR}|\w{{2,}}ed|"
    r"[a-z]\w+[a-rt-z]s(?= (?:his|her|its|their|the|an?|that|to|no|it|them)\b))\b"
)
"""Words that show that a stretch of a sentence is a clause of its own."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for and against a claim.

    Attributes:
        learned: log odds of the support head, of the best stretch of the evidence.
        weakest: the same of the clause of the claim for which they are the lowest.
        least: share of the content words that are in the evidence, of the claim or of that clause
            of it where it is the lowest.
        missing: 1 where a number, date or name is not there, else 0.
        swapped: 1 where who and whom, or two names, are exchanged.
        denied: 1 where one of the two denies what the other says.
        stretched: 1 where the claim says more, or the opposite, in degree or number.
    """

    learned: float
    weakest: float
    least: float
    missing: float
    swapped: float
    denied: float
    stretched: float


STRETCHED = -1.0
"""Weight of a claim that says more, or the opposite. Set by hand: of the claims that the others are
fitted on, one in seven of those with it is supported, but they are few."""

WEIGHTS = Signs(
    learned=0.365,
    weakest=0.364,
    least=0.212,
    missing=-0.649,
    swapped=-1.969,
    denied=-0.440,
    stretched=STRETCHED,
)
"""Logistic regression on claims about documents that were kept out of training the model
(``python -m tests.measure verification --data FOLDER``).

Three more signs were tried and got no weight: the share of all words, a single word in another's
place (which is a synonym as often as an error), and the reranker's relevance."""

BIAS = -0.190


def support(claim: str, evidence: str, context: str = "") -> Support:
    """Judge whether evidence carries a claim.

    Args:
        claim: a sentence.
        evidence: the text that should carry it.
        context: what stands before the evidence, where that leans on it ("It insists …"): names
            may be found there as well.

    Returns:
        The score in [0, 1], the verdict, and a line for each thing that is missing or differs.

    Raises:
        WeightsError: the model's file is missing or is not the one that was measured.
    """
    if not any(ch.isalnum() for ch in claim):
        return Support(1.0, "supported")
    if not any(ch.isalnum() for ch in evidence):
        return Support(0.0, "unsupported", ("nothing is cited for it",))
    if said_there(claim, evidence):
        return Support(1.0, "supported")
    if not (content(claim) or numbers(claim)):
        return Support(UNSUPPORTED, "weak", (EMPTY,))
    return _judged(claim, evidence, context)


def said_there(claim: str, evidence: str) -> bool:
    """Whether a claim is a sentence of the evidence, or all of it, word for word."""
    wanted = claim.split()
    if wanted == evidence.split():
        return True
    return any(evidence[start:end].split() == wanted for start, end in sentence_spans(evidence))


def verdict(score: float, checks: Checks) -> Verdict:
    """Return the verdict on a claim with this support score.

    A claim with a number, date or name that is not there, or exchanged, is weak at best: one in
    three that the model holds to be supported nevertheless is not.
    """
    if score < UNSUPPORTED:
        return "unsupported"
    return "weak" if score < WEAK or checks.missing or checks.swapped else "supported"


@lru_cache(REMEMBERED)
def _judged(claim: str, evidence: str, context: str) -> Support:
    checks = check(claim, evidence, context)
    score = round(probability(weigh(look(claim, evidence, context, checks))), 4)
    found = verdict(score, checks)
    if found == "supported":
        return Support(score, found)
    if checks.lines:
        return Support(score, found, checks.lines)
    if found == "weak":
        return Support(score, found, (PARTLY,))
    return Support(score, found, (NOT_SAID,))


def look(claim: str, evidence: str, context: str, checks: Checks) -> Signs:
    """Gather the signs of a claim and its evidence.

    Args:
        claim: a sentence.
        evidence: the text that should carry it.
        context: what stands before the evidence.
        checks: what the exact checks found.
    """
    learned = _learned(claim, evidence, context)
    clauses = clauses_of(claim)
    weakest = min([learned, *(_learned(c, evidence, context) for c in clauses)])
    return Signs(
        learned=learned,
        weakest=weakest,
        least=checks.least,
        missing=float(bool(checks.missing)),
        swapped=float(bool(checks.swapped)),
        denied=float(bool(checks.denied)),
        stretched=float(bool(checks.stretched)),
    )


def _learned(claim: str, evidence: str, context: str) -> float:
    stretches = _stretches(claim, evidence, context)
    said = in_terms_of(fold(claim), fold(evidence))  # values are compared, not the way of writing
    odds = load_support_model().support(said, [fold(text) for text, _ in stretches])
    best = max(o - SEVERAL * more for o, (_, more) in zip(odds, stretches, strict=True))
    return max(-SURE, min(SURE, best))


def clauses_of(claim: str) -> list[str]:
    """Return the clauses of a claim that can be looked for one by one; none where it has only one.

    "It was sold in May, and the buyer is unknown." has two.
    """
    if len(claim) > LONGEST:
        return []
    found, at = [], 0
    for match in _JOINT.finditer(claim):
        parts = claim[at : match.start()], claim[match.end() :]
        if all(len(p.split()) >= CLAUSE and _FINITE.search(p) for p in parts):
            found.append(parts[0].strip())
            at = match.end()
    return [*found, claim[at:].strip()] if found else []


def weigh(signs: Signs) -> float:
    """Return the log odds that a claim with these signs is supported."""
    weights, values = astuple(WEIGHTS), astuple(signs)
    return BIAS + math.fsum(w * x for w, x in zip(weights, values, strict=True))


def _stretches(claim: str, evidence: str, context: str) -> list[tuple[str, bool]]:
    """Return the stretches of evidence to read, each with whether it is several sentences.

    That is all of it and, where it has many sentences, those windows and single sentences that
    share most words with the claim (Laban et al. 2022, "SummaC", take the best sentence).
    """
    spans = sentence_spans(evidence)
    whole = f"{context} {evidence}".strip()
    if len(spans) <= 1:
        return [(whole, False)]
    found = [(whole, True)]
    for size in (1, WINDOW):
        if size < len(spans):
            texts = [
                evidence[spans[i][0] : spans[i + size - 1][1]] for i in range(len(spans) - size + 1)
            ]
            found += [(text, size > 1) for text in _nearest(claim, texts)]
    return found


def _nearest(claim: str, texts: Sequence[str]) -> list[str]:
    shares = {i: share_of(claim, text) for i, text in enumerate(texts)}
    return [texts[i] for i in sorted(sorted(shares, key=lambda i: -shares[i])[:TRIED])]
