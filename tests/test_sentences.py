"""Sentences: the hard cases of news English, and the promise about offsets on any text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sentences import sentence_spans

END = "‖"
"""Stands in a case where a sentence ends; it is taken out before the text is split."""

CASES = [
    pytest.param("The U.S. President met him.‖ They talked.", id="us-mid"),
    pytest.param("He flew to the U.S. on Friday.‖ He left.", id="us-mid2"),
    pytest.param("It is his first trip to the U.S.‖ The summit is short.", id="us-end"),
    pytest.param("Leaders of Russia and the U.S.‖ He is expected in Alaska.", id="us-end2"),
    pytest.param("They meet at a U.S. military base.‖ It is in Alaska.", id="us-military"),
    pytest.param("Visits from U.S. envoy Steve Witkoff to Russia failed.‖ He left.", id="us-envoy"),
    pytest.param(
        "The Russia-U.S. discussions in Riyadh failed.‖ The Kyiv—U.S. deal did not.", id="us-dash"
    ),
    pytest.param(
        "“U.S. officials left.”‖ «U.S. aid» ended.‖ (U.S. troops stayed.)‖ ‘U.K. aid’ did not.",
        id="us-quote",
    ),
    pytest.param(
        "“Dr. Smith left.”‖ “J. K. Rowling came.”‖ —U.S. officials left.", id="quote-initial"
    ),
    pytest.param(
        "The U.S./U.K. officials left in mid-Jan. with ex-Gov. Smith.‖ The U.S.-Russia deal held.",
        id="us-slash",
    ),
    pytest.param(
        "U.S. Ambassador Linda Lee met U.S. Senator Ted Cruz.‖ The U.S. First Lady stayed.",
        id="us-titles",
    ),
    pytest.param(
        "They met U.S. Secretary of State Marco Rubio.‖ U.S. Rep. Jim Lee left.", id="us-titles2"
    ),
    pytest.param(
        "The city was bombed.‖ Putin denied it.‖ They cut a tax.‖ Trump left.", id="plain-words"
    ),
    pytest.param("He had cancer.‖ Macron spoke.‖ It was found.‖ Merz was glad.", id="plain-words2"),
    pytest.param("He said no.‖ Putin left.‖ The answer is no.‖ They met.", id="no-lower"),
    pytest.param("They met at 5 p.m.‖ Putin left at 9 a.m.‖ Trump stayed.", id="pm-name"),
    pytest.param(
        "It was Russia vs. The West.‖ He liked some cities, e.g. The Hague.‖ We left.", id="vs-the"
    ),
    pytest.param(
        "The Gov. of Texas and Lt. Gov. Dan Patrick left.‖ Adm. Brad Cooper did not.", id="gov"
    ),
    pytest.param("Macron and U.K. Prime Minister Keir Starmer agreed.‖ Others did not.", id="uk"),
    pytest.param("He praised the U.K.‖ However, he left.", id="eu-end"),
    pytest.param("Dr. Smith arrived.‖ Mr. Jones and Mrs. Brown left.", id="dr"),
    pytest.param(
        "Gen. Mark Milley and Sen. John McCain met Gov. Greg Abbott.‖ Rep. Adam Schiff did not.",
        id="titles",
    ),
    pytest.param(
        "J. K. Rowling wrote it.‖ J.R.R. Tolkien did not.‖ George W. Bush read it.", id="initials"
    ),
    pytest.param("They meet at 5 p.m. on Friday.‖ Then they leave.", id="pm-mid"),
    pytest.param("They met at 5 p.m.‖ The talks were short.", id="pm-end"),
    pytest.param("It starts at 11 a.m. Friday in Anchorage.‖ It ends late.", id="am-day"),
    pytest.param("It starts at 5 p.m. ET on Monday, at 5 p.m. Jan. 5.‖ It ends late.", id="pm-tz"),
    pytest.param("It costs $4.5 million.‖ That is 3.14 times more.‖ Growth was 2.5%.", id="dollar"),
    pytest.param("He lives at No. 5 Main Street.‖ No. 7 is empty.", id="no5"),
    pytest.param("Did he agree?‖ No.‖ He left.", id="no"),
    pytest.param("The case Roe vs. Wade was cited.‖ It was Smith v. Jones.", id="vs"),
    pytest.param("Some states, e.g. Texas, agreed.‖ Others (i.e. Maine) did not.", id="eg"),
    pytest.param("Apple Inc. said so.‖ He works for Apple Inc.‖ The firm is big.", id="inc"),
    pytest.param("Boeing Co. and Lockheed Martin Corp. rose.‖ Tesla Ltd. fell.", id="corp"),
    pytest.param("On Jan. 5 he left.‖ On Sept. 11, 2001 it fell.‖ It was Feb. 24.", id="jan5"),
    pytest.param(
        "He bought apples, pears, etc. and left.‖ She bought tea, etc.‖ They paid.", id="etc"
    ),
    pytest.param("St. Petersburg is cold.‖ He lives on Main St. in Boston.", id="st"),
    pytest.param("She holds a Ph.D. from MIT.‖ He holds a Ph.D.‖ They teach.", id="phd"),
    pytest.param(
        "Martin Luther King Jr. spoke.‖ He met Robert Kennedy Jr.‖ They shook hands.", id="jr"
    ),
    pytest.param("He lives in Washington, D.C.‖ She lives in Washington, D.C., too.", id="dc"),
    pytest.param("The rate rose 0.5 points to 4.75%.‖ It fell .5 later.", id="dec"),
    pytest.param("The agents of Mr. X. were caught.‖ Mrs. K. was not.", id="mr-x"),
    pytest.param("Plan A. failed and so did I.‖ We left.", id="am-I"),
    pytest.param(
        "It has vitamin C.‖ The dose is low.‖ He fought in World War I.‖ He died.", id="letter"
    ),
    pytest.param("Smith et al. showed it in Fig. 3 and pp. 4-5.‖ See also ch. 2.", id="al"),
    pytest.param("It took approx. 5 hours.‖ It was approx. Monday.", id="approx"),
    pytest.param(
        "He wants a ban on the «glorification of Nazism.»‖ Furthermore, Russia asks.", id="guil1"
    ),
    pytest.param(
        "«If the first meeting goes well,» Trump suggested, «we will see.»‖ He left.", id="guil2"
    ),
    pytest.param("«Will it go well?» Trump asked.‖ «No!» he said.", id="guil3"),
    pytest.param(
        "Trump could end it within «24 hours» of taking office.‖ However, he did not.", id="guil4"
    ),
    pytest.param("“It ends here.”‖ He said nothing more.", id="curly"),
    pytest.param("He said: “It ends.”‖ “Does it?” she asked.", id="curly2"),
    pytest.param("“Stop!” he said.‖ “Why?” she replied.", id="curly3"),
    pytest.param('He said "It is over."‖ "Is it?" she asked.‖ They left.', id="straight"),
    pytest.param("He called it ‘a mess.’‖ She agreed.", id="single"),
    pytest.param("“We want peace.‖ We want it now,” he said.‖ They left.", id="qmulti"),
    pytest.param("“It ends here!” Trump said.‖ “Is it over?” Putin asked.", id="q-attr"),
    pytest.param("He left. ‖(She stayed.)‖ They met (in May?) again.", id="paren"),
    pytest.param("He left (see p. 5).‖ She stayed [sic].‖ They met.", id="paren2"),
    pytest.param("The show Jeopardy! was on.‖ He works at Yahoo! Inc. now.", id="qmark-name"),
    pytest.param("What?!‖ Really!!!‖ Yes.", id="interrobang"),
    pytest.param("He said, “She told me ‘no.’”‖ I agreed.", id="nested"),
    pytest.param("Er sagte: „Es ist vorbei.“‖ Sie ging.", id="german-q"),
    pytest.param("Well… I think so.‖ Yes.", id="ell1"),
    pytest.param("He came and... then left.‖ Yes.", id="ell2"),
    pytest.param("He waited...‖ The door opened.", id="ell3"),
    pytest.param("“I thought … he would come.”‖ No one came.", id="ell4"),
    pytest.param(
        "Stop supplying weapons—demands that critics view so.‖ Then — he left.", id="dash"
    ),
    pytest.param("The end—at last.‖ Next – a start.", id="dash2"),
    pytest.param(
        "Goals and Challenges: The Objectives\n\n‖U.S. President Donald Trump met him.‖ Yes.",
        id="head",
    ),
    pytest.param("The Alaska Summit‖\n\nHe left.", id="head2"),
    pytest.param("This sentence is\nwrapped over\nthree lines.‖ The next\nis too.", id="wrap"),
    pytest.param("He met the U.S.\nPresident on Friday.‖\nThen he left.", id="wrap2"),
    pytest.param("Demands:‖\n- No NATO‖\n- Four regions‖\n- No weapons", id="list"),
    pytest.param("Demands:‖\n1. No NATO.‖\n2. Four regions.‖\n3. No weapons.", id="list2"),
    pytest.param("They agreed:‖\n• peace‖\n• land", id="bullet"),
    pytest.param("Items:‖\n* one‖\n* two", id="star"),
    pytest.param("# The summit‖\nHe left.‖\n## The end‖\nShe stayed.", id="md"),
    pytest.param("One is here.‖\r\n\r\nTwo is here.‖\r\nThree.", id="crlf"),
    pytest.param("One heading‖\n   \nTwo is here.", id="ws-line"),
    pytest.param("It was so.[12]‖ Then he left.[3][4]‖ Next.", id="foot"),
    pytest.param("It was so [12].‖ Then he left.", id="foot2"),
    pytest.param("It was so.¹‖ Then he left.²‖ Next.", id="foot3"),
    pytest.param("See https://www.example.com/a.b?c=d. ‖It is at example.com.‖ Yes.", id="url"),
    pytest.param("Write to j.smith@news.co.uk.‖ He answers.", id="mail"),
    pytest.param("Use Node.js and .NET 4.5.1 here.‖ Version 2.0 is out.", id="file"),
    pytest.param("It works 🎉.‖ Really! 😀‖ He left.", id="emoji"),
    pytest.param("Great news 👩\u200d👩\u200d👧 for all.‖ Yes 👍🏽!‖ Good.", id="emoji2"),
    pytest.param("He left.‖ He left.‖ He left.‖ She stayed.‖ He left.", id="rep"),
    pytest.param("No.‖ No.‖ No!‖ No!", id="rep2"),
    pytest.param("Cafe\u0301 closed.‖ E\u0301mile left.", id="comb"),
    pytest.param("It fell in 2022.‖ 300 people left.‖ In 2023 it rose.", id="num-start"),
    pytest.param("He left.‖ iPhone sales rose.‖ eBay fell.", id="lower-start"),
    pytest.param("He left.‖She stayed.‖ They met.", id="nospace"),
    pytest.param("He left; she stayed.‖ They met: it was cold.", id="semi"),
    pytest.param("Das ist z. B. ein Satz.‖ Er kam am 5. Mai 2022 an.‖ Dr. Müller ging.", id="de"),
    pytest.param(
        "M. Macron a dit : « C’est fini. »‖ Puis il est parti.‖ Mme Royal est restée.", id="fr"
    ),
    pytest.param(
        "Он приехал в 2022 г. в Москву.‖ Она осталась.‖ «Мы готовы», — сказал А. С. Пушкин.",
        id="ru",
    ),
    pytest.param("¿Qué hora es?‖ ¡Hola!‖ El Sr. López llegó.", id="es"),
    pytest.param("他今天来了。‖她没有来。‖你呢？‖好！‖“我走了。”‖他说。", id="zh"),
    pytest.param("彼は来た。‖彼女は「行こう。」と言った。‖終わり！", id="ja"),
    pytest.param("वह आया।‖ वह गया।", id="hi"),
    pytest.param("هل جاء؟‖ نعم.", id="ar"),
]

LONG = 100_000
"""Characters of a long line: the longest article that a test should wait for."""

LONG_LINES = {
    "sentences": "He left the U.S. on Friday. ",
    "full stops": ".",
    "question marks": "?",
    "spaces": " ",
    "newlines": "\n",
    "spaced newlines": "\n ",
    "letters": "x",
    "emoji": "😀",
    "closing quotes": '."',
    "guillemets": "?» ",
    "names": "Why?» Trump Trump ",
    "abbreviations": "U.S. ",
    "initials": "A.",
    "footnotes": "a.[1]",
    "list items": "1. a\n",
    "headings": "# a\n",
    "Chinese": "他来了。",
    "lost spaces": "ab.Cd",
}


def sentences(text: str) -> list[str]:
    """The sentences of a text, as strings."""
    return [text[start:end] for start, end in sentence_spans(text)]


def assert_promise(text: str) -> None:
    """The promise of ``sentence_spans`` holds for a text."""
    last = 0
    for start, end in sentence_spans(text):
        assert last <= start < end <= len(text), "in order, not empty"
        assert not text[last:start].strip(), "nothing but white space between sentences"
        assert text[start:end] == text[start:end].strip(), "stripped"
        assert not any("\n" in gap and not gap.strip() for gap in _blank_lines(text[start:end]))
        last = end
    assert not text[last:].strip(), "nothing but white space after the last sentence"


def _blank_lines(sentence: str) -> list[str]:
    """The lines inside a sentence that hold nothing but white space."""
    return [f"\n{line}\n" for line in sentence.split("\n")[1:-1] if not line.strip()]


@pytest.mark.parametrize("marked", CASES)
def test_hard_case(marked: str) -> None:
    expected = [part.strip() for part in marked.split(END) if part.strip()]
    assert sentences(marked.replace(END, "")) == expected


@pytest.mark.parametrize("marked", CASES)
def test_hard_case_keeps_the_promise(marked: str) -> None:
    assert_promise(marked.replace(END, ""))
    assert_promise(marked)


@pytest.mark.parametrize("text", ["", " ", "\n", " \n\t\r\n \u00a0\u2003\u3000 ", "\n\n\n"])
def test_white_space_has_no_sentences(text: str) -> None:
    assert sentence_spans(text) == []


@pytest.mark.parametrize(
    "text", ["x", ".", "…", "»", "😀", "\u0301", "\ud800", "\0", "1.", "# ", "- "]
)
def test_anything_else_is_one_sentence(text: str) -> None:
    assert sentences(f"  {text}\n") == [text.strip()]


def test_repeated_sentences_have_their_own_offsets() -> None:
    text = "He left. He left.\n\nHe left. Then he left. He left."
    assert sentence_spans(text) == [(0, 8), (9, 17), (19, 27), (28, 41), (42, 50)]


def test_offsets_count_characters() -> None:
    text = "👩\u200d👩\u200d👧 came. Cafe\u0301 closed. 𝔘nd."
    assert sentence_spans(text) == [(0, 11), (12, 25), (26, 30)]


def test_a_sentence_does_not_depend_on_what_was_split_before() -> None:
    text = "U.S. envoys met at 5 p.m. Putin left."
    first = sentence_spans(text)
    sentence_spans("p.m. Putin. U.S. Envoys.")
    assert sentence_spans(text) == first


@pytest.mark.parametrize("unit", LONG_LINES.values(), ids=LONG_LINES.keys())
def test_a_long_line_takes_time_in_proportion(unit: str) -> None:
    text = (unit * (LONG // len(unit) + 1))[:LONG]
    started = time.process_time()
    sentence_spans(text)
    # Measured: under 1 s each. A quadratic step takes 10 s and more.
    assert time.process_time() - started < 5
    assert_promise(text)


PIECES = st.sampled_from(
    [
        "He left.", "He left.", "No.", "Dr. ", "U.S.", "p.m.", "J.", "e.g.", "$4.5",
        "Inc.", "[12]", "¹", "«", "»", "“", "”", "„", "‘", "’", "'", '"', "(", ")", "[",
        "]", "…", "...", ".", "!", "?", "—", " – ", "- ", "* ", "• ", "1. ", "2) ",
        "# ", "\n", "\n", "\n\n", "\r\n", "\n \t\n", " ", " ", " ", "\u00a0", "\u3000",
        "\u200b", "\ufeff", "😀", "👩\u200d👩\u200d👧", "👍🏽", "e\u0301", "\u0301", "。", "！",
        "「", "」", "他来了", "आया।", "Trump said", "asked", "I", "https://a.b/C.d",
        "\ud800",
    ]
)  # fmt: skip


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_promise_on_any_text(text: str) -> None:
    assert_promise(text)


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=1000, deadline=None)
def test_promise_on_pieces_of_text(text: str) -> None:
    assert_promise(text)


@given(st.lists(PIECES, max_size=15).map("".join), st.lists(PIECES, max_size=15).map("".join))
@settings(max_examples=300, deadline=None)
def test_a_blank_line_ends_a_sentence(before: str, after: str) -> None:
    joined = f"{before}\n\n{after}"
    shift = len(before) + 2
    assert sentence_spans(joined) == [
        *sentence_spans(before),
        *((start + shift, end + shift) for start, end in sentence_spans(after)),
    ]


@given(
    st.integers(1, 30), st.sampled_from(["He left.", "“No!” he said.", "Yes 😀.", "Cafe\u0301."])
)
def test_repetition_of_one_sentence(count: int, sentence: str) -> None:
    assert sentences(" ".join([sentence] * count)) == [sentence] * count
