"""Retrieval, reading and refusing, on the real models."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import REFUSAL, Answer, Article, Bot
from bot.abstain import WEIGHTS, Signs, answerability, holds_count, holds_kind, look, why
from bot.mentions import Mentions
from bot.read import SURE, heard
from bot.reader import Reading
from bot.records import Candidate, Query, Ranking, Turn
from bot.retrieve import DEPTH, EVIDENCE, FIRST, order_of
from bot.suggest import suggest
from index import bundled
from index.chunk import Passage

FACTS = [
    ("On which day is the summit?", "on Friday"),
    ("Where will Trump and Putin meet?", "Alaska"),
    ("Which regions must Ukraine leave, according to Russia?", "Kherson, Luhansk"),
    ("When did Putin invade Ukraine?", "February 2022"),
    ("Who is the U.S. envoy who went to Russia?", "Steve Witkoff"),
    ("What did Zelensky call the meeting?", "«personal victory»"),
    ("What does Ukraine want for the prisoners of war?", "release all prisoners of war"),
    ("Where were the Russia-U.S. discussions in February?", "Riyadh"),
    ("Who is willing to deploy peacekeeping forces?", "Keir Starmer"),
    ("How does the White House describe the meeting?", "«listening exercise»"),
]
UNSAID = [
    "At what time does the meeting begin?",
    "How old is Zelensky?",
    "What did Biden say about the summit?",
    "How many peacekeepers would be sent?",
    "How do I bake bread?",
    "Who won the football World Cup in 2022?",
    "What is the German chancellor's name?",
    "Has China commented on the talks?",
]


def quotes(answer: Answer) -> str:
    return " ".join(c.quote for c in answer.citations)


@pytest.mark.parametrize(("question", "said"), FACTS)
def test_it_answers_with_the_sentence_that_says_so(bot: Bot, question: str, said: str) -> None:
    answer = bot.ask(question)
    assert not answer.refused
    assert said in quotes(answer)


@pytest.mark.parametrize("question", UNSAID)
def test_it_refuses_what_the_article_does_not_say(bot: Bot, question: str) -> None:
    answer = bot.ask(question)
    assert answer.refused
    assert answer.text.startswith(REFUSAL)
    assert answer.citations == ()
    assert answer.sentences == ()
    assert answer.text.startswith(f"{REFUSAL} {answer.reason}\n")
    assert re.fullmatch(r"(?:The article does not|What comes closest) .+\.", answer.reason)
    text = bot.article(answer.closest[0].article_id).text
    assert 1 <= len(answer.closest) <= 3
    for citation in answer.closest:
        assert text[citation.start : citation.end] == citation.quote


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("What did Biden say about the summit?", "The article does not mention Biden."),
        ("What did Merkel and Biden say?", "The article does not mention Merkel or Biden."),
        ("What was agreed on Monday?", "The article does not mention Monday."),
        ("Who won in 1998?", "The article does not mention 1998."),
        ("How many peacekeepers would be sent?",
         "What comes closest gives no number of peacekeepers."),
        ("At what time does it begin?", "What comes closest gives no time of day."),
        ("Who will translate for Putin?", "The article does not use the word “translate”."),
        ("What does Putin demand from Ukraine?",
         "What comes closest is about the same matter, but does not answer this."),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_missing(question: str, reason: str) -> None:
    closest = "Trump and Putin demand peacekeepers in Ukraine on Friday."
    assert why(question, [closest], [bundled().text]) == reason


def test_a_refusal_of_several_articles_says_so() -> None:
    texts = ["It rained.", "It snowed. It cost 2,000 euros."]
    assert why("What did Biden say?", texts[:1], texts) == "The articles do not mention Biden."
    assert why("Who paid in 2000?", texts[:1], texts) != "The articles do not mention 2000."
    assert why("Who else?", [], texts) == "Nothing in it comes close."


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Whats the recipe for pancakes?", "use the words “Whats”, “recipe” or “pancakes”."),
        ("Compare the leaders", "use the words “Compare” or “leaders”."),
        ("Thanks. Who is Melania?", "mention Melania."),
        ("How many did he kill?", "gives no number."),
        ("How hot is the Sun?", "mention Sun."),
        ("What did Theresa May say?", "mention Theresa May."),
        ("May it snow again?", "does not answer this."),
        ("In Oslo, Biden said what?", "mention Oslo or Biden."),
    ],
)
def test_a_reason_takes_no_first_word_for_a_name(question: str, reason: str) -> None:
    assert why(question, ["It rained."], ["It rained. It snowed."]).endswith(reason)


def test_several_demands_come_from_several_passages_in_the_articles_order(bot: Bot) -> None:
    answer = bot.ask("What does Ukraine demand?")
    assert len(answer.citations) >= 2
    starts = [c.start for c in answer.citations]
    assert starts == sorted(starts)
    assert "unconditional ceasefire" in quotes(answer)
    assert "withdraw its troops" not in quotes(answer)  # that is Russia's demand on Ukraine


def test_a_pronouns_sentence_is_found_through_the_one_before(bot: Bot) -> None:
    answer = bot.ask("Under what conditions should sanctions be lifted, according to Ukraine?")
    assert "lifted incrementally" in quotes(answer)


def test_follow_ups_work_without_a_chat_model(bot: Bot) -> None:
    first = bot.ask("Were European representatives invited to the meetings in Istanbul?")
    history = [
        {"role": "user", "content": "Were European representatives at the meetings in Istanbul?"},
        {"role": "assistant", "content": first.text},
    ]
    answer = bot.ask("And in Riyadh?", history)
    assert "Riyadh" in answer.question
    assert "Riyadh" in quotes(answer)


def test_a_question_that_stands_alone_does_not_drift(bot: Bot) -> None:
    history = [
        {"role": "user", "content": "What does Macron think about peacekeepers?"},
        {"role": "assistant", "content": "Macron has indicated his willingness. [1]"},
    ]
    alone = bot.ask("When did Putin invade Ukraine?")
    after = bot.ask("When did Putin invade Ukraine?", history)
    assert after.question == alone.question == "When did Putin invade Ukraine?"
    assert after.citations == alone.citations


def test_the_trace_tells_why_each_passage_was_kept_or_dropped(bot: Bot) -> None:
    trace = bot.ask("When is the summit?").trace
    kept = [c for c in trace if c.kept]
    assert len(trace) == bot.store.count()  # a short article is reranked whole
    assert len(kept) == EVIDENCE
    assert [c.kept for c in trace] == [True] * EVIDENCE + [False] * (len(trace) - EVIDENCE)
    assert all("dense" in c.scores and "rank" in c.reason for c in trace)
    found = trace.as_found()
    ranked = [found[i] for i in order_of([c.scores["rerank"] for c in found])]
    assert list(trace[EVIDENCE:]) == ranked[EVIDENCE:]
    assert all(c in kept for c in ranked[:EVIDENCE])
    liked = sorted(trace, key=lambda c: -c.scores["rerank"])
    assert all(c.kept for c in liked[:FIRST])
    assert liked[-1] is not trace[0]


def test_the_threshold_moves_the_refusal(make_bot: Callable[..., Bot]) -> None:
    question = "How old is Zelensky?"
    assert make_bot(store="a", threshold=1.0).ask("When is the summit?").refused
    assert not make_bot(store="b", threshold=0.0).ask(question).refused


def test_an_overview_covers_the_article_with_its_lead(bot: Bot) -> None:
    answer = bot.ask("Summarise the article")
    text = bundled().text
    assert 3 <= len(answer.citations) <= 6
    lead = text.index("U.S. President Donald Trump")
    assert answer.citations[0].start == lead
    positions = [c.start / len(text) for c in answer.citations]
    assert max(positions) > 0.4  # not the first paragraphs alone
    assert all(0.1 < c.score < 1 for c in answer.citations)


def test_a_long_article_is_searched_not_read_whole(make_bot: Callable[..., Bot]) -> None:
    makers = random.Random(7).sample(range(100, 1000), 80)
    facts = [f"Town number {n} was founded by the baker Anselm {n}." for n in makers]
    article = Article.from_text("Founders\n\n" + "\n\n".join(facts))
    bot = make_bot(article)
    answer = bot.ask(f"Who founded town number {makers[40]}?")
    assert len(answer.trace) == DEPTH
    assert f"Anselm {makers[40]}" in quotes(answer)


def test_repeated_sentences_are_cited_where_they_stand(make_bot: Callable[..., Bot]) -> None:
    text = "The bridge is closed.\n\nA man fell.\n\nThe bridge is closed.\n\nIt opens on Monday."
    bot = make_bot(Article.from_text(text, title="Bridge"))
    answer = bot.ask("When does the bridge open?")
    article = bot.articles()[0]
    for citation in answer.citations:
        assert article.text[citation.start : citation.end] == citation.quote
    assert "Monday" in quotes(answer)


def test_questions_go_to_the_articles_asked(make_bot: Callable[..., Bot]) -> None:
    bot = make_bot(
        Article.from_text("The mayor of Aldorf is Ann Berg.", title="Aldorf"),
        Article.from_text("The mayor of Bedorf is Bo Kern.", title="Bedorf"),
    )
    for article, mayor in zip(bot.articles(), ["Ann Berg", "Bo Kern"], strict=True):
        answer = bot.ask("Who is the mayor?", articles=[article.id])
        assert {c.article_id for c in answer.citations} == {article.id}
        assert mayor in quotes(answer)


@pytest.mark.parametrize(
    ("question", "sentence", "holds"),
    [
        ("At what time does it begin?", "It begins at 5 p.m. on Friday.", True),
        ("At what time does it begin?", "It begins on Friday.", False),
        ("On which day is the summit?", "It takes place on Friday.", True),
        ("On which day is the summit?", "He came in February 2022.", False),
        ("On what date was it signed?", "It was signed on 5 January.", True),
        ("In which month was it?", "They met in June.", True),
        ("Which year was that?", "It was in 2014.", True),
        ("Which year was that?", "It was long ago.", False),
        ("How old is she?", "She was born in Oslo.", True),
        ("How old is she?", "She lives in Oslo.", False),
        ("How long did it last?", "It went on for three days.", True),
        ("How much did it cost?", "It cost €4.5 million.", True),
        ("How much did it cost?", "It was costly.", False),
        ("When did they meet?", "They met on Wednesday.", True),
        ("When did they meet?", "They met happily.", False),
        ("Who said so?", "Macron said so.", True),
        ("Who said so?", "the crowd said so.", False),
        ("Where is it?", "It stands in Riyadh.", True),
        ("Where is it?", "It stands.", False),
        ("Why did he go?", "Anything may be a reason.", True),
        ("When is the summit?", "It is set for Aug. 15.", True),
        ("When did Jan leave?", "Jan left the house quickly.", False),
        ("In what month was it?", "It was on 3 Sept. at noon.", True),
        ("When was it built?", "It was built in the 1950s.", True),
        ("When did it happen?", "It happened in 911.", True),
        ("When did it happen?", "It happened in 12 places.", False),
        ("What day is it?", "It is on Wednesdays.", True),
        ("How old is she?", "She is twenty-two.", True),
        ("How tall is it?", "It is thirty metres.", True),
        ("How much does it cost?", "Entry is free.", True),
        ("How much does it cost?", "It is 40 rupees.", True),
    ],
)
def test_the_kind_of_thing_asked_for(question: str, sentence: str, holds: bool) -> None:
    assert holds_kind(question, sentence) is holds


@pytest.mark.parametrize(
    ("question", "sentence", "holds"),
    [
        ("How many refugees came?", "Millions of Ukrainian refugees came.", True),
        ("How many soldiers died?", "Thousands of children were moved; soldiers died.", False),
        ("How many meetings were held?", "The previous three meetings were held.", True),
        ("How many soldiers died?", "Twenty soldiers died.", True),
        ("Who came?", "Nobody.", True),
    ],
)
def test_how_many_needs_a_number_at_the_thing_counted(
    question: str, sentence: str, holds: bool
) -> None:
    assert holds_count(question, sentence) is holds


def test_answerability_rises_with_every_sign() -> None:
    poor = Signs(best=-10, passage=-10, kind=0, counted=0, named=0, stranger=1, here=-8, exact=-8)
    assert answerability(poor) < 0.01
    assert min(astuple(replace(WEIGHTS, stranger=0))) >= 0
    assert answerability(replace(poor, stranger=0)) > answerability(poor)
    for name in ("kind", "counted", "named", "here", "exact"):
        better = replace(poor, **{name: getattr(poor, name) + 1})
        assert answerability(better) > answerability(poor), name
    rich = Signs(best=10, passage=10, kind=1, counted=1, named=1, stranger=0, here=6, exact=8)
    assert answerability(rich) > 0.8


@pytest.mark.parametrize(
    ("question", "text", "named", "stranger"),
    [
        ("What did Biden say?", "Trump said no.", 0, 1),
        ("What did Trump say?", "Trump said no.", 1, 0),
        ("Who saw Biden?", "Trump saw him.", 0, 0),
        ("Which EU body spoke?", "The European Union spoke.", 1, 0),
        ("Which UN body spoke?", "The European Union spoke.", 0, 0),
        ("Where was Annie Leibovitz born?", "Annie Leibovitz was born there.", 1, 0),
        ("What did Donald J. Trump say?", "Trump said no.", 0.5, 0),
    ],
)
def test_a_name_is_known_where_the_articles_mention_it(
    question: str, text: str, named: float, stranger: float
) -> None:
    signs = look(question, [(text, 0.0)], 0.0, [text], here=0.0, exact=0.0)
    assert (signs.named, signs.stranger) == (named, stranger)


@pytest.mark.parametrize(
    ("name", "text", "share"),
    [
        ("Europe", "The European leaders offered help.", 1),
        ("Denmark", "The Danish minister proposed it.", 1),
        ("Netherlands", "It is a Dutch plan.", 1),
        ("Mr. Trump", "Trump said no.", 1),
        ("Donald J. Trump", "Trump said no.", 0.5),
        ("Russia-Ukraine", "Russia and Ukraine met.", 1),
        ("Beyonce", "Beyoncé sang.", 1),
        ("the FBI", "The Federal Bureau of Investigation found it.", 1),
        ("FBI", "The F.B.I. found it.", 1),
        ("NASA’s", "The National Aeronautics and\nSpace Administration flew.", 1),
        ("DOJ", "The Department of Justice sued.", 1),
        ("FBI", "The Federal Agency of Investigation found it.", 0),
        ("Norman", "That is the norm.", 0),
        ("Biden", "Trump said no.", 0),
    ],
)
def test_articles_mention_a_name_in_other_forms(name: str, text: str, share: float) -> None:
    assert Mentions([text]).share(name) == share


@pytest.mark.parametrize(
    "question",
    ["What does Mr. Trump want?", "What does Donald J. Trump want?",
     "When did the Russia-Ukraine war start?", "What did the Polish leaders say?"],
)  # fmt: skip
def test_a_title_an_initial_or_a_hyphen_makes_no_stranger(bot: Bot, question: str) -> None:
    assert not bot.ask(question).refused


def test_every_suggested_question_is_answered(bot: Bot) -> None:
    suggestions = bot.suggest(limit=6)
    assert len(suggestions) >= 4
    assert len(set(suggestions)) == len(suggestions)
    for question in suggestions:
        assert not bot.ask(question).refused, question


def test_suggestions_for_an_article_without_names() -> None:
    plain = Article.from_text("the sea was calm. the boats stayed in.")
    assert suggest(plain, 4) == ("What is this article about?",)


def test_behind_its_first_passages_the_reranker_shares_the_order_with_what_was_found() -> None:
    liked = [9.0, 1.0, 8.0, 7.0, 0.0, 6.0]  # as found: the second was found before most
    assert order_of(liked) == [0, 2, 3, 1, 5, 4]
    assert order_of([]) == []


@given(st.lists(st.floats(-10, 10), max_size=30))
def test_every_passage_keeps_a_place_in_the_order(scores: list[float]) -> None:
    order = order_of(scores)
    assert sorted(order) == list(range(len(scores)))
    head = [scores[i] for i in order[:FIRST]]
    assert head == sorted(scores, reverse=True)[:FIRST]


def test_the_reader_has_a_say_in_the_order_of_the_passages(bot: Bot) -> None:
    answer = bot.ask("When did the invasion of Ukraine begin?")
    kept = [c for c in answer.trace if c.kept]
    says = [c.scores["rerank"] + max(-SURE, min(SURE, c.scores["reader"])) for c in kept]
    assert says == sorted(says, reverse=True)
    assert len(kept) == EVIDENCE
    assert [c.reason for c in kept] == [f"rank {i} of 29" for i in range(1, EVIDENCE + 1)]
    assert all("reader" not in c.scores for c in answer.trace if not c.kept)


def test_a_passage_that_the_reader_is_sure_of_comes_first() -> None:
    passages = [Passage("a", i, i + 9, "It is so.", ((i, i + 9),)) for i in (0, 10, 20)]
    candidates = tuple(Candidate(p, {"rerank": 3.0 - i}, True, "") for i, p in enumerate(passages))
    turn = Turn("Is it so?")
    ranking = Ranking(Query(turn, "lookup", ("Is it so?",)), "Is it so?", candidates)
    read = [Reading(here, ()) for here in (-5.0, -99.0, 4.0)]
    assert [c.passage.start for c in heard(ranking, read).candidates] == [20, 0, 10]
