"""From a draft to an answer: citations numbered, checked, and written as ``[n]``.

The format of a citation is decided here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bot.metrics import contains_answer
from bot.records import (
    REFUSAL,
    Answer,
    Citation,
    Claim,
    Draft,
    Sentence,
    Span,
    Support,
    Trace,
)
from bot.verify import support
from index import Article
from index.chunk import is_heading, leans
from index.sentences import sentence_spans

MARKER = re.compile(r"(?<!\\)\[(\d{1,3})\]")
"""A marker in Markdown; an escaped ``\\[1]`` is the article's own text."""

CLOSEST = "Closest in the article:"

LEANING = 3
"""Sentences back at most to the one that names what a sentence speaks of ("It insists …")."""

NEARBY = 2_000
"""Characters before a sentence in which these are looked for."""

# Emphasis, code, links, HTML and what some renderers take for an address, anywhere; headings,
# rules, quotes and lists where a text begins.
_SPECIAL = re.compile(
    r"[\\`*_\[\]<~]|&(?=#?\w+;)|:(?=//)|(?<=www)\.|(?<=\w)@(?=\w)|^(?:[-+>#=]|\d+[.)](?=\s|$))"
)
_WITHIN = frozenset("$€£¥#@&+-.,'’/_%")
"""Signs that hold a word or a sum together where no space parts them."""
_PREFIXES = frozenset("$€£¥#@")
"""Those of them that stand before what they belong to."""
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*(?:\s+[\"'(][^()]*)?\)")
_EMPHASIS = re.compile(r"(?<![\w\\])[*_]{1,3}(?=\S)|(?<=[^\s\\])[*_]{1,3}(?!\w)|`+")
_LINE_MARK = re.compile(r"(?m)^\s*(?:(?:[-*+•>]|\d+[.)]|#{1,6})\s+)+")
_DECLINED = re.compile(rf"\W*{re.escape(REFUSAL.rstrip('.'))}\b", re.IGNORECASE)
_DECLINED_FREELY = re.compile(
    r"\W*(?:the|this|these) (?:\w+ )?(?:article|text|passages?|information) "
    r"(?:do not|does not|don['’]t|doesn['’]t|mentions? no|gives? no)\b",
    re.IGNORECASE,
)


def escape(text: str) -> str:
    """Return plain text as one line of Markdown that shows it unchanged and runs nothing."""
    line = " ".join(text.split())
    return _SPECIAL.sub(lambda m: f"{m.group()[:-1]}\\{m.group()[-1]}", line)


def unescape(text: str) -> str:
    """Return what ``escape`` was given, white space apart."""
    return _ESCAPED.sub(r"\1", text)


def marker(number: int) -> str:
    """Return the marker of a citation."""
    return f"[{number}]"


def cite(draft: Draft, *, drop: bool = False) -> Answer:
    """Number the citations of a draft, check each claim against them, and write the text.

    Args:
        draft: the draft.
        drop: whether claims that nothing supports are left out; else they are struck out.
    """
    sources = draft.ranking.query.sources
    numbers: dict[tuple[str, int, int], int] = {}
    spans: dict[int, Span] = {}
    carried: dict[int, list[Support]] = {}
    sentences: list[Sentence] = []
    pieces: list[str] = []
    dropped, break_ = 0, ""
    for claim in draft.claims:
        checked = _check(claim, sources)
        if break_ and "\n" not in claim.before:
            claim = replace(claim, before=break_)  # it begins the line now
        break_ = ""
        if drop and checked.verdict == "unsupported":
            dropped += 1
            break_ = claim.before if "\n" in claim.before else ""
            continue
        cited = _number(claim.spans, numbers, spans)
        for number in cited:
            carried.setdefault(number, []).append(checked)
        sentences.append(Sentence(claim.text, tuple(cited), checked))
        pieces.append(_written(claim, cited, checked, draft.exact))
    citations = tuple(
        _citation(n, span, sources, min(carried[n], key=lambda s: s.score))
        for n, span in spans.items()
    )
    closest = tuple(
        _citation(
            i, span, sources, Support(0.0, "unsupported", ("offered as close, not as proof",))
        )
        for i, span in enumerate(draft.closest if draft.refused else (), 1)
    )
    return Answer(
        text=_refusal(draft.reason, closest)
        if draft.refused
        else "".join(pieces).strip() or draft.message,
        short=_short(draft.exact, sources),
        exact=draft.exact,
        refused=draft.refused,
        citations=citations,
        sentences=tuple(sentences),
        question=draft.ranking.question,
        trace=Trace(draft.ranking.candidates, draft.dropped_markers, draft.written),
        timings=dict(draft.timings),
        score=draft.score,
        closest=closest,
        reason=draft.reason if draft.refused else "",
        suggestions=draft.suggestions,
        model=draft.model,
        notice=draft.notice or _left_out(dropped),
        done=draft.done,
    )


def said_exactly(read: Draft, written: Sequence[Sentence]) -> tuple[Span, ...]:
    """Return the exact answer that was read where what was written, and holds, has its words."""
    sources = read.ranking.query.sources
    said = " ".join(" ".join(s.text for s in written if s.verdict != "unsupported").split())
    texts = [" ".join(sources[e.article_id].text[e.start : e.end].split()) for e in read.exact]
    return read.exact if all(contains_answer(said, [text]) for text in texts) else ()


def strip_markdown(text: str) -> str:
    """Return written Markdown as plain text: links, emphasis, list marks and escapes off."""
    text = _LINK.sub(r"\1", _LINE_MARK.sub("", text))
    return unescape(_EMPHASIS.sub("", text)).strip()


def declines(sentence: str, *, exactly: bool = False) -> bool:
    """Whether a sentence says that the article does not say something.

    Args:
        sentence: plain text.
        exactly: whether only the agreed phrase counts, and no words to its effect.
    """
    return bool((_DECLINED if exactly else _DECLINED_FREELY).match(sentence))


def _number(
    wanted: Iterable[Span], numbers: dict[tuple[str, int, int], int], spans: dict[int, Span]
) -> list[int]:
    """Return the numbers of a claim's spans, new ones for those that are cited first here."""
    cited: list[int] = []
    for span in wanted:
        key = (span.article_id, span.start, span.end)
        number = numbers.setdefault(key, len(numbers) + 1)
        spans.setdefault(number, span)
        if number not in cited:
            cited.append(number)
    return cited


def _check(claim: Claim, sources: Mapping[str, Article]) -> Support:
    if claim.quoted:
        return Support(1.0, "supported")  # it is the article's own sentence
    if declines(claim.text) and not claim.spans:
        return Support(0.5, "weak", ("that the article does not say it cannot be quoted",))
    if not claim.spans and claim.missing:
        return Support(0.0, "unsupported", claim.missing)
    texts = [(sources[s.article_id].text, s) for s in claim.spans]
    evidence = " ".join(text[s.start : s.end] for text, s in texts)
    return support(
        claim.text, evidence, " ".join(lead_in(text, s.start, s.end) for text, s in texts)
    )


def lead_in(text: str, start: int, end: int) -> str:
    """Return the sentences that a sentence of an article leans on, or nothing where it does not."""
    found: list[str] = []
    sentence = text[start:end]
    nearby = max(0, start - NEARBY)
    before = [(nearby + a, nearby + b) for a, b in sentence_spans(text[nearby:start])]
    while before and leans(sentence) and len(found) < LEANING:
        span = before.pop()
        if not is_heading(text, span):
            sentence = text[span[0] : span[1]]
            found.insert(0, sentence)
    return " ".join(found)


def _citation(
    number: int, span: Span, sources: Mapping[str, Article], carried: Support
) -> Citation:
    source = sources[span.article_id]
    quote = source.text[span.start : span.end]
    return Citation(
        number, source.id, source.title, span.start, span.end, quote, span.score, carried
    )


def _short(exact: Sequence[Span], sources: Mapping[str, Article]) -> str | None:
    texts = (sources[s.article_id].text[s.start : s.end] for s in exact)
    return ", ".join(dict.fromkeys(" ".join(t.split()) for t in texts)) or None


def emphasise(text: str, stretches: Iterable[tuple[int, int]]) -> str:
    """Return plain text as one line of Markdown with some stretches in bold.

    A stretch is widened to whole words: asterisks within a word would be shown as they are.
    """
    pieces: list[str] = []
    at = 0
    for start, end in sorted(stretches):
        while start > at and _leads_in(text, start - 1):
            start -= 1
        while end < len(text) and _goes_on(text, end):
            end += 1
        if at <= start < end:
            pieces += [_escaped(text[at:start]), f"**{_escaped(text[start:end])}**"]
            at = end
    return "".join([*pieces, _escaped(text[at:])]).strip()


def _leads_in(text: str, at: int) -> bool:
    if text[at] in _WITHIN:
        return text[at] in _PREFIXES or text[max(0, at - 1) : at].isalnum()
    return text[at].isalnum()


def _goes_on(text: str, at: int) -> bool:
    if text[at] in _WITHIN:
        return text[at] == "%" or text[at + 1 : at + 2].isalnum()
    return text[at].isalnum()


def _escaped(text: str) -> str:
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return f"{before}{escape(text)}{after}"


def _written(claim: Claim, cited: list[int], checked: Support, exact: Iterable[Span]) -> str:
    quoted = claim.spans[0] if claim.quoted and claim.spans else None
    inside = [
        (e.start - quoted.start, e.end - quoted.start)
        for e in exact
        if quoted and e.article_id == quoted.article_id and quoted.start <= e.start < quoted.end
    ]
    text = emphasise(claim.text, inside)
    if checked.verdict == "unsupported":
        text = f"~~{text}~~"
    marks = "".join(marker(n) for n in cited)
    return f"{claim.before}{text}{' ' if marks else ''}{marks}"


def _left_out(count: int) -> str | None:
    if not count:
        return None
    sentences = "One sentence" if count == 1 else f"{count} sentences"
    return (
        f"{sentences} that the article does not support {'is' if count == 1 else 'are'} left out."
    )


def _refusal(reason: str, closest: tuple[Citation, ...]) -> str:
    said = f"{REFUSAL} {escape(reason)}".strip()
    if not closest:
        return said
    quotes = "\n\n".join(f"> {escape(c.quote)}" for c in closest)
    return f"{said}\n\n{CLOSEST}\n\n{quotes}"
