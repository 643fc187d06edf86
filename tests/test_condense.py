"""Whether a turn stands alone, what kind it is, and what is searched for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.condense import FORMS, condense, stands_alone
from bot.kinds import kind, without_pleasantries
from bot.records import REFUSAL
from bot.spell import correct
from bot.turns import understand
from index import bundled

ALONE = [
    "What does Ukraine demand?",
    "When Putin spoke, did he mention NATO?",
    "Is it true that Trump will attend?",
    "Which leaders warned that peace needs Ukraine's involvement?",
    "Who wants peacekeepers and what does Russia think of it?",
    "Are there any conditions for a ceasefire?",
    "What will Trump do if the first meeting goes well?",
    "How many meetings were there in Istanbul?",
    "Does Russia say that it won?",
    "What does this article say about Macron?",
    "Who are the leaders that were invited?",
    "How did the company increase its revenue?",
    "How much does it cost to build a bridge?",
    "Does it snow in Anchorage?",
    "And what does Putin demand of Ukraine?",
    "Tell me more about the Istanbul meetings between Russia and Ukraine",
]
LEANING = [
    "Who else?",
    "And in Riyadh?",
    "Will he attend?",
    "Why?",
    "When was that?",
    "What about Ukraine?",
    "How did Ukraine react to it?",
    "Does Russia admit it?",
    "What are their names?",
    "Did Trump meet him?",
    "In Riyadh?",
    "And did Putin?",
    "And Prime Minister Keir Starmer?",
    "And the leaders of France and Italy?",
    "Also Macron, Starmer and Merz?",
    "And the European Union sanctions?",
    "What are its aims?",
    "Who were his parents?",
    "Who influenced their music?",
    "When will they leave their posts?",
    "And what does he demand of Ukraine?",
    "Tell me more about it",
    "Who paid for that was never said, was it?",
    "Is there anything else that was said?",
    "Are there any other demands that were made?",
]


@pytest.mark.parametrize("question", ALONE)
def test_a_question_with_its_own_subject_stands_alone(question: str) -> None:
    assert stands_alone(question)


@pytest.mark.parametrize("question", LEANING)
def test_a_follow_up_does_not_stand_alone(question: str) -> None:
    assert not stands_alone(question)


def ask(question: str, *before: str) -> tuple[str, ...]:
    history = [
        {"role": role, "content": text}
        for role, text in zip(["user", "assistant"] * len(before), before, strict=False)
    ]
    turn = understand({"question": question, "history": history})
    return condense(turn, [bundled().text]).forms


@pytest.mark.parametrize("question", ALONE)
def test_history_does_not_touch_a_question_that_stands_alone(question: str) -> None:
    forms = ask(question, "Where is Keir Starmer from?", "Keir Starmer is U.K. Prime Minister.")
    assert forms == ask(question)
    assert forms[0] == question


def test_a_pronoun_is_tried_with_the_names_before_it() -> None:
    forms = ask("Will he attend?", "Who is the president of Ukraine?", "Volodymyr Zelensky.")
    assert "Will Volodymyr Zelensky attend?" in forms
    assert not any(form.startswith("Will he") for form in forms)


def test_a_pronoun_means_the_subject_before_what_hangs_on_it() -> None:
    answer = "Ukrainian President Volodymyr Zelensky is not set to attend."
    forms = ask("Will he attend?", "Who is the president of Ukraine?", answer)
    assert forms[0] == "Will Ukrainian President Volodymyr Zelensky attend?"


def test_a_bare_question_word_takes_the_place_of_the_one_before() -> None:
    assert "When are Trump and Putin meeting?" in ask("When?", "Where are Trump and Putin meeting?")
    assert "Why does Ukraine want guarantees?" in ask("Why?", "Does Ukraine want guarantees?")
    forms = ask("When was that?", "Did Macron talk with Trump?")
    assert "When did Macron talk with Trump?" in forms


def test_a_name_alone_takes_the_place_of_the_name_before() -> None:
    assert "What does Ukraine want?" in ask("What about Ukraine?", "What does Russia want?")
    forms = ask("And in Riyadh?", "Were Europeans at the Istanbul meetings?")
    assert "Were Europeans at the Riyadh meetings?" in forms


def test_a_follow_up_to_a_follow_up_goes_back_to_the_question_that_stands_alone() -> None:
    forms = ask("Why?", "Does Macron want to send troops?", "Yes.", "Who else?", "Starmer.")
    assert forms[0] == "Does Macron want to send troops? Who else? Why?"


def test_who_else_leaves_out_what_was_given() -> None:
    history = [
        {"role": "user", "content": "Who wants to send peacekeepers?"},
        {"role": "assistant", "content": "Macron does. [1]"},
    ]
    query = condense(understand({"question": "Who else?", "history": history}))
    assert query.exclude
    assert "Macron does." in query.given


def test_a_question_that_stands_alone_may_be_asked_twice() -> None:
    history = [
        {"role": "user", "content": "Is a ban on lorries of more than 12 tonnes ruled out?"},
        {"role": "assistant", "content": "Yes, it is."},
    ]
    again = {"question": history[0]["content"], "history": history}
    assert not condense(understand(again)).exclude


def test_what_a_refusal_offered_was_not_given() -> None:
    history = [
        {"role": "user", "content": "How old is he?"},
        {"role": "assistant", "content": f"{REFUSAL}\n\n> He lives in Oslo."},
    ]
    assert condense(understand({"question": "Who else?", "history": history})).given == ""


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("Hello, who designed the bridge?", "who designed the bridge?"),
        ("Thanks. And when did it open?", "And when did it open?"),
        ("ok, who pays?", "who pays?"),
        ("Great, thank you! When is it?", "When is it?"),
        ("Hello Kitty was designed by whom?", "Hello Kitty was designed by whom?"),
        ("thanks", "thanks"),
    ],
)
def test_a_greeting_before_a_question_is_left_out(typed: str, asked: str) -> None:
    assert without_pleasantries(typed) == asked


def test_the_latest_name_is_what_a_pronoun_means_first() -> None:
    history = [
        {"role": "user", "content": "What did Weiss say about the planet?"},
        {"role": "assistant", "content": "Weiss called it a surprise."},
        {"role": "user", "content": "And Okafor?"},
        {"role": "assistant", "content": "Okafor was not involved."},
    ]
    query = condense(understand({"question": "Is he part of the team?", "history": history}))
    assert query.forms[0] == "Is Okafor part of the team?"
    assert query.handicaps["Is Okafor part of the team?"] == 0.0
    assert query.handicaps["Is Weiss part of the team?"] > 0.0


def test_a_rewritten_question_is_preferred_where_it_stands_alone() -> None:
    turn = understand({"question": "Why?", "history": [{"role": "user", "content": "Is it cold?"}]})
    by_rule = condense(turn)
    query = condense(turn, rewrite=lambda _: "Why is Alaska cold?")
    assert query.forms == ("Why is Alaska cold?", *by_rule.forms)
    assert query.handicaps["Why is Alaska cold?"] == 0.0
    assert all(query.handicaps[f] > by_rule.handicaps[f] for f in by_rule.forms)
    for nothing in ("", "Why is it so?", "Who else?"):
        assert condense(turn, rewrite=lambda _, said=nothing: said).forms == by_rule.forms


@given(
    question=st.text(max_size=300),
    history=st.lists(st.text(max_size=200), max_size=4),
)
def test_no_turn_fails(question: str, history: list[str]) -> None:
    forms = ask(question, *history)
    assert 1 <= len(forms) <= 2 * FORMS


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is this about?", "overview"),
        ("what's this article about", "overview"),
        ("Summarise it", "overview"),
        ("Please summarize the article in three sentences", "overview"),
        ("main points?", "overview"),
        ("tl;dr", "overview"),
        ("Give me a short summary", "overview"),
        ("What are the key takeaways of the article?", "overview"),
        ("hi", "chat"),
        ("Hello there!", "chat"),
        ("thanks a lot!", "chat"),
        ("Thank you so much", "chat"),
        ("who are you", "chat"),
        ("", "empty"),
        ("?!… 🙂", "empty"),
        ("What does the article give an overview of?", "lookup"),
        ("What is the summit about?", "lookup"),
        ("Summarise Ukraine's demands", "lookup"),
        ("Thank you. When is the summit?", "lookup"),
        ("hi, who is Macron?", "lookup"),
        ("What does it say about Macron?", "lookup"),
    ],
)
def test_the_kind_of_a_turn(question: str, expected: str) -> None:
    assert kind(question) == expected


@pytest.mark.parametrize("pattern", ["thanks a lot ", "hi there ", "please make ", "in a word "])
def test_telling_the_kind_takes_no_longer_for_hostile_text(pattern: str) -> None:
    short, long = pattern * 5 + "x", pattern * 140 + "x"
    began = time.process_time()
    kind(short)
    kind(long)
    assert kind(long) == "lookup"
    assert time.process_time() - began < 5  # exponential matching would take years


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("who is steve witkof", "who is Steve Witkoff"),
        ("when is teh sumit", "when is the Summit"),
        ("wat does ukrain want", "what does Ukraine want"),
        ("Will Zelenskyy attend?", "Will Zelensky attend?"),
        ("What did Macorn say?", "What did Macron say?"),
    ],
)
def test_misspelt_words_are_set_right_by_the_articles_words(typed: str, meant: str) -> None:
    assert correct(typed, [bundled().text]).lower() == meant.lower()


@pytest.mark.parametrize(
    "question",
    [
        "What does Ukraine demand?",
        "Does the Kremlin concede that many minors live there?",
        "How many troops may Ukraine station within its borders?",
        "Which summits were held?",
        "What did Biden say?",
    ],
)
def test_words_that_exist_are_left_alone(question: str) -> None:
    assert correct(question, [bundled().text]) == question


def test_names_typed_small_get_their_capitals_only_where_nothing_is_capital() -> None:
    assert correct("what does ukraine want", [bundled().text]) == "what does Ukraine want"
    assert correct("What does ukraine want", [bundled().text]) == "What does ukraine want"


def test_a_word_is_a_name_where_it_nearly_always_has_a_capital() -> None:
    texts = ["The Capital of Alabama is Montgomery.", "A capital is a city."]
    assert correct("where is the capital of alabama", texts) == "where is the capital of Alabama"
    texts = ["Bush spoke. Bush left. Bush won. Then Bush and Bush met.", "A bush grew."]
    assert correct("what did bush say", texts) == "what did Bush say"
