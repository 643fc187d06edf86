"""Where the sentences of a text begin and end, as exact character offsets.

nupunkt decides at full stops, question and exclamation marks (the Punkt algorithm, in pure Python),
with abbreviations and sentence starters of the news in place of its own. What it reads is a shadow
of the text, as long as the text to the character, in which the marks that it would stumble over
are rewritten. Its offsets are therefore offsets into the text, and no sentence is ever searched
for. Layout (blank lines, list items, headings) and scripts that put no space between sentences are
decided here.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import pairwise
from string import ascii_lowercase
from typing import TYPE_CHECKING

import nupunkt

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARAGRAPH_BREAK = re.compile(r"\n\s*\n")
_LINE = re.compile(r"[^\n]+")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+\S")
_BULLET = re.compile(r"[ \t]*[-*•‣◦▪][ \t]+\S")
_NUMBERED = re.compile(r"[ \t]*(\d{1,2})[.)][ \t]+\S")
_STOPPED = re.compile(r"[.!?…:;。！？][\"'”’»)\]]*\s*\Z")
_WORD = re.compile(r"\w")

_LONG_CHUNK = re.compile(r"\S{200,}")
_CHUNK_TAIL = 20
"""Characters kept of a chunk of 200 or more without white space: enough for its closing marks.
nupunkt 0.8.0 takes quadratic time over such runs (100,000 question marks: 10 s)."""

_EMOJI = "[\u2600-\u27bf\U0001f000-\U0001faff\ufe0f\u200d]"
_TRAILER = rf"(?:\[\d{{1,3}}\]|[¹²³⁰⁴-⁹]|[ \u00a0\u202f]»|[›«‹“_]|[ ]?{_EMOJI})"
_CLOSER = r"[\"'”’»)\]]"
_SAID = (
    r"(?:(?:\w+ly|later|then) )?(?:said|says|asked|asks|added|adds|told|replied|wrote|writes|"
    r"warned|insisted|suggested|argued|declared|demanded|shouted|cried|recalled|joked|posted)\b"
)
_MONTH = r"(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b"

_ABBREVIATION_WORDS = """
adj al assn assoc asst attn aug ave avg bldg blvd bros ca calif capt cmdr cmte co colo comdr conn
corp cpl dec dept det dist div dr ed eds esp esq est etc ext feb fla ft fwy gen gov govt hon hosp
hq hwy inc insp intl jan jr kan ky lt ltd maj md mfg mgr mich minn mme mr mrs ms msgr mt mtn natl
nev nov oct okla pa pfc ph.d phd pkwy pres prof pvt rd repr rev rt sask sept sgt sr st ste supt
tenn tex univ usa va vs vt wis wisc wyo yr yrs
bzw evtl ggf inkl nr str usw vgl
г гг им м млн млрд руб тыс ул
"""
_ABBREVIATIONS = {
    *_ABBREVIATION_WORDS.split(),
    *(f"{one}.{two}" for one in ascii_lowercase for two in ascii_lowercase),  # U.S., p.m., J.K.
}
"""Lower case, without the last full stop: these end a sentence only before one of _STARTERS.
nupunkt's own list comes from scanned legal files and holds words of the news ("bombed",
"cancer", "found", "tax", "walk"), after which it misses the end of a sentence."""

_STARTER_WORDS = """
a according additionally after again all also although an and another as at because before both but
by despite during each earlier even every finally for from furthermore he her here his how however
i if in instead it its last later many meanwhile moreover most my neither no nobody none
nonetheless nor not nothing now of on once one only or our over several she since so some soon
still such that the their then there therefore these they this those though thus to today two
under unless until we what when where whether which while who why with without yes yesterday yet
you your
"""
_STARTERS = set(_STARTER_WORDS.split())
"""Lower case. nupunkt's own list holds titles ("ambassador", "secretary", "senator"), before
which it cuts "U.S. Secretary of State" in two."""

_STARTER = "|".join(word.capitalize() for word in sorted(_STARTERS))
_LONG_STARTER = "|".join(word.capitalize() for word in sorted(_STARTERS) if len(word) > 2)

_PUNKT = nupunkt.PunktSentenceTokenizer(
    nupunkt.PunktParameters(abbrev_types=set(_ABBREVIATIONS), sent_starters=set(_STARTERS))
)

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    # "so.[12] Then", "so.¹ Then", "« C’est fini. » Puis", "„Vorbei.“ Sie", "Yes! 😀 He": what
    # trails a full stop belongs to the sentence that it ends, as a closing bracket does.
    (re.compile(rf"(?<=[.!?…]){_CLOSER}*+(?P<x>{_TRAILER}(?:{_TRAILER}|{_CLOSER})*)(?!\S)"), ")"),
    # "«Will it go well?» Trump asked.": the sentence goes on after the quotation.
    (
        re.compile(rf"(?P<x>[!?]++)(?=[\"”’»]++\s+(?:[A-Z][\w.’'-]*+\s+){{1,4}}?{_SAID})"),
        ",",
    ),
    # "The show Jeopardy! was on": a name that ends in an exclamation mark, inside a sentence.
    (re.compile(r"(?<=[\w,] )[A-Z]\w++(?P<x>!)(?= (?:[a-z]+|Inc|Corp)\b)"), ","),
    # "Dr. Smith", "Roe vs. The State", "e.g. The Hague": never the end of a sentence.
    (
        re.compile(
            r"\b(?:Mr|Mrs|Ms|Mx|Dr|Drs|Prof|Gen|Gov|Sen|Sens|Rep|Reps|Lt|Col|Capt|Sgt|Maj|Adm|Rev|"
            r"Hon|Pres|Messrs|Mme|Mlle|vs|[Ee]\.g|[Ii]\.e|cf|viz|approx)(?P<x>\.)(?=\s)"
        ),
        ",",
    ),
    # "the Russia-U.S. talks", "“U.S. aid”": an abbreviation behind a dash or an opening quote.
    (re.compile(r"(?<=\w)(?P<x>[/—–-])(?=[^\W\d_][\w.]*\.)"), " "),
    (re.compile(r"(?<!\w)(?P<x>[“‘«„‹—–-])(?=[^\W\d_][\w.]*\.)"), "("),
    # "U.S./U.K. officials": initials before a small letter.
    (re.compile(r"(?<=[A-Z]\.[A-Z])(?P<x>\.)(?=\s+[a-z])"), ","),
    # "J.R.R. Tolkien", "the I.M.F. said": three initials or more.
    (
        re.compile(rf"\b(?:[A-Z]\.){{2,}}[A-Z](?P<x>\.)(?=\s)(?!\s+(?:{_STARTER})\b)"),
        ",",
    ),
    # "No. 5", "pp. 4-5", "Fig. 3", "Mar. 5": abbreviations before a number, else words.
    (
        re.compile(
            r"\b(?:[Nn]os?|[Pp]p?|[Ff]igs?|[Ss]ecs?|[Aa]rts?|[Cc]h|[Vv]ols?|[Nn]r|Mar|Apr|Jun|Jul|"
            r"Sep|Mon|Tue|Tues|Wed|Thu|Thurs|Fri|Sat|Sun)(?P<x>\.)(?=\s?\d)"
        ),
        ",",
    ),
    # "At 5 p.m. Putin left", "pears, etc. Putin left", but "5 p.m. Friday" and "5 p.m. ET".
    (
        re.compile(
            r"\b(?:[ap]\.m|etc)(?P<x>\.)(?=\s+[A-Z])(?!\s+(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)"
            r"day|January|February|March|April|May|June|July|August|September|October|November|"
            r"December|Jan|Feb|Aug|Sept?|Oct|Nov|Dec|(?:[ECMP]|AK|H)[SD]?T|UTC|GMT|BST|CES?T|EES?T|"
            r"MSK|Eastern|Central|Mountain|Pacific|Moscow|Kyiv|London|Greenwich|Alaska)\b)"
        ),
        "!",
    ),
    # "It has vitamin C. The dose", "World War I. He": no initial of a name; names are not "The".
    (
        re.compile(rf"(?<=\s)[A-Z](?P<x>\.)(?=\s+(?:He|In|It|{_LONG_STARTER})\b)"),
        "!",
    ),
    # "So did I. We left.": the pronoun, not an initial.
    (re.compile(r"(?<=[a-z]\s)I(?P<x>\.)(?=\s+[A-Z][a-z])"), "!"),
    # "Er kam am 5. Mai": an ordinal in a German date.
    (re.compile(rf"(?<=\d)(?P<x>\.)(?= {_MONTH})"), ","),
)

_UNSPACED_CLOSER = r"[\"'”’」』）》〉】)\]]"
_EXTRA_CUTS = (
    # Chinese, Japanese: no space follows. 「行こう。」と言った goes on after the quotation.
    re.compile(rf"[。！？｡]++(?:(?!{_UNSPACED_CLOSER})|{_UNSPACED_CLOSER}++(?![とっ、，,。]))"),
    # Hindi, Urdu, Arabic, Amharic, Khmer stops, unknown to nupunkt.
    re.compile(rf"[।॥۔؟።។]++{_UNSPACED_CLOSER}*+(?=\s)"),
    # "He left.She stayed.": the space was lost; not in addresses, file names or "Prof.Smith".
    re.compile(
        rf"(?<!\S)[\"“‘«(\[]*[\w'’-]*[a-z]{{3}}(?<!Prof)(?<!Corp)[.!?]{_CLOSER}*+"
        r"(?=[A-Z][a-z]*[\s,’'])(?!(?:Com|Org|Net|Js)\b)"
    ),
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Find the sentences of a text.

    A blank line always ends a sentence. A single newline does not, except before a list item
    ("- ", "* ", "• ", "1. "), before a Markdown heading ("# ") and after one. Quotation marks,
    brackets and footnote marks that follow a full stop belong to the sentence that it ends.
    Quoted speech of several sentences is several sentences. Tuned for English; other languages
    get a reasonable split.

    Args:
        text: any string; also empty, without a full stop, or one line of megabytes.

    Returns:
        Half-open character offsets ``[start, end)`` of the sentences, stripped of surrounding
        white space: in order, not overlapping, none empty, every character that is not white
        space in exactly one of them. Empty where the text holds nothing but white space. Never
        raises on a string.

    Example:
        >>> sentence_spans("Dr. Smith left the U.S. at 5 p.m. He came back.")
        [(0, 33), (34, 47)]
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        spans.extend((start + a, start + b) for a, b in _block_spans(text[start:end]))
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """The stretches that no sentence crosses: paragraphs, cut at list items and headings."""
    start = 0
    for gap in _PARAGRAPH_BREAK.finditer(text):
        yield from _items(text, start, gap.start())
        start = gap.end()
    yield from _items(text, start, len(text))


def _items(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The list items, headings and the rest of the paragraph ``text[start:end]``."""
    after_heading = after_stop = in_numbered = False
    for line in _LINE.finditer(text, start, end):
        heading = _HEADING.match(line[0])
        numbered = _NUMBERED.match(line[0])
        # A wrapped line may begin with a number ("at age / 15. Then"): only "1.", a number in a
        # list, or one after a stop or colon begins an item.
        item = numbered and (int(numbered[1]) == 1 or in_numbered or after_stop)
        if (heading or item or after_heading or _BULLET.match(line[0])) and line.start() > start:
            yield start, line.start()
            start = line.start()
        in_numbered = bool(in_numbered or item)
        after_heading = bool(heading)
        after_stop = bool(_STOPPED.search(line[0], max(0, len(line[0]) - 20)))
    yield start, end


def _block_spans(block: str) -> Iterator[tuple[int, int]]:
    """The sentences of a block, as offsets into it."""
    shadow = _shadow(block)
    cuts = {start for start, _ in _PUNKT.spans(shadow, paragraph_breaks=False)}
    for pattern in _EXTRA_CUTS:
        cuts.update(match.end() for match in pattern.finditer(block))
    # The sentence that is still open; a piece without a letter or digit ("»", "…", "😀") is no
    # sentence by itself: it joins the one before, or at the start of a block the one after.
    first = last = 0
    for a, b in pairwise(sorted(cuts | {0, len(block)})):
        piece = block[a:b].strip()
        if not piece:
            continue
        start = a + len(block[a:b]) - len(block[a:b].lstrip())
        if first == last:
            first = start
        elif _WORD.search(piece) and _WORD.search(block, first, last):
            yield first, last
            first = start
        last = start + len(piece)
    if first < last:
        yield first, last


def _shadow(block: str) -> str:
    """What nupunkt reads in place of the block: as long, its misleading marks rewritten."""
    shadow = _LONG_CHUNK.sub(
        lambda match: "x" * (len(match[0]) - _CHUNK_TAIL) + match[0][-_CHUNK_TAIL:], block
    )
    for pattern, mark in _REWRITES:
        shadow = pattern.sub(partial(_rewritten, mark=mark), shadow)
    return shadow


def _rewritten(match: re.Match[str], mark: str) -> str:
    """The match with the characters of its group ``x`` replaced, one by one, by the mark."""
    start, end = (offset - match.start() for offset in match.span("x"))
    return match[0][:start] + mark * (end - start) + match[0][end:]
