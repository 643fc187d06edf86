"""Question sets and reports: every number of a report follows from hand-made answers."""

from __future__ import annotations

import gzip
import inspect
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import (
    REFUSAL,
    Answer,
    Article,
    Bot,
    Candidate,
    Citation,
    Passage,
    QuestionSetError,
    SettingsError,
    Support,
    Trace,
    UnknownArticle,
)
from bot.evaluate import (
    LOWER_IS_BETTER,
    METRICS,
    SHOWN,
    Considered,
    MarkedPassage,
    Question,
    Report,
    Row,
    evaluate,
    load_questions,
    threshold_curve,
)
from bot.metrics import bootstrap_interval, bootstrap_statistic, contains_answer
from bot.questions import locate
from bot.records import Message
from index import bundled

QUESTIONS = Path(__file__).parent / "questions" / "alaska_summit.jsonl"

TEXT = (
    "The bridge opened in May. It cost 120 million euros.\n\n"
    "Anna Berg designed it. «It was hard,» she said.\n\n"
    "Ferries stopped in June. Nobody misses them."
)
ARTICLE = Article.from_text(TEXT, title="The bridge")
OPENED, COST, BERG, HARD, FERRIES, NOBODY = (
    "The bridge opened in May.",
    "It cost 120 million euros.",
    "Anna Berg designed it.",
    "«It was hard,» she said.",
    "Ferries stopped in June.",
    "Nobody misses them.",
)
PASSAGES = [OPENED + " " + COST, BERG + " " + HARD, FERRIES + " " + NOBODY]


def passage(number: int) -> Passage:
    text = PASSAGES[number]
    start = TEXT.index(text)
    return Passage(ARTICLE.id, start, start + len(text), text)


def citation(number: int, quote: str) -> Citation:
    start = TEXT.index(quote)
    return Citation(
        number, ARTICLE.id, "The bridge", start, start + len(quote), quote, 1.0,
        Support(1.0, "supported"),
    )  # fmt: skip


def trace(*ranked: tuple[int, float]) -> Trace:
    """Return a trace of passages, best first by the reranker, with the scores of being found."""
    return Trace(
        tuple(
            Candidate(passage(n), {"found": found, "rerank": -float(rank)}, True, "")
            for rank, (n, found) in enumerate(ranked)
        )
    )


def answered(
    quotes: Sequence[str] = (),
    *,
    text: str | None = None,
    short: str | None = None,
    refused: bool = False,
    score: float = 0.9,
    ranked: Trace | None = None,
) -> Answer:
    written = " ".join(f"{q} [{n}]" for n, q in enumerate(quotes, 1)) if text is None else text
    return Answer(
        text=written,
        short=short,
        refused=refused,
        citations=tuple(citation(n, q) for n, q in enumerate(quotes, 1)),
        sentences=(),
        question="searched",
        trace=ranked or Trace(),
        timings={},
        score=score,
    )


class Scripted:
    """Answers each question as it was told to and keeps what it was asked."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any, Any]] = []

    def ask(
        self, question: str, history: Sequence[Any] = (), *, articles: Sequence[str] | None = None
    ) -> Answer:
        self.asked.append((question, history, articles))
        return self.answers[question]

    def articles(self) -> list[Article]:
        return [ARTICLE]


LOOKUP = {"kind": "lookup", "split": "tune"}
HAND_MADE: list[tuple[Question, Answer]] = [
    (  # right; gold first after reranking, second before; one of two citations right
        Question("q1", "When did it open?", (), ("in May",), (OPENED,), True, extra=LOOKUP),
        answered([OPENED, BERG], short="May", score=0.9, ranked=trace((0, 0.5), (1, 0.8))),
    ),
    (  # wrong; gold third after reranking, first before; no citation right
        Question("q2", "Who missed them?", (), ("Nobody",), (NOBODY,), True, extra=LOOKUP),
        answered([COST], short="120 million euros", score=0.6,
                 ranked=trace((0, 0.2), (1, 0.1), (2, 0.9))),
    ),
    (  # right by the escaped text alone; it cites nothing; gold is not found at all
        Question("q3", "What was hard?", (), ('"it was hard,"',), (HARD, BERG), True,
                 extra={"kind": "lookup", "split": "report"}),
        answered([], text="«It was  hard,» she said\\~.", score=0.7, ranked=trace((2, 0.3))),
    ),
    (  # refused although the article says it
        Question("q4", "When did ferries stop?", (), ("June",), (FERRIES,), True, extra=LOOKUP),
        answered(text=f"{REFUSAL}\n\n> Ferries stopped in June.", refused=True, score=0.3,
                 ranked=trace((2, 0.9))),
    ),
    (  # an overview without accepted strings: three citations, two of them expected
        Question("q5", "Main points?", (), (), (OPENED, BERG, FERRIES), True,
                 extra={"kind": "overview"}),
        answered([OPENED, BERG, NOBODY], score=1.0, ranked=trace((0, 0.9))),
    ),
    (  # rightly refused
        Question("q6", "How long is it?", (), (), (), False, extra={"kind": "unanswerable"}),
        answered(text=REFUSAL, refused=True, score=0.1, ranked=trace((0, 0.5))),
    ),
    (  # answered although the article does not say it; the score ties with q2
        Question("q7", "How wide is it?", (), (), (), False, extra={"kind": "unanswerable"}),
        answered([COST], score=0.6, ranked=trace((0, 0.5))),
    ),
]  # fmt: skip


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    """The report of the hand-made answers; the n-th question takes n seconds."""
    ticks = itertools.chain.from_iterable((100.0 * n, 101.0 * n) for n in itertools.count(1))
    monkeypatch.setattr("bot.evaluate.time.perf_counter", lambda: next(ticks))
    scripted = Scripted({q.question: a for q, a in HAND_MADE})
    return evaluate(scripted, [q for q, _ in HAND_MADE])


def test_every_metric_by_hand(report: Report) -> None:
    assert report.metrics == pytest.approx(
        {
            "questions": 7,
            # q1 to q4 have evidence and a trace; gold at 1, 3, never, 1.
            "hit@1": 2 / 4,
            "hit@3": 3 / 4,
            "hit@5": 3 / 4,
            "mrr": (1 + 1 / 3 + 0 + 1) / 4,
            # Before reranking at 2, 1, never, 1.
            "dense_hit@1": 2 / 4,
            "dense_hit@3": 3 / 4,
            "dense_hit@5": 3 / 4,
            "dense_mrr": (1 / 2 + 1 + 0 + 1) / 4,
            "answer": 3 / 5,  # q1, q3, q5 of q1 to q5
            "short_f1": (2 / 3 + 0) / 2,  # "May" in "in May", and q2
            "short_em": 0.0,
            # q1: 1 of 2, q2: 0 of 1, q3: none cited, q5: 2 of 3
            "citation_precision": (1 / 2 + 0 + 0 + 2 / 3) / 4,
            "citation_recall": (1 + 0 + 0 + 2 / 3) / 4,
            "citation_precision_micro": 3 / 6,
            "citation_recall_micro": 3 / 7,
            "refusal_precision": 1 / 2,  # q4 and q6 were refused
            "refusal_recall": 1 / 2,  # q6 of q6 and q7
            "false_refusals": 1 / 5,
            # Answerable .9 .6 .7 .3 1 against .1 (5 wins) and .6 (3 wins, a tie)
            "auroc": (5 + 3 + 0.5) / 10,
            "seconds_p50": 4,
            "seconds_p95": 6.7,
        }
    )
    assert tuple(report.metrics) == tuple(METRICS)


def test_counts_tell_what_a_metric_is_taken_over(report: Report) -> None:
    expected = dict.fromkeys(METRICS, 7)
    for name in METRICS:
        if "hit@" in name or "mrr" in name:
            expected[name] = 4
    expected |= {"answer": 5, "false_refusals": 5, "short_f1": 2, "short_em": 2}
    expected |= {"citation_precision": 4, "citation_recall": 4}
    expected |= {"citation_precision_micro": 6, "citation_recall_micro": 7}
    expected |= {"refusal_precision": 2, "refusal_recall": 2}
    assert report.counts == expected


def test_rows_tell_what_happened(report: Report) -> None:
    rows = {row.id: row for row in report.rows}
    assert [r.verdict for r in report.rows] == [
        "right", "wrong", "right", "refused", "right", "refused", "wrong",
    ]  # fmt: skip
    first = rows["q1"]
    assert first.text == f"{OPENED} {BERG}"
    assert first.quotes == (OPENED, BERG)
    assert first.answers == ("in May",)
    assert first.evidence == (OPENED,)
    assert (first.question, first.searched) == ("When did it open?", "searched")
    assert (first.score, first.seconds, first.short) == (0.9, 1.0, "May")
    assert (first.dense, first.reranked) == ((False, True), (True, False))
    assert (first.right_citations, first.covered) == ((True, False), (True,))
    assert rows["q3"].text == "«It was  hard,» she said~."
    assert rows["q5"].dense is None
    assert rows["q7"].reranked is None


def test_intervals_hold_their_metrics(report: Report) -> None:
    for name, (low, high) in report.intervals.items():
        value = report.metrics[name]
        assert value is not None
        assert 0 <= low <= value <= high
        assert high <= 1 or name.startswith("seconds")
    assert list(report.intervals) == [name for name in METRICS if name != "questions"]
    assert report.intervals is report.intervals  # made once
    assert Report.of([]).intervals == {}


def test_how_intervals_are_made_is_told_as_it_is(report: Report) -> None:
    of_means = inspect.signature(bootstrap_interval).parameters
    others = inspect.signature(bootstrap_statistic).parameters
    assert report.to_dict()["intervals_by"] == (
        f"percentile bootstrap over questions: {of_means['resamples'].default:,} draws for means, "
        f"{others['resamples'].default} for other statistics, seed {of_means['seed'].default}"
    )
    assert of_means["seed"].default == others["seed"].default


def test_what_did_not_work_is_told() -> None:
    notice = "The chat model is not there; this is read from the article instead."
    asked = [q for q, _ in HAND_MADE]
    answers = {q.question: replace(a, notice=notice) for q, a in HAND_MADE}
    answers[asked[0].question] = HAND_MADE[0][1]
    report = evaluate(Scripted(answers), asked)
    assert report.to_dict()["notices"] == [f"6 of 7: {notice}"]
    assert [(r.notice, r.failed) for r in report.rows[:2]] == [(None, False), (notice, True)]
    assert report.to_dict()["rows"][1]["notice"] == notice


def test_groups(report: Report) -> None:
    by_kind = report.by("kind")
    assert {k: len(r.rows) for k, r in by_kind.items()} == {
        "lookup": 4, "overview": 1, "unanswerable": 2,
    }  # fmt: skip
    assert by_kind["lookup"].metrics["answer"] == 2 / 4
    assert by_kind["overview"].metrics["answer"] == 1.0
    assert by_kind["overview"].metrics["hit@1"] is None
    assert by_kind["unanswerable"].metrics["answer"] is None
    assert by_kind["unanswerable"].metrics["auroc"] is None
    assert {k: len(r.rows) for k, r in report.by("split").items()} == {
        "tune": 3, "report": 1, "-": 3,
    }  # fmt: skip


def test_report_is_json(report: Report) -> None:
    values = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert values["metrics"]["answer"] == 0.6
    assert values["counts"]["answer"] == 5
    assert values["by_kind"]["lookup"]["answer"] == 0.5
    assert values["rows"][0]["verdict"] == "right"
    assert values["rows"][0]["extra"] == LOOKUP
    assert len(values["rows"]) == 7


def test_below_names_metric_value_and_minimum(report: Report) -> None:
    assert report.below({}) == []
    assert report.below({"answer": 0.6, "false_refusals": 0.2, "hit@3": 0.7}) == []
    assert report.below({"answer": 0.61, "hit@1": 0.95, "hit@3": 0.1}) == [
        "answer is 0.6000; at least 0.61 is wanted.",
        "hit@1 is 0.5000; at least 0.95 is wanted.",
    ]
    assert report.below({"false_refusals": 0.04}) == [
        "false_refusals is 0.2000; at most 0.04 is wanted."
    ]
    assert report.below({"answer": float("nan")}) != []
    empty = report.by("kind")["unanswerable"]
    assert empty.below({"answer": 0.0}) == [
        "answer has no value on these questions; at least 0 is wanted."
    ]
    with pytest.raises(SettingsError, match=r"no metric 'f1'; the metrics are questions, hit@1"):
        report.below({"f1": 0.5})


def test_what_is_better_when_lower_is_known_and_said() -> None:
    assert set(METRICS) >= LOWER_IS_BETTER
    assert {n for n, line in METRICS.items() if "lower is better" in line} == LOWER_IS_BETTER


def test_report_of_nothing_has_no_values() -> None:
    empty = Report.of([])
    assert empty.metrics.pop("questions") == 0
    assert set(empty.metrics.values()) == {None}
    assert empty.intervals == {}


# -- what a row keeps of an answer --


def row_of(question: Question, answer: Answer) -> Row:
    return evaluate(Scripted({question.question: answer}), [question]).rows[0]


ASKED = Question("q", "When did it open?", (), ("in May",), (OPENED,))


def test_rows_mark_what_is_cited_in_its_passage() -> None:
    found = trace((0, 0.5), (1, 0.8), (2, 0.1))
    row = row_of(ASKED, answered([HARD, COST, OPENED], ranked=found))
    assert row.passages == (
        MarkedPassage("The bridge", ((BERG + " ", False), (HARD, True))),
        MarkedPassage("The bridge", ((OPENED, True), (" ", False), (COST, True))),
    )
    assert row_of(ASKED, answered(refused=True, ranked=found)).passages == ()


def test_what_is_cited_twice_or_overlaps_is_marked_once() -> None:
    both = f"{OPENED} {COST}"
    row = row_of(ASKED, answered([COST, both, COST], ranked=trace((0, 0.5))))
    assert "".join(text for text, _ in row.passages[0].pieces) == PASSAGES[0]
    assert "".join(text for text, cited in row.passages[0].pieces if cited) == both
    assert len(row.passages) == 1


def test_what_is_cited_outside_the_trace_stands_alone() -> None:
    row = row_of(ASKED, answered([FERRIES], ranked=trace((0, 0.5))))
    assert row.passages == (MarkedPassage("The bridge", ((FERRIES, True),)),)


def test_rows_keep_the_trace_and_the_timings() -> None:
    first, second = trace((1, 0.81234), (0, 0.5))
    ranked = Trace((first, replace(second, kept=False, reason="far below the best")))
    answer = replace(answered([OPENED], ranked=ranked), timings={"retrieve": 0.25, "read": 0.5})
    row = row_of(ASKED, answer)
    assert row.trace == (
        Considered("The bridge", PASSAGES[1], {"found": 0.8123, "rerank": 0.0}, True, "", False),
        Considered("The bridge", PASSAGES[0], {"found": 0.5, "rerank": -1.0}, False,
                   "far below the best", True),
    )  # fmt: skip
    assert row.timings == {"retrieve": 0.25, "read": 0.5}
    values = json.loads(json.dumps(row.to_dict()))
    assert values["timings"] == {"retrieve": 0.25, "read": 0.5}
    assert not {"trace", "passages"} & set(values)  # long


def test_long_passages_of_the_trace_are_cut() -> None:
    text = "The bridge is long. " * 40
    article = Article.from_text(text, title="Long")

    class Long(Scripted):
        def articles(self) -> list[Article]:
            return [article]

    whole = Passage(article.id, 0, len(article.text), article.text)
    answer = answered(ranked=Trace((Candidate(whole, {"found": 0.5}, True, ""),)))
    question = Question("l", "?", answerable=False)
    (kept,) = evaluate(Long({"?": answer}), [question]).rows[0].trace
    assert kept.title == "Long"
    assert len(kept.text) <= SHOWN
    assert kept.text.endswith("…")
    assert text.startswith(kept.text[:-1])


def test_right_is_what_was_due(report: Report) -> None:
    assert [(row.verdict, row.answerable, row.right) for row in report.rows] == [
        ("right", True, True), ("wrong", True, False), ("right", True, True),
        ("refused", True, False), ("right", True, True), ("refused", False, True),
        ("wrong", False, False),
    ]  # fmt: skip


def test_a_missing_short_answer_is_wrong_where_the_set_names_exact_ones() -> None:
    def measured(*pairs: tuple[tuple[str, ...], str | None]) -> tuple[float | None, int]:
        asked = [
            Question(f"s{n}", f"{n}?", (), ("It opened in May.",), (OPENED,), short=exact)
            for n, (exact, _) in enumerate(pairs)
        ]
        answers = {f"{n}?": answered([OPENED], short=short) for n, (_, short) in enumerate(pairs)}
        found = evaluate(Scripted(answers), asked)
        assert [row.exact for row in found.rows] == [exact for exact, _ in pairs]
        assert found.counts["short_em"] == found.counts["short_f1"]
        return found.metrics["short_f1"], found.counts["short_f1"]

    may = ("May", "in May")
    assert measured((may, "in May"), (may, None)) == (1 / 2, 2)
    assert measured((may, "May 1911"), (may, None), (may, None)) == (pytest.approx(2 / 9), 3)
    # Without exact ones a given answer is compared with the accepted strings, and none is no loss.
    assert measured(((), "It opened in May"), ((), None)) == (1.0, 1)
    # A question without an exact answer in a set that names some is asked for no such answer.
    assert measured((may, "in May"), ((), "Nobody")) == (1.0, 1)
    assert measured(((), None)) == (None, 0)


def test_exact_answers_of_unanswerable_and_refused_questions() -> None:
    refused = Question("r", "r?", (), ("in May",), (OPENED,), short=("May",))
    beyond = Question("u", "u?", answerable=False)
    answers = {"r?": answered(refused=True), "u?": answered([OPENED], short="May")}
    found = evaluate(Scripted(answers), [refused, beyond])
    assert (found.metrics["short_em"], found.counts["short_em"]) == (0.0, 1)


# -- overviews, and what counts as an answer --


OVERVIEW = Question("o", "Summarise it", (), (), (OPENED, BERG), True, extra={"kind": "overview"})


def judged(question: Question, answer: Answer) -> str:
    return evaluate(Scripted({question.question: answer}), [question]).rows[0].verdict


def test_overviews_need_three_citations_half_of_them_expected() -> None:
    assert judged(OVERVIEW, answered([OPENED, BERG])) == "wrong"
    assert judged(OVERVIEW, answered([OPENED, BERG, HARD, COST])) == "right"
    assert judged(OVERVIEW, answered([OPENED, HARD, COST])) == "wrong"
    assert judged(OVERVIEW, answered(refused=True)) == "refused"


@pytest.mark.parametrize("change", [{"start": 1}, {"article_id": "elsewhere"}])
def test_overviews_cite_the_article_as_it_stands(change: dict[str, Any]) -> None:
    answer = answered([OPENED, BERG, HARD, OPENED])
    bent = (replace(answer.citations[3], **change), *answer.citations[:3])
    assert judged(OVERVIEW, answer) == "right"
    assert judged(OVERVIEW, replace(answer, citations=bent)) == "wrong"


def test_an_accepted_string_may_stand_in_a_cited_quote_alone() -> None:
    question = Question("c", "How much?", (), ("120 million",), (COST,))
    assert judged(question, answered([COST], text="A lot [1].")) == "right"
    assert judged(question, answered([BERG], text="A lot [1].")) == "wrong"


def test_markers_and_markdown_do_not_part_an_accepted_string() -> None:
    question = Question("c", "How much?", (), ("cost 120 million",), (COST,))
    assert judged(question, answered([BERG], text="It **cost** [1] 120 *million*.")) == "right"


# -- running --


def test_history_and_articles_reach_the_bot() -> None:
    history = (Message("user", "What opened?"), Message("assistant", "The bridge."))
    question = Question("h", "When?", history, ("May",), (OPENED,))
    scripted = Scripted({"When?": answered([OPENED])})
    evaluate(scripted, [question], article_ids=[ARTICLE.id])
    assert scripted.asked == [
        (
            "When?",
            [
                {"role": "user", "content": "What opened?"},
                {"role": "assistant", "content": "The bridge."},
            ],
            [ARTICLE.id],
        )
    ]


def test_models_are_loaded_before_the_first_question() -> None:
    events: list[str] = []

    class Loading(Scripted):
        def load(self) -> None:
            events.append("load")

        def ask(self, question: str, history: Any = (), *, articles: Any = None) -> Answer:
            events.append("ask")
            return super().ask(question, history, articles=articles)

    evaluate(Loading({"When?": answered([OPENED])}), [Question("h", "When?", answerable=False)])
    assert events == ["load", "ask"]


def test_evidence_that_stands_nowhere_stops_before_anything_is_asked() -> None:
    scripted = Scripted({})
    question = Question("q9", "Why?", (), ("x",), ("It cost 130 million euros.",))
    with pytest.raises(QuestionSetError, match=r"'q9'.*It cost 130 million.*The bridge"):
        evaluate(scripted, [Question("q0", "Who?", answerable=False), question])
    assert scripted.asked == []


def test_an_unknown_article_is_named() -> None:
    with pytest.raises(UnknownArticle, match=rf"'nowhere'.*{ARTICLE.id}"):
        evaluate(Scripted({}), [], article_ids=["nowhere"])


def test_the_bar_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    scripted = Scripted({q.question: a for q, a in HAND_MADE})
    shown = evaluate(scripted, [q for q, _ in HAND_MADE], progress=True)
    assert len(shown.rows) == 7
    assert capsys.readouterr().out == ""


def test_evidence_is_found_wherever_it_stands() -> None:
    twice = Article.from_text("It’s over. «Yes» and\nno. It’s over.")
    other = Article.from_text("Before: It's over.")
    assert locate("It's  over.", [twice, other]) == (
        (twice.id, 0, 10), (twice.id, 25, 35), (other.id, 8, 18),
    )  # fmt: skip
    assert locate('"Yes" and no.', [twice]) == ((twice.id, 11, 24),)
    assert locate("It is over.", [twice, other]) == ()
    assert locate("\u200b", [twice]) == ()


def test_recurring_evidence_counts_once() -> None:
    article = Article.from_text("Yes. No. Yes.")

    class Twice(Scripted):
        def articles(self) -> list[Article]:
            return [article]

    cited = Citation(1, article.id, "", 9, 13, "Yes.", 1.0, Support(1.0, "supported"))
    answer = Answer("Yes. [1]", None, False, (cited,), (), "?", Trace(), {})
    found = evaluate(Twice({"?": answer}), [Question("y", "?", (), ("yes",), ("Yes.",))])
    assert found.metrics["citation_recall"] == 1.0
    assert found.counts["citation_recall_micro"] == 1


# -- thresholds --


def test_threshold_curve_by_hand(report: Report) -> None:
    # Scores: answerable .9 right, .6 wrong, .7 right, .3 refused, 1 right; unanswerable .1, .6.
    low, middle, edge, high, over = threshold_curve(report, [0.0, 0.5, 0.6, 0.65, 1.1])
    assert (low.refusal_recall, low.false_refusals, low.coverage) == (0.0, 0.0, 1.0)
    assert low.risk is None  # q4 was refused: what it would have said is not known
    assert (middle.refusal_recall, middle.false_refusals) == (1 / 2, 1 / 5)
    assert (middle.coverage, middle.risk) == (5 / 7, 2 / 5)
    assert edge.coverage == middle.coverage  # a score at the threshold is answered
    assert (high.refusal_recall, high.false_refusals) == (1.0, 2 / 5)
    assert (high.coverage, high.risk) == (3 / 7, 0.0)
    assert (over.coverage, over.false_refusals, over.risk) == (0.0, 1.0, None)


def test_threshold_curve_falls_and_rises_as_it_must(report: Report) -> None:
    points = threshold_curve(report)
    assert [p.threshold for p in points] == [pytest.approx(i / 20) for i in range(21)]
    for before, after in itertools.pairwise(points):
        assert before.coverage is not None
        assert after.coverage is not None
        assert before.coverage >= after.coverage
        assert (before.refusal_recall or 0) <= (after.refusal_recall or 0)


# -- question sets --


GOOD: dict[str, Any] = {
    "id": "a",
    "question": "When did it open?",
    "history": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}],
    "answers": ["May"],
    "evidence": [OPENED],
    "answerable": True,
    "kind": "fact",
    "split": "tune",
}


def written(folder: Path, *lines: dict[str, Any] | str) -> Path:
    file = folder / "set.jsonl"
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text("\n".join(texts), encoding="utf-8")
    return file


def test_a_question_set_is_read(tmp_path: Path) -> None:
    second = {**GOOD, "id": "b", "answers": [], "evidence": [], "answerable": False, "history": []}
    del second["kind"]
    first, other = load_questions(written(tmp_path, "\ufeff" + json.dumps(GOOD), "", second, ""))
    assert first == Question(
        "a", "When did it open?", (Message("user", "Hi"), Message("assistant", "Hello")),
        ("May",), (OPENED,), True, extra={"kind": "fact", "split": "tune"},
    )  # fmt: skip
    assert (first.kind, other.kind) == ("fact", "unanswerable")
    assert other.extra == {"split": "tune"}


def test_history_may_be_left_out(tmp_path: Path) -> None:
    alone = {name: value for name, value in GOOD.items() if name != "history"}
    assert load_questions(written(tmp_path, alone))[0].history == ()


def test_exact_answers_may_be_listed(tmp_path: Path) -> None:
    (found,) = load_questions(written(tmp_path, {**GOOD, "short": ["May", "in May"]}))
    assert found.short == ("May", "in May")
    assert "short" not in found.extra
    assert load_questions(written(tmp_path, GOOD))[0].short == ()


def test_line_separators_within_a_string_do_not_end_a_line(tmp_path: Path) -> None:
    line = json.dumps({**GOOD, "question": "one\u2028two\u0085?"}, ensure_ascii=False)
    assert load_questions(written(tmp_path, line))[0].question == "one\u2028two\u0085?"


def test_an_overview_needs_no_accepted_string(tmp_path: Path) -> None:
    assert load_questions(written(tmp_path, {**GOOD, "answers": []}))[0].answers == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{'id': 1}", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
        ("[1, 2]", "this is a list; write an object with the fields id, question"),
        *((({k: v for k, v in GOOD.items() if k != name}), f"the field '{name}' is missing")
          for name in ("id", "question", "answers", "evidence", "answerable")),
        ({**GOOD, "id": 7}, "the field 'id' is 7; give a string"),
        ({**GOOD, "id": " "}, "the field 'id' is \" \"; give a string that is not blank"),
        ({**GOOD, "question": None}, "the field 'question' is null"),
        ({**GOOD, "history": {}}, "the field 'history' is {}; give a list"),
        ({**GOOD, "answers": "May"}, "the field 'answers' is \"May\"; give a list of strings"),
        ({**GOOD, "answers": ["May", 3]}, "the field 'answers'"),
        ({**GOOD, "evidence": [""]}, "the field 'evidence'"),
        ({**GOOD, "short": "May"}, "the field 'short' is \"May\"; give a list of strings"),
        ({**GOOD, "answerable": "yes"}, "the field 'answerable' is \"yes\"; give true or false"),
        ({**GOOD, "answers": [], "evidence": []}, "answerable but has neither answers nor"),
        ({**GOOD, "history": [{"role": "wizard", "content": "x"}]}, "has the role 'wizard'"),
        ({**GOOD, "history": ["x"]}, "history"),
        ({**GOOD, "question": "x" * 2_001}, "2,001 characters"),
        (GOOD, "the id 'a' stands in line 1 already"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_file_and_line(
    tmp_path: Path, line: dict[str, Any] | str, says: str
) -> None:
    file = written(tmp_path, GOOD, "", line)
    with pytest.raises(QuestionSetError) as caught:
        load_questions(file)
    message = str(caught.value)
    assert message.startswith(f"{file}, line 3: ")
    assert says in message
    assert message.endswith(".")
    assert "\n" not in message


def test_files_that_hold_no_question_set(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"No question set at .*nothing\.jsonl"):
        load_questions(tmp_path / "nothing.jsonl")
    with pytest.raises(QuestionSetError, match="cannot be read"):
        load_questions(tmp_path)
    with pytest.raises(QuestionSetError, match="cannot be read"):
        load_questions("a\0b")
    with pytest.raises(QuestionSetError, match="is empty"):
        load_questions(written(tmp_path, "", "  "))
    (tmp_path / "set.jsonl").write_bytes(json.dumps(GOOD).encode() + b"\n\xff\xfe")
    with pytest.raises(QuestionSetError, match="line 2: this is not UTF-8"):
        load_questions(tmp_path / "set.jsonl")
    (tmp_path / "set.jsonl.gz").write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    with pytest.raises(QuestionSetError, match="is gzip-compressed and of no published set"):
        load_questions(tmp_path / "set.jsonl.gz")


# -- the question set of the bundled article --


def test_the_question_set_fits_the_bundled_article() -> None:
    questions = load_questions(QUESTIONS)
    article = bundled()
    assert len(questions) >= 80
    assert sum(not q.answerable for q in questions) >= 25
    for question in questions:
        for evidence in question.evidence:
            assert evidence in article.text, question.id
        if question.answerable:
            assert question.evidence, question.id
        else:
            assert not question.answers, question.id
            assert not question.evidence, question.id
        if question.answers:
            assert contains_answer(" ".join(question.evidence), question.answers), question.id


def test_the_real_bot_is_measured_as_a_plain_count_does(bot: Bot) -> None:
    """Two questions of every kind; how good the bot is, the evaluation command decides."""
    kinds: dict[str, list[Question]] = {}
    for question in load_questions(QUESTIONS):
        kinds.setdefault(question.kind, []).append(question)
    sample = [q for questions in kinds.values() for q in questions[:2]]
    report = bot.evaluate(sample)
    for name, value in report.metrics.items():
        assert value is not None or name.startswith(("short_", "refusal_p")), name
    assert report.below({"hit@5": 0.5, "answer": 0.3, "citation_precision": 0.3}) == []

    first, right, wrongly_refused = [], [], 0
    for question, row in zip(sample, report.rows, strict=True):
        history = [{"role": m.role, "content": m.content} for m in question.history]
        answer = bot.ask(question.question, history)
        assert row.refused is answer.refused is answer.text.startswith(REFUSAL)
        assert row.quotes == tuple(c.quote for c in answer.citations)
        assert row.seconds > 0
        if question.answerable and question.answers:
            wrongly_refused += answer.refused
            best = answer.trace[0].passage.text
            first.append(any(e in best or best in e for e in question.evidence))
            said = " ".join([answer.text, *row.quotes]).lower()
            right.append(not answer.refused and any(a.lower() in said for a in question.answers))
    assert report.metrics["hit@1"] == pytest.approx(sum(first) / len(first))
    overviews = sum(row.kind == "overview" and row.verdict == "right" for row in report.rows)
    answerable = [q for q in sample if q.answerable]
    assert report.metrics["answer"] == pytest.approx((sum(right) + overviews) / len(answerable))
    assert report.metrics["false_refusals"] == pytest.approx(wrongly_refused / len(answerable))
