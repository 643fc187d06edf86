"""The span reader: spans from logits, long passages, and what it finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bot import Bot, WeightsError
from bot.exact import LEAST, LEAST_FACT, Exact, choose, closed, dated, series
from bot.reader import Reader, TextSpan, load_reader
from bot.reader.spans import LONGEST, best_spans
from index.weights import READER, RERANKER, Weights

TOKENIZER = Tokenizer.from_file(str(RERANKER.locate() / "tokenizer.json"))
TOKENIZER.no_padding()

Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


# -- spans from logits --


@given(text=st.text(st.characters(codec="utf-8"), max_size=60), seed=st.integers(0, 2**32 - 1))
def test_spans_are_the_likeliest_and_do_not_overlap(text: str, seed: int) -> None:
    encoding = TOKENIZER.encode("who is it?", text)
    starts, ends = logits(seed, len(encoding.ids))
    spans = best_spans(encoding, starts, ends)
    passage = [i for i, s in enumerate(encoding.sequence_ids) if s == 1]
    assert bool(spans) == bool(passage)
    assert [s.logit for s in spans] == sorted((s.logit for s in spans), reverse=True)
    for span in spans:
        assert 0 <= span.start < span.end <= len(text)
    # Two tokens can be of one character (an emoji in bytes): then their offsets coincide.
    distinct = len({encoding.offsets[i] for i in passage}) == len(passage)
    for one in spans if distinct else ():
        assert not any(o.start < one.end and one.start < o.end for o in spans if o is not one)
    if passage:
        every = [
            starts[i] + ends[j] - starts[0] - ends[0]
            for i in passage
            for j in passage
            if i <= j < i + LONGEST
        ]
        assert spans[0].logit == pytest.approx(float(max(every)), abs=1e-4)


def test_a_span_is_never_longer_than_allowed() -> None:
    encoding = TOKENIZER.encode("who?", "a " * 100)
    starts, ends = np.zeros((2, len(encoding.ids)), np.float32)
    starts[3], ends[3 + LONGEST] = 50.0, 100.0
    best = best_spans(encoding, starts, ends)[0]
    inside = [o for o in encoding.offsets if best.start <= o[0] and o[1] <= best.end and o[1]]
    assert len(inside) <= LONGEST + 4  # the question's tokens have offsets of their own


def logits(seed: int, size: int) -> Array:
    made: Array = np.random.default_rng(seed).normal(0, 3, (2, size)).astype(np.float32)
    return made


# -- reading --


@pytest.mark.parametrize(
    ("question", "passage", "answer"),
    [
        ("On which day do they meet?", "They meet on Friday in Alaska.", "Friday"),
        (
            "Who wrote the report?",
            "It was written by Maria Keller in 2019.",
            "Maria Keller",
        ),
        (
            "How much did the bridge cost?",
            "The bridge cost 120 million euros.",
            "120 million euros",
        ),
        ("Where is the company based?", "The company, based in Oslo, sells boats.", "Oslo"),
        ("When was the museum opened?", "Opened in 1887, the museum is the oldest here.", "1887"),
        ("What colour is the door?", "The door is green and the wall is white.", "green"),
    ],
)
def test_it_finds_the_exact_answer(
    reader: Reader, question: str, passage: str, answer: str
) -> None:
    (reading,) = reader.read(question, [passage])
    best = reading.spans[0]
    assert passage[best.start : best.end] in (answer, f"in {answer}", f"on {answer}")
    assert reading.here > 0
    assert best.logit > 0


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("Who paid for the trip?", "They meet on Friday in Alaska."),
        ("Who designed the bridge?", "The bridge cost 120 million euros."),
        ("How old is the mayor?", "The museum is open from Monday to Saturday."),
    ],
)
def test_it_says_when_the_answer_is_not_here(reader: Reader, question: str, passage: str) -> None:
    here = "The mayor of the town, who is 54 years old, designed the bridge; they meet at 10 a.m."
    without, within = reader.read(question, [passage, here])
    assert without.here < within.here
    assert without.here < 0


def test_an_answer_beyond_the_window_is_found(reader: Reader) -> None:
    filler = "The weather was mild and the streets were quiet that day. " * 90
    passage = f"{filler}The prize was won by Ingrid Solberg. {filler}"
    (reading,) = reader.read("Who won the prize?", [passage])
    best = reading.spans[0]
    assert passage[best.start : best.end] == "Ingrid Solberg"


def test_what_it_says_of_a_passage_does_not_depend_on_the_others(reader: Reader) -> None:
    passages = ["They meet on Friday.", "It rained.", "The cat sleeps on the mat all day long."]
    together = reader.read("When do they meet?", passages)
    assert together == [reader.read("When do they meet?", [p])[0] for p in passages]
    assert reader.read("When do they meet?", []) == []


@pytest.mark.parametrize(
    "question", ["什么时候" * 100, "대한민국 " * 80, "?" * 400, "who " * 999, ""]
)
def test_a_question_of_any_length_leaves_room_for_the_passage(
    reader: Reader, question: str
) -> None:
    long = "The river rose by two metres in the night of the storm. " * 60
    for passage in ("", "They meet on Friday.", long):
        (reading,) = reader.read(question, [passage])
        assert all(0 <= s.start < s.end <= len(passage) for s in reading.spans)


def test_an_empty_passage_has_no_span(reader: Reader) -> None:
    (reading,) = reader.read("Who?", [""])
    assert reading.spans == ()


def test_a_changed_weight_file_is_refused(tmp_path: Path) -> None:
    broken = Weights("reader", "askarticle", "bot", "reader", {next(iter(READER.files)): "0" * 64})
    with pytest.raises(WeightsError, match="askarticle"):
        broken.locate()


# -- choosing --

QUOTED = [("a", 0, 50), ("a", 60, 90)]


def exact(start: int, end: int, odds: float) -> Exact:
    return Exact("a", start, end, odds, 0.0)


def test_the_likeliest_stretch_of_the_best_sentence_is_the_answer() -> None:
    found = [exact(62, 70, 9.0), exact(5, 9, 4.0), exact(20, 24, 3.0)]
    assert choose("When is it?", found, QUOTED, {"a": "x" * 99}) == (found[1],)
    assert choose("When is it?", found, [], {"a": "x" * 99}) == ()
    assert (
        choose("When is it?", found[:1], QUOTED, {"a": "x" * 99}) == ()
    )  # not in the sentence that answers


@pytest.mark.parametrize(
    ("question", "least"),
    [
        *((q, LEAST_FACT) for q in (
            "When is it?", "who signed", "In which city is it?", "How many came?",
            "What year was it signed?", "What percentage of people has it?", "During which years?",
        )),
        *((q, LEAST) for q in (
            "Why is it?", "What won't Ukraine accept?", "What caused the war?", "What is peace?",
            "What Trump said about it", "What shall we do?", "How did he react?", "the sum paid",
        )),
    ],
)  # fmt: skip
def test_a_stretch_that_the_reader_does_not_believe_in_is_no_answer(
    question: str, least: float
) -> None:
    texts = {"a": "x" * 99}
    assert choose(question, [exact(5, 9, least - 0.1)], QUOTED, texts) == ()
    believed = exact(5, 9, least)
    assert choose(question, [believed], QUOTED, texts) == (believed,)


def test_a_stretch_is_as_probable_as_such_stretches_are_right() -> None:
    shares = [exact(5, 9, odds).span.score for odds in (-6.0, 0.0, 3.0, 9.0)]
    assert shares == sorted(shares)
    # As likely as that nothing answers is right in one of three, and the likeliest never surely.
    assert 0.2 < shares[1] < 0.45
    assert shares[3] < 0.9


@pytest.mark.parametrize(
    "question", ["Is it on Friday?", "Did he sign?", "And will they meet?", "Hasn't he left?",
                 "Can you tell me whether he signed?", "Do you know if it rained?"],
)  # fmt: skip
def test_yes_or_no_is_not_guessed(question: str) -> None:
    assert choose(question, [exact(5, 9, 9.0)], QUOTED, {"a": "x" * 99}) == ()


@pytest.mark.parametrize(
    "question", ["Can you tell me when it is?", "Could you please say, who won?", "Tell me where.",
                 "And do you know why?"],
)  # fmt: skip
def test_a_polite_question_is_not_for_yes_or_no(question: str) -> None:
    found = exact(5, 9, 9.0)
    assert choose(question, [found], QUOTED, {"a": "x" * 99}) == (found,)


@pytest.mark.parametrize(
    "question", ["What did James buy?", "What do economists call this?", "What did Paris demand?",
                 "What happens on Friday?", "What causes inflation?", "Which crisis began then?",
                 "Which class was it?", "Which virus was found?", "How many countries joined?",
                 "What does Russia want?", "Which Ross won?", "Name the city where they met."],
)  # fmt: skip
def test_a_word_that_ends_in_s_makes_no_list(question: str) -> None:
    found = [exact(30, 40, 6.0), exact(5, 9, 5.0)]
    assert choose(question, found, QUOTED, {"a": "x" * 99}) == (found[0],)


@pytest.mark.parametrize(
    "question", ["Which countries joined?", "Who are the members?", "What are the conditions?",
                 "Which parties signed?", "In which cities did they meet?",
                 "What groups are there?", "On what days did they meet?",
                 "Can you tell me which people came?", "Name the three countries.",
                 "List all parties."],
)  # fmt: skip
def test_a_list_gives_every_stretch_in_the_order_of_the_text(question: str) -> None:
    found = [exact(30, 40, 6.0), exact(5, 9, 5.0), exact(62, 70, 4.0), exact(8, 12, 3.9),
             exact(80, 85, -1.0), exact(95, 99, 5.5)]  # fmt: skip
    chosen = choose(question, found, QUOTED, {"a": "x" * 99})
    assert [(e.start, e.end) for e in chosen] == [(5, 9), (30, 40), (62, 70)]


SERIES = "They met in Kherson, New York, the Hague and Donetsk, where Bob and 3 others live."


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("Donetsk", "Kherson, New York, the Hague and Donetsk"),
        ("Kherson", "Kherson, New York, the Hague and Donetsk"),
        ("New York", "Kherson, New York, the Hague and Donetsk"),
        ("Bob", "Bob and 3"),
        ("York", "Kherson, New York, the Hague and Donetsk"),
        ("They met", "They met"),
        ("where", "where"),
    ],
)
def test_a_name_in_an_enumeration_stands_for_all_of_it(given: str, whole: str) -> None:
    start = SERIES.index(given)
    begin, end = series(SERIES, start, start + len(given))
    assert SERIES[begin:end] == whole


def test_a_list_in_one_sentence_is_given_whole() -> None:
    start = SERIES.index("Donetsk")
    found = [exact(start, start + 7, 5.0), exact(12, 19, 4.0)]
    (chosen,) = choose("Which cities did they visit?", found, [("a", 0, 90)], {"a": SERIES})
    assert SERIES[chosen.start : chosen.end] == "Kherson, New York, the Hague and Donetsk"
    (chosen,) = choose("Which city did they see?", found, [("a", 0, 90)], {"a": SERIES})
    assert SERIES[chosen.start : chosen.end] == "Donetsk"


@given(
    text=st.text("ABcd ,and&«»", max_size=40),
    places=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_a_series_holds_what_it_is_made_from(text: str, places: tuple[int, int]) -> None:
    start, end = sorted(min(p, len(text)) for p in places)
    begin, stop = series(text, start, end)
    assert 0 <= begin <= start <= end <= stop <= len(text)
    for widen in (closed, dated):
        begin, stop = widen(text, start, end)
        assert 0 <= begin <= start <= end <= stop <= len(text)


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("«no deal", "«no deal»"),
        ("no deal» twice", "«no deal» twice"),
        ("no deal", "no deal"),
        ("the (long", "the (long)"),
        ("“never", "“never.”"),
        ("never.”", "“never.”"),
        ("said «no", "said «no deal»"),
        ("then: “ne", "then: “never.”"),
        ("deal» twice", "«no deal» twice"),
    ],
)
def test_a_quotation_mark_or_bracket_is_not_left_without_the_other(given: str, whole: str) -> None:
    text = "He said «no deal» twice after the (long) pause, then: “never.”"
    start = text.index(given)
    begin, end = closed(text, start, start + len(given))
    assert text[begin:end] == whole


@pytest.mark.parametrize(
    ("sentence", "part", "whole"),
    [
        ("It opened on August 22, 1980 at noon.", "1980", "August 22, 1980"),
        ("It closed on Friday, 13 February 2018.", "13 February", "Friday, 13 February 2018"),
        ("It began in February 2022.", "2022", "February 2022"),
        ("It is on the 4th of May.", "May", "the 4th of May"),
        ("It began in 1980.", "1980", "1980"),
        ("It was May 1999, or 2001.", "2001", "2001"),
        ("It is his birthday May 4, 1990.", "1990", "May 4, 1990"),
        ("It opened on Aug. 22, 1980 at noon.", "1980", "Aug. 22, 1980"),
        ("On 3 Sept 1980 it began.", "1980", "3 Sept 1980"),
    ],
)
def test_when_is_answered_with_the_whole_date(sentence: str, part: str, whole: str) -> None:
    at = sentence.index(part)
    quoted, found = [("a", 0, len(sentence))], [exact(at, at + len(part), 3.0)]
    (when,) = choose("When was it?", found, quoted, {"a": sentence})
    assert sentence[when.start : when.end] == whole
    (year,) = choose("What year was it?", found, quoted, {"a": sentence})
    assert sentence[year.start : year.end] == part


def test_exact_answers_stand_in_their_citations(bot: Bot) -> None:
    answer = bot.ask("On which day is the summit?")
    assert answer.short == "Friday"
    (stretch,) = answer.exact
    article = bot.article(stretch.article_id)
    assert article.text[stretch.start : stretch.end] == answer.short
    assert any(
        c.article_id == stretch.article_id and c.start <= stretch.start and stretch.end <= c.end
        for c in answer.citations
    )
    assert "**Friday**" in answer.text
    assert 0 < stretch.score <= 1


def test_a_refusal_has_no_exact_answer(bot: Bot) -> None:
    answer = bot.ask("How do I bake bread?")
    assert answer.refused
    assert answer.short is None
    assert answer.exact == ()


def test_spans_compare_by_what_they_are() -> None:
    assert TextSpan(0, 3, 1.0) == TextSpan(0, 3, 1.0)
