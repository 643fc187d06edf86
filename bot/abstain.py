"""When the bot refuses: how likely it is that the evidence answers the question at all.

Relevance models are blind to what exactly is asked: a passage about the summit is relevant to "At
what time is the summit?" whether or not it gives a time. So their scores are combined with what can
be checked on the surface: does the evidence hold the kind of thing that is asked for, and do the
articles mention the question's names at all, above all that of whom it asks about?
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from bot.mentions import mentions
from bot.odds import probability
from bot.words import MONTH, SPELLED, WEEKDAY, names, stem, subject, words

_NUMBER_WORD = (
    rf"(?:\d|\b(?:{SPELLED}|dozens?|hundreds?|thousands?|millions?|billions?|both|single|several|few|"
    r"half|no|many|numerous|multiple)\b)"
)
_DAY = rf"{WEEKDAY}s?\b|\b(?:today|tomorrow|yesterday|tonight|week(?:day|end)s?)\b"
_DATE = rf"{MONTH} \d{{1,2}}\b|\b\d{{1,2}}(?: of)? {MONTH}|\b\d{{1,2}}(?:st|nd|rd|th)\b"
_YEAR = (
    r"\b(?:1\d{3}|20\d{2})s?\b|"
    r"\b(?:in|by|since|until|around|year|AD|CE) \d{2,3}\b(?! \w+s\b|[,.]\d)|"
    r"\b\d{1,4} (?:AD|CE|BC|BCE)\b|\bB\.?C\.?E?\b|\bA\.D\."
)
_CLOCK = r"\b\d{1,2}(?::\d{2})?\s?[ap]\.?m\b|\b\d{1,2}:\d{2}\b|\b(?:noon|midnight|o['’]clock)\b"
_SPAN = r"\b(?:second|minute|hour|day|week|month|year|decade|centur)(?:s|y|ies)?\b"
_WHEN = (
    rf"{_DAY}|{MONTH}|{_YEAR}|{_CLOCK}|{_SPAN}|\b(?:morning|evening|night|afternoon|spring|summer|"
    r"autumn|winter|after|before|during|when|until|once|since|ago|next|last|early|late|now|"
    r"recently|following|while|upon)\b"
)
_WHERE = (
    r"\b(?:in|at|on|to|from|near|into|inside|outside|across|over|within|around|through|off|under)\b"
    r"(?: [\w.'’-]+){0,3}? (?-i:[A-Z])|\b(?:home|abroad|here|online|everywhere|site|headquarters)\b"
)
_KINDS = [
    (re.compile(asked, re.IGNORECASE), re.compile(held, re.IGNORECASE))
    for asked, held in [
        (r"\bwhat time\b|\bwhich hour\b", _CLOCK),
        (r"\b(?:what|which) (?:(?:week)?day|(?:exact )?date)\b", rf"{_DAY}|{_DATE}"),
        (r"\b(?:what|which) month\b", MONTH),
        (r"\b(?:what|which) (?:year|century|decade)\b", rf"{_YEAR}|\bcentur|\d0s\b|\bdecade"),
        (
            r"\bhow (?:long|quickly|fast|soon|often|frequently)\b",
            rf"{_SPAN}|\b(?:soon|immediate|once|times|daily|weekly|annual|yearly|long)|"
            r"\b(?:met(?:re|er)|kilomet|centimet|km|cm|mile|feet|foot|inch|yard|page|word)|"
            r"\b(?:very|too|as|so) (?:very,? )*\w+ly\b",
        ),
        (
            r"\bhow old\b|\bwhat age\b",
            rf"\b\d{{1,3}}\b(?!\s*hours)|\b(?:{SPELLED})\b|\bborn\b|\baged?\b",
        ),
        (
            r"\bhow much (?:money|(?:is|are|was|were) (?:a|an|the)|does \S+ cost|"
            r"did \S+ (?:cost|pay))|\bwhat (?:price|sum)\b|"
            r"\bin (?:euros|dollars|pounds)\b|"
            r"\bhow much\b.*\b(?:cost|paid|pay|spent|spend|worth)\b",
            r"[$€£¥₽₹]|\b(?:dollar|euro|pound|million|billion|trillion|cent|yen|rou?ble|rupee|franc)s?\b|"
            r"\b(?:free|gratis|nothing)\b",
        ),
        (
            r"\bhow (?:tall|high|large|big|far|deep|wide|heavy)\b|\bpopulation\b|\bwhat (?:number|"
            r"percentage|proportion|share)\b",
            rf"\d|\b(?:hundred|thousand|million|billion|percent)|\b(?:{SPELLED})\b",
        ),
        (
            r"\bhow (?:many|much)\b",
            rf"{_NUMBER_WORD}|%|\bpercent\b|\b(?:much|most|all|none|little)\b",
        ),
        (r"^\W*(?:(?:and|but|so|on|at|in|by|since|until|from) )?when\b", _WHEN),
        (r"^\W*(?:(?:and|but|so|from|to) )?where\b", _WHERE),
    ]
]
_WHO = re.compile(r"^\W*(?:and |but )?(?:who|whom|whose)\b", re.IGNORECASE)
_MANY = re.compile(
    r"\bhow many (?:of (?:the|his|her|its|their) )?"
    r"(?P<things>(?:[\w’'\-]+ ){0,2}?[\w’'\-]+?)(?= (?:is|are|was|were|did|do|does|have|has|"
    r"had|will|would|can|could|of|in|from|live|died|on|to|at|per|that|who|there|which|with|by)\b|\W*$)",
    re.IGNORECASE,
)
_NEAR = 4
"""Words before a counted noun among which its number stands ("millions of Ukrainian refugees")."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for an answer being there; the inputs of the refusal decision.

    Attributes:
        best: relevance of the best sentence, in logits.
        passage: relevance of the best passage, in logits.
        kind: 1 where the best sentence holds the kind of thing that is asked for, else 0.
        counted: 1 where "how many" finds a number at the thing counted, or is not asked.
        named: share of the question's names that the articles mention at all.
        stranger: 1 where no word of the name that the question asks about is mentioned, else 0.
        here: the reader's log odds that a passage answers, of the surest.
        exact: the reader's log odds of the likeliest exact answer in a sentence.
    """

    best: float
    passage: float
    kind: float
    counted: float
    named: float
    stranger: float
    here: float
    exact: float


STRANGER = -2.0
"""Weight of a subject that is mentioned nowhere. Set by hand: of the questions that the weights are
fitted on, none of those with one is answerable, but they are few."""

WEIGHTS = Signs(
    best=0.036,
    passage=0.018,
    kind=1.358,
    counted=1.259,
    named=0.507,
    stranger=STRANGER,
    here=0.285,
    exact=0.11,
)
"""Logistic regression on the tuning half of the question set and, to the same weight, on questions
about documents kept out of training the reader (``python -m tests.measure fit --data FOLDER``).

The share of the question's words in the evidence was tried as well and got no weight: near misses
share as many of them as questions that are answered.
"""

BIAS = -2.898


def answerability(signs: Signs) -> float:
    """Return the probability that the evidence answers the question (logistic regression)."""
    total = BIAS + sum(w * x for w, x in zip(astuple(WEIGHTS), astuple(signs), strict=True))
    return probability(total)


def look(
    question: str,
    sentences: Sequence[tuple[str, float]],
    relevance: float,
    texts: Sequence[str],
    *,
    here: float,
    exact: float,
) -> Signs:
    """Gather the signs for a question.

    Args:
        question: the question, standing alone.
        sentences: the sentences of the evidence with their logits, best first; at least one.
        relevance: logit of the best passage.
        texts: the articles searched.
        here: the reader's log odds that a passage answers, of the surest.
        exact: the reader's log odds of the likeliest exact answer in a sentence.
    """
    best, asked = sentences[0][0], subject(question)
    mentioned = mentions(tuple(texts))
    return Signs(
        best=sentences[0][1],
        passage=relevance,
        kind=float(holds_kind(question, best)),
        counted=float(holds_count(question, best)),
        named=_share([mentioned.share(n) for n in names(question)]),
        stranger=float(bool(asked) and not mentioned.share(asked)),
        here=here,
        exact=exact,
    )


def holds_kind(question: str, sentence: str) -> bool:
    """Whether a sentence holds the kind of thing that a question asks for, beyond its own words.

    Knows times, days, dates, durations, ages, sums, sizes, counts and persons; any other question
    passes.
    """
    own = question.lower()
    for asked, held in _KINDS:
        if asked.search(question):
            return any(m.group().lower() not in own for m in held.finditer(sentence))
    if _WHO.match(question):
        return any(w.lower() not in own for name in names(sentence) for w in name.split())
    return True


def holds_count(question: str, sentence: str) -> bool:
    """Whether a sentence has a number at the thing that "how many …" counts; else True."""
    match = _MANY.search(question)
    things = words(match["things"]) if match else []
    if not things:
        return True
    head, said = stem(things[-1]), words(sentence)
    return any(
        stem(word) == head
        and any(re.search(_NUMBER_WORD, w, re.IGNORECASE) for w in said[max(0, i - _NEAR) : i])
        for i, word in enumerate(said)
    )


def _share(found: Sequence[float]) -> float:
    return sum(found) / len(found) if found else 1.0
