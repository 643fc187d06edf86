"""The public API as it is promised, and every kind of question that people type."""

from __future__ import annotations

import asyncio
import importlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable
from markdown_it import MarkdownIt

from bot import REFUSAL, Answer, Article, Bot, QuestionError, UnknownArticle
from bot.cite import MARKER
from bot.verify import support

QUESTIONS = [
    "What does Ukraine demand?",
    "Where will Trump and Putin meet?",
    "Who is the mayor of Anchorage?",
    "What is this about?",
    "Hello!",
    "",
    "😀🎉",
    "\x00\x1b?",
    "¿Dónde se celebra la cumbre?",
    "何についての記事ですか",
    "' OR 1=1; DROP TABLE passages; --",
    "<script>alert(1)</script> [1] **Trump**?",
]


@pytest.fixture(scope="module")
def answers(bot: Bot) -> dict[str, Answer]:
    return {question: bot.ask(question) for question in QUESTIONS}


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers are equal, the seconds that they took apart."""
    names = {f.name for f in fields(Answer)} - {"timings"}
    return all(getattr(one, name) == getattr(other, name) for name in names)


@pytest.mark.parametrize("name", ["bot", "index", "prompts"])
def test_exported_names_are_there_and_are_the_table_of_contents(name: str) -> None:
    package = importlib.import_module(name)
    assert len(set(package.__all__)) == len(package.__all__)
    for exported in package.__all__:
        assert getattr(package, exported) is not None
    public = {
        n
        for n, value in vars(package).items()
        if not n.startswith("_") and getattr(value, "__module__", "").split(".")[0] == name
    }
    assert public - {"parse"} <= set(package.__all__)


def test_promised_attributes(bot: Bot, answers: dict[str, Answer]) -> None:
    article = bot.articles()[0]
    assert bot.article(article.id) is article or bot.article(article.id) == article
    assert {f.name for f in fields(Article)} >= {"id", "title", "source", "text"}
    answer = answers["What does Ukraine demand?"]
    assert isinstance(answer.text, str)
    assert answer.short is None or answer.short in answer.text
    assert answer.refused is False
    assert answer.question == "What does Ukraine demand?"
    assert all(seconds >= 0 for seconds in answer.timings.values())
    citation = answer.citations[0]
    assert citation.quote == bot.article(citation.article_id).text[citation.start : citation.end]
    assert (citation.number, citation.title) == (1, article.title)
    assert 0 <= citation.score <= 1
    assert citation.support.verdict == "supported"
    for candidate in answer.trace:
        passage = candidate.passage
        assert article.text[passage.start : passage.end] == passage.text
        assert candidate.scores
        assert candidate.reason
        assert isinstance(candidate.kept, bool)
    assert any(c.kept for c in answer.trace)
    assert bot.model is None
    assert bot.store.path.is_dir()


@pytest.mark.parametrize("question", QUESTIONS)
def test_markers_and_citations_agree_and_quotes_are_exact(
    bot: Bot, answers: dict[str, Answer], question: str
) -> None:
    answer = answers[question]
    numbers = [c.number for c in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    shown = [int(n) for n in MARKER.findall(answer.text)]
    assert list(dict.fromkeys(shown)) == numbers
    assert shown == [n for s in answer.sentences for n in s.citations]
    for citation in (*answer.citations, *answer.closest):
        source = bot.article(citation.article_id)
        assert source.text[citation.start : citation.end] == citation.quote
    quotes = {c.number: c.quote for c in answer.citations}
    for sentence in answer.sentences:
        held = " ".join(quotes[n] for n in sentence.citations)
        assert sentence.verdict == support(sentence.text, held).verdict == "supported"
    assert answer.done
    assert answer.notice is None
    assert answer.refused == answer.text.startswith(REFUSAL)
    if answer.refused:
        assert not answer.citations
    assert _texts(answer.text)


def _texts(markdown: str) -> str:
    html = MarkdownIt("commonmark").render(markdown)
    assert set(re.findall(r"<\s*/?\s*(\w+)", html)) <= {"p", "blockquote", "strong"}
    return html


def test_stream_ends_with_what_ask_returns(bot: Bot, answers: dict[str, Answer]) -> None:
    for question in ("What does Ukraine demand?", "What is this about?", "Hello!"):
        *partial, last = bot.stream(question)
        assert last.done
        assert not any(p.done for p in partial)
        assert same(last, answers[question])


def test_chain_is_the_same_pipeline(bot: Bot, answers: dict[str, Answer]) -> None:
    question = "Where will Trump and Putin meet?"
    expected = answers[question]
    assert isinstance(bot.chain, Runnable)
    asked = {"question": question, "history": []}
    assert same(bot.chain.invoke(asked), expected)
    assert same(bot.chain.invoke(question), expected)
    first, second = bot.chain.batch([asked, {"question": "Hello!"}])
    assert same(first, expected)
    assert same(second, answers["Hello!"])
    *_, last = bot.chain.stream(asked)
    assert same(last, expected)

    async def both() -> tuple[Answer, list[Answer]]:
        return await bot.chain.ainvoke(asked), [a async for a in bot.chain.astream(asked)]

    waited, streamed = asyncio.run(both())
    assert same(waited, expected)
    assert same(streamed[-1], expected)


def test_history_in_three_shapes(bot: Bot) -> None:
    said = ("Will Zelensky attend the summit?", "Zelensky is not set to attend the summit. [1]")
    dicts = [{"role": r, "content": c} for r, c in zip(("user", "assistant"), said, strict=True)]
    blocks = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in dicts]
    found = [
        bot.ask("What does he call the meeting?", history)
        for history in (dicts, blocks, [HumanMessage(said[0]), AIMessage(said[1])])
    ]
    assert same(found[0], found[1])
    assert same(found[0], found[2])
    assert "personal victory" in found[0].text


def test_eight_threads_get_what_one_gets(bot: Bot, answers: dict[str, Answer]) -> None:
    barrier = threading.Barrier(8)

    def ask(i: int) -> list[tuple[str, Answer]]:
        barrier.wait(30)
        turned = QUESTIONS[i:] + QUESTIONS[:i]
        return [(q, bot.ask(q)) for q in turned[:4]]

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(ask, range(8)):
            for question, answer in found:
                assert same(answer, answers[question])


@pytest.mark.parametrize(
    "question",
    ["What is this about?", "Summarise it", "main points", "Could you summarise this article?"],
)
def test_overview_has_three_to_six_cited_sentences(bot: Bot, question: str) -> None:
    answer = bot.ask(question)
    assert not answer.refused
    assert 3 <= len(answer.sentences) <= 6
    assert all(s.citations and s.verdict == "supported" for s in answer.sentences)
    assert answer.citations[0].quote.startswith("U.S. President Donald Trump and Russian")
    starts = [c.start for c in answer.citations]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize("question", ["Hello!", "Thanks a lot!", "", "   ", "😀", "?!…", "\x00\n"])
def test_small_talk_and_nothing_get_a_line_and_suggestions(bot: Bot, question: str) -> None:
    answer = bot.ask(question)
    assert not answer.refused
    assert answer.citations == answer.sentences == answer.closest == ()
    assert bot.articles()[0].title in answer.text
    assert answer.suggestions == bot.suggest()


def test_suggested_questions_are_answered(bot: Bot) -> None:
    suggested = bot.suggest(limit=3)
    assert len(suggested) == 3
    assert bot.suggest(bot.articles()[0].id, 1) == suggested[:1]
    for question in suggested:
        assert bot.ask(question).citations, question


def test_unanswerable_question_offers_the_closest(answers: dict[str, Answer]) -> None:
    answer = answers["Who is the mayor of Anchorage?"]
    assert answer.refused
    assert answer.closest
    assert [c.number for c in answer.closest] == list(range(1, len(answer.closest) + 1))
    assert all(c.quote in _plain(answer.text) for c in answer.closest)


def _plain(markdown: str) -> str:
    tokens = MarkdownIt("commonmark").parse(markdown)
    return "\n".join(
        "".join(c.content for c in t.children or []) for t in tokens if t.type == "inline"
    )


@pytest.mark.parametrize(
    ("question", "history", "message"),
    [
        ("w" * 100_000, (), "100,000 characters; at most 2,000"),
        ("Who?", [{"role": "wizard", "content": "x"}], "role 'wizard'"),
        (None, (), "give a string"),
    ],
)
def test_what_cannot_be_asked_is_said(bot: Bot, question: Any, history: Any, message: str) -> None:
    for call in (
        lambda: bot.ask(question, history),
        lambda: list(bot.stream(question, history)),
        lambda: bot.chain.invoke({"question": question, "history": history}),
    ):
        with pytest.raises(QuestionError, match=message):
            call()


def test_unknown_articles_are_named(bot: Bot) -> None:
    for call in (
        lambda: bot.ask("Who?", articles=["nosuch"]),
        lambda: list(bot.stream("Who?", articles=["nosuch"])),
        lambda: bot.article("nosuch"),
        lambda: bot.suggest("nosuch"),
    ):
        with pytest.raises(UnknownArticle, match="nosuch"):
            call()


HOSTILE = """# A <b>bold</b> title [1] & more

The *mayor* of Ekeby is [Ada Berg](javascript:alert(1)) and she earns $5 [2] an hour.

<script>alert("the library of Ekeby opens at 9")</script> is what the library's sign says.

- The ferry to Ekeby ![x](http://x.example/y.png) leaves on Mondays & Fridays.

> The _baker_ of Ekeby sells `bread` for 1 < 2 and 3 > 2 euros &lt;each&gt; ~~today~~.
"""


def test_an_article_of_markup_is_shown_as_text(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(Article.from_text(HOSTILE), threshold=0.0)
    for question in (
        "Who is the mayor of Ekeby?",
        "What does the library's sign say?",
        "When does the ferry leave?",
        "What does the baker sell?",
        "What is this about?",
        "Hello!",
    ):
        answer = bot.ask(question)
        for citation in (*answer.citations, *answer.closest):
            assert " ".join(citation.quote.split()) in _plain(answer.text)
        shown = [int(n) for n in MARKER.findall(answer.text)]
        assert shown == [c.number for c in answer.citations]
        assert not re.search(r"<(?:b|script|img|a)\b", _texts(answer.text))


def test_scope_is_kept_and_articles_come_and_go(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(
        Article.from_text("Ada Berg leads Ekeby. She was elected in 2019.", title="Ekeby"),
        Article.from_text("Bo Ek leads Norrby. He was elected in 2021.", title="Norrby"),
        threshold=0.0,
    )
    ekeby, norrby = bot.articles()
    for article in (ekeby, norrby):
        answer = bot.ask("Who leads it?", articles=[article.id])
        assert {c.article_id for c in answer.citations} == {article.id}
        assert {c.passage.article_id for c in answer.trace} == {article.id}
    assert bot.add(ekeby) == ekeby
    assert len(bot.articles()) == 2
    assert bot.remove(ekeby.id) == ekeby
    assert bot.articles() == [norrby]
    with pytest.raises(UnknownArticle):
        bot.ask("Who?", articles=[ekeby.id])
    bot.remove(norrby.id)
    for question in ("Who leads Ekeby?", "What is this about?", "Hello!", ""):
        answer = bot.ask(question)
        assert answer.text
        assert answer.citations == ()


def test_answer_becomes_json(answers: dict[str, Answer]) -> None:
    import json

    for answer in answers.values():
        values = json.loads(json.dumps(answer.to_dict(trace=True)))
        assert values["text"] == answer.text
        assert len(values["trace"]["candidates"]) == len(answer.trace)
