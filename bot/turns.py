"""What a caller says, checked, and the replies that need no article: greetings and hints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.cite import escape
from bot.records import Draft, Message, Ranking, Turn
from index.article import normalise
from index.errors import QuestionError

LONGEST = 2_000
"""Characters of a question at most; longer texts are articles."""

GREETING = "Hello! Ask anything about “{title}”: every answer shows the sentence it rests on."
THANKS = "You are welcome. Ask anything else about “{title}”."
HINT = "Type a question about “{title}”, in words."

_THANKS = re.compile(r"\b(?:thank|thanks|thx|ty|cheers|appreciated|bye|goodbye)\b", re.IGNORECASE)
_ROLES = {
    "user": "user",
    "human": "user",
    "HumanMessageChunk": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
}
_SILENT = ("system", "developer", "tool", "function")


def understand(asked: str | Mapping[str, Any]) -> Turn:
    """Check what a caller asks and return it as a turn.

    Args:
        asked: a question, or a dict with ``question`` and, if wanted, ``history`` and
            ``articles``.

    Raises:
        QuestionError: the question is no text or too long, or the history is malformed.
    """
    if isinstance(asked, str):
        asked = {"question": asked}
    question = asked.get("question") if isinstance(asked, Mapping) else asked
    if not isinstance(question, str):
        raise QuestionError(
            f"The question is {type(question).__name__} ({str(question)[:40]!r}); give a string."
        )
    if len(question) > LONGEST:
        raise QuestionError(
            f"The question has {len(question):,} characters; at most {LONGEST:,} are read. "
            "Shorten it; a text to ask about is added as an article instead."
        )
    clean = " ".join(normalise(question).split())
    articles = asked.get("articles")
    if articles is None:
        articles = ()
    elif not articles:
        raise QuestionError("The articles to ask are an empty list; leave it out to ask them all.")
    if isinstance(articles, str):
        articles = (articles,)
    if not isinstance(articles, Sequence) or not all(isinstance(a, str) for a in articles):
        raise QuestionError(
            f"The articles to ask are {str(articles)[:60]!r}; give a list of their ids."
        )
    history = asked.get("history")
    return Turn(clean, messages(() if history is None else history), tuple(articles))


def messages(history: Sequence[Any]) -> tuple[Message, ...]:
    """Return a history as messages; system and tool messages and empty ones are left out.

    Args:
        history: role/content dicts, whose content may be Gradio's list of blocks, or LangChain
            messages.

    Raises:
        QuestionError: an entry is neither, or has an unknown role.
    """
    if isinstance(history, (str, Mapping)) or not isinstance(history, Sequence):
        raise QuestionError(
            f"The history is a {type(history).__name__}; give a list of messages such as "
            '{"role": "user", "content": "…"}.'
        )
    found = []
    for i, entry in enumerate(history):
        if isinstance(entry, Mapping):
            role, content = entry.get("role"), entry.get("content")
        else:
            role = getattr(entry, "role", None) or getattr(entry, "type", None)
            content = getattr(entry, "content", None)
        if role in _SILENT:
            continue
        if not isinstance(role, str) or role not in _ROLES:
            raise QuestionError(
                f"Message {i + 1} of the history has the role {role!r}; expected 'user' or "
                "'assistant'."
            )
        text = _text(content)
        if text.strip():
            found.append(Message("user" if _ROLES[role] == "user" else "assistant", text))
    return tuple(found)


def _text(content: object) -> str:
    """Return the text of a message's content: a string, a block, or a list of them."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _text(content.get("text"))
    if isinstance(content, Sequence):
        return "\n".join(filter(None, map(_text, content)))
    return ""


def reply(ranking: Ranking, title: str, suggestions: tuple[str, ...]) -> Draft:
    """Return the short reply to a greeting, to thanks, or to an empty question."""
    question = ranking.query.turn.question
    if ranking.query.kind == "empty":
        words = HINT
    else:
        words = THANKS if _THANKS.search(question) else GREETING
    return Draft(
        ranking, message=words.format(title=escape(title)), suggestions=suggestions, score=1.0
    )
