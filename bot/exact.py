"""The exact answer: which words of the evidence answer a question, if any do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.odds import probability
from bot.reader import Reading
from bot.records import Ranking, Span
from bot.words import MONTH, WEEKDAY

LEAST = -2.0
"""Log odds below which the likeliest span is no answer: on the tune half, four in five questions
whose span is below have no exact answer."""

LEAST_FACT = -6.0
"""The same for a question that asks for a name, a time, a place or a number, which has an exact
answer where it has any: of those that are answered by documents kept out of training, a third of
the likeliest spans are right even there."""

SCALE, SHIFT = 0.273, -0.767
"""What log odds are multiplied by and moved by to be those of being right (Platt 1999), fitted on
questions about documents kept out of training (``python -m tests.measure fit --data FOLDER``)."""

LIST = 4.0
"""Log odds below the best span at which another one still belongs to a list."""

QUOTED = 80
"""Characters at most between a stretch and the quotation mark or bracket that ends it."""

_POLITELY = re.compile(
    r"^\W*(?:(?:and|but|so|please|kindly|then),? )*"
    r"(?:(?:can|could|would|will) you (?:please |kindly )?(?:tell|say|explain|show|give|remind)\b"
    r"(?: me| us)?|do you know|(?:tell|remind) (?:me|us))\b[\s,:]*",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^\W*(?:(?:and|but|so|or|then) )?(?:is|are|was|were|am|do|does|did|has|have|had|can|could|"
    r"will|would|should|shall|may|might|must|isn['’]t|aren['’]t|wasn['’]t|weren['’]t|don['’]t|"
    r"doesn['’]t|didn['’]t|hasn['’]t|haven['’]t|hadn['’]t|can['’]t|couldn['’]t|won['’]t|"
    r"wouldn['’]t|shouldn['’]t|if|whether)\b",
    re.IGNORECASE,
)
_VERB = r"(?:is|was|does|has|are|were|do|did|have|had|can|could|will|would|should|may|might|must)"
_PLURAL = r"(?:people|(?-i:[a-z])[\w-]+(?<![iu])(?<!s)s|countries|parties|cities)\b"
_LIST = re.compile(
    rf"^\W*(?:(?:and|but) )?(?:(?:in|on|at|to|from|of|with|by|for|under|during|between) )?"
    rf"(?:which (?:(?!{_VERB}\b)[\w-]+ )?(?!{_VERB}\b){_PLURAL}|"
    rf"what (?:(?!{_VERB}\b)[\w-]+ )?(?!{_VERB}\b){_PLURAL} {_VERB}\b|"
    rf"who (?:are|were|all)\b|who else\b|(?:name|list) (?:[\w’'-]+ ){{0,3}}?{_PLURAL}|"
    r"what (?:are|were)\b)",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"^\W*(?:(?:and|but|so),? )?(?:(?:in|on|at|to|from|of|with|by|for|under|since|until|during|"
    r"between|before|after|into|through) )?(?:who|whom|whose|when|where|which|how (?:many|much|"
    r"long|old|far|often|tall|high|big|large|fast|deep|wide|heavy|soon)|"
    rf"what (?!(?:{_VERB}|it|he|she|they|we|you|i|to|shall|else)\b)(?-i:[a-z])[\w-]*"
    rf"(?: [\w-]+){{0,2}}? {_VERB})\b",
    re.IGNORECASE,
)
_NAME = r"(?:the )?[A-Z0-9][\w.’'-]*(?: (?:(?:of|the|de) )*[A-Z0-9][\w.’'-]*)*"
_JOIN = r"(?:, and |, or |, | and | or )"
_SERIES = re.compile(rf"{_NAME}(?:{_JOIN}{_NAME})*")
_BEFORE = re.compile(rf"(?<![\w’'-])(?:{_NAME}{_JOIN})+(?:[A-Z][\w.’'-]* )*$")
_AFTER = re.compile(rf"(?:{_JOIN}{_NAME})+(?![\w’'-])")
_OPENING = {"»": "«", "”": "“", ")": "(", "]": "["}
_CLOSING = {opening: closing for closing, opening in _OPENING.items()}
_NO_MARK = rf"[^«»“”()\[\]\n]{{0,{QUOTED}}}"
_TO_CLOSING = re.compile(rf"{_NO_MARK}([»”)\]])")
_FROM_OPENING = re.compile(rf"([«“(\[]){_NO_MARK}$")
_DATE = re.compile(
    rf"(?:{WEEKDAY},? )?(?:{MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?|"
    rf"\b(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?:\sof)?\s{MONTH}(?:,?\s\d{{4}}\b)?|"
    rf"{MONTH},?\s(?:of\s)?\d{{4}}\b)"
)
_WHEN = re.compile(
    r"^\W*(?:(?:and|but|so),? )?(?:when\b|(?:(?:on|since|until|by) )?(?:what|which) (?:\w+ )?"
    r"(?:date|day)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Exact:
    """A stretch of the evidence that may be the exact answer.

    Attributes:
        article_id: the article.
        start: offset of its first character in the article's text.
        end: offset after its last character.
        odds: how much likelier it is than that its passage holds no answer, as log odds.
        here: log odds that its passage answers at all.
    """

    article_id: str
    start: int
    end: int
    odds: float
    here: float

    @property
    def span(self) -> Span:
        """Where it stands, with the probability that it is right."""
        sure = probability(SCALE * self.odds + SHIFT)
        return Span(self.article_id, self.start, self.end, sure)


def exact_answers(ranking: Ranking, readings: Sequence[Reading]) -> list[Exact]:
    """Return what the evidence may answer exactly, likeliest first, each stretch once.

    Args:
        ranking: the evidence.
        readings: what the reader makes of each of its passages.
    """
    passages = ranking.evidence
    found: dict[tuple[str, int, int], Exact] = {}
    for passage, reading in zip(passages, readings, strict=True):
        shift = passage.end - len(passage.searchable)
        for span in reading.spans:
            start, end = span.start + shift, span.end + shift
            whole = closed(ranking.query.sources[passage.article_id].text, start, end)
            if any(s <= whole[0] and whole[1] <= e for s, e in passage.sentences):
                start, end = whole
            if start < passage.start:
                continue  # it is in the sentence before, which is read along but not quoted
            key = (passage.article_id, start, end)
            exact = Exact(*key, span.logit, reading.here)
            if key not in found or found[key].odds < exact.odds:
                found[key] = exact
    return sorted(found.values(), key=lambda e: -e.odds)


def closed(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a stretch that breaks off within quotation marks or brackets, widened to their end."""
    inside = text[start:end]
    after = _TO_CLOSING.match(text, end)
    if after and inside.count(_OPENING[after[1]]) > inside.count(after[1]):
        return start, after.end()
    before = _FROM_OPENING.search(text[max(0, start - QUOTED) : start])
    if before and inside.count(_CLOSING[before[1]]) > inside.count(before[1]):
        return start - len(before.group()), end
    return start, end


def dated(text: str, start: int, end: int) -> tuple[int, int]:
    """Return a part of a date ("1980") widened to the whole date ("August 22, 1980").

    Args:
        text: a sentence.
        start: offset of the part in it.
        end: the one after it.
    """
    for match in _DATE.finditer(text):
        if match.start() <= start and end <= match.end():
            return match.span()
    return start, end


def series(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the whole enumeration of names that a stretch of a sentence is in: "A, B and C".

    Args:
        text: a sentence.
        start: offset of the stretch in it.
        end: the one after it.
    """
    if not _SERIES.fullmatch(text, start, end):
        return start, end
    before = _BEFORE.search(text, 0, start)
    after = _AFTER.match(text, end)
    return before.start() if before else start, after.end() if after else end


def choose(
    question: str,
    exact: Sequence[Exact],
    quoted: Sequence[tuple[str, int, int]],
    texts: Mapping[str, str],
) -> tuple[Exact, ...]:
    """Return the exact answer in the sentences that are quoted: one stretch, several for a list.

    A question that asks for yes or no has none: whether a sentence affirms it is not guessed. None
    is given either where the reader is rather sure that the passage holds none.

    Args:
        question: the question, standing alone.
        exact: what may answer, likeliest first.
        quoted: the sentences of the answer, the best first, as places in their articles.
        texts: text of each article by its id.
    """
    question = _POLITELY.sub("", question)
    if _YES_NO.match(question) or not quoted:
        return ()
    least = LEAST_FACT if _FACT.match(question) else LEAST
    first = [e for e in exact if _inside(e, quoted[0]) and e.odds >= least][:1]
    if not first:
        return ()
    if not _LIST.match(question):
        (one,) = first
        if _WHEN.match(question):
            one = _widened(one, quoted, texts[one.article_id], dated)
        return (one,)
    exact = [_widened(e, quoted, texts[e.article_id], series) for e in exact]
    best = next(e for e in exact if _inside(e, quoted[0]))
    taken = [best]
    for other in exact:
        apart = all(
            other.article_id != t.article_id or other.end <= t.start or t.end <= other.start
            for t in taken
        )
        close = other.odds > 0 and other.odds >= best.odds - LIST
        if apart and close and any(_inside(other, place) for place in quoted):
            taken = [*taken, other]
    return tuple(sorted(taken, key=lambda e: (e.article_id != best.article_id, e.start)))


def _widened(
    exact: Exact,
    quoted: Sequence[tuple[str, int, int]],
    text: str,
    whole: Callable[[str, int, int], tuple[int, int]],
) -> Exact:
    """Return a stretch widened to the whole that it is part of within its sentence."""
    for _, begin, stop in (place for place in quoted if _inside(exact, place)):
        start, end = whole(text[begin:stop], exact.start - begin, exact.end - begin)
        return replace(exact, start=begin + start, end=begin + end)
    return exact


def _inside(exact: Exact, place: tuple[str, int, int]) -> bool:
    article_id, start, end = place
    return exact.article_id == article_id and start <= exact.start and exact.end <= end
