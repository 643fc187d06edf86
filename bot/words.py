"""What is read off the surface of English text: names, numbers, content words, spelling."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
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
    "Governor Mayor Professor Captain Colonel Secretary Ambassador Envoy Chief Judge CEO "
    "Chairman Chairwoman Director Prince Princess".split()
)
"""Words that stand before a name and are none themselves."""

_NO_NAMES = STOPWORDS | frozenset(
    "who what when where why how which whose whom is are did does tell explain list "
    "describe hence thus meanwhile today yesterday tomorrow afterwards later earlier instead "
    "despite although though unlike since as yet eventually finally initially recently currently "
    "previously reportedly apparently ultimately subsequently".split()
)
IRREGULAR = (
    "told|left|won|lost|made|took|gave|went|came|met|led|held|kept|knew|saw|found|thought|put|sold|"
    "bought|built|began|broke|chose|drew|drove|fell|felt|flew|fought|got|grew|heard|hid|hit|let|"
    "meant|paid|ran|rose|sang|sank|sent|set|shook|shot|shut|spent|spoke|stole|stood|struck|swore|"
    "taught|threw|understood|wore|wrote|became|brought|caught|beat"
)
"""Pattern of past tenses that do not end in "ed"."""
_WORD = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*", re.UNICODE)
_CAPITAL = f"[{''.join(c for c in map(chr, range(0x530)) if c.isupper())}]"  # to Cyrillic
_NAME = re.compile(
    rf"(?:[A-Z]\.){{2,}}|{_CAPITAL}[\w’'\-]*"
    rf"(?:\s+(?:(?:of|de|van|von|bin|al|the)\s+)?{_CAPITAL}[\w’'\-]*)*"
)
_ADVERB = re.compile(r"(?!Italy|Sicily|Emily|Kelly|Sally|Molly|Billy|Holly|Lily)\w+ly$")
_POSSESSIVE = re.compile(r"[’']s?$")
_OWNED = re.compile(r"[’']s\s+")

_SUBJECT = re.compile(
    r"^\W*(?i:what|which|why|how|when|where)\b[^,?]{0,30}?(?:\b(?:does|did|do|has|have|will|would|"
    rf"can|could|should|is|are|was)|[’']s)\s+(?P<name>(?:the )?{_CAPITAL}[\w.’'-]*"
    rf"(?:\s{_CAPITAL}[\w.’'-]*)*)\s+\w",
)

UNITS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
"""Number words up to "ninety" with their values."""
TO_TWELVE = {word: value for word, value in UNITS.items() if 2 <= value <= 12}
"""Those from two to twelve."""
_SCALES = {
    "dozen": 12, "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "mn": 1e6,
    "billion": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12, "decade": 10, "decades": 10,
    "century": 100, "centuries": 100,
}  # fmt: skip
_CURRENCIES = {
    "$": "$", "us$": "$", "dollar": "$", "dollars": "$", "usd": "$", "€": "€", "euro": "€",
    "euros": "€", "eur": "€", "£": "£", "pound": "£", "pounds": "£", "gbp": "£", "¥": "¥",
    "yen": "¥", "₽": "₽", "ruble": "₽", "rubles": "₽", "rouble": "₽", "roubles": "₽", "₹": "₹",
    "rupee": "₹", "rupees": "₹", "%": "%", "percent": "%", "per cent": "%",
}  # fmt: skip
_TIMES = tuple("second minute hour day week month year".split())
_UNIT = (
    r"(?:[\s-]?(?P<unit>%|percent\b|per cent\b|(?:u\.?s\.? )?dollars?\b|usd\b|euros?\b|eur\b|"
    rf"pounds?\b|gbp\b|yen\b|rou?bles?\b|rupees?\b|[ap]\.?m\b\.?|(?:{'|'.join(_TIMES)})s?\b))?"
)
MOST_DIGITS = 15
"""Digits of a number that are compared; longer ones are no quantities that an article gives."""

_NUMBER = re.compile(
    r"(?P<minus>(?<![\w)%.,–—-])[-−](?=(?:US\$|[$€£¥₽₹])?\d))?(?P<sign>US\$|[$€£¥₽₹]|\b(?:USD|EUR|GBP)\b)?\s?"
    r"(?P<digits>\d{1,3}(?:[,\u202f ]\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<ordinal>(?:st|nd|rd|th)\b)?"
    r"(?:[\s-]?(?P<scale>dozen|hundred|thousand|million|billion|trillion|mn|bn|tn|decades|centuries)\b|"
    rf"(?P<letter>[mkb])\b)?{_UNIT}",
    re.IGNORECASE,
)
_MANY = re.compile(
    r"\s(?!hurdles|sprints|races|dives|runs)(?:people|men|women|children|\w{3,}s\b)", re.I
)
"""After the "m" or "k" of a number that is no sum: "10m people", but "the 400m race"."""
SPELLED = "|".join(UNITS)
"""Pattern of a number word up to "ninety", but for the hyphened ones, which it begins."""
_GREAT = "dozen|hundred|thousand|million|billion|trillion|decades?|century|centuries"
_WORDED = re.compile(
    rf"\b(?P<words>(?:a[\s-](?:{_GREAT})|{SPELLED})\b"
    rf"(?:[\s-]+(?:(?<=hundred )and |(?<=thousand )and )?(?:{SPELLED}|{_GREAT})\b)*)"
    rf"(?!-(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)\b){_UNIT}",
    re.IGNORECASE,
)
_GREATER = "hundred|thousand|million|billion|trillion|dozen"
_SHARE = re.compile(
    r"\b(?P<share>half|(?P<many>a |one |three )?quarters?(?: of)?)(?: an?)? "
    rf"(?P<great>{_GREATER})\b{_UNIT}",
    re.IGNORECASE,
)
_AND_HALF = re.compile(
    rf"\b(?:(?P<whole>\d+|{SPELLED}|an?) (?:(?P<time>{'|'.join(_TIMES)})s? )?and (?:a|one) half\b|"
    rf"(?P<digits>\d*)½)(?:[\s-](?P<great>{_GREATER})\b)?{_UNIT}",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\s?[-–—]\s?")
_ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
        "twentieth".split(),
        1,
    )
} | {"thirtieth": 30, "fortieth": 40, "fiftieth": 50, "hundredth": 100}
_ORDINAL = re.compile(
    rf"\b(?P<digits>\d+)(?:st|nd|rd|th)\b|\b(?:(?P<tens>{SPELLED})-)?(?P<word>{'|'.join(_ORDINALS)})\b",
    re.IGNORECASE,
)
_NO_RANK = re.compile(r"\b(?:an?|one|two|three|per|each|split)[ -]$", re.IGNORECASE)
"""Before "second" and fractions."""
_ISO_DATE = re.compile(r"\b\d{4}-(0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b")
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
"""The weekdays, in lower case."""
MONTHS = (
    "january february march april may june july august september october november december".split()
)
"""The months, in lower case."""
_SHORT = (
    {m[:3]: m for m in MONTHS if m != "may"}
    | {d[:3]: d for d in DAYS}
    | {"sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"}
)
_ABBREVIATED = rf"(?:{'|'.join(s.title() for s, word in _SHORT.items() if word in MONTHS)})\.?"
MONTH = (
    rf"\b(?:{'|'.join(m.title() for m in MONTHS if m != 'may')}|"
    rf"(?-i:May|{_ABBREVIATED}(?=\s\d)|(?<=\d\s){_ABBREVIATED}))(?!\w)"
)
"""Pattern of the name of a month, abbreviated too beside a number ("Aug. 15"); "May" and what is
abbreviated only with a capital, whatever the case of the rest."""
_BESIDE_MONTH = re.compile(MONTH)
_ABBREVIATION = "|".join(s.title() for s in sorted(_SHORT, key=len, reverse=True))
_SHORT_DATE = re.compile(
    rf"(?:(?<=\d )|(?<=\b[Oo]n )|(?<=\b[Ii]n ))(?:{_ABBREVIATION})\b(?!-)|"
    rf"\b(?:{_ABBREVIATION})\b(?=\.?,? \d)"
)
WEEKDAY = rf"\b(?:{'|'.join(d.title() for d in DAYS)})"
"""Pattern of the name of a weekday, after which more may follow ("Fridays")."""

_ALIASES = {
    "us": "u.s", "usa": "u.s", "u.s.a": "u.s", "america": "u.s", "american": "u.s",
    "americans": "u.s", "uk": "u.k", "britain": "u.k", "british": "u.k",
    "eu": "e.u", "un": "u.n", "kiev": "kyiv", "zelenskyy": "zelensky", "zelenskiy": "zelensky",
}  # fmt: skip
_PHRASES = {
    "united states of america": "u.s", "united states": "u.s", "great britain": "u.k",
    "united kingdom": "u.k", "european union": "e.u", "united nations": "u.n",
    "first world war": "World War I", "second world war": "World War II",
}  # fmt: skip

# "US" in capitals alone: in lower case it would be the pronoun.
_LONG_NAME = re.compile(rf"\b(?:(?i:{'|'.join(_PHRASES)})|US)\b")
_DEMONYMS = {
    "french": "france", "polish": "poland", "poles": "poland", "finnish": "finland",
    "finns": "finland", "spanish": "spain", "dutch": "netherlands", "danish": "denmark",
    "danes": "denmark", "irish": "ireland", "english": "england", "scottish": "scotland",
    "welsh": "wales", "swiss": "switzerland", "greek": "greece", "turkish": "turkey",
    "turks": "turkey", "swedish": "sweden", "swedes": "sweden", "norwegian": "norway",
    "portuguese": "portugal", "czech": "czechia",
    "german": "germany", "germans": "germany", "western": "west", "eastern": "east",
    "northern": "north", "southern": "south",
}  # fmt: skip
_DEMONYM_ENDS = ("n", "an", "ian", "ean", "i", "ish", "ese")

_stem_word = lru_cache(maxsize=50_000)(snowballstemmer.stemmer("english").stemWord)


def stem(word: str) -> str:
    """Return the stem of a lower-case word (Porter 2)."""
    return str(_stem_word(word))


_VALUES = frozenset(map(stem, (*_SCALES, *_CURRENCIES, "year", "cent")))


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, possessive endings off."""
    return [bare(w).replace("’", "'") for w in _WORD.findall(text)]


def bare(word: str) -> str:
    """Return a word in lower case, its possessive ending off."""
    return _POSSESSIVE.sub("", word.lower())


def content(text: str) -> list[str]:
    """Return the stems of a text's content words, in order."""
    return [stem(w) for w in words(text) if w not in STOPWORDS and len(w) > 1]


def names(text: str) -> list[str]:
    """Return the capitalised names in a text, in order, each once.

    Function words, adverbs and bare titles that merely stand with a capital do not count;
    initials with full stops ("U.S.") are one name.
    """
    found: dict[str, None] = {}
    said = (part for match in _NAME.finditer(text) for part in _OWNED.split(match.group()))
    for name in said:
        parts = _POSSESSIVE.sub("", name).split()
        while parts and parts[0].lower().replace("’", "'") in _NO_NAMES:
            parts = parts[1:]
        if not parts or (len(parts) == 1 and (len(parts[0]) < 2 or _ADVERB.match(parts[0]))):
            continue
        if len(parts) > 1 or parts[0] not in TITLES:
            found.setdefault(" ".join(parts))
    return list(found)


def subject(question: str) -> str:
    """Return the name of whom or what a question asks: what it does, is or says; "" for none."""
    asked = _SUBJECT.match(question)
    return asked["name"] if asked else ""


def numbers(text: str) -> set[tuple[float, str]]:
    """Return the numbers in a text as (value, unit).

    The unit is ``$ € £ ¥ ₽ ₹ %``, ``am``, ``pm``, ``second`` to ``year`` or empty. "One" alone is
    mostly a pronoun and does not count; "1st" is an ordinal (see ``ordinals``).
    """
    return {(value, unit) for _, _, value, unit in quantities(text)}


def quantities(text: str) -> list[tuple[int, int, float, str]]:
    """Return the numbers in a text with their places: (start, end, value, unit), as ``numbers``."""
    found = list(_fractions(text))
    taken = [(start, end) for start, end, _, _ in found]
    figures = [m for m in _NUMBER.finditer(text) if not (m["ordinal"] or _within(m, taken))]
    for i, match in enumerate(figures):
        value = float(re.sub(r"[,\u202f ]", "", match["digits"])[:MOST_DIGITS])
        scale = (match["scale"] or "").lower()
        if match["letter"] and (match["sign"] or match["unit"] or _MANY.match(text, match.end())):
            scale = match["letter"].lower()
        said = match["sign"] or match["unit"] or ""
        # In "$10-15 million" both have what only one shows.
        after = figures[i + 1] if i + 1 < len(figures) else None
        if after and _RANGE.fullmatch(text, match.end(), after.start()):
            scale = scale or (after["scale"] or "").lower()
            said = said or after["unit"] or ""
        before = figures[i - 1] if i else None
        if before and _RANGE.fullmatch(text, before.end(), match.start()):
            said = said or before["sign"] or ""
        unit = "year" if scale in ("decades", "centuries") else _unit(said)
        value = round(value * _SCALES.get(scale, 1.0), 6)
        found.append((*match.span(), -value if match["minus"] else value, unit))
    for match in _WORDED.finditer(text):
        if _within(match, taken):
            continue
        *earlier, last = _spelled(match["words"])
        years = re.search(r"(?:decades?|century|centuries)$", match["words"].lower())
        unit = "year" if years else _unit(match["unit"] or "")
        each = [*((v, "") for v in earlier), (last, unit)]
        found += [(*match.span(), v, u) for v, u in each if v > 1]
    return found


def _within(match: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    return any(start < match.end() and match.start() < end for start, end in spans)


def _fractions(text: str) -> Iterator[tuple[int, int, float, str]]:
    """Yield what is given in halves and quarters: "half a million", "an hour and a half"."""
    mixed = [match.span() for match in _AND_HALF.finditer(text)]
    for match in _SHARE.finditer(text):
        if _within(match, mixed):
            continue
        share = 0.5 if match["share"].lower() == "half" else 0.25
        if (match["many"] or "").lower() == "three ":
            share = 0.75
        yield *match.span(), share * _SCALES[match["great"].lower()], _unit(match["unit"] or "")
    for match in _AND_HALF.finditer(text):
        whole = (match["whole"] or match["digits"] or "0").lower()
        single = whole in ("a", "an")
        if single and not match["time"]:
            continue  # "a friend and a half"
        value = 1.0 if single else float(UNITS.get(whole, whole))
        scale = _SCALES[match["great"].lower()] if match["great"] else 1.0
        yield *match.span(), (value + 0.5) * scale, _unit(match["time"] or match["unit"] or "")


def in_terms_of(text: str, other: str) -> str:
    """Return a text with its numbers, ordinals and dates as another text writes the same ones.

    "Within twenty-four hours" in terms of "in 24 hours" is "within 24 hours".
    """
    held: dict[object, str] = {}
    for start, end, key in _valued(other):
        held.setdefault(key, other[start:end].strip())
    for start, end, key in sorted(_valued(text), key=lambda v: v[:2], reverse=True):
        own = re.escape(text[start:end].strip())
        if key in held and not re.search(rf"(?<!\w){own}(?!\w)", other):
            space = text[start:end][: len(text[start:end]) - len(text[start:end].lstrip())]
            text = text[:start] + space + held[key] + text[end:]
    return text


def _valued(text: str) -> list[tuple[int, int, object]]:
    """Return the places of what is compared by value, without overlaps, and the values."""
    found: list[tuple[int, int, object]] = []
    places = Counter((start, end) for start, end, _, _ in quantities(text))
    for start, end, value, unit in quantities(text):
        if places[start, end] == 1:
            found.append((start, end, (value, unit)))
    for match in _ORDINAL.finditer(text):
        if _NO_RANK.search(text, 0, match.start()):
            continue
        rank = float(ordinals(match.group()).pop())
        day = match["digits"] and _BESIDE_MONTH.search(
            text[max(0, match.start() - 12) : match.end() + 12]
        )
        found.append((*match.span(), (rank, "") if day else ("rank", rank)))
    full = (m for m in re.finditer(r"[^\W\d_]+", text) if m.group().lower() in (*DAYS, *MONTHS))
    found += [(*m.span(), m.group().lower()) for m in full if dates(m.group())]
    found += [(*m.span(), _SHORT[m.group().lower()]) for m in _SHORT_DATE.finditer(text)]
    kept: list[tuple[int, int, object]] = []
    for start, end, key in sorted(found, key=lambda v: (v[0], -v[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, key))
    return kept


def _unit(said: str) -> str:
    """Return the sign of a currency, "%", half of the day, unit of time, or nothing."""
    low = said.lower()
    if (half := low.replace(".", "")) in ("am", "pm"):
        return half
    time = low.removesuffix("s")
    return time if time in _TIMES else _CURRENCIES.get(low, _CURRENCIES.get(low.split(" ")[-1], ""))


def _spelled(phrase: str) -> list[float]:
    """Return the values of a run of number words: one of "two hundred and fifty"."""
    values: list[float] = []
    total, group, last = 0.0, 0.0, math.inf
    for part in re.split(r"[\s-]+", phrase.lower()):
        if part in UNITS:
            value = UNITS[part]
            if last < 100 and not (last >= 20 and value < 10):  # "two four": another number
                values.append(total + group)
                total = group = 0.0
            group += value
            last = value
        elif part in _SCALES:
            scale = float(_SCALES[part])
            if scale <= 100:
                group = max(group, 1.0) * scale
            else:
                total, group = total + max(group, 1.0) * scale, 0.0
            last = scale
    return [*values, total + group]


def ordinals(text: str) -> set[int]:
    """Return the ordinal numbers in a text: "first", "21st", "twenty-first"."""
    return {
        int(m["digits"][:MOST_DIGITS])
        if m["digits"]
        else UNITS.get((m["tens"] or "").lower(), 0) + _ORDINALS[m["word"].lower()]
        for m in _ORDINAL.finditer(text)
    }


def dates(text: str) -> set[str]:
    """Return the weekdays and months named in a text, in full and in lower case.

    "May" and "March" count only where they are capitalised; abbreviations only so and beside a
    number or after "on" or "in": the Sun is no Sunday.
    """
    found = {MONTHS[int(m[1]) - 1] for m in _ISO_DATE.finditer(text)}
    for word in re.findall(r"[^\W\d_]+", text):
        lower = word.lower()
        if lower in ("may", "march") and not word[0].isupper():
            continue
        if lower in DAYS or lower in MONTHS:
            found.add(lower)
    found |= {_SHORT[m.group().lower()] for m in _SHORT_DATE.finditer(text)}
    return found


def fold(text: str) -> str:
    """Return a text with its long names, and dates in figures, in the form that they are compared.

    "United States" and "US" give "U.S", 2025-08-15 gives "August 15, 2025".
    """
    text = _ISO_DATE.sub(_in_words, text)
    return _LONG_NAME.sub(lambda m: _PHRASES.get(m.group().lower(), "U.S"), text)


def _in_words(date: re.Match[str]) -> str:
    year, month, day = date.group().split("-")
    return f"{MONTHS[int(month) - 1].title()} {int(day)}, {year}"


def canonical(text: str) -> set[str]:
    """Return the words of a text in lower case, the aliases of some names folded into one.

    Compounds are there whole and in parts ("russia-u.s", "russia", "u.s").
    """
    whole = [w for w in words(fold(text)) if w not in STOPWORDS]
    return {alias(w) for word in whole for w in (word, *word.split("-")) if w not in STOPWORDS}


def alias(word: str) -> str:
    """Return the form under which a lower-case word is compared ("american" → "u.s")."""
    return _ALIASES.get(word, word)


def is_value(word: str) -> bool:
    """Whether a word, or a stem, belongs to a number or date, which are compared by value."""
    if word in _VALUES or word in _SHORT or any(ch.isdigit() for ch in word):
        return True
    return bool(numbers(word) or dates(word.title()))


def same_name(one: str, other: str) -> bool:
    """Whether two lower-case words name the same: equal, or a country and its people."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if _DEMONYMS.get(one) == other or _DEMONYMS.get(other) == one:
        return True
    if long.endswith("s") and same_name(short, long[:-1]):
        return True
    bases = {short, short[:-1]} if short[-1:] in ("a", "e", "y") else {short}
    return len(short) > 3 and any(long == b + end for b in bases for end in _DEMONYM_ENDS)
