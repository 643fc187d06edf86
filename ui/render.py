"""Answers as Markdown for the chat, articles as HTML for the pane beside it.

Everything that comes from an article, a model or a reader is shown as text: what could be read as
markup is escaped here, and only the markup that this module adds itself is left.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from bot import REFUSAL, Answer, Citation, Sentence
from index import Article

_ESCAPABLE = r"""!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"""
_MARKER = re.compile(r"\[(\d{1,6})\]")
_TOKEN = re.compile(rf"\\[{re.escape(_ESCAPABLE)}]|\[(\d{{1,6}})\]|[\[<&]")
_EMPHASIS = str.maketrans("", "", "*_`~")
_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"#{1,6}\s+(?=\S)")

# Handlebars and template-literal signs as well: Gradio's templates are made of them.
_SIGNS = str.maketrans({"{": "&#123;", "}": "&#125;", "$": "&#36;", "`": "&#96;"})

ASK_AGAIN = "Change this question and ask again"
"""What is said of the link that the searched question is."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of an article that an answer points to.

    Attributes:
        start: offset of its first character in the article's text.
        end: offset after its last character.
        kind: ``"cited"`` where an answer rests on it, ``"closest"`` where it is only an offer.
    """

    start: int
    end: int
    kind: Literal["cited", "closest"] = "cited"


def marks(answers: Iterable[Answer], article_id: str) -> tuple[Mark, ...]:
    """Return what the answers point to in one article, each stretch once, in text order."""
    found: dict[tuple[int, int], Mark] = {}
    for answer in answers:
        for citation in answer.closest:
            if citation.article_id == article_id:
                key = (citation.start, citation.end)
                found.setdefault(key, Mark(*key, "closest"))
        for citation in answer.citations:
            if citation.article_id == article_id:
                key = (citation.start, citation.end)
                found[key] = Mark(*key)
    return tuple(found[key] for key in sorted(found))


def exact_places(answers: Iterable[Answer], article_id: str) -> tuple[tuple[int, int], ...]:
    """Return where the exact answers stand in one article, in text order."""
    return tuple(
        sorted({(e.start, e.end) for a in answers for e in a.exact if e.article_id == article_id})
    )


def article_html(
    article: Article, marked: Sequence[Mark] = (), exact: Sequence[tuple[int, int]] = ()
) -> str:
    """Return an article as HTML: its text escaped, its paragraphs kept, the marks in ``<mark>``.

    A stretch that several marks share is one ``<mark>`` that names them all in ``data-spans`` (as
    ``start-end``), so overlapping and repeated citations need no nesting. The texts of a span's
    marks, joined, are ``article.text[start:end]`` without the blank lines between paragraphs.

    Args:
        article: the article.
        marked: what to mark; a mark outside the text is left out.
        exact: offsets of exact answers, which stand out within their marks.
    """
    text = article.text
    valid = sorted(
        {m for m in marked if 0 <= m.start < m.end <= len(text)}, key=lambda m: (m.start, m.end)
    )
    blocks = list(_blocks(article))
    titled = bool(blocks) and blocks[0][2] == "h2"
    parts = [] if titled else [f'<h2 class="title">{_escape(article.title)}</h2>']
    seen: set[Mark] = set()
    ahead = 0
    current: list[Mark] = []
    for start, end, tag in blocks:
        while ahead < len(valid) and valid[ahead].start < end:
            current.append(valid[ahead])
            ahead += 1
        current = [m for m in current if m.end > start]
        inner = "".join(_segments(text, start, end, current, seen, exact))
        name = ' class="title"' if tag == "h2" else ""
        parts.append(f"<{tag}{name}>{inner}</{tag}>")
    return f'<article data-article="{article.id}" aria-label="Article">{"".join(parts)}</article>'


def _blocks(article: Article) -> Iterator[tuple[int, int, str]]:
    """Yield the article's blocks as ``(start, end, tag)``: the title, then its paragraphs."""
    text, start = article.text, 0
    head = text.split("\n", 1)[0]
    shown = _HEADING.sub("", head, count=1).rstrip("# ") if head.startswith("#") else head.strip()
    if shown == article.title and len(head) < len(text):
        yield 0, len(head), "h2"
        start = len(head) + len(text[len(head) :]) - len(text[len(head) :].lstrip())
    for gap in _BREAK.finditer(text, start):
        if gap.start() > start:
            yield start, gap.start(), "p"
        start = gap.end()
    if start < len(text):
        yield start, len(text), "p"


def _segments(
    text: str,
    start: int,
    end: int,
    current: Sequence[Mark],
    seen: set[Mark],
    exact: Sequence[tuple[int, int]],
) -> Iterator[str]:
    """Yield one block's HTML, cut wherever a mark begins or ends."""
    cuts = {start, end}
    for mark in current:
        cuts.update(cut for cut in (mark.start, mark.end) if start < cut < end)
    for place in exact:
        cuts.update(cut for cut in place if start < cut < end)
    for left, right in pairwise(sorted(cuts)):
        covering = [m for m in current if m.start <= left and right <= m.end]
        piece = _escape(text[left:right])
        if not covering:
            yield piece
            continue
        if any(first <= left and right <= last for first, last in exact):
            piece = f"<b>{piece}</b>"
        kind = "cited" if any(m.kind == "cited" for m in covering) else "closest"
        spans = " ".join(f"{m.start}-{m.end}" for m in covering)
        # One stop of the tab key for a citation, however many pieces it is cut into.
        focus = ' tabindex="0" role="button"' if not seen.issuperset(covering) else ""
        seen.update(covering)
        label = "Cited in an answer" if kind == "cited" else "Closest to a question"
        yield (
            f'<mark class="{kind}" data-spans="{spans}" aria-description="{label}"{focus}>'
            f"{piece}</mark>"
        )


def href(citation: Citation) -> str:
    """Return the link of a citation: it names the article and the offsets, and nothing else."""
    return f"#cite-{citation.article_id}-{citation.start}-{citation.end}"


def answer_markdown(
    answer: Answer,
    *,
    typed: str = "",
    stopped: bool = False,
    titles: Mapping[str, str] | None = None,
) -> str:
    """Return an answer as Markdown for the chat: markers become links, verdicts become visible.

    Args:
        answer: the answer, finished or growing.
        typed: the question as the reader typed it; where another one was searched, it is shown.
        stopped: whether the reader stopped it.
        titles: titles by article id, to be named where the answer cites more than one article.
    """
    body = _refusal(answer) if answer.refused and answer.closest else _body(answer)
    notes = []
    if answer.done and answer.question and _differs(answer.question, typed):
        link = f'<a href="#ask" title="{ASK_AGAIN}">{_escape(answer.question)}</a>'
        notes.append(f"Searched: {link}")
    if answer.notice:
        notes.append(_escape(answer.notice))
    if stopped:
        notes.append("Stopped.")
    cited = dict.fromkeys(c.article_id for c in (*answer.citations, *answer.closest))
    if titles:
        names = [_escape(titles.get(id_, "a removed article")) for id_ in cited]
        notes += [f"From: {'; '.join(names)}"] if names else []
    return body + "".join(map(_note, notes))


def plain_markdown(text: str) -> str:
    r"""Return Markdown that shows a text as it was typed: ``*`` stays an asterisk.

    The page takes the backslashes out again where a reader edits or copies the message.
    """
    escaped = re.sub(r"[\\`*_{}\[\]<>#|~&$!]", r"\\\g<0>", text)
    # What would begin a list, a quotation or a heading does so only at the start of a line.
    escaped = re.sub(r"(?m)^(\s*)([-+=])", r"\1\\\2", escaped)
    escaped = re.sub(r"(?m)^(\s*\d+)([.)])", r"\1\\\2", escaped)
    return re.sub(r"(?m)^(?: {4,}|\t+)", lambda m: "&nbsp;" * len(m[0].expandtabs(4)), escaped)


def _body(answer: Answer) -> str:
    """Return the answer's own text with live markers and marked verdicts."""
    edits, missing = _verdicts(answer)
    by_number = {str(c.number): c for c in answer.citations}
    for token in _TOKEN.finditer(answer.text):
        number = token[1]
        if number in by_number:
            new = _link(by_number[number])
            if answer.text[token.start() - 1 : token.start()] == " ":
                edits.append((token.start() - 1, 1, token.start(), "&nbsp;"))  # not alone on a line
        elif token[0].startswith("["):
            # A model may write images, links and reference definitions: none of them is ours.
            new = token[0].replace("[", "\\[").replace("]", "\\]")
        elif token[0] in "<&":
            new = html.escape(token[0])
        else:
            continue
        edits.append((token.start(), 1, token.end(), new))
    out, at = [], 0
    for start, _, end, new in sorted(edits):
        out += [answer.text[at:start], new]
        at = end
    out.append(answer.text[at:])
    out += [
        _note(f"Doubtful: “{_escape(sentence.text)}” {_escape(_reason(sentence))}")
        for sentence in missing
    ]
    return "".join(out)


def _verdicts(answer: Answer) -> tuple[list[tuple[int, int, int, str]], list[Sentence]]:
    """Return the tags to put around doubtful sentences, and those sentences that were not found.

    A tag is an edit ``(start, order, end, text)`` of the answer's text, where ``start == end``.
    """
    plain, places = _plain(answer.text)
    tags: list[tuple[int, int, int, str]] = []
    missing: list[Sentence] = []
    at = 0
    for sentence in answer.sentences:
        words = sentence.text.translate(_EMPHASIS).split()
        found = re.compile(r"\s*".join(map(re.escape, words))).search(plain, at) if words else None
        if found:
            at = found.end()
        if sentence.verdict == "supported" or not words:
            continue
        if not found:
            missing.append(sentence)
            continue
        name = "del" if sentence.verdict == "unsupported" else "span"
        first, last = places[found.start()][0], places[found.end() - 1][1]
        title = _escape(_reason(sentence))
        tags.append(
            (first, 2, first, f'<{name} class="{sentence.verdict}" tabindex="0" title="{title}">')
        )
        tags.append((last, 0, last, f"</{name}>"))
    return tags, missing


def _plain(markdown: str) -> tuple[str, list[tuple[int, int]]]:
    """Return Markdown without backslashes, emphasis and markers, and where each character stood."""
    plain: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    while at < len(markdown):
        start = at
        if marker := _MARKER.match(markdown, at):
            at = marker.end()
            continue
        if markdown[at] == "\\" and at + 1 < len(markdown) and markdown[at + 1] in _ESCAPABLE:
            at += 1
            if markdown[at] in "*_`~":  # left out on both sides of the comparison
                at += 1
                continue
        elif markdown[at] in "*_`~":
            at += 1
            continue
        plain.append(markdown[at])
        at += 1
        places.append((start, at))
    return "".join(plain), places


def _reason(sentence: Sentence) -> str:
    """Return why a sentence is doubtful, in one line."""
    start = {
        "weak": "Only partly supported by the article.",
        "unsupported": "Not supported by the article.",
        "supported": "",
    }[sentence.verdict]
    return " ".join([start, *sentence.support.reasons])


def _refusal(answer: Answer) -> str:
    """Return a refusal: the phrase, then the closest sentences, each a link to its place."""
    quotes = "\n\n".join(
        f"> [{plain_markdown(_one_line(c.quote))}]({href(c)})" for c in answer.closest
    )
    said = f"{REFUSAL} {plain_markdown(answer.reason)}".strip()
    return f"{said}{_note('Closest in the article')}\n\n{quotes}"


def _link(citation: Citation) -> str:
    # The brackets are read and copied, but drawn as a pill.
    label = f"<span>\\[</span>{citation.number}<span>\\]</span>"
    return f"[{label}]({href(citation)} {_title(citation.quote)})"


def _note(escaped: str) -> str:
    return f'\n\n<p class="note">{escaped}</p>'


def _title(quote: str) -> str:
    """Return a Markdown link title: on one line, with nothing left to interpret."""
    return f'"{_escape(_one_line(quote))}"'.replace("\\", "&#92;")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _differs(searched: str, typed: str) -> bool:
    return bool(typed) and " ".join(searched.split()) != " ".join(typed.split())


def _escape(text: str) -> str:
    return html.escape(text).translate(_SIGNS)
