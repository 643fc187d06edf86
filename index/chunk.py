"""What a passage is: a stretch of an article on paragraph and sentence boundaries."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from index.article import Article
from index.errors import SettingsError
from index.sentences import sentence_spans

SCHEMA = 2
"""Raise when passages or their metadata change, so that stores made before are rebuilt."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
_LINE = re.compile(r"\n")
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*\s*$")
_ITEM = re.compile(r"[-*+•‣]\s|\d+[.)]\s|[^:\n]{1,60}:\s[^:]*\d")  # "- Gates", "Fee: 20 euros"
_HEADING_END = re.compile(r"[.!?…:;,»”\"')\]。！？]\s*$")
_ANAPHOR = re.compile(
    r"[\W_]*(?:(?:he|she|it|they|this|that|these|those|his|her|its|their|him|them|both|such|"
    r"the (?:former|latter|two|same))\b|(?:but|and|so|also|however|nonetheless|still|yet|then)\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of an article: ``article.text[start:end] == text``, always.

    Attributes:
        article_id: the article that it is from.
        start: offset of its first character in the article's text.
        end: offset after its last character.
        text: its characters.
        sentences: half-open offsets ``[start, end)`` of its sentences in the article's text.
        context: the sentence before it, where its own first sentence leans on that ("It insists
            that …"); searched with it, never cited with it.
    """

    article_id: str
    start: int
    end: int
    text: str
    sentences: tuple[tuple[int, int], ...] = ()
    context: str = ""

    @property
    def searchable(self) -> str:
        """The text that is searched, after the article's title: the context, then the passage."""
        return f"{self.context} {self.text}" if self.context else self.text

    @property
    def readings(self) -> tuple[str, ...]:
        """The texts that are reranked: the passage alone and, where it leans, with its context."""
        return (self.text, self.searchable) if self.context else (self.text,)


@dataclass(frozen=True, slots=True)
class Chunking:
    """How passages are cut.

    Attributes:
        max_tokens: most word pieces of a passage, its context included. The bundled embedder
            reads 256, two of which are its own marks; the others are for the article's title.
        target_tokens: paragraphs are joined up to this many; 0 keeps every paragraph by itself.
        overlap: sentences repeated from the passage before where a long paragraph is split.
        context: whether a passage that leans on the sentence before is searched with it.
    """

    max_tokens: int = 224
    target_tokens: int = 0
    overlap: int = 0
    context: bool = True

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be cut to."""
        if self.max_tokens < 8 or not 0 <= self.target_tokens <= self.max_tokens:
            raise SettingsError(
                f"Passages of at most {self.max_tokens} tokens with a target of "
                f"{self.target_tokens} cannot be cut: give max_tokens of 8 or more and "
                "target_tokens between 0 and max_tokens."
            )
        if self.overlap < 0:
            raise SettingsError(f"overlap is {self.overlap}: give 0 sentences or more.")

    @property
    def identity(self) -> str:
        """The settings in a line, for a store's metadata."""
        return (
            f"max={self.max_tokens} target={self.target_tokens} overlap={self.overlap} "
            f"context={int(self.context)}"
        )


def leans(sentence: str) -> bool:
    """Whether a sentence begins with a word that points back ("It insists …", "But …")."""
    return _ANAPHOR.match(sentence) is not None


def titled(title: str, text: str) -> str:
    """Return a text after the title of its article, which often names what the text speaks of."""
    return f"{title}{'' if _SENTENCE_END.search(title) else '.'} {text}".strip()


def chunk(
    article: Article, count: Callable[[str], int], how: Chunking | None = None
) -> list[Passage]:
    """Cut an article into passages that cover all of its sentences, in order.

    Args:
        article: the article.
        count: counts the word pieces of a text as the embedder does.
        how: the sizes; chosen by measurement by default.
    """
    how = how or Chunking()
    text = article.text
    passages: list[Passage] = []
    told: Spans = []
    for group in _groups(text, count, how):
        start, end = group[0][0], group[-1][1]
        # With an overlap, what comes before a passage is not the last sentence of the one before.
        while len(told) > 1 and told[-1][1] > start:
            told.pop()
        context = ""
        if how.context and told and told[-1][1] <= start and leans(text[start:end]):
            context = text[slice(*told[-1])]
            if count(f"{context} {text[start:end]}") > how.max_tokens:
                context = ""
        passages.append(Passage(article.id, start, end, text[start:end], tuple(group), context))
        told.extend(s for s in group if not is_heading(text, s))
    return passages


Spans = list[tuple[int, int]]


def _groups(text: str, count: Callable[[str], int], how: Chunking) -> Iterator[Spans]:
    """Yield the sentences of each passage."""
    group: Spans = []
    for paragraph in _paragraphs(text):
        size = count(text[paragraph[0][0] : paragraph[-1][1]])
        sentences = paragraph
        if size > how.max_tokens:
            sentences = [part for s in paragraph for part in _split_long(text, s, count, how)]
        open_heading = group and all(is_heading(text, s) for s in group)
        room = how.max_tokens if open_heading else how.target_tokens
        if group and (not room or count(text[group[0][0] : paragraph[-1][1]]) > room):
            yield group
            group = []
        limit = how.max_tokens
        if 0 < how.target_tokens < size:
            limit = how.target_tokens
        if size <= limit and not group:  # the common case, without counting sentence by sentence
            group = [*sentences]
            continue
        for sentence in sentences:
            if group and count(text[group[0][0] : sentence[1]]) > limit:
                yield group
                kept = group[-how.overlap :] if how.overlap else []
                fits = kept and count(text[kept[0][0] : sentence[1]]) <= limit
                group = kept if fits and len(group) > len(kept) else []
            group = [*group, sentence]
    if group:
        yield group


def _paragraphs(text: str) -> Iterator[Spans]:
    """Yield the sentences of each paragraph.

    Blank lines separate paragraphs; where a text has none, and most of its lines end with a
    sentence, each line is a paragraph.
    """
    edge = _PARAGRAPH
    lines = [line for line in text.split("\n") if line.strip()]
    if not edge.search(text) and len(lines) > 1:
        ended = sum(bool(_SENTENCE_END.search(line)) for line in lines)
        if ended >= len(lines) / 2:
            edge = _LINE
    start = 0
    for end, after in [*((m.start(), m.end()) for m in edge.finditer(text)), (len(text),) * 2]:
        spans = [(start + a, start + b) for a, b in sentence_spans(text[start:end])]
        if spans:
            yield spans
        start = after


def is_heading(text: str, span: tuple[int, int]) -> bool:
    """Whether a sentence is a heading: a short line of its own without a full stop."""
    line = text[span[0] : span[1]]
    alone = text[span[0] - 1 : span[0]] in ("", "\n") and text[span[1] : span[1] + 1] in ("", "\n")
    if line.startswith("#"):
        return alone
    if _ITEM.match(line):
        return False
    return alone and "\n" not in line and len(line) <= 120 and not _HEADING_END.search(line)


def _split_long(
    text: str, span: tuple[int, int], count: Callable[[str], int], how: Chunking
) -> Iterator[tuple[int, int]]:
    """Yield a sentence whole, or cut between words where it alone is too long."""
    start, end = span
    if count(text[start:end]) <= how.max_tokens:
        yield span
        return
    words = [(start + m.start(), start + m.end()) for m in re.finditer(r"\S+", text[start:end])]
    first = 0
    while first < len(words):
        left = words[first][0]

        def fits(right: int, left: int = left) -> bool:
            return count(text[left:right]) <= how.max_tokens

        # A word is a word piece at least: looking further would only take time.
        ends = [word[1] for word in words[first : first + how.max_tokens]]
        fitting = _most(ends, fits)
        right = ends[fitting - 1]
        first += fitting
        if fitting > 1 or fits(right):
            yield left, right
        else:
            yield from _split_word(text, (left, right), count, how)


def _split_word(
    text: str, span: tuple[int, int], count: Callable[[str], int], how: Chunking
) -> Iterator[tuple[int, int]]:
    """Yield pieces of what has no spaces (Chinese, a data URL); marks stay on their letters."""
    left, end = span
    while left < end:

        def fits(right: int, left: int = left) -> bool:
            return count(text[left:right]) <= how.max_tokens

        window = min(end, left + 8 * how.max_tokens)
        inside = range(left + 1, window)
        ends = [i for i in inside if unicodedata.category(text[i])[0] != "M"]
        ends = [i for i in ends if "\u200d" not in text[i - 1 : i + 1]]
        right = [*ends, window][_most([*ends, window], fits) - 1]
        if not fits(right):  # hundreds of marks on one letter
            right = min(right, left + how.max_tokens // 4)
        yield left, right
        left = right


def _most(ends: list[int], fits: Callable[[int], bool]) -> int:
    """Return how many of the ends fit, by bisection; one at least."""
    low, high = 1, len(ends)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(ends[middle - 1]) else (low, middle - 1)
    return low
