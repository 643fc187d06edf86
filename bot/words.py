"""What is read off the surface of English text: names, numbers, content words, spelling."""

from __future__ import annotations

import re
from functools import lru_cache

import snowballstemmer

STOPWORDS = frozenset(
    """a about above after again against all also am an and any are aren't as at be because been
    before being below between both but by can can't cannot could did didn't do does doesn't doing
    don't down during each either else ever few for from further get give given go got had hadn't
    has hasn't have haven't having he he'd he'll her here hers herself him himself his how however
    i i'd i'll i'm i've if in into is isn't it it's its itself just let like made make many may me
    might more most much must my myself neither no nonetheless nor not now of off on once one only
    or other our ours out over own per please quite rather really same say says said shall she
    should shouldn't so some still such tell than that that's the their theirs them themselves then
    there there's these they they're this those through to too under until up upon us very was
    wasn't we we're well were weren't what what's when where whether which while who who's whom
    whose why will with within without won't would wouldn't yes yet you your yours article text
    story mention mentioned according additionally furthermore moreover below""".split()
)
"""Words that carry no content of their own."""

TITLES = frozenset(
    "President Minister Prime Chancellor King Queen Dr Mr Mrs Ms Sir Lord Lady General Senator "
    "Governor Mayor Professor Captain Secretary Ambassador Envoy Chief Judge".split()
)
"""Words that stand before a name and are none themselves."""

_NO_NAMES = STOPWORDS | frozenset(
    "who what when where why how which whose whom is are did does tell explain list "
    "describe".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*", re.UNICODE)
_NAME = re.compile(
    r"(?:[A-Z]\.){2,}|[A-Z][\w’'\-]*(?:\s+(?:(?:of|de|van|von|bin|al|the)\s+)?[A-Z][\w’'\-]*)*"
)
_POSSESSIVE = re.compile(r"[’']s?$")

_UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    "dozen": 12, "decade": 10,
}  # fmt: skip
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "mn": 1e6,
    "billion": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12,
}  # fmt: skip
_CURRENCIES = {
    "$": "$", "us$": "$", "dollar": "$", "dollars": "$", "usd": "$", "€": "€", "euro": "€",
    "euros": "€", "eur": "€", "£": "£", "pound": "£", "pounds": "£", "gbp": "£", "¥": "¥",
    "yen": "¥", "%": "%", "percent": "%", "per cent": "%",
}  # fmt: skip
_NUMBER = re.compile(
    r"(?P<sign>US\$|[$€£¥])?\s?(?P<digits>\d+(?:[,\u202f ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?:[\s-]?(?P<scale>hundred|thousand|million|billion|trillion|mn|bn|tn|[mkb])\b)?"
    r"(?:[\s-]?(?P<unit>%|percent|per cent|dollars?|usd|euros?|eur|pounds?|gbp|yen))?",
    re.IGNORECASE,
)
_SPELLED = "|".join(_UNITS)
_WORDED = re.compile(
    rf"\b(?:a |one )?(?:{_SPELLED})(?:[\s-](?:{_SPELLED}))?"
    rf"(?:[\s-](?:hundred|thousand|million|billion|trillion))*"
    rf"(?:[\s-](?P<unit>percent|per cent|dollars?|euros?|pounds?|yen))?\b",
    re.IGNORECASE,
)
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTHS = (
    "january february march april may june july august september october november december".split()
)
_SHORT = {m[:3]: m for m in _MONTHS if m != "may"} | {"sept": "september"}
_ALIASES = {
    "us": "u.s", "usa": "u.s", "u.s.a": "u.s", "america": "u.s", "american": "u.s",
    "americans": "u.s", "uk": "u.k", "britain": "u.k", "british": "u.k",
    "eu": "e.u",
    "un": "u.n",
}  # fmt: skip

_PHRASES = {
    "united states of america": "u.s", "united states": "u.s", "great britain": "u.k",
    "united kingdom": "u.k", "european union": "e.u", "united nations": "u.n",
}  # fmt: skip

_stem_word = lru_cache(maxsize=50_000)(snowballstemmer.stemmer("english").stemWord)


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, possessive endings off."""
    return [_POSSESSIVE.sub("", w.lower().replace("’", "'")) for w in _WORD.findall(text)]


def stem(word: str) -> str:
    """Return the stem of a lower-case word (Porter 2)."""
    return str(_stem_word(word))


def content(text: str) -> list[str]:
    """Return the stems of a text's content words, in order."""
    return [stem(w) for w in words(text) if w not in STOPWORDS and len(w) > 1]


def names(text: str) -> list[str]:
    """Return the capitalised names in a text, in order, each once.

    Function words, adverbs and bare titles that merely stand with a capital do not count;
    initials with full stops ("U.S.") are one name.
    """
    found: dict[str, None] = {}
    for match in _NAME.finditer(text):
        parts = _POSSESSIVE.sub("", match.group()).split()
        while parts and parts[0].lower().replace("’", "'") in _NO_NAMES:
            parts = parts[1:]
        if not parts or (len(parts) == 1 and (len(parts[0]) < 2 or parts[0].endswith("ly"))):
            continue
        if len(parts) > 1 or parts[0] not in TITLES:
            found.setdefault(" ".join(parts))
    return list(found)


def numbers(text: str) -> set[tuple[float, str]]:
    """Return the numbers in a text as (value, unit); the unit is ``$ € £ ¥ %`` or empty."""
    found: set[tuple[float, str]] = set()
    for match in _NUMBER.finditer(text):
        value = float(re.sub(r"[,\u202f ]", "", match["digits"]))
        value *= _SCALES.get((match["scale"] or "").lower(), 1.0)
        unit = _CURRENCIES.get((match["sign"] or match["unit"] or "").lower(), "")
        found.add((value, unit))
    for match in _WORDED.finditer(text):
        spelled = _spelled(match.group())
        if spelled is not None:
            found.add((spelled, _CURRENCIES.get((match["unit"] or "").lower(), "")))
    return found


def _spelled(phrase: str) -> float | None:
    """Return the value of a number in words; None for "one", which is mostly a pronoun."""
    total = 0.0
    parts = re.split(r"[\s-]+", phrase.lower())
    for part in parts:
        if part in _UNITS:
            total = (
                total * _UNITS[part]
                if part in ("dozen", "decade") and total
                else total + _UNITS[part]
            )
        elif part in _SCALES and len(part) > 2:
            total = max(total, 1.0) * _SCALES[part]
    return None if total <= 1 or parts == ["decade"] else total


def dates(text: str) -> set[str]:
    """Return the weekdays and months named in a text, in full and in lower case.

    "May" and "March" count only where they are capitalised.
    """
    found: set[str] = set()
    for word in re.findall(r"[^\W\d_]+", text):
        lower = word.lower()
        if lower in ("may", "march", "mar", "sun", "sat") and not word[0].isupper():
            continue
        if lower in _DAYS or lower in _MONTHS:
            found.add(lower)
        elif lower in _SHORT and word[0].isupper():
            found.add(_SHORT[lower])
    return found


def canonical(text: str) -> set[str]:
    """Return the words of a text in lower case, the aliases of some names folded into one."""
    lowered = f" {' '.join(words(text))} "
    for phrase, name in _PHRASES.items():
        lowered = lowered.replace(f" {phrase} ", f" {name} ")
    return {alias(w) for w in lowered.split() if w not in STOPWORDS}


def alias(word: str) -> str:
    """Return the form under which a lower-case word is compared ("american" → "u.s")."""
    return _ALIASES.get(word, word)
