"""From what a chat model writes to claims that cite: markers looked up, sentences tied to evidence.

A claim once made is not changed by what the model writes after it, so that a stream only grows, and
the claims do not depend on how the reply was cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.checks import check
from bot.cite import declines, strip_markdown
from bot.odds import probability
from bot.records import Claim, Span, Support
from bot.rerank import Reranker
from bot.verify import NOT_SAID, PARTLY, support
from index import Passage
from index.article import normalise
from index.chunk import leans
from index.sentences import sentence_spans

MOST_CLAIMS = 30
"""Sentences of a reply after which the model is stopped; small ones may never stop themselves."""

MOST_REPEATS = 3
"""Sentences said once more after which the model is stopped: it goes round in a circle."""

LONGEST_SENTENCE = 2_000
"""Characters without the end of a sentence after which the model is stopped."""

LONGEST_REPLY = 60_000
"""Characters of a reply, its thoughts included, after which the model is stopped."""

PART = 0.1
"""Support that a further sentence must add to count as carrying a part of the claim."""

MISSING = 0.27
"""What the share of a claim's words counts for where a number, date or name is missing."""

_NUMBERS = r"\d{1,4}(?:\s*(?:[,;&–-]|and)\s*\d{1,4})*"
_MARKER = re.compile(
    r"(?:\baccording to (?:the )?(?:passages? )?)?[ \t]*\\?(?:\[\[|[\[【])\s*\^?"
    rf"(?:(?:passage|source)s?\s+)?(?P<numbers>{_NUMBERS})\s*"
    r"\\?(?:\]\]|[\]】])(?:\([^()\s]*\))?"
    # Never closed: "[1 and so on", or "[" at the very end.
    r"|[ \t]*\[(?:\d{1,2}(?:\s*,\s*\d{1,2})*(?=[\s.,;:!?]|$)(?![^\[\]\n]*\])|$)",
    re.IGNORECASE,
)
_OPEN = re.compile(r"\\?[\[【][^\]】\n]{0,30}$")
_RANGE = re.compile(r"(\d+)\s*[–-]\s*(\d+)")
_THINKS = re.compile(r"\s*<think(?:ing)?>")
_THOUGHT = re.compile(r"</think(?:ing)?>")
_SPACE = re.compile(r"\s")
_ITEM = re.compile(r"\s*(?P<mark>[-*+•]|\d{1,3}[.)])\s")
_HEADING = re.compile(r"\s*#{1,6}\s")
_LINE_START = re.compile(r"\s*(?:(?:[-*+•>]|\d{1,2}[.)])\s*)?[*_\"“(]*")
# What markers leave behind: "(see )", a leading ":"; and what means nothing to a reader.
_LITTER = re.compile(
    r"\s*\((?:\s*(?:see|sources?:?|passages?|cf\.|[,;&]|and))*\s*\)|^[\s:;,–—]+|"
    rf",? \bas \w+ in (?:the )?(?:passages?|sources?) {_NUMBERS}\b"
)
# "The answer is:", "Here is the passage:" say nothing themselves.
_LEAD = re.compile(
    r"(?:here (?:is|are) )?(?:the |my )?(?:final |short |relevant )?"
    r"(?:answer|passage|sentence|text|quote|response|reply)s?(?: (?:that|which) \w+ \w+)?"
    r"(?: (?:is|are|says|reads))?:",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"\W*(?:(?:sources?|references?|citations?|passages?|and)\W*)+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a claim.

    Attributes:
        spans: the sentences that carry it, or those that it names.
        holds: whether they support it fully.
        missing: what the sentence that comes closest lacks, where none carries it.
    """

    spans: tuple[Span, ...]
    holds: bool
    missing: tuple[str, ...] = ()


class Resolver:
    """Finds the sentences of the evidence that carry a claim.

    Args:
        evidence: the passages, in the order of their numbers.
        reranker: scores a claim against a sentence.
    """

    def __init__(self, evidence: Sequence[Passage], reranker: Reranker) -> None:
        """Keep the evidence."""
        self.evidence = evidence
        self.reranker = reranker

    def __call__(self, claim: str, numbers: Sequence[int]) -> Found:
        """Return the sentences that carry a claim, and whether they do carry it.

        The passages of these numbers come first. Where none of them carries it, or the claim has
        no number, all of the evidence is looked through, and a sentence counts only if it supports
        the claim fully.
        """
        named = [self._carrier(claim, [self.evidence[n - 1]]) for n in numbers]
        found = _all_of(claim, [c for c in named if c.support.verdict != "unsupported"])
        every = _all_of(claim, named)
        if every.support.score > found.support.score + PART:
            found = every  # each of them carries a part
        if found.support.verdict == "unsupported":
            other = self._carrier(claim, self.evidence)
            if other.support.verdict == "supported":
                return Found(other.spans, True)
            told = [r for r in other.support.reasons if r not in (PARTLY, NOT_SAID)]
            return Found(every.spans, False, tuple(told))
        return Found(found.spans, found.support.verdict == "supported")

    def _carrier(self, claim: str, passages: Sequence[Passage]) -> _Carrier:
        """Return the sentence (or two of one passage) that best carries a claim.

        The checks and the reranker choose; what they choose is judged in full.
        """
        options = [(p, *sentence) for p in passages for sentence in _sentences(p)]
        logits = self.reranker.score([(claim, text) for _, _, text, _ in options])
        rated: list[tuple[float, Passage, _Option]] = []
        for (passage, where, text, context), logit in zip(options, logits, strict=True):
            span = Span(passage.article_id, *where, probability(logit))
            found = check(claim, text, context)
            worth = found.share * (MISSING if found.missing else 1.0) + 0.5 * span.score
            rated.append((worth, passage, _Option(span, text, context)))
        if not rated:
            return _together(claim, [])
        rated.sort(key=lambda entry: -entry[0])
        _, home, first = rated[0]
        best = _together(claim, [first])
        second = next((o for _, passage, o in rated[1:] if passage is home), None)
        if best.support.verdict != "supported" and second:
            both = _together(claim, sorted([first, second], key=lambda o: o.span.start))
            if both.support.score > best.support.score + PART:
                return both
        return best


@dataclass(frozen=True, slots=True)
class _Option:
    """A sentence of the evidence: where it stands, its text, and what it leans on."""

    span: Span
    text: str
    context: str


@dataclass(frozen=True, slots=True)
class _Carrier:
    """Sentences of the evidence, and how well they carry a claim together."""

    options: tuple[_Option, ...]
    support: Support

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where they stand."""
        return tuple(option.span for option in self.options)


def _together(claim: str, options: Iterable[_Option]) -> _Carrier:
    unique = tuple(dict.fromkeys(options))
    text = " ".join(o.text for o in unique)
    context = " ".join(o.context for o in unique).strip()
    return _Carrier(unique, support(claim, text, context))


def _all_of(claim: str, carriers: Iterable[_Carrier]) -> _Carrier:
    return _together(claim, (option for carrier in carriers for option in carrier.options))


def _sentences(passage: Passage) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Yield each sentence of a passage: where, its text, and the one before if it leans on it."""
    before = passage.context
    for start, end in passage.sentences:
        text = passage.text[start - passage.start : end - passage.start]
        yield (start, end), text, before if leans(text) else ""
        before = text


class Reply:
    """What a chat model has written so far, as claims; claims once made stay as they are.

    A sentence becomes a claim when the first word of the next one is complete, and with it the
    markers between them. In which pieces the words came makes no difference.

    Args:
        resolve: returns what carries a claim with these passage numbers.
        passages: how many passages there are.

    Attributes:
        text: the reply, word for word.
        claims: its sentences so far.
        dropped: how many markers were dropped: unknown numbers, and ones never closed.
        holds: whether the evidence carries any of the claims.
    """

    def __init__(
        self,
        resolve: Callable[[str, Sequence[int]], Found],
        passages: int,
    ) -> None:
        """Start empty."""
        self.text = ""
        self.claims: tuple[Claim, ...] = ()
        self.dropped = 0
        self.holds = False
        self._resolve = resolve
        self._passages = passages
        self._closed = False
        self._thinking = True  # until it is known that it is not
        self._repeats = 0
        self._read = 0  # claims were made of the text up to here
        self._seen = 0  # and were looked for up to here

    @property
    def full(self) -> bool:
        """Whether no more of it is wanted."""
        rambles = not self._thinking and self._seen - self._read > LONGEST_SENTENCE
        many = len(self.claims) >= MOST_CLAIMS or self._repeats >= MOST_REPEATS
        return rambles or many or len(self.text) > LONGEST_REPLY

    @property
    def refused(self) -> bool:
        """Whether it says at once that the article does not say it, or later and nothing holds."""
        said = [declines(claim.text) and not claim.spans for claim in self.claims]
        return bool(said) and (said[0] or (self._closed and any(said) and not self.holds))

    def add(self, words: str) -> bool:
        """Add the words that came next; return whether there are new claims."""
        had = len(self.claims)
        self.text += words
        for space in _SPACE.finditer(self.text, self._seen):
            if self._thinking and not self._skip_thoughts():
                break
            self._seen = space.end()
            if space.start() > self._read:
                self._take(space.start(), final=False)
            if self.full:
                break
        return len(self.claims) > had

    def close(self) -> None:
        """Make claims of what is left."""
        self._closed = True
        if not self._thinking or self._skip_thoughts():
            self._take(self._seen if self.full else len(self.text), final=True)

    def _skip_thoughts(self) -> bool:
        """Pass over the thoughts that some models put before a reply; return whether they ended."""
        if self._thinking and _THINKS.match(self.text):
            end = _THOUGHT.search(self.text)
            if not end:
                return False
            self._read = self._seen = end.end()
        self._thinking = False
        return True

    def _take(self, end: int, *, final: bool) -> None:
        """Make claims of the sentences before ``end`` that are complete."""
        part = self.text[self._read : end]
        if not final and _OPEN.search(part):
            return
        bare, marks = lift_markers(part)
        spans = sentence_spans(bare)
        complete = len(spans) if final else len(spans) - 1
        if complete < 1 and not final:
            return
        owners = _owners(bare, spans, [mark.position for mark in marks])
        read = len(part)
        if not final:
            edge = spans[complete - 1][1]
            own = [m for m, owner in zip(marks, owners, strict=True) if owner < complete]
            taken = sum(m.end - m.start for m in own if m.position <= edge)
            read = max([edge + taken, *(m.end for m in own)])
        numbers: list[list[int]] = [[] for _ in spans]
        for mark, owner in zip(marks, owners, strict=True):
            if mark.start >= read:
                continue
            known = [n for n in mark.numbers if 1 <= n <= self._passages]
            self.dropped += (len(mark.numbers) or 1) - len(known)
            if spans:
                numbers[owner] += known
        for i, (start, stop) in enumerate(spans[:complete]):
            gap = bare[spans[i - 1][1] if i else 0 : start]
            self._claim(gap, bare[start:stop], dict.fromkeys(numbers[i]))
        self._read += read

    def _claim(self, gap: str, sentence: str, numbers: Iterable[int]) -> None:
        """Make a claim of a sentence that is no heading, lead-in, list of sources or repetition."""
        plain = normalise(" ".join(_LITTER.sub("", strip_markdown(sentence)).split()))
        if not any(ch.isalnum() for ch in plain):
            return
        if _HEADING.match(sentence) or _SOURCES.fullmatch(plain) or _LEAD.fullmatch(plain):
            return
        if any(plain == claim.text for claim in self.claims):
            self._repeats += 1
            return
        cited = tuple(numbers)
        declined = declines(plain) and (not cited or declines(plain, exactly=True))
        found = Found((), False) if declined else self._resolve(plain, cited)
        item = _ITEM.match(sentence)
        mark = f"{item['mark'].rstrip(').')}. " if item and item["mark"][0].isdigit() else "- "
        lines = gap.count("\n") if self.claims else -1
        before = ("", " ", "\n", "\n\n")[min(lines, 2) + 1] + (mark if item else "")
        missing = () if found.spans else found.missing
        claim = Claim(plain, found.spans, before, quoted=False, missing=missing)
        self.claims += (claim,)
        self.holds |= found.holds


@dataclass(frozen=True, slots=True)
class _Mark:
    """A marker: where it was among the words without markers, its place in the text, its numbers.

    One that was never closed has no numbers.
    """

    position: int
    start: int
    end: int
    numbers: tuple[int, ...]


def lift_markers(text: str) -> tuple[str, list[_Mark]]:
    """Return the text without its markers, and the markers."""
    bare, last = "", 0
    marks: list[_Mark] = []
    for match in _MARKER.finditer(text):
        bare += text[last : match.start()]
        listed = _RANGE.sub(_spread, match["numbers"] or "")
        numbers = tuple(int(n) for n in re.findall(r"\d+", listed))
        marks.append(_Mark(len(bare), *match.span(), numbers))
        last = match.end()
    return bare + text[last:], marks


def _spread(match: re.Match[str]) -> str:
    """Return a range of numbers one by one, if it is short: "1-3" means 1, 2 and 3."""
    first, last = int(match[1]), int(match[2])
    spread = range(first, last + 1) if 0 <= last - first < 10 else (first, last)
    return " ".join(map(str, spread))


def _owners(bare: str, spans: Sequence[tuple[int, int]], positions: Sequence[int]) -> list[int]:
    """Return which sentence each marker belongs to: the one before it.

    On a line that begins with a marker they belong to the sentence after; a marker alone on its
    line belongs to the one before nevertheless.
    """
    owners: list[int] = []
    leading = -1  # start of the last line that began with a marker
    for position in positions:
        line = bare.rfind("\n", 0, position) + 1
        if _LINE_START.fullmatch(bare, line, position):
            leading = line
        rest = bare[position:].partition("\n")[0]
        if leading == line and any(ch.isalnum() for ch in rest):
            owners.append(next((i for i, (_, end) in enumerate(spans) if end > position), 0))
        else:
            before = [i for i, (start, _) in enumerate(spans) if start < position]
            owners.append(before[-1] if before else 0)
    return owners


def spoken(reply: str) -> str:
    """Return a reply without the thoughts that some models put before it."""
    if not _THINKS.match(reply):
        return reply
    end = _THOUGHT.search(reply)
    return reply[end.end() :] if end else ""
