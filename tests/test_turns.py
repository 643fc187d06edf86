"""What callers may hand in, and the replies that need no article."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from bot.kinds import kind
from bot.records import Message, Query, Ranking, Turn
from bot.turns import LONGEST, messages, reply, understand
from index import QuestionError

TALK = (Message("user", "Who leads?"), Message("assistant", "Ada. [1]"))


@pytest.mark.parametrize(
    "history",
    [
        [
            {"role": "user", "content": "Who leads?"},
            {"role": "assistant", "content": "Ada. [1]"},
        ],
        [
            {"role": "user", "content": [{"type": "text", "text": "Who leads?"}]},
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "Ada. [1]"}],
                "metadata": {"title": None},
                "options": [],
            },
        ],
        [HumanMessage("Who leads?"), AIMessage("Ada. [1]")],
        [HumanMessage("Who leads?"), AIMessageChunk([{"type": "text", "text": "Ada. [1]"}])],
        [ChatMessage("Who leads?", role="user"), ChatMessage("Ada. [1]", role="assistant")],
        deque([HumanMessage("Who leads?"), {"role": "ai", "content": {"text": "Ada. [1]"}}]),
    ],
)
def test_history_in_every_shape(history: Any) -> None:
    assert messages(history) == TALK
    assert understand({"question": "And?", "history": history}).history == TALK


def test_silent_and_empty_messages_are_left_out() -> None:
    history = [
        SystemMessage("Be kind."),
        {"role": "developer", "content": "x"},
        {"role": "user", "content": " \n"},
        {"role": "user", "content": [{"type": "file", "file": {"path": "a.png"}}]},
        {"role": "user", "content": None},
        ToolMessage("42", tool_call_id="1"),
        {"role": "user", "content": ["one", {"text": "two"}]},
    ]
    assert messages(history) == (Message("user", "one\ntwo"),)
    assert messages([]) == ()


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([{"role": "wizard", "content": "x"}], "Message 1 of the history has the role 'wizard'"),
        ([{"content": "x"}], "has the role None; expected 'user' or 'assistant'"),
        ([HumanMessage("a"), ("user", "hi")], "Message 2"),
        (["hi"], "Message 1"),
        ([{"role": ["user"], "content": "x"}], "Message 1"),
        ("hello", "history is a str; give a list"),
        ({"role": "user", "content": "x"}, "history is a dict"),
        (7, "history is a int"),
    ],
)
def test_malformed_history_is_named(history: Any, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        understand({"question": "Who?", "history": history})


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "question is NoneType"),
        (7, "question is int"),
        (["Who?"], "question is list"),
        ({}, "question is NoneType"),
        ({"question": b"Who?"}, "question is bytes"),
        ("w" * (LONGEST + 1), "has 2,001 characters; at most 2,000"),
        (" " * 100_000, "has 100,000 characters"),
    ],
)
def test_what_is_no_question_is_named(asked: Any, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        understand(asked)


@pytest.mark.parametrize(
    ("typed", "clean"),
    [
        ("  Who\tleads\r\nit? ", "Who leads it?"),
        ("W\x00h\x1bo\u200b?\ufeff", "Who?"),
        ("Who\u202e is\u00a0it?", "Who is it?"),
        ("Cafe\u0301?", "Café?"),
        ("\ud800?", "??"),
        ("w" * LONGEST, "w" * LONGEST),
        ("\x00\x01", ""),
    ],
)
def test_question_is_cleaned(typed: str, clean: str) -> None:
    assert understand(typed) == Turn(clean)


def test_articles_as_a_name_or_a_list() -> None:
    assert understand({"question": "Who?", "articles": "a"}).articles == ("a",)
    assert understand({"question": "Who?", "articles": ["a", "b"]}).articles == ("a", "b")
    assert understand({"question": "Who?", "articles": None, "history": None}).articles == ()


@pytest.mark.parametrize(
    ("question", "opening"),
    [
        ("Hello!", "Hello!"),
        ("Thank you so much", "You are welcome."),
        ("thx, bye", "You are welcome."),
        ("", "Type a question"),
        ("😀😀", "Type a question"),
        ("?!", "Type a question"),
    ],
)
def test_replies_that_need_no_article(question: str, opening: str) -> None:
    query = Query(Turn(question), kind(question), (question,))
    draft = reply(Ranking(query, question, ()), "A [1] <b>title</b>", ("Who?",))
    assert draft.message.startswith(opening)
    assert r"A \[1\] \<b>title\</b>" in draft.message
    assert draft.suggestions == ("Who?",)
    assert not draft.refused
