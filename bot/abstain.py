"""When the bot refuses: how likely it is that the evidence answers the question at all.

Relevance models are blind to what exactly is asked: a passage about the summit is relevant to "At
what time is the summit?" whether or not it gives a time. So their scores are combined with what can
be checked on the surface: does the evidence hold the kind of thing that is asked for, and do the
articles mention the question's names at all, above all that of whom it asks about?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple

from bot.mentions import mentions
from bot.odds import probability
from bot.words import (
    MONTH,
    SPELLED,
    WEEKDAY,
    content,
    dates,
    names,
    stem,
    subject,
    words,
)

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


class _Kind(NamedTuple):
    """A kind of thing that is asked for: how, what it looks like, and what it is called."""

    asked: re.Pattern[str]
    held: re.Pattern[str]
    called: str


_KINDS = [
    _Kind(re.compile(asked, re.IGNORECASE), re.compile(held, re.IGNORECASE), lacking)
    for lacking, asked, held in [
        ("time of day", r"\bwhat time\b|\bwhich hour\b", _CLOCK),
        ("day or date", r"\b(?:what|which) (?:(?:week)?day|(?:exact )?date)\b", rf"{_DAY}|{_DATE}"),
        ("month", r"\b(?:what|which) month\b", MONTH),
        (
            "year",
            r"\b(?:what|which) (?:year|century|decade)\b",
            rf"{_YEAR}|\bcentur|\d0s\b|\bdecade",
        ),
        (
            "time, length or distance",
            r"\bhow (?:long|quickly|fast|soon|often|frequently)\b",
            rf"{_SPAN}|\b(?:soon|immediate|once|times|daily|weekly|annual|yearly|long)|"
            r"\b(?:met(?:re|er)|kilomet|centimet|km|cm|mile|feet|foot|inch|yard|page|word)|"
            r"\b(?:very|too|as|so) (?:very,? )*\w+ly\b",
        ),
        (
            "age",
            r"\bhow old\b|\bwhat age\b",
            rf"\b\d{{1,3}}\b(?!\s*hours)|\b(?:{SPELLED})\b|\bborn\b|\baged?\b",
        ),
        (
            "sum of money",
            r"\bhow much (?:money|(?:is|are|was|were) (?:a|an|the)|does \S+ cost|"
            r"did \S+ (?:cost|pay))|\bwhat (?:price|sum)\b|"
            r"\bin (?:euros|dollars|pounds)\b|"
            r"\bhow much\b.*\b(?:cost|paid|pay|spent|spend|worth)\b",
            r"[$€£¥₽₹]|\b(?:dollar|euro|pound|million|billion|trillion|cent|yen|rou?ble|rupee|franc)s?\b|"
            r"\b(?:free|gratis|nothing)\b",
        ),
        (
            "size or amount",
            r"\bhow (?:tall|high|large|big|far|deep|wide|heavy)\b|\bpopulation\b|\bwhat (?:number|"
            r"percentage|proportion|share)\b",
            rf"\d|\b(?:hundred|thousand|million|billion|percent)|\b(?:{SPELLED})\b",
        ),
        (
            "number",
            r"\bhow (?:many|much)\b",
            rf"{_NUMBER_WORD}|%|\bpercent\b|\b(?:much|most|all|none|little)\b",
        ),
        ("time", r"^\W*(?:(?:and|but|so|on|at|in|by|since|until|from) )?when\b", _WHEN),
        ("place", r"^\W*(?:(?:and|but|so|from|to) )?where\b", _WHERE),
    ]
]
_WHO = re.compile(r"^\W*(?:and |but )?(?:who|whom|whose)\b", re.IGNORECASE)
_MANY = re.compile(
    r"\bhow many (?:of (?:the|his|her|its|their) )?"
    r"(?P<things>(?:[\w’'\-]+ ){0,2}?[\w’'\-]+?)(?= (?:is|are|was|were|did|do|does|have|has|"
    r"had|will|would|can|could|of|in|from|live|died|on|to|at|per|that|who|there|which|with|by)\b|\W*$)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?:^|[.!?]\s+)\W*(?P<word>[^\W\d_]+)(?=\W|$)")
_AUXILIARY = re.compile(r"(?:is|are|was|were|do|does|did|has|have|had|will|would|can|could)\b")
_VAGUE = frozenset("name names kind kinds type types sort happen happened happens".split())
_YEARS = re.compile(r"\b(?:1[5-9]\d\d|20\d\d)\b")
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


MOST_WORDS = 3
"""Words of a question at most that a refusal names as not occurring."""

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

Tried as well, and without weight: the share of the question's words in the evidence or in the
articles, how far the best sentence is above the next ones, and whether the evidence has the
question's own numbers and dates. Near misses have all of these as often as questions that are
answered.
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
    if kind := _kind(question):
        return any(m.group().lower() not in own for m in kind.held.finditer(sentence))
    if _WHO.match(question):
        return any(w.lower() not in own for name in names(sentence) for w in name.split())
    return True


def _kind(question: str) -> _Kind | None:
    """Return the first kind of thing that a question asks for; None where it is none of them."""
    return next((kind for kind in _KINDS if kind.asked.search(question)), None)


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


def why(question: str, sentences: Sequence[str], texts: Sequence[str]) -> str:
    """Return in one line what is missing for a question to be answered.

    Args:
        question: the question, standing alone.
        sentences: the sentences that come closest, best first; may be empty.
        texts: the articles searched.
    """
    if not sentences:
        return "Nothing in it comes close."
    subject_of = "The article does not" if len(texts) == 1 else "The articles do not"
    mentioned = mentions(tuple(texts))
    first = {m["word"] for m in _FIRST.finditer(question)}
    named, dated = names(question), dates(question)
    strangers = [n for n in named if n not in first and not mentioned.share(n)]
    known = {d for text in texts for d in dates(text)} if dated else set()
    asked = {d.capitalize() for d in dated - known} - first  # "May Ukraine …" asks for no month
    strangers += sorted(d for d in asked if not any(d in name for name in named))
    for year in _YEARS.findall(question):
        if not any(year in text or f"{int(year):,}" in text for text in texts):
            strangers.append(year)
    if strangers:
        return f"{subject_of} mention {_listed(dict.fromkeys(strangers))}."
    match = _MANY.search(question)
    if match and not _AUXILIARY.match(match["things"]) and not holds_count(question, sentences[0]):
        return f"What comes closest gives no number of {match['things']}."
    if not holds_kind(question, sentences[0]):
        kind = _kind(question)
        return f"What comes closest gives no {kind.called if kind else 'other name'}."
    absent = [
        word
        for word in re.findall(r"[^\W_]+(?:[’'-][^\W_]+)*", question)
        if content(word) and word.lower() not in _VAGUE and not mentioned.share(word)
    ]
    if absent:
        quoted = _listed(dict.fromkeys(f"“{w}”" for w in absent[:MOST_WORDS]))
        return f"{subject_of} use the word{'s' if len(absent) > 1 else ''} {quoted}."
    return "What comes closest is about the same matter, but does not answer this."


def _listed(items: Iterable[str]) -> str:
    *first, last = items
    return (f"{', '.join(first)} or {last}" if first else last).rstrip(".")


def _share(found: Sequence[float]) -> float:
    return sum(found) / len(found) if found else 1.0
