"""Answers as Markdown, articles as HTML, and the conversation that a browser keeps."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import REFUSAL, Answer, Article, Citation, Sentence, Support, Trace, UnknownArticle
from ui import conversation, render
from ui.conversation import Exchange
from ui.render import Mark

TEXT = """The bridge

It cost 120 million. It is red & <b>long</b>.
It opened in 1911.

It cost 120 million. 👩‍👩‍👧 It is `{{old}}` ${now}."""
ARTICLE = Article.from_text(TEXT)
FINE = Support(1.0, "supported")


class Reader(HTMLParser):
    """Reads a pane back: its tags, its text, and the text under each span's marks."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.spans: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "mark":
            self._open = (dict(attrs)["data-spans"] or "").split()

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._open = []

    def handle_data(self, data: str) -> None:
        self.text += data
        for span in self._open:
            self.spans[span] = self.spans.get(span, "") + data


def cite(quote: str, number: int = 1, article: Article = ARTICLE, nth: int = 0) -> Citation:
    start = -1
    for _ in range(nth + 1):
        start = article.text.index(quote, start + 1)
    end = start + len(quote)
    return Citation(number, article.id, article.title, start, end, quote, 0.9, FINE)


def answer(text: str, *citations: Citation, **values: Any) -> Answer:
    given = {"short": None, "refused": False, "sentences": (), "question": "What?"} | values
    return Answer(text=text, citations=citations, trace=Trace(), timings={}, **given)


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_an_article_is_shown_as_text() -> None:
    page = render.article_html(ARTICLE)
    read = Reader(page)
    assert squeeze(read.text) == squeeze(TEXT)
    assert read.tags == ["article", "h2", "p", "p"]
    assert not set("{}$`") & set(page)


def test_repeated_and_overlapping_marks_cover_exactly_their_text() -> None:
    first, second = cite("It cost 120 million."), cite("It cost 120 million.", nth=1)
    wide = cite("120 million. It is red & <b>long</b>.\nIt")
    across = cite("It opened in 1911.\n\nIt cost")
    places = [first, second, wide, across]
    read = Reader(render.article_html(ARTICLE, [Mark(c.start, c.end) for c in places]))
    assert squeeze(read.text) == squeeze(TEXT)
    assert {span: squeeze(text) for span, text in read.spans.items()} == {
        f"{c.start}-{c.end}": squeeze(c.quote) for c in places
    }


@given(st.lists(st.tuples(st.integers(-5, 150), st.integers(-5, 150)), max_size=8))
def test_any_marks_leave_the_text_as_it_is(pairs: list[tuple[int, int]]) -> None:
    read = Reader(render.article_html(ARTICLE, [Mark(*pair) for pair in pairs]))
    assert squeeze(read.text) == squeeze(TEXT)
    for span, text in read.spans.items():
        start, end = map(int, span.split("-"))
        assert squeeze(text) == squeeze(ARTICLE.text[start:end])


def test_a_title_that_is_not_the_first_line_is_put_above() -> None:
    page = render.article_html(replace(ARTICLE, title="Bridges <of> Norway"))
    assert page.index("Bridges &lt;of&gt; Norway") < page.index("The bridge")


def test_each_citation_is_one_stop_of_the_tab_key() -> None:
    cited = [cite("It cost 120 million."), cite("120 million. It is red")]
    page = render.article_html(ARTICLE, [Mark(c.start, c.end) for c in cited])
    assert page.count("<mark") == 3
    assert page.count("tabindex") == 2


def test_marks_prefer_an_answer_to_an_offer() -> None:
    place = cite("It opened in 1911.")
    refused = answer(REFUSAL, refused=True, closest=(place, cite("The bridge")))
    elsewhere = answer("x", replace(place, article_id="other"))
    found = render.marks([answer("x", place), refused, elsewhere], ARTICLE.id)
    assert [m.kind for m in found] == ["closest", "cited"]


def test_markers_become_links_and_nothing_else_does() -> None:
    place = cite("It cost 120 million.")
    made = render.answer_markdown(
        answer(r"Yes [1] [2] \[1\] ![x](http://e.test) [a](b) <img src=x> &lt; [1][1]", place)
    )
    assert made.count(f"({render.href(place)} ") == 3
    assert r"\[2\]" in made
    assert r"\[1\]" in made
    assert r"!\[x](http://e.test) \[a](b) &lt;img src=x> &amp;lt;" in made


def test_a_quote_cannot_leave_its_tooltip() -> None:
    article = Article.from_text('A\n\nSay "hi) \\" <b> [x](y)" now.')
    place = cite('Say "hi) \\" <b> [x](y)" now.', article=article)
    made = render.answer_markdown(answer("So. [1]", place))
    title = re.search(r' "([^"]*)"\)$', made)
    assert title
    assert html.unescape(title[1]) == place.quote


def test_doubts_are_marked_where_they_stand() -> None:
    weak = Sentence("It cost 12.", (1,), Support(0.5, "weak", ('12 is not "there".',)))
    wrong = Sentence("It is blue.", (), Support(0.0, "unsupported", ("No.",)))
    lost = Sentence("Never written.", (), Support(0.0, "unsupported"))
    made = render.answer_markdown(
        answer(
            r"It cost **12**. [1] It is blue\.",
            cite("It cost 120 million."),
            sentences=(weak, wrong, lost),
        )
    )
    assert '<span class="weak" tabindex="0" title="Only partly supported' in made
    assert "12 is not &quot;there&quot;." in made
    assert re.search(r'<del class="unsupported"[^>]*>It is blue\\\.</del>', made)
    assert "Doubtful: “Never written.”" in made


def test_a_refusal_links_to_the_closest_sentences() -> None:
    place = cite("It opened in 1911.")
    reason = "The article does not mention *Biden*."
    made = render.answer_markdown(
        answer(f"{REFUSAL} …", refused=True, closest=(place,), reason=reason)
    )
    assert made.startswith(f"{REFUSAL} The article does not mention \\*Biden\\*.\n")
    assert f"> [It opened in 1911.]({render.href(place)})" in made


def test_what_was_searched_and_what_went_wrong_are_told() -> None:
    given = answer("Yes.", question="Who <b>?", notice="It failed.")
    made = render.answer_markdown(given, typed="Who?", stopped=True)
    assert 'Searched: <a href="#ask"' in made
    assert ">Who &lt;b&gt;?</a>" in made
    assert "It failed." in made
    assert "Stopped." in made
    assert "Searched" not in render.answer_markdown(given, typed="Who  <b>?")


@given(st.text(max_size=60))
def test_typed_text_is_given_back_by_taking_the_backslashes_out(text: str) -> None:
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", render.plain_markdown(text))
    assert shown.replace("&nbsp;", " ").split() == text.split() or "\t" in text


def test_a_conversation_survives_the_browser_and_forgery_does_not() -> None:
    place = cite("It opened in 1911.")
    good = Exchange("When?", ARTICLE.id, answer("In 1911. [1]", place))
    running = Exchange("And?", ARTICLE.id)

    def look_up(article_id: str) -> Article:
        if article_id != ARTICLE.id:
            raise UnknownArticle(article_id)
        return ARTICLE

    kept = conversation.dump([good, running])
    assert conversation.load(kept, look_up) == [good, replace(running, stopped=True)]
    assert conversation.history([good, running], ARTICLE.id) == [
        {"role": "user", "content": "When?"},
        {"role": "assistant", "content": "In 1911. [1]"},
    ]
    assert conversation.history([good], "other") == []

    forged = json.loads(kept)
    forged[0]["answer"]["citations"][0]["quote"] = "It opened in 1912."
    assert conversation.load(json.dumps(forged), look_up) == [replace(running, stopped=True)]
    removed = replace(good, answer=answer("So. [1]", replace(place, article_id="gone")))
    assert conversation.load(conversation.dump([removed]), look_up) == [removed]


@pytest.mark.parametrize("kept", [None, "", "nonsense", "{}", "[1]", '[{"typed": 1}]', "null"])
def test_what_a_browser_kept_may_be_anything(kept: str | None) -> None:
    assert conversation.load(kept, lambda _: ARTICLE) == []
