"""What a claim says and its evidence does not, as far as the surface of both shows it.

Models of relevance are blind to these: a number, a date or a name that is another one, a "not" that
came in, one who did it in the place of the one to whom it was done, a single word exchanged.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import combinations

from bot.mentions import Mentions, name_parts, plain
from bot.words import (
    IRREGULAR,
    SPELLED,
    STOPWORDS,
    alias,
    bare,
    canonical,
    content,
    dates,
    fold,
    is_value,
    names,
    numbers,
    ordinals,
    quantities,
    same_name,
    stem,
    words,
)

NEGATED = 2
"""Content words after a "not" that it denies ("is not set to attend")."""

SLOT = 4
"""Words at most that stand in the place of others between words that both texts share."""

ANCHOR = 2
"""Words that both texts share on each side of such a place, where they do not begin or end."""

ALIGNED = 20_000
"""Pairs of equal words up to which two texts are laid side by side; it takes a second."""

REMEMBERED = 512
"""Texts whose words are remembered."""

YEARS = (1_200, 2_100)
"""Numbers that are shown as years are, but for the round ones."""

APART = 7
"""Words at most between two names that are taken for doer and done to."""

FAR = 150
"""Characters at most between them."""

BOUNDED = 1.5
"""Times that a number may be one that it bounds ("more than $60 million" of $67 million)."""

ROUGH = 0.05
"""Share by which a number may miss another one that is given roughly ("about 300" of 297)."""

COUNTED = 12
"""Highest number that the items of a list may stand for ("four regions")."""

_HYPHENS = str.maketrans("\u2010\u2011\u2212", "---")
_NOT = re.compile(
    r"\b(?:not(?! only| just)|never|no(?! to\b)|nor|neither|none|nobody|hardly|barely|scarcely|"
    r"cannot|without|unable|fail(?:s|ed|ing)?|"
    r"refus(?:es|ed|e|ing)|lack(?:s|ed|ing)?)\b|n['’]t\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:.!?()«»“”\"–—]\s|[;:()«»“”\"–—]|\b(?:but|because|although|while)\b")
_OPENING = re.compile(
    r"\W*(?P<name>[^\W\d_][\w’'.\-]*?)(?P<own>['’]s)?(?:\s+(?P<next>[^\W\d_][\w’'\-]*))?(?=\W|$)"
)
# A word that opens a sentence without an article, before a verb of the third person: a name, or one
# of the nouns that take no article.
_VERB = re.compile(
    r"(?:is|was|has|had|will|would|can|could|may|might|should|must|does|did|said|says|"
    rf"{IRREGULAR})$|\w{{2,}}ed$"
)
_COMMON = re.compile(
    r"(?!beijing|boeing|italy|sicily).{3,}(?:ing|[st]ion|ment|ity|ness|ism|[ae]nce|ship|ly|body|one)$|"
    r"(?:peace|war|today|tomorrow|yesterday|tonight|half|everywhere|nobody|none|another|work|trade|"
    r"people|police|women|men|children|mice|teeth|sheep|cattle|oil|gas|staff|aid|traffic|demand|"
    r"rent|love|water|food|money|rain|snow|power|data|news|crime|heat|fire|turnout|support|access|"
    r"pressure|progress|growth|hope|fear|anger|interest|life|death|time|land|coal|steel|wheat|"
    r"grain|corn|fish|beef|milk|bread|wine|beer|coffee|tea|sugar|salt|gold|silver|iron|wood|paper|"
    r"glass|cotton|wool|music|art|law|tax|debt|credit|cash|income|profit|output|supply|stock|"
    r"public|press|media|research|health|housing|weather|wind|smoke|dust|ice|light|sound|noise|"
    r"heavy|early|many|much|new|old|young|big|small|large|great|high|low|long|short|hot|cold|dry|"
    r"wet|good|bad|strong|weak|rich|poor|free|full|local|regional|national|foreign|around|about|"
    r"nearly|almost|roughly|over|under|some|few|both|all|most|each|every|one|two|three|four|five|"
    r"six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|dozens|hundreds|thousands|"
    r"millions|torrential|severe|fresh|further|recent|current|former|senior|top|key|major)$"
)
_NATION = re.compile(r"\w{3,}(?:ean|ian|can|ese)$")
_ITEM = r"(?<!\w)(?:the )?[A-Z][\w.’'-]*(?: (?:of |de )?[A-Z][\w.’'-]*){0,3}"
_LIST = re.compile(rf"{_ITEM}(?P<items>(?:, {_ITEM})+),? (?:and|or) (?=(?:the )?[A-Z])")
_PAIR = re.compile(rf"{_ITEM} and (?:the )?[A-Z]")
_TOKEN = re.compile(r"(?P<not>n['’]t\b|(?<=\bcan)not\b)|[^\W_]+?(?=n['’]t\b|(?<=\bcan)not\b)|"
                    r"[^\W_]+(?:['’.\-][^\W_]+)*")  # fmt: skip
_WORDED_NAME = re.compile(rf"(?:half|{SPELLED})-[a-z]", re.IGNORECASE)
_BEARING = re.compile(
    r"(?:new|north|northern|south|southern|east|eastern|west|western|great|central|upper|lower)$"
)
_AFTER = re.compile(r"(?:city|jr|sr|inc|ltd|corp|plc|co)$")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?$")
_INITIALS = re.compile(r"(?:[A-Z]\.)+[A-Z]")
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400, "week": 604_800}
_MONTHS = {"month": 1, "year": 12}
_SINGLE = re.compile(rf"\b(?:an?|one) (?P<unit>{'|'.join((*_SECONDS, *_MONTHS))})\b", re.IGNORECASE)
_DAY_OF_MONTH = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th)\b")
_DOUBLE = re.compile(r"\b(?:no|not|never|nobody|none|nothing|cannot)\b[^.;]*\bwithout\b", re.I)
_DENIALS = frozenset("not never no nor neither none nobody hardly barely scarcely".split())
_PASSIVE = re.compile(r"\bby\s+(?:\w+\s+){0,3}$")
_BREAK = re.compile(r"[,;:.!?()«»“”\"–—](?=\s)")
_MUTUAL = re.compile(
    r"(?:meet|met|talk|agre|discuss|togeth|join|marri|border|share|trade|"
    r"fight|fought|speak|spoke|phone|neighbo|ally|alli|play|compet|face$|clash|merg|cooperat|"
    r"collaborat)"
)
_WITH = re.compile(r"\bwith\b")
_SEASON = re.compile(
    r"\b(?:summer|winter|autumn|(?<=\bin )spring|(?<=\bthis )spring|(?<=\blast )spring|"
    r"(?<=\bnext )spring)\b",
    re.IGNORECASE,
)
_OVER = r"more than|over|above|at least|no (?:less|fewer) than|exceed(?:s|ed|ing)?|upwards of"
_UNDER = "less than|fewer than|under|below|at most|up to|no more than|within|nearly|almost"
_ROUGHLY = re.compile(
    rf"\b(?:(?P<over>{_OVER})|(?P<under>{_UNDER})|"
    r"about|around|roughly|approximately|some|close to|an estimated)\W*$",
    re.IGNORECASE,
)
_TWO = re.compile(r"\b(?:couple|pair|both|twins?|duo)\b", re.IGNORECASE)
_CENTURY = re.compile(r"\bcentur(?:y|ies)\b", re.IGNORECASE)
_NOUN = re.compile(r"(?:['’]s?|\b(?:the|an?|his|her|its|their|of|no))\s+(?:\w+\s+)?$")
_ROUTE = re.compile(r"\bfrom (?P<start>[A-Z]\w+) (?:\w+ ){0,2}?to (?P<end>[A-Z]\w+)")
_UNIVERSAL = re.compile(
    r"\b(?:all|every|each|everyone|everybody|everything|always|entire(?:ly)?|whole|both|none|"
    r"nobody|nothing|no one|any(?:one|body|thing)?|complete(?:ly)?|full(?:y)?|total(?:ly)?|"
    r"unconditional(?:ly)?|never|no|only|nobody but)\b",
    re.IGNORECASE,
)
_CLAIMED_ALL = re.compile(
    r"\b(?<!in )(?<!not )(?<!after )(?<!above )(?<!first of )(?<!at )"
    r"(?P<word>all|every|each|everyone|everybody|everything|always)\b"
    r"(?! (?:in all|over|along|but|at once|other|spring|summer|autumn|winter|year|month|week|day|"
    r"morning|night|time)\b)",
    re.IGNORECASE,
)
_PARTIAL = re.compile(
    r"\b(?P<word>some|most|many|several|few|a few|part|partly|sometimes|often|mostly|half|"
    r"majority|a number)\b",
    re.IGNORECASE,
)
_BOUNDS = re.compile(
    rf"\b(?:(?P<over>{_OVER}|beyond)|(?P<under>{_UNDER}))"
    r"\s(?:\w+\s){0,2}?(?=[\d$€£¥]|[a-z]+)",
    re.IGNORECASE,
)
_PAIRS = (
    "more less, more fewer, most least, higher lower, highest lowest, larger smaller, "
    "largest smallest, bigger smaller, biggest smallest, longer shorter, longest shortest, older "
    "younger, oldest youngest, earlier later, earliest latest, faster slower, stronger weaker, "
    "better worse, best worst, increase decrease, rise fall, rose fell, grow shrink, grew shrank, "
    "gain lose, gained lost, win lose, won lost, before after, above below, north "
    "south, northern southern, accept reject, agree refuse, allow forbid, allow ban, admit deny, "
    "confirm deny, support oppose, begin end, start finish, start end, open close, buy sell, "
    "bought sold, include exclude, majority minority, maximum minimum, legal illegal, success "
    "failure, succeed fail, succeeded failed, always never, release capture, praise criticise, "
    "praise criticize, optimistic pessimistic, positive negative, public private, arrive leave, "
    "arrived left, join leave, joined left, hire fire, enemy ally, for against"
)
_OPPOSITES: dict[str, set[str]] = {}
for _pair in _PAIRS.split(", "):
    _one, _other = map(stem, _pair.split())
    _OPPOSITES.setdefault(_one, set()).add(_other)
    _OPPOSITES.setdefault(_other, set()).add(_one)


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found on the surface of a claim and its evidence.

    Attributes:
        missing: a line for each number, date or name that is not there.
        swapped: a line where a name stands in another's place that is there too: who and whom.
        exchanged: a line where one word stands in another's place.
        denied: a line where one of the two denies what the other says.
        stretched: a line where the claim says more, or the opposite, in degree or in number
            ("all", "more than").
        share: share of the claim's content words that are in the evidence, from 0 to 1.
        least: that share in the clause of the claim where it is the lowest.
    """

    missing: tuple[str, ...]
    swapped: tuple[str, ...]
    exchanged: tuple[str, ...]
    denied: tuple[str, ...]
    stretched: tuple[str, ...]
    share: float
    least: float

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines, each once, the surest first."""
        found = (*self.missing, *self.swapped, *self.exchanged, *self.denied, *self.stretched)
        return tuple(dict.fromkeys(found))


def check(claim: str, evidence: str, context: str = "") -> Checks:
    """Compare a claim with its evidence.

    Args:
        claim: a sentence.
        evidence: the text that should carry it.
        context: what stands before the evidence, where that leans on it ("It insists …"): names
            may be found there as well.
    """
    claim, evidence, context = (text.translate(_HYPHENS) for text in (claim, evidence, context))
    aligned, roles = _Aligned(claim, evidence), _Roles(claim, evidence)
    share = share_of(claim, evidence, context)
    clauses = [c for c in _CLAUSE.split(claim) if len(content(c)) > 1]
    least = min((share_of(c, evidence, context) for c in clauses), default=share)
    missing = tuple(dict.fromkeys(_missing(claim, evidence, context, aligned)))
    told = {line.rpartition("not ")[2] for line in missing}
    swapped = (
        *_renamed(aligned, roles),
        *roles.swapped(),
        *_routes(claim, evidence),
    )
    return Checks(
        missing,
        tuple(x for x in dict.fromkeys(swapped) if x.rpartition("not ")[2] not in told),
        tuple(dict.fromkeys(_exchanged(aligned))),
        tuple(dict.fromkeys(_denied(claim, evidence, aligned))),
        tuple(dict.fromkeys(_stretched(claim, evidence, aligned))),
        share,
        min(least, share),
    )


# -- two texts laid side by side --


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    key: str


class _Aligned:
    """The words of a claim laid along those of its evidence.

    Attributes:
        claim: the words of the claim.
        evidence: the words of the evidence.
        slots: what differs between words that both share: the claim's and the evidence's.
    """

    def __init__(self, claim: str, evidence: str) -> None:
        self._texts = claim, evidence
        self.claim, self.evidence = _tokens(claim), _tokens(evidence)
        ours, theirs = [t.key for t in self.claim], [t.key for t in self.evidence]
        often = Counter(theirs)
        alike = sum(often[key] for key in ours) <= ALIGNED
        matcher = SequenceMatcher(None, ours, theirs, autojunk=False) if alike else None
        self.slots = list(self._slots(matcher.get_opcodes() if matcher else []))

    def _slots(
        self, steps: Sequence[tuple[str, int, int, int, int]]
    ) -> Iterator[tuple[list[_Token], list[_Token]]]:
        """Yield what differs between words that both share: the claim's and the evidence's."""
        for i, (kind, a, b, c, d) in enumerate(steps):
            if kind == "equal" or b - a > SLOT or d - c > SLOT:
                continue
            before = steps[i - 1] if i else None
            after = steps[i + 1] if i + 1 < len(steps) else None
            # A text's own beginning or end is as good as shared words.
            held = all(
                one is None or one[2] - one[1] >= ANCHOR or one[1] == 0 or one[2] == len(self.claim)
                for one in (before, after)
            )
            if held and (before or after):
                yield self.claim[a:b], self.evidence[c:d]

    def two_names(self, ours: Sequence[_Token], theirs: Sequence[_Token]) -> tuple[str, str] | None:
        """Return the names of two stretches that hold one each, which are no dates.

        Any word has a capital where a sentence opens: neither "Troops" nor "Soldiers" is a name.
        """
        one, other = names(_said(ours)), names(_said(theirs))
        if len(one) != 1 or len(other) != 1 or dates(one[0]) or dates(other[0]):
            return None
        claim, evidence = self._texts
        if _is_named(one[0], claim, evidence) and _is_named(other[0], evidence, claim):
            return one[0], other[0]
        return None


def _tokens(text: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(fold(text)):
        word = bare(match.group())
        key = "not" if match["not"] else alias(word)
        dot = "." if _INITIALS.fullmatch(match.group()) else ""
        found.append(_Token(match.group() + dot, key if key == alias(word) != word else stem(key)))
    return found


def _said(tokens: Sequence[_Token]) -> str:
    return " ".join(t.text for t in tokens)


# -- numbers, dates, names --


def _missing(claim: str, evidence: str, context: str, aligned: _Aligned) -> Iterator[str]:
    """Yield a line for each number, date and name of the claim that the evidence lacks."""
    held = numbers(evidence) | {(1.0, m["unit"].lower()) for m in _SINGLE.finditer(evidence)}
    ranks, own = ordinals(fold(evidence)), ordinals(fold(claim))
    values = {value for value, _ in held} | _days(evidence)
    spans = {_span(*one) for one in held} - {None}
    counts = _counts(evidence) | ({2.0} if _TWO.search(evidence) else set())
    days = _days(claim)
    for value, unit in sorted(numbers(claim)):
        if _span(value, unit) in spans or (not unit and value in counts):
            continue
        if _about(value, unit, claim, held):
            continue
        if value not in values:
            if other := _other_value(value, unit, held, aligned):
                yield f"the article says {other}, not {_show(value, unit)}"
            else:
                yield f"the article does not give the number {_show(value, unit)} there"
        elif unit and (value, unit) not in held and any(v == value and u for v, u in held):
            yield f"the article gives {_show(value, '')} in another unit there"
    yield from _single(aligned)
    for rank in sorted(own):
        # "First" is often said in other words ("inaugural"): it is wrong only beside another.
        there = rank in ranks or (rank in days and rank in values)
        if _CENTURY.search(claim):
            there |= any(YEARS[0] <= v <= YEARS[1] and (v - 1) // 100 + 1 == rank for v in values)
        if not there and (rank > 1 or ranks - own):
            yield f"the article does not give the rank {rank} there"
    known = dates(evidence)
    for date in sorted(dates(claim) - known):
        like_it = [d for d in known if d.endswith("day") == date.endswith("day")]
        if len(like_it) == 1:
            yield f"the article says {like_it[0].capitalize()}, not {date.capitalize()}"
        else:
            yield f"the article does not name {date.capitalize()} there"
    ours, theirs = ({m.group().lower() for m in _SEASON.finditer(t)} for t in (claim, evidence))
    if ours and theirs and not ours & theirs:
        yield f"the article says {min(theirs)}, not {min(ours)}"
    held_words = canonical(evidence) | canonical(context)
    opening = _OPENING.match(claim)
    first = opening["name"] if opening else ""
    for name in names(claim):
        if not re.search(rf"(?<!\w){re.escape(name)}", claim):
            continue  # within a word
        if _WORDED_NAME.match(name):
            continue
        missing = [w for w in _parts(name) if not _held(w, held_words)]
        if not missing or _called(name, missing, f"{context} {evidence}"):
            continue
        described, *rest = name.split()  # "Statistician Walter Willcox" of Walter Willcox
        if name.startswith(first) and missing == [described.lower()] and len(rest) > 1:
            continue
        if name != first or _is_name(claim, evidence):
            other = _instead(missing, aligned)
            unlike = " ".join(w for w in name.split() if canonical(w) & set(missing)) or name
            if other:
                yield f"the article says {other}, not {unlike}"
            else:
                yield f"the article does not name {name} there"


def _single(aligned: _Aligned) -> Iterator[str]:
    """Yield a line where the claim says one and the evidence several, or another unit of time."""
    for ours, theirs in aligned.slots:
        one, other = ([t.text.lower() for t in side] for side in (ours, theirs))
        said = sorted(value for value, _ in numbers(_said(theirs)) if value > 1)
        if one in (["a"], ["an"], ["one"], ["single"], ["a", "single"]) and len(said) == 1:
            yield f"the article says {_show(said[0], '')}, not one"
        units = [word[0].removesuffix("s") for word in (one, other) if len(word) == 1]
        if len({*units} & {*_SECONDS, *_MONTHS}) == len(units) == 2:
            yield f"the article says {other[0]}, not {one[0]}"


def _about(value: float, unit: str, claim: str, held: set[tuple[float, str]]) -> bool:
    """Whether the claim gives a number as a bound, or roughly, and the evidence one that fits."""
    said = next((m for m in quantities(claim) if m[2:] == (value, unit)), None)
    match = _ROUGHLY.search(claim[: said[0]]) if said else None
    if not match:
        return False
    low = value if match["over"] else value / BOUNDED if match["under"] else value * (1 - ROUGH)
    high = value if match["under"] else value * BOUNDED if match["over"] else value * (1 + ROUGH)
    return any(low <= other <= high for other, of in held if of == unit)


def _days(text: str) -> set[float]:
    return {float(match[1]) for match in _DAY_OF_MONTH.finditer(text)}


def _other_value(value: float, unit: str, held: set[tuple[float, str]], aligned: _Aligned) -> str:
    """Return the number that stands in the evidence where this one stands in the claim."""
    for ours, theirs in aligned.slots:
        if value in _values(ours):
            there = _values(theirs)
            like = [one for one in held if one[0] in there and one[1] == unit]
            if len(like) == 1:
                return _show(*like[0])
    return ""


def _values(tokens: Sequence[_Token]) -> set[float]:
    """Return the numbers among tokens, which have lost the sign of a currency: "12m" is either."""
    said = _said(tokens)
    return {value for value, _ in numbers(said) | numbers(f"${said}")}


def _instead(missing: Sequence[str], aligned: _Aligned) -> str:
    """Return the name that stands in the evidence where these words stand in the claim."""
    for ours, theirs in aligned.slots:
        found = names(_said(theirs))
        if any(w in t.text.lower() for w in missing for t in ours) and found:
            return found[0]
    return ""


def _span(value: float, unit: str) -> tuple[str, float] | None:
    """Return a stretch of time in its smallest unit: 24 hours and a day are the same."""
    if unit in _SECONDS:
        return "second", value * _SECONDS[unit]
    return ("month", value * _MONTHS[unit]) if unit in _MONTHS else None


def _counts(text: str) -> set[float]:
    """Return what the lists of names of a text may be counted as: all of them, or all but one.

    That is nothing where the text counts something itself.
    """
    found: set[float] = set()
    for match in _LIST.finditer(" ".join(text.split())):
        count = match["items"].count(",") + 2
        found |= {float(count), float(max(count - 1, 3))}
    if _PAIR.search(text):
        found.add(2.0)
    if any(not unit and value <= COUNTED for value, unit in numbers(text)):
        return set()
    return {c for c in found if 2 <= c <= COUNTED}


def _called(name: str, missing: Sequence[str], text: str) -> bool:
    """Whether a text calls what has this name by a part of it, or spells it another way.

    "Putin" stands for Vladimir Putin where the text gives no other first name.
    """
    short = _initials(name)
    if _DOTTED.match(name):
        letters = r"\.?\s?".join(re.findall(r"\w", name))
        return bool(re.search(rf"\b{letters}\b", text))
    if Mentions((text,)).share(name) == 1.0 or (short and re.search(rf"\b{short}\b", text)):
        return True
    rest = [p for p in _parts(name) if p not in missing]
    if all(_AFTER.match(word) for word in missing):
        return True  # "New York City" is called New York
    if not rest or " of " in name or any(_BEARING.match(word) for word in missing):
        return False  # neither Mexico for New Mexico nor Norway for the Bank of Norway
    fuller = [n for n in names(text) if len(_parts(n)) > 1]
    return not any(_held(p, canonical(n)) for p in rest for n in fuller)


def _initials(name: str) -> str:
    """Return the abbreviation that a name of three or more words may have; else nothing."""
    letters = [word[0] for word in name.split() if word[0].isupper() and word != "The"]
    return "".join(letters) if len(letters) > 2 else ""


def _parts(name: str) -> list[str]:
    """Return the words of a name that must be found: no titles, numbers, dates or small words."""
    return [
        p for p in name_parts(name) if not is_value(p) and not (_DOTTED.match(p) and " " in name)
    ]


def _held(word: str, held: set[str]) -> bool:
    own = stem(word)
    return word in held or any(own == stem(h) or same_name(word, h) for h in held)


def _is_name(claim: str, evidence: str) -> bool:
    """Whether the word that opens a claim, where any word has a capital, is a name nevertheless."""
    opening = _OPENING.match(claim)
    if not opening:
        return False
    name, after = opening["name"], opening["next"] or ""
    if not name.islower() and any(ch.isupper() for ch in name[1:]):
        return True  # "NATO", "U.S."
    if _COMMON.match(name.lower()):
        return False
    several = name.endswith("s") and not re.fullmatch(r"is|was|has|\w+s", after)
    other = rf"(?<!\w)(?!{re.escape(name)}\b)[A-Z]\w+\W+{re.escape(after)}\b"
    acts = _VERB.match(after) or re.fullmatch(r"\w{2,}s", after)
    speaks = f"{name}:" in claim and re.match(r"\W*[A-Z][\w.]*:", evidence)
    if (acts and not several and re.search(other, evidence)) or speaks:
        return True  # "France denies" of "Russia denies"
    if opening["own"] or _NATION.match(name.lower()):
        return True
    singular = not name.endswith("s") or after in ("is", "was", "has")
    return singular and bool(_VERB.match(after) or (after == "and" and _named_next(claim, opening)))


def _is_named(name: str, text: str, other: str) -> bool:
    """Whether a capitalised stretch of a text is a name, and not just what opens a sentence."""
    if " " in name or re.search(rf"[^\s.!?:«“\"][»”\")]?\s+[«“\"(]?{re.escape(name)}\b", text):
        return True
    opens = re.search(rf"{re.escape(name)}\b", text)
    return opens is not None and _is_name(text[opens.start() :], other)


def _named_next(claim: str, opening: re.Match[str]) -> bool:
    return claim[opening.end() :].lstrip()[:1].isupper()


def _show(value: float, unit: str) -> str:
    number = f"{value:,.0f}" if value.is_integer() else f"{value:,}"
    if not unit and value % 100 and value.is_integer() and YEARS[0] <= value <= YEARS[1]:
        number = f"{value:.0f}"
    if len(unit) > 1:
        return f"{number} {unit}s"
    return f"{number}%" if unit == "%" else f"{unit}{number}"


# -- words exchanged, who and whom --


def _renamed(aligned: _Aligned, roles: _Roles) -> Iterator[str]:
    """Yield a line for each name in the place of another one, between words that both share."""
    for ours, theirs in aligned.slots:
        pair = aligned.two_names(ours, theirs)
        if pair and not (_same(*pair) or roles.agree(*pair)):
            yield f"the article says {pair[1]}, not {pair[0]}"


def _exchanged(aligned: _Aligned) -> Iterator[str]:
    """Yield a line for each word in the place of another, between words that both share."""
    held = {t.key for t in aligned.evidence}
    said = {t.key for t in aligned.claim}
    for ours, theirs in aligned.slots:
        new = [t for t in ours if _matters(t) and t.key not in held]
        lost = [t for t in theirs if _matters(t) and t.key not in said]
        if not (new and lost) or abs(len(new) - len(lost)) > 1 or len(new) > 2:
            continue
        named = aligned.two_names(ours, theirs)
        if named or any(same_name(n.key, t.key) for n in new for t in lost):
            continue
        yield f"the article says “{_said(lost)}”, not “{_said(new)}”"


def _same(one: str, other: str) -> bool:
    if one in (_initials(other), other) or other == _initials(one):
        return True
    if plain(one).replace(" ", "") == plain(other).replace(" ", ""):
        return True  # "J.K." and "J. K."
    held = {form for part in canonical(other) for form in (part, plain(part))}
    return any(_held(part, held) or plain(part) in held for part in canonical(one))


def _matters(token: _Token) -> bool:
    word = token.text.lower()
    unit = any(unit for _, unit in numbers(f"2 {word}"))
    return word not in STOPWORDS and not unit and not is_value(word)


class _Roles:
    """Who does what to whom in a claim and in its evidence, as word order shows it."""

    def __init__(self, claim: str, evidence: str) -> None:
        self._ours, self._theirs = _Order(claim), _Order(evidence)

    def swapped(self) -> Iterator[str]:
        """Yield a line where two names stand around the same verb the other way round."""
        shown = self._ours.shown
        for one, other in combinations([n for n in self._ours.names if n in self._theirs.names], 2):
            mine, held = self._ours.roles(one, other), self._theirs.roles(one, other)
            verbs = [v for v in mine if v in held and not _MUTUAL.match(v)]
            if verbs and not any(mine[v] & held[v] for v in verbs):
                yield (
                    f"the article says it the other way round of {shown[one]} and {shown[other]}"
                )

    def agree(self, one: str, other: str) -> bool:
        """Whether two names have the same parts in both texts, or do the same to each other."""
        keys = [[stem(w) for w in canonical(name)] for name in (one, other)]
        for a in keys[0]:
            for b in keys[1]:
                if not all(
                    n in order.names for n in (a, b) for order in (self._ours, self._theirs)
                ):
                    continue
                mine, held = self._ours.roles(a, b), self._theirs.roles(a, b)
                if any(mine[v] & held[v] or _MUTUAL.match(v) for v in mine if v in held):
                    return True
        return False


class _Order:
    """Where names and other content words stand in a text, and who comes before whom."""

    def __init__(self, text: str) -> None:
        self.text = fold(text)
        self.shown: dict[str, str] = {}
        self._at: dict[str, list[int]] = {}
        self._verbs: list[tuple[int, str]] = []
        named = {w for n in names(self.text) for w in canonical(n)}
        for match in _TOKEN.finditer(self.text):
            word = alias(bare(match.group()))
            if word in named and match.group()[:1].isupper():
                key = stem(word)
                self._at.setdefault(key, []).append(match.start())
                self.shown.setdefault(key, match.group())
            elif word not in STOPWORDS and not is_value(word):
                self._verbs.append((match.start(), stem(word)))
        self._places = [at for at, _ in self._verbs]
        self.names = list(self._at)

    def roles(self, one: str, other: str) -> dict[str, set[bool]]:
        """Return for the verb after the earlier of two names whether ``one`` acts in it."""
        found: dict[str, set[bool]] = {}
        for a in self._at[one]:
            for b in self._at[other]:
                low, high = min(a, b), max(a, b)
                if high - low > FAR:
                    continue
                if _BREAK.search(self.text, low, high) or self.text.count(" ", low, high) > APART:
                    continue
                passive = bool(_PASSIVE.search(self.text[low:high]))
                first, last = bisect(self._places, low), bisect_left(self._places, high)
                between = self._verbs[first:last]
                if between and not _NOUN.search(self.text, 0, between[0][0]):
                    acts = found.setdefault(between[0][1], set())
                    acts.add((a < b) != passive)
                    if _WITH.search(self.text, low, high):
                        acts.add((a < b) == passive)  # they did it together
        return found


def _routes(claim: str, evidence: str) -> Iterator[str]:
    """Yield a line where a way is gone in the other direction: from A to B, from B to A."""
    held = {(m["start"], m["end"]) for m in _ROUTE.finditer(evidence)}
    for match in _ROUTE.finditer(claim):
        start, end = match["start"], match["end"]
        if (end, start) in held and (start, end) not in held:
            yield f"the article says from {end} to {start}, not from {start} to {end}"


# -- denial, degree, number --


def _denied(claim: str, evidence: str, aligned: _Aligned) -> Iterator[str]:
    """Yield a line where one of two texts denies what the other affirms."""
    for ours, theirs in aligned.slots:
        added = [t.key for t in ours if t.key in _DENIALS]
        lost = [t.key for t in theirs if t.key in _DENIALS]
        if bool(added) != bool(lost) and len(ours) + len(theirs) <= SLOT:
            side = "does not say “not” there" if added else "says “not” there"
            yield f"the article {side}"
    if _DOUBLE.search(claim) or _DOUBLE.search(evidence):
        return  # "no peace without" affirms
    said, held = _polarity(claim), _polarity(evidence)
    shared = [word for word in said if word in held]
    if any(True in said[word] and True in held[word] for word in shared):
        return  # both deny it, though perhaps not in the same words
    word = next((word for word in shared if not said[word] & held[word]), "")
    if word:
        yield f"only one of the two denies: {next(w for w in words(claim) if stem(w) == word)}"


def _polarity(text: str) -> dict[str, set[bool]]:
    """Return for each content word of a text whether it is denied (True) or affirmed (False)."""
    found: dict[str, set[bool]] = {}
    for clause in _CLAUSE.split(text):
        first, *rest = _NOT.split(clause)
        for word in content(first):
            found.setdefault(word, set()).add(False)
        for part in rest:
            for i, word in enumerate(content(part)):
                found.setdefault(word, set()).add(i < NEGATED)
    return found


def _stretched(claim: str, evidence: str, aligned: _Aligned) -> Iterator[str]:
    """Yield a line where the claim has the opposite of a word of the evidence, or says "all"."""
    held = {t.key: t.text for t in reversed(aligned.evidence)}  # of several the first
    ours, theirs = _beside(aligned.claim), _beside(aligned.evidence)
    slots = [({t.key for t in a}, {t.key for t in b}) for a, b in aligned.slots]
    for token in aligned.claim:
        if token.key in held:
            continue
        for other in _OPPOSITES.get(token.key, ()):
            if other not in held or other in ours:
                continue
            there = any(token.key in a and other in b for a, b in slots)
            small = {token.text.lower(), held[other].lower()} & STOPWORDS
            if there or (not small and ours[token.key] & theirs[other]):
                yield f"the article says “{held[other]}”, not “{token.text}”"
    over, under = _bounds(claim), _bounds(evidence)
    if over and under and over.isdisjoint(under):
        yield "the article gives the other bound (more or less than) there"
    whole = _CLAIMED_ALL.search(claim)
    if whole and not _UNIVERSAL.search(evidence):
        part = _PARTIAL.search(evidence)
        word = whole["word"].lower()
        yield (
            f"the article says “{part['word'].lower()}”, not “{word}”"
            if part
            else f"the article does not say “{word}” there"
        )


def _beside(tokens: Sequence[_Token]) -> dict[str, set[str]]:
    """Return for each word the content words next to it, before and after, wherever it stands."""
    found: dict[str, set[str]] = {}
    for step in (1, -1):
        last = ""
        for token in tokens[::step]:
            found.setdefault(token.key, set()).update({last} - {""})
            if token.text.lower() not in STOPWORDS:
                last = token.key
    return found


def _bounds(text: str) -> set[str]:
    return {
        "over" if m["over"] else "under"
        for m in _BOUNDS.finditer(text)
        if numbers(text[m.start() : m.end() + 20])
    }


# -- words --


def share_of(claim: str, evidence: str, context: str = "") -> float:
    """Return the share of the claim's content words that are in the evidence.

    Numbers and dates count as found: they are compared by value.
    """
    wanted = content(fold(claim))
    held = _vocabulary(evidence) | {stem(w) for name in names(context) for w in canonical(name)}
    found = sum(w in held or alias(w) in held or is_value(w) or _in_parts(w, held) for w in wanted)
    return found / len(wanted) if wanted else 0.5  # "Yes." cannot be checked


@lru_cache(REMEMBERED)
def _vocabulary(text: str) -> frozenset[str]:
    """Return the stems of a text's words; the same evidence is asked about each clause anew."""
    return frozenset(content(fold(text))) | {stem(w) for w in canonical(text)}


def _in_parts(word: str, held: Set[str]) -> bool:
    parts = word.split("-")
    return len(parts) > 1 and all(stem(p) in held or p in STOPWORDS for p in parts)
