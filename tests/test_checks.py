"""Exact checks: normal forms, what differs, denial, who and whom, degree; and any text at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.checks import check
from index import bundled
from index.sentences import sentence_spans

TEXT = bundled().text
SENTENCES = [TEXT[a:b] for a, b in sentence_spans(TEXT)]


@pytest.mark.parametrize(
    ("claim", "evidence"),
    [
        ("The war ends within a day.", "The war ends within 24 hours."),
        ("It lasted two weeks.", "It lasted 14 days."),
        ("It took 12 months.", "It took a year."),
        (
            "It has annexed four regions.",
            "It annexed Kherson, Luhansk, Zaporizhzhia, and Donetsk.",
        ),
        ("Three countries agreed.", "France, Italy and Spain agreed."),
        ("Three others agreed.", "France, Italy, Spain and Malta agreed."),
        ("The West lifted it.", "Western sanctions were lifted."),
        ("Ukraine was attacked by Russia.", "Russia attacked Ukraine."),
        ("Russia attacked Ukraine.", "Ukraine was attacked by Russia on Monday."),
        ("Trump will meet Putin.", "Putin will meet Trump."),
        ("More than 20 came.", "Over 20 people came."),
        ("All of them came.", "Every one of them came."),
        ("The ships do not sail.", "The ships don't sail."),
        ("They cannot leave.", "They can not leave."),
        ("None of the candidates lost.", "None of the candidates has lost."),
        ("Vladimir Putin said no.", "Putin said no."),
        ("Eventually Trump left.", "Trump left."),
        ("The British Broadcasting Corporation said no.", "The BBC said no."),
        ("Beyonce sang.", "Beyoncé sang."),
        ("The Sun is a star.", "The sun is a star."),
        ("Ukraine fought Russia.", "Russia fought Ukraine."),
        ("Kyiv's mayor is Klitschko.", "Klitschko is the mayor of Kyiv."),
        ("Ukraine will get weapons from Germany.", "Germany will send weapons to Ukraine."),
        ("All in all it was good.", "It was good."),
    ],
)
def test_the_same_in_other_words_is_not_marked(claim: str, evidence: str) -> None:
    assert check(claim, evidence).lines == ()


@pytest.mark.parametrize(
    ("claim", "evidence", "field", "line"),
    [
        ("It ends in 25 hours.", "It ends in 24 hours.", "missing", "says 24 hours, not 25 hours"),
        ("It cost $120m.", "It cost $12m.", "missing", "$12,000,000, not $120,000,000"),
        ("It is on Monday.", "It is on Friday.", "missing", "says Friday, not Monday"),
        ("It was in May.", "It was in June.", "missing", "says June, not May"),
        ("Merkel told the press.", "Macron told the press.", "missing", "says Macron, not Merkel"),
        ("Five regions were annexed.", "Kherson, Luhansk and Donetsk were annexed.", "missing",
         "number 5"),
        ("Ukraine attacked Russia.", "Russia attacked Ukraine.", "swapped", "other way round"),
        ("Russia was attacked by Ukraine.", "Russia attacked Ukraine.", "swapped",
         "other way round"),
        ("He praised Anna and blamed Peter.", "He praised Peter and blamed Anna.", "swapped",
         "says Peter, not Anna"),
        ("The ship carries wheat to the north.", "The ship carries coal to the north.",
         "exchanged", "“coal”, not “wheat”"),
        ("The ships have not left.", "The ships have left.", "denied", "does not say “not”"),
        ("The ships have left.", "The ships have never left.", "denied", "says “not”"),
        ("The ships don't sail.", "The ships do sail.", "denied", "does not say “not”"),
        ("Fewer people came in winter.", "More people came in winter.", "stretched",
         "“More”, not “Fewer”"),
        ("The council rejected the plan.", "The plan was accepted by the council.", "stretched",
         "“accepted”, not “rejected”"),
        ("Less than 20 came.", "More than 20 came.", "stretched", "more"),
        ("All members agreed.", "Most members agreed.", "stretched", "“Most”, not “all”"),
        ("Every member agreed.", "Members agreed.", "stretched", "not say it of all"),
        ("The fire killed four people.",
         "The fire, which broke out in Oslo, killed two people and injured others.", "missing",
         "number 4"),
        ("Five players were sent off.",
         "Ronaldo, Messi, Neymar, Mbappe, and Kane played, and two players were sent off.",
         "missing", "number 5"),
        ("Volodymyr Putin said no.", "Vladimir Putin said no.", "missing",
         "says Vladimir, not Volodymyr"),
        ("It was built in 1879.", "It was built in 1897.", "missing", "says 1897, not 1879"),
        ("The firm paid a $2m fine.", "The firm, valued at $5bn, paid the fine.", "missing",
         "not give the number $2,000,000"),
        ("A third of voters left.", "Three voters left.", "missing", "rank 3"),
        ("He moved from Paris to London.", "He moved from London to Paris.", "swapped",
         "from London to Paris, not from Paris to London"),
    ],
)  # fmt: skip
def test_what_differs_is_told(claim: str, evidence: str, field: str, line: str) -> None:
    found = check(claim, evidence)
    assert line.lower() in "; ".join(getattr(found, field)).lower(), found
    assert found.lines


def test_another_word_that_opens_a_sentence_is_no_missing_name() -> None:
    found = check("Scientists say the lake is dry.", "Researchers say the lake is dry.")
    assert found.missing == ()
    assert found.swapped == ("the article says Researchers, not Scientists",)


def test_the_share_of_words_and_the_clause_that_lacks_most() -> None:
    found = check("The harbour is old, and bananas grow on trees.", "The old harbour is large.")
    assert found.share == pytest.approx(2 / 5)
    assert found.least == 0.0
    assert check("The harbour is old.", "The old harbour is large.").share == 1.0
    assert check("He did.", "The old harbour is large.").share == 0.5


@pytest.mark.parametrize("sentence", SENTENCES)
def test_nothing_is_marked_in_a_sentence_of_the_article(sentence: str) -> None:
    found = check(sentence, sentence)
    assert (found.lines, found.share, found.least) == ((), 1.0, 1.0)


TEXTS = st.text(max_size=120) | st.lists(
    st.sampled_from("Anna Peter not never told 24 hours Monday all most more than , by".split()),
    max_size=20,
).map(" ".join)  # fmt: skip


@pytest.mark.parametrize(
    "evidence",
    ["The members are Oslo,\n" + "    Oslo,\n" * 60, "aaa,  " * 3_000, "A, " * 6_000, " " * 20_000,
     "and the dogs " * 1_500, "A and B or " * 1_500],
    ids=["list", "gaps", "commas", "spaces", "dogs", "or"],
)  # fmt: skip
@pytest.mark.timeout(30)
def test_long_and_odd_texts_take_no_time(evidence: str) -> None:
    assert check("Four towns are members.", evidence).missing
    assert check(evidence[:2_000], "Four towns are members.").share >= 0


@given(TEXTS, TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_two_texts_can_be_compared(claim: str, evidence: str) -> None:
    found = check(claim, evidence)
    assert 0 <= found.least <= found.share <= 1
    assert all(line and "\n" not in line for line in found.lines)


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_a_text_lacks_nothing_of_itself(text: str) -> None:
    assert check(text, text).lines == ()
