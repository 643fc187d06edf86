"""Whether articles mention a name, in this form or another."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache

from bot.words import TITLES, canonical, names, same_name, stem

_NO_PART = frozenset(title.lower() for title in TITLES) | {"the"}
_ABBREVIATION = re.compile(r"[A-Z]{3,6}")
_SMALL = r"(?:(?:of|the|and|for|in|on)[\s-]+)*"


class Mentions:
    """The names that articles mention.

    A name counts as mentioned too where its accents or full stops are missing, where a country is
    meant by its people or the other way round, and where an abbreviation is spelt out.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        """Gather the words of the texts."""
        self._texts = texts
        words = frozenset().union(*map(canonical, texts))
        self._words = words | {stem(w) for w in words} | {plain(w) for w in words}
        self._known: dict[str, bool] = {}

    def share(self, name: str) -> float:
        """Return the share of a name's words that are mentioned; 1 where it has none to look for.

        Titles and initials are none.
        """
        parts = name_parts(name)
        known = sum(map(self._knows, parts))
        if known == len(parts) or self._spelt_out(_bare(name)):
            return 1.0
        return known / len(parts)

    @cached_property
    def _capital(self) -> frozenset[str]:
        """The words of the texts' own names."""
        return frozenset(w for text in self._texts for n in names(text) for w in canonical(n))

    def _knows(self, word: str) -> bool:
        if word not in self._known:
            self._known[word] = (
                bool({word, stem(word), plain(word)} & self._words)
                or any(same_name(word, other) for other in self._capital)
            )  # fmt: skip
        return self._known[word]

    def _spelt_out(self, letters: str) -> bool:
        if not _ABBREVIATION.fullmatch(letters):
            return False
        if letters not in self._known:
            long = rf"[\s-]+{_SMALL}".join(rf"{letter}\w+" for letter in letters)
            found = re.compile(rf"\b{long}", re.IGNORECASE)
            self._known[letters] = any(found.search(text) for text in self._texts)
        return self._known[letters]


@lru_cache(maxsize=4)
def mentions(texts: tuple[str, ...]) -> Mentions:
    """Return what these texts mention; gathered once for the same texts."""
    return Mentions(texts)


def _bare(name: str) -> str:
    return re.sub(r"^[Tt]he\s+|[’']s?$|\.", "", name)


def name_parts(name: str) -> list[str]:
    """Return the words of a name that are looked for: no titles, initials or compounds."""
    return [w for w in canonical(name) if "-" not in w and w not in _NO_PART and len(w) > 1]


def plain(word: str) -> str:
    """Return a word without accents and full stops."""
    letters = unicodedata.normalize("NFKD", word)
    return "".join(c for c in letters if not unicodedata.combining(c) and c != ".")
