"""Misspelt words of a question, set right by the words of the articles that it is asked of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from bot.words import STOPWORDS, stem
from index.weights import EMBEDDER

COMMON = 20_000
"""Rank below which a word piece of the embedder's vocabulary counts as a word that is known.

The vocabulary is ordered by frequency; beyond this rank stand fragments and rare names, of which
some are also misspellings ("wat").
"""

NAMED = 5
"""Times more often that a word has a capital than not where it counts as a name: one "trump card"
makes no common noun of Trump, while headings give any word a capital now and then."""

_TOKEN = re.compile(r"[^\W\d_]+")
_QUESTION = frozenset("who what when where why how which whose whom".split())


def correct(question: str, texts: Sequence[str]) -> str:
    """Return a question with its misspelt words set right, or the same question.

    A word is changed only if it is neither in the texts nor a common word, and is one edit away
    from a word of the texts or from a question or function word (two edits for eight letters or
    more; a swap of neighbours counts as one: optimal string alignment). A question typed without
    any capitals gets those of the texts' names.

    Args:
        question: the question.
        texts: the articles that it is asked of.
    """
    known, stems = _vocabulary(tuple(texts))
    functions = STOPWORDS | _QUESTION

    def fix(match: re.Match[str]) -> str:
        word = match.group()
        lower = word.lower()
        if len(lower) < 3 or lower in known or lower in functions:
            return word
        if stem(lower) in stems and stem(lower) != lower:
            return word  # another form of a word of the texts
        rank = _ranks().get(lower)
        if rank is not None and rank < COMMON:
            return word
        cutoff = 1 if len(lower) < 8 else 2
        # Short words are near too many others, and a rare word may be meant: these become no more
        # than the question or function word that they are nearly ("wat", "teh").
        choices = functions if rank is not None or len(lower) < 5 else known | functions
        near = [
            (distance, choice not in _QUESTION, choice[0] != lower[0], choice)
            for choice, distance, _ in extract(
                lower, choices, scorer=OSA.distance, score_cutoff=cutoff, limit=None
            )
            if len(lower) > 3 or choice in _QUESTION or sorted(choice) == sorted(lower)
        ]
        if not near:
            return word
        best = min(near)[-1]
        return best.capitalize() if word[0].isupper() else best

    fixed = _TOKEN.sub(fix, question)
    return fixed if any(c.isupper() for c in fixed) else _capitalise(fixed, texts)


def _capitalise(question: str, texts: Sequence[str]) -> str:
    """Return a question typed without capitals with those words capitalised that always are."""
    forms = _cased(tuple(texts))
    return _TOKEN.sub(lambda m: forms.get(m.group(), m.group()), question)


@lru_cache(maxsize=4)
def _vocabulary(texts: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words of the texts in lower case, and their stems."""
    known = frozenset(w.lower() for text in texts for w in _TOKEN.findall(text) if len(w) > 2)
    return known, frozenset(map(stem, known))


@lru_cache(maxsize=4)
def _cased(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the words that the texts have with a capital nearly always, by their small form."""
    seen = Counter(w for text in texts for w in _TOKEN.findall(text) if len(w) > 2)
    forms: dict[str, str] = {}
    for word in sorted(w for w in seen if w[0].isupper()):
        lower = word.lower()
        if lower not in STOPWORDS and seen[word] >= NAMED * seen[lower]:
            forms[lower] = min(word, forms.get(lower, word), key=str.isupper)
    return forms


@lru_cache(maxsize=1)
def _ranks() -> dict[str, int]:
    """Return the words of the embedder's vocabulary with their ranks."""
    lines = (EMBEDDER.locate() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return {word: rank for rank, word in enumerate(lines) if word.isalpha()}
