"""What a passage is: a stretch of an article on paragraph and sentence boundaries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from index.article import Article
from index.sentences import sentence_spans

SCHEMA = 1
"""Raise when passages or their metadata change, so that stores made before are rebuilt."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
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
        """The text that is embedded: the context, then the passage."""
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
            reads 256, two of which are its own marks.
        target_tokens: paragraphs are joined up to this many; 0 keeps every paragraph by itself.
        overlap: sentences repeated from the passage before where a paragraph was split or joined.
        context: whether a passage that leans on the sentence before is searched with it.
    """

    max_tokens: int = 254
    target_tokens: int = 0
    overlap: int = 0
    context: bool = True

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
    before: tuple[int, int] | None = None
    for group in _groups(text, count, how):
        start, end = group[0][0], group[-1][1]
        context = ""
        if how.context and before and leans(text[start:end]):
            context = text[before[0] : before[1]]
            if count(context) + count(text[start:end]) > how.max_tokens:
                context = ""
        passages.append(Passage(article.id, start, end, text[start:end], tuple(group), context))
        before = next((s for s in reversed(group) if not is_heading(text, s)), None) or before
    return passages


Spans = list[tuple[int, int]]


def _groups(text: str, count: Callable[[str], int], how: Chunking) -> Iterator[Spans]:
    """Yield the sentences of each passage."""
    group: Spans = []
    for paragraph in _paragraphs(text):
        sentences = [part for s in paragraph for part in _split_long(text, s, count, how)]
        size = count(text[sentences[0][0] : sentences[-1][1]])
        open_heading = group and all(is_heading(text, s) for s in group)
        room = how.max_tokens if open_heading else how.target_tokens
        if group and count(text[group[0][0] : group[-1][1]]) + size > room:
            yield group
            group = []
        for sentence in sentences:
            limit = how.target_tokens if how.target_tokens and size > how.target_tokens else 0
            limit = limit or how.max_tokens
            if group and count(text[group[0][0] : sentence[1]]) > limit:
                yield group
                kept = group[-how.overlap :] if how.overlap else []
                fits = kept and count(text[kept[0][0] : sentence[1]]) <= limit
                group = kept if fits and len(group) > len(kept) else []
            group = [*group, sentence]
    if group:
        yield group


def _paragraphs(text: str) -> Iterator[Spans]:
    """Yield the sentences of each paragraph; blank lines separate paragraphs."""
    edges = [m.end() for m in _PARAGRAPH.finditer(text)]
    paragraph: Spans = []
    edge = 0
    for span in sentence_spans(text):
        if paragraph and edge < len(edges) and span[0] >= edges[edge]:
            yield paragraph
            paragraph = []
        while edge < len(edges) and span[0] >= edges[edge]:
            edge += 1
        paragraph.append(span)
    if paragraph:
        yield paragraph


def is_heading(text: str, span: tuple[int, int]) -> bool:
    """Whether a sentence is a heading: a short line of its own without a full stop."""
    line = text[span[0] : span[1]]
    alone = text[span[0] - 1 : span[0]] in ("", "\n") and text[span[1] : span[1] + 1] in ("", "\n")
    if line.startswith("#"):
        return alone
    return alone and "\n" not in line and len(line) <= 120 and not _HEADING_END.search(line)


def _split_long(
    text: str, span: tuple[int, int], count: Callable[[str], int], how: Chunking
) -> Iterator[tuple[int, int]]:
    """Yield a sentence whole, or cut between words where it alone is too long."""
    start, end = span
    if count(text[start:end]) <= how.max_tokens:
        yield span
        return
    words = [(m.start(), m.end()) for m in re.finditer(r"\S+", text[start:end])]
    first = 0
    while first < len(words):
        low, high = first + 1, len(words)  # the most words that fit, by bisection
        while low < high:
            middle = (low + high + 1) // 2
            piece = text[start + words[first][0] : start + words[middle - 1][1]]
            low, high = (middle, high) if count(piece) <= how.max_tokens else (low, middle - 1)
        left, right = start + words[first][0], start + words[low - 1][1]
        # A "word" without spaces (Chinese, a data URL) is cut by characters: a character makes at
        # least a fraction of a word piece, so this many always fit.
        while count(text[left:right]) > how.max_tokens:
            cut = left + how.max_tokens
            yield left, cut
            left = cut
        yield left, right
        first = low
