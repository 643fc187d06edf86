"""What a tab remembers: its questions and answers, and how they survive a reload.

The browser keeps the conversation (each tab its own) and hands it back when the page is loaded
again, so what comes back is read as untrusted: an answer whose quotes are not where it says is
dropped.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import Answer, Citation, Sentence, Support
from bot.records import Span, Trace
from index import Article, UnknownArticle

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and what came of it.

    Attributes:
        typed: the question as typed.
        article_id: the article that it was asked of.
        answer: the answer so far; None before its first word.
        stopped: whether the reader stopped it.
        error: a message where asking failed.
    """

    typed: str
    article_id: str
    answer: Answer | None = None
    stopped: bool = False
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether the answer is still being made."""
        done = self.answer is not None and self.answer.done
        return not (done or self.stopped or self.error)


def settle(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Return a conversation in which nothing runs: what did is marked as stopped."""
    return [replace(e, stopped=True) if e.running else e for e in exchanges]


def answers(exchanges: Sequence[Exchange]) -> list[Answer]:
    """Return the answers that are on show, oldest first."""
    return [e.answer for e in exchanges if e.answer is not None]


def history(exchanges: Sequence[Exchange], article_id: str) -> list[dict[str, str]]:
    """Return what was said about one article, as role/content messages for ``Bot.ask``.

    Exchanges about other articles are left out: "Who else?" means the article on show.
    """
    messages = []
    for exchange in exchanges:
        if exchange.answer is not None and exchange.article_id == article_id:
            messages.append({"role": "user", "content": exchange.typed})
            messages.append({"role": "assistant", "content": exchange.answer.text})
    return messages


def dump(exchanges: Sequence[Exchange]) -> str:
    """Return a conversation as JSON for the browser to keep; traces are left out."""
    return json.dumps(
        [
            {
                "typed": e.typed,
                "article_id": e.article_id,
                "answer": e.answer.to_dict() if e.answer else None,
                "stopped": e.stopped,
                "error": e.error,
            }
            for e in settle(exchanges)
        ],
        ensure_ascii=False,
    )


def load(saved: str | None, article: Callable[[str], Article]) -> list[Exchange]:
    """Return the conversation that a browser kept; what cannot be trusted is left out.

    Args:
        saved: what ``dump`` returned, or anything else.
        article: returns an article by its id, or raises UnknownArticle.
    """
    try:
        items = json.loads(saved or "[]")
        return [e for item in items if (e := _exchange(item, article)) is not None]
    except (ValueError, TypeError, KeyError, AttributeError):
        log.info("The conversation kept by the browser cannot be read; starting a new one")
        return []


def _exchange(item: Mapping[str, Any], article: Callable[[str], Article]) -> Exchange | None:
    answer = _answer(item["answer"]) if item["answer"] else None
    if answer:
        for citation in (*answer.citations, *answer.closest):
            try:
                text = article(citation.article_id).text
            except UnknownArticle:
                continue  # removed since: the answer stays readable, its markers lead nowhere
            if text[citation.start : citation.end] != citation.quote:
                return None
    return Exchange(
        str(item["typed"]),
        str(item["article_id"]),
        answer,
        bool(item["stopped"]),
        str(item["error"]),
    )


def _answer(values: Mapping[str, Any]) -> Answer:
    return Answer(
        text=str(values["text"]),
        short=values["short"],
        refused=bool(values["refused"]),
        citations=tuple(map(_citation, values["citations"])),
        sentences=tuple(
            Sentence(str(s["text"]), tuple(map(int, s["citations"])), _support(s["support"]))
            for s in values["sentences"]
        ),
        question=str(values["question"]),
        trace=Trace(),
        timings=dict(values["timings"]),
        exact=tuple(
            Span(str(e["article_id"]), int(e["start"]), int(e["end"]), float(e["score"]))
            for e in values.get("exact", ())
        ),
        score=float(values["score"]),
        closest=tuple(map(_citation, values["closest"])),
        reason=str(values.get("reason", "")),
        suggestions=tuple(map(str, values["suggestions"])),
        model=values["model"],
        notice=values["notice"],
        done=bool(values["done"]),
    )


def _citation(values: Mapping[str, Any]) -> Citation:
    return Citation(
        number=int(values["number"]),
        article_id=str(values["article_id"]),
        title=str(values["title"]),
        start=int(values["start"]),
        end=int(values["end"]),
        quote=str(values["quote"]),
        score=float(values["score"]),
        support=_support(values["support"]),
    )


def _support(values: Mapping[str, Any]) -> Support:
    verdict = values["verdict"]
    if verdict not in ("supported", "weak", "unsupported"):
        raise ValueError(verdict)
    return Support(float(values["score"]), verdict, tuple(map(str, values["reasons"])))
