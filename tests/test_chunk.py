"""Passages point exactly into the article, cover its sentences in order, and fit the embedder."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from index import Article, Chunking, Passage, SettingsError, bundled, chunk, load_embedder
from index.chunk import _paragraphs, is_heading, leans
from index.sentences import sentence_spans

Count = Callable[[str], int]

LONG_WORD = "Donaudampfschifffahrt" * 239
PIECES = [
    "Mr. Trump met Mr. Putin. ",
    "It was long. ",
    "It was long. ",
    "But they left at 5 p.m. on Friday. ",
    "# A heading\n",
    "A line without a stop\n",
    "\n\n",
    "\r\n\r\n",
    "- an item\n",
    "👩\u200d👩\u200d👧🏽 said so. ",
    "Cafe\u0301 Ame\u0301lie. ",
    "总统表示，会谈取得了很大进展。下周将继续。",
    "대통령은회담이성공적이라고말했다,",
    "क\u093f\u0924\u093e\u092c ",
    "a,b;c/" * 60,
    "word " * 70,
    "x" * 150,
]


@pytest.fixture(scope="module")
def count() -> Count:
    """Count word pieces as the bundled embedder does."""
    return load_embedder().token_counter()


def check(article: Article, passages: list[Passage], count: Count, how: Chunking) -> None:
    """Hold passages to all that is promised of them."""
    text = article.text
    spans = [span for p in passages for span in p.sentences]
    ids = {(p.start, p.end) for p in passages}
    assert len(ids) == len(passages), "passages of the same place would overwrite each other"
    for passage in passages:
        assert passage.article_id == article.id
        assert text[passage.start : passage.end] == passage.text
        assert passage.start == passage.sentences[0][0]
        assert passage.end == passage.sentences[-1][1]
        assert all(a[1] <= b[0] for a, b in pairwise(passage.sentences))
        assert count(passage.searchable) <= how.max_tokens
        if passage.context:
            assert how.context
            assert leans(passage.text)
            assert passage.context not in ("", passage.text[: len(passage.context)]) or (
                text.count(passage.context) > 1
            )
    assert [p.start for p in passages] == sorted(p.start for p in passages)
    # Every sentence whole or, too long, in pieces: in order, with nothing left out.
    covered = sorted(set(spans))
    assert "".join(text[s:e] for s, e in covered).split() == text.split() or (
        "".join("".join(text[s:e] for s, e in covered).split()) == "".join(text.split())
    )
    for start, end in (s for paragraph in _paragraphs(text) for s in paragraph):
        inside = [s for s in covered if start <= s[0] < end]
        assert inside[0][0] == start
        assert inside[-1][1] == end
        if count(text[start:end]) <= how.max_tokens:
            assert inside == [(start, end)]
    if not how.overlap:
        assert spans == covered


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), min_size=1, max_size=14),
    st.sampled_from(
        [
            Chunking(),
            Chunking(overlap=1),
            Chunking(target_tokens=80),
            Chunking(target_tokens=120, overlap=1),
            Chunking(target_tokens=200, overlap=2),
            Chunking(max_tokens=16),
            Chunking(max_tokens=40, target_tokens=40, overlap=1, context=False),
        ]
    ),
)
def test_any_text_is_cut_exactly(count: Count, pieces: list[str], how: Chunking) -> None:
    text = "".join(pieces)
    assume(any(ch.isalnum() for ch in text))
    article = Article.from_text(text)
    check(article, chunk(article, count, how), count, how)


@pytest.mark.parametrize(
    "text",
    [
        "The same sentence. " * 200,
        "The same paragraph.\r\n\r\n" * 20,
        LONG_WORD,
        f"Before it. {LONG_WORD} after it, and more. It ends.",
        "总统表示会谈取得了很大进展" * 150,
        "대통령은회담이," * 300,
        "data:" + "aB3/+" * 1500,
        "👩\u200d👩\u200d👧🏽" * 300 + "a",
        "क\u093e" * 2000,
        "क" + "\u093e" * 3000,
        "e\u0301\u0323" * 1000,
        "one two three " * 1000,
    ],
    ids=lambda text: ascii(text[:12]),
)
@pytest.mark.parametrize("how", [Chunking(), Chunking(target_tokens=80, overlap=1)])
def test_hard_texts(count: Count, text: str, how: Chunking) -> None:
    article = Article.from_text(text)
    check(article, chunk(article, count, how), count, how)


def test_marks_stay_on_their_letters(count: Count) -> None:
    article = Article.from_text("क\u093e," * 2000)
    passages = chunk(article, count)
    assert len(passages) > 10
    assert all(p.text[0] != "\u093e" for p in passages)


def test_long_text_without_spaces_or_stops_takes_no_square_time(count: Count) -> None:
    calls = 0

    def counted(text: str) -> int:
        nonlocal calls
        calls += len(text)
        return count(text)

    for text in ("ab,c+/" * 3000, "word " * 4000):
        calls = 0
        chunk(Article.from_text(text), counted)
        assert calls < 40 * len(text)


def test_paragraphs_of_the_bundled_article(count: Count) -> None:
    article = bundled()
    passages = chunk(article, count)
    check(article, passages, count, Chunking())
    paragraphs = [p for p in article.text.split("\n\n") if p.strip()]
    assert len(passages) == pytest.approx(len(paragraphs), abs=3)
    assert any(p.context for p in passages)
    assert all(p.readings == ((p.text, p.searchable) if p.context else (p.text,)) for p in passages)


def test_headings_are_kept_with_what_follows(count: Count) -> None:
    article = Article.from_text(
        "# Title\n\n## Part\n\nA first paragraph.\n\nA second one.\n\n## End"
    )
    assert [p.text for p in chunk(article, count)] == [
        "# Title\n\n## Part\n\nA first paragraph.",
        "A second one.",
        "## End",
    ]


def test_context_is_the_sentence_before(count: Count) -> None:
    article = Article.from_text(
        "Kyiv refused. It has its reasons.\n\n# Part two\n\nBut they talk. Then more.\n\nNew start."
    )
    first, second, third = chunk(article, count)
    assert (first.context, third.context) == ("", "")
    assert second.text.startswith("# Part two")  # a heading does not lean
    plain = Article.from_text("Kyiv refused. Moscow did not.\n\nIt insists.\n\nThey met.")
    assert [p.context for p in chunk(plain, count)] == ["", "Moscow did not.", "It insists."]
    assert {p.context for p in chunk(plain, count, Chunking(context=False))} == {""}
    assert chunk(plain, count)[1].searchable == "Moscow did not. It insists."


def test_context_is_not_the_overlap(count: Count) -> None:
    article = Article.from_text("It is one two three. " + "They are four five six seven. " * 12)
    passages = chunk(article, count, Chunking(max_tokens=30, overlap=1))
    assert all(b.sentences[0] == a.sentences[-1] for a, b in pairwise(passages))
    starts = [start for start, _ in sentence_spans(article.text)]
    for passage in passages[1:]:
        if passage.context:
            before = starts[starts.index(passage.start) - 1]
            assert article.text[before : passage.start].strip() == passage.context


def test_sizes(count: Count) -> None:
    article = bundled()
    numbers = {
        target: len(chunk(article, count, Chunking(target_tokens=target)))
        for target in (0, 80, 120, 200)
    }
    assert numbers[80] > numbers[120] > numbers[200]
    joined = chunk(article, count, Chunking(target_tokens=120))
    assert max(count(p.text) for p in joined) <= 120


@pytest.mark.parametrize(
    "sizes",
    [{"max_tokens": 0}, {"target_tokens": -1}, {"target_tokens": 300}, {"overlap": -1}],
)
def test_sizes_that_make_no_sense(sizes: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=str(next(iter(sizes.values())))):
        Chunking(**sizes)


def test_identity_tells_settings_apart() -> None:
    variants = [
        Chunking(),
        Chunking(max_tokens=200),
        Chunking(target_tokens=80),
        Chunking(overlap=1),
        Chunking(context=False),
    ]
    assert len({v.identity for v in variants}) == len(variants)


def test_lines_are_paragraphs_where_nothing_else_is() -> None:
    lines = "The bridge closes in May.\nIt opens again in June.\nCars take the ferry."
    assert [len(p) for p in _paragraphs(lines)] == [1, 1, 1]
    wrapped = "The bridge closes\nin May and opens\nagain in June.\n\nCars take the ferry."
    assert [len(p) for p in _paragraphs(wrapped)] == [1, 1]
    assert [len(p) for p in _paragraphs("The bridge closes\nin May and opens\nin June.")] == [1]


def test_list_items_and_facts_are_no_headings() -> None:
    text = "Prices\n\n- Camping on the site\n\nDay ticket: 45 euros\n\nThe headliners"
    lines = [line for line in text.split("\n") if line]
    starts = [text.index(line) for line in lines]
    heads = [is_heading(text, (s, s + len(t))) for s, t in zip(starts, lines, strict=True)]
    assert heads == [True, False, False, True]
