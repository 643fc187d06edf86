"""Numbering, marking, escaping: what an answer's text shows is what the article says."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot import REFUSAL, Answer, Article
from bot.cite import MARKER, cite, declines, emphasise, escape, lead_in, strip_markdown, unescape
from bot.records import Claim, Draft, Query, Ranking, Span, Turn
from index.article import normalise

ARTICLE = Article.from_text(
    "Ada Berg leads the firm. It employs 300 people. She was born in Oslo.\n\n"
    "The *firm* sells [1] <b>bold</b> maps & `code` at https://maps.example. 1. Not a list.",
    title="A firm",
)
QUERY = Query(Turn("Who?"), "lookup", ("Who?",), sources={ARTICLE.id: ARTICLE})
RANKING = Ranking(QUERY, "Who?", ())


class _Page(HTMLParser):
    """The text of a page and the tags it uses."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(markdown: str) -> _Page:
    page = _Page()
    page.feed(MarkdownIt("commonmark").enable("strikethrough").render(markdown))
    page.close()
    return page


def span(part: str, score: float = 0.5) -> Span:
    start = ARTICLE.text.index(part)
    return Span(ARTICLE.id, start, start + len(part), score)


def answer(*claims: Claim, **fields: object) -> Answer:
    return cite(Draft(RANKING, claims=claims, **fields))  # type: ignore[arg-type]  # each test gives its own fields


def test_numbers_follow_the_order_of_appearance() -> None:
    first, second = span("It employs 300 people."), span("Ada Berg leads the firm.")
    made = answer(
        Claim("It employs 300 people.", (first,)),
        Claim("Ada Berg leads.", (second, first), before=" ", quoted=False),
        Claim("Ada Berg leads the firm.", (second, second), before=" "),
    )
    assert [s.citations for s in made.sentences] == [(1,), (2, 1), (2,)]
    assert [c.number for c in made.citations] == [1, 2]
    assert MARKER.findall(made.text) == ["1", "2", "1", "2"]
    assert [c.quote for c in made.citations] == [
        "It employs 300 people.",
        "Ada Berg leads the firm.",
    ]
    for citation in made.citations:
        assert ARTICLE.text[citation.start : citation.end] == citation.quote
        assert citation.title == "A firm"


def test_quoted_sentence_is_shown_as_it_stands() -> None:
    quote = ARTICLE.text[ARTICLE.text.index("The *firm*") :]
    made = answer(Claim(quote, (span(quote),)))
    page = rendered(made.text)
    assert page.text.strip() == f"{quote} [1]"
    assert page.tags == {"p"}
    assert MARKER.findall(made.text) == ["1"]
    assert made.sentences[0].text == quote
    assert made.sentences[0].verdict == "supported"


def test_unsupported_claim_is_struck_and_lowers_its_citation() -> None:
    place = span("It employs 300 people.")
    made = answer(
        Claim("It employs 300 people.", (place,)),
        Claim("It employs 400 people.", (place,), before=" ", quoted=False),
        Claim("It employs Bo.", (), before=" ", quoted=False),
    )
    assert made.text == (
        "It employs 300 people. [1] ~~It employs 400 people.~~ [1] ~~It employs Bo.~~"
    )
    assert [s.verdict for s in made.sentences] == ["supported", "unsupported", "unsupported"]
    assert made.citations[0].support == made.sentences[1].support
    assert "s" in rendered(made.text).tags


def test_unsupported_claims_can_be_left_out() -> None:
    place, other = span("It employs 300 people."), span("Ada Berg leads the firm.")
    claims = (
        Claim("It employs 400 people.", (other,), quoted=False),
        Claim("It employs 300 people.", (place,), before=" "),
        Claim("It employs Bo.", (), before=" ", quoted=False),
    )
    draft = Draft(RANKING, claims=claims)
    made = cite(draft, drop=True)
    assert made.text == "It employs 300 people. [1]"
    assert [s.text for s in made.sentences] == ["It employs 300 people."]
    assert [c.quote for c in made.citations] == ["It employs 300 people."]
    assert made.notice == "2 sentences that the article does not support are left out."
    assert cite(replace(draft, notice="It failed."), drop=True).notice == "It failed."
    assert cite(draft).notice is None


def test_a_pronoun_is_resolved_by_the_sentence_before() -> None:
    place = span("It employs 300 people.")
    made = answer(Claim("Berg's firm employs 300 people.", (place,), quoted=False))
    assert made.sentences[0].verdict == "supported"
    made = answer(Claim("Oslo employs 300 people.", (place,), quoted=False))
    assert made.sentences[0].verdict != "supported"
    assert "Oslo" in made.sentences[0].support.reasons[0]
    start = ARTICLE.text.index("It employs")
    assert lead_in(ARTICLE.text, start, start + 22) == "Ada Berg leads the firm."
    assert lead_in(ARTICLE.text, 0, 24) == ""


def test_refusal_offers_quotes_without_markers() -> None:
    made = answer(refused=True, closest=(span("It employs 300 people."), span("[1] <b>bold</b>")))
    assert made.refused
    assert made.text.startswith(REFUSAL)
    assert made.citations == ()
    assert [c.number for c in made.closest] == [1, 2]
    assert MARKER.findall(made.text) == []
    assert "[1] <b>bold</b>" in rendered(made.text).text
    assert rendered(made.text).tags == {"p", "blockquote"}
    assert answer(refused=True).text == REFUSAL
    told = answer(refused=True, reason="The article does not mention *Bo*.")
    assert told.text == f"{REFUSAL} The article does not mention \\*Bo\\*."
    assert told.reason == "The article does not mention *Bo*."
    assert answer(Claim("It employs 300 people."), reason="x").reason == ""


def test_message_stands_where_there_are_no_claims() -> None:
    made = answer(message="Hello!")
    assert (made.text, made.citations, made.sentences) == ("Hello!", (), ())


def test_statement_of_absence_is_neither_struck_nor_trusted() -> None:
    made = answer(Claim(f"{REFUSAL[:-1]} when.", (), quoted=False))
    assert made.sentences[0].verdict == "weak"
    assert "~~" not in made.text


def test_answer_becomes_json() -> None:
    values = answer(Claim("It employs 300 people.", (span("It employs 300 people."),))).to_dict()
    assert "trace" not in values
    assert values["citations"][0]["quote"] == "It employs 300 people."


TRAPS = [
    "# no heading",
    "- no item",
    "+ no item",
    "* no item",
    "12. no item",
    "3) no item",
    "> no quote",
    ">no quote",
    "---",
    "===",
    "***",
    "    no code block",
    "~~~ no fence",
    "``` no fence",
    "*a* _b_ **c** __d__ `e` ~~f~~",
    "[a](javascript:alert(1)) ![b](http://x.example/y.png) [c]: http://z.example",
    "<script>alert(1)</script> <https://x.example> <!-- c -->",
    "&lt;b&gt; &#60; &copy; AT&T; a & b",
    r"back\slash \[1] \\[1] \* end\ ",
    "line\nbreak  \nand\ttab",
    "[1] [2][3] [^4] ![5]",
    "| a | b |\n| - | - |",
    "mail a@b.example or www.example.org or ftp://x.example",
    "$$x^2$$ $5 and 5 * 3 * 2, snake_case_name",
    "👍🏽 «quoted» „Zitat“ 日本語 עברית e\u0301",
]


@pytest.mark.parametrize("text", TRAPS)
def test_traps_are_shown_as_text(text: str) -> None:
    _check_escaped(text)


@given(
    st.text(max_size=80)
    | st.text(st.sampled_from("a1 \n\\`*_{}[]()<>#+-.!|~&;:=@/$\"'"), max_size=40)
)
@settings(max_examples=300, deadline=None)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    _check_escaped(normalise(text))


def _check_escaped(text: str) -> None:
    shown = " ".join(text.split())
    escaped = escape(text)
    assert unescape(escaped) == shown
    assert not MARKER.search(escaped)
    assert "\n" not in escaped
    for markdown in (escaped, f"> {escaped}", f"- {escaped}", f"Text. [1] {escaped} [2]"):
        page = rendered(markdown)
        prefix, suffix = ("Text. [1] ", " [2]") if markdown.endswith("[2]") else ("", "")
        assert " ".join(page.text.split()) == " ".join(f"{prefix}{shown}{suffix}".split())
        assert page.tags <= {"p", "blockquote", "ul", "li"}
    for trap in ("http://", "https://"):
        assert trap not in escaped  # some renderers make links of bare addresses


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("**Bold** and *it* and `code`.", "Bold and it and code."),
        ("**Begins bold", "Begins bold"),
        ("ends bold.**", "ends bold."),
        ("- item", "item"),
        ("2. **item**", "item"),
        ("> quoted", "quoted"),
        ("## Title", "Title"),
        ("5 * 3 and snake_case", "5 * 3 and snake_case"),
        ("see [the page](http://x.example) now", "see the page now"),
        ("![alt](http://x.example/i.png 'title')", "alt"),
        ("[go](javascript:alert(1))", "go"),
        (r"1 \* 2 \[x\]", "1 * 2 [x]"),
    ],
)
def test_written_markdown_becomes_plain(written: str, plain: str) -> None:
    assert strip_markdown(written) == plain


@pytest.mark.parametrize(
    ("sentence", "loosely", "exactly"),
    [
        (REFUSAL, True, True),
        (REFUSAL.upper(), True, True),
        ("“The article does not say”, it seems.", True, True),
        ("The article doesn’t mention a time.", True, False),
        ("The provided passages do not tell.", True, False),
        ("The article says a lot.", False, False),
        ("Ukraine does not say.", False, False),
        ("", False, False),
    ],
)
def test_declining_is_recognised(sentence: str, loosely: bool, exactly: bool) -> None:
    assert declines(sentence) is loosely
    assert declines(sentence, exactly=True) is exactly


# -- emphasis --


WORDS = st.lists(
    st.sampled_from([*"ab1.,$%-('’)“”*_[]", "Friday", "U.S.", " ", " ", "é", "\U0001f600"]),
    max_size=25,
)


@given(words=WORDS, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_emphasis_changes_nothing_but_the_look(words: list[str], cuts: list[int]) -> None:
    text = "x " + "".join(words)
    ordered = sorted({c for c in cuts if c <= len(text)})
    stretches = [
        (a, b)
        for a, b in zip(ordered[::2], ordered[1::2], strict=False)
        if text[a].isalnum() and text[b - 1].isalnum()
    ]
    shown = MarkdownIt().renderInline(emphasise(text, stretches))
    told = re.sub(r"</?strong>", "", shown)
    assert html.unescape(told).split() == text.split()
    assert ("*" not in text and "<strong>" in shown) or not stretches or "*" in text


@pytest.mark.parametrize(
    ("text", "exact", "shown"),
    [
        ("They meet on Friday.", "Friday", "They meet on **Friday**."),
        ("A 24-hour ceasefire", "24", "A **24-hour** ceasefire"),
        ("It cost US$120 million, he said.", "120 million", "It cost **US$120 million**, he said."),
        ("He called it «a victory».", "a victory", "He called it «**a victory**»."),
        ("(on Friday)", "Friday", "(on **Friday**)"),
        ("Ukraine's army", "Ukraine", "**Ukraine's** army"),
        ("Rates rose 2.5% in May", "2", "Rates rose **2.5%** in May"),
        ("the owner is 'Bo' he said", "Bo", "the owner is '**Bo**' he said"),
        ("nothing here", "", "nothing here"),
    ],
)
def test_the_exact_answer_is_bold_in_whole_words(text: str, exact: str, shown: str) -> None:
    at = text.index(exact)
    assert emphasise(text, [(at, at + len(exact))] if exact else []) == shown
