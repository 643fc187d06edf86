"""The page of an evaluation: one file, all on it, inert text, and drawn by a real browser."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bot import Settings, SettingsError
from bot.compare import compare
from bot.evaluate import METRICS, Considered, MarkedPassage, Outcome, Report, Row
from bot.figures import Item
from bot.suites import Suite, SuiteReport
from ui.measure import Measured
from ui.report import (
    BEST,
    BINS,
    CUT,
    LINES,
    WHOLE,
    Section,
    check_file,
    item_charts,
    of_suites,
    question_charts,
)

EVIL = "</script><img src=x onerror=alert(1)>"
CHARTS = ["Risk and coverage", "Scores", "Recall by depth", "Time by stage"]
TRACE = (
    Considered("The bridge", "It opened in May.", {"dense": 0.71, "rerank": 3.25}, True,
               "best of all", True),
    Considered(f"Ferries {EVIL}", f"Ferries stopped. {EVIL}", {"dense": 0.82}, False,
               "far below the best", False),
)  # fmt: skip


def row(
    name: str, question: str, *, answerable: bool = True, verdict: Outcome = "right",
    score: float = 0.9, answer: str = "", gold: Sequence[str] = (), **more: Any,
) -> Row:  # fmt: skip
    values: dict[str, Any] = {
        "id": name, "kind": "fact", "question": question, "searched": question, "text": answer,
        "short": None, "answers": tuple(gold), "evidence": (), "answerable": answerable,
        "verdict": verdict, "quotes": (), "score": score, "seconds": 0.25, "dense": None,
        "reranked": None, "right_citations": (), "covered": (),
    }  # fmt: skip
    return Row(**values | more)


ROWS = (
    row(
        "opened", "When did it open?", answer="It opened in May.", gold=["in May", "May"],
        short="May", exact=("May",), searched="When did the bridge open?",
        evidence=("It opened in May.",), dense=(False, True), reranked=(True, False), trace=TRACE,
        timings={"retrieve": 0.02, "rerank": 0.1},
        passages=(MarkedPassage("The bridge", (("Well. ", False), ("It opened in May.", True),
                                               (" It is red.", False))),),
    ),
    row(
        "built", f"Who built it? {EVIL}", answer=f"Anna Berg, {EVIL}", gold=[f"Ada {EVIL}"],
        verdict="wrong", score=0.55, dense=(True,), reranked=(False, False, True),
        short=f"Berg {EVIL}", trace=TRACE, timings={"retrieve": 0.04, "rerank": 0.3},
        passages=(MarkedPassage(f"Builders {EVIL}", ((f"Anna Berg. {EVIL}", True),)),),
    ),
    row("cost", "What did it cost?", answer="Nothing says so.", gold=["9 crowns"],
        verdict="refused", score=0.2, dense=(False,), reranked=(False,), trace=TRACE[:1]),
    row("gold", "What is gold worth?", answerable=False, answer="Nothing says so.",
        verdict="refused", score=0.1),
    row("wide", "How wide is it?", answerable=False, answer="It is red.", verdict="wrong",
        score=0.6),
)  # fmt: skip
SECOND = (
    replace(ROWS[0], verdict="refused", text=f"Nothing says so. {EVIL}", short=None),
    replace(ROWS[1], verdict="right"),
    *ROWS[2:],
)
CLAIMS = (
    Item("c1", f"It opened in May. {EVIL}", {"score": 0.9, "label": 1.0},
         {"evidence": "It opened in May.", "reasons": ""}, right=True),
    Item("c2", "It opened in June.", {"score": 0.4, "label": 0.0},
         {"evidence": f"It opened in May. {EVIL}", "reasons": "no June there"}, right=True),
    Item("c3", "It is red.", {"score": 0.3, "label": 1.0}, {"evidence": "Red it is."}, right=False),
)  # fmt: skip
JUDGED = (
    Item("t1:good", "It opened in May.", {"support": 0.9, "human": 4.0}),
    Item("t1:poor", "It is blue.", {"support": 0.2, "human": 1.0}),
)
TURNS = (Item("d:1", "And when?", {"unigram_recall_copied": 0.5}, {"human": "When did it open?"}),)


def suites(rows: tuple[Row, ...], claims: tuple[Item, ...]) -> SuiteReport:
    return SuiteReport(
        (
            Suite("xquad_en", "found", rows, of=1190, asked=5),
            Suite("wice_dev", "support", claims, of=3, asked=3, cached=True),
            Suite("mtrag_humaneval", "faithfulness", JUDGED, of=2, asked=2),
            Suite("canard_dev", "rewrites", TURNS, of=1, asked=1),
        ),
        sample=5,
        seed=7,
        settings={"threshold": 0.5},
    )


MEASURED = Measured(
    "threshold=0.7",
    "the_bridge",
    [Report.of(ROWS), Report.of(SECOND)],
    [
        suites(ROWS, CLAIMS),
        suites(
            SECOND, (replace(CLAIMS[0], right=False), CLAIMS[1], replace(CLAIMS[2], right=True))
        ),
    ],
)
"""A run on a question set and on four suites, each beside a second configuration."""
ALONE = Measured("", "alone", [Report.of(ROWS)])


class Contents(HTMLParser):
    """What a browser makes of a page: its elements, its text, its scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.data: dict[str, list[Any]] = {"figure": [], "details": []}
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "img", "link"):
            self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "script" and attributes.get("type") == "application/json":
            self.data[attributes["class"] or ""].append(json.loads(data))
        else:
            {"style": self.styles, "script": self.scripts}.get(tag, self.texts).append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of all that was measured."""
    written = tmp_path_factory.mktemp("report") / "page.html"
    MEASURED.write_page(written, Settings(threshold=0.5))
    return written


@pytest.fixture(scope="module")
def contents(file: Path) -> Contents:
    return Contents(file.read_text("utf-8"))


# -- the file --


def test_the_page_is_one_file_that_refers_to_nothing(contents: Contents) -> None:
    assert not {tag for tag, _ in contents.elements} & {
        "link", "base", "img", "iframe", "object", "embed", "form", "a",
    }  # fmt: skip
    named = {name for _, attributes in contents.elements for name in attributes}
    assert not named & {"src", "href", "srcset", "action", "data", "poster", "background"}
    (style,) = contents.styles
    assert "@import" not in style
    assert "url(" not in style
    policy = [a["content"] for t, a in contents.elements if t == "meta" and "http-equiv" in a]
    assert len(policy) == 1
    assert (policy[0] or "").startswith("default-src 'none';")
    assert "http" not in (policy[0] or "")
    plotly, own = contents.scripts
    assert "plotly.js v" in plotly[:200]
    assert "http" not in own


def test_every_row_is_on_it(contents: Contents) -> None:
    asked = [r.question for r in (*ROWS, *ROWS)] + [i.text for i in (*CLAIMS, *JUDGED, *TURNS)]
    for text, times in Counter(asked).items():
        assert contents.text.count(text) >= times, text
    assert len([a for t, a in contents.elements if a.get("class") == "row"]) == len(asked)
    own, suite, claims, judged, turns = contents.data["details"]
    assert [d["id"] for d in own] == [d["id"] for d in suite] == [r.id for r in ROWS]
    for given, shown in zip(ROWS, own, strict=True):
        assert (shown["answer"], shown["gold"]) == (given.text, list(given.answers))
        assert (shown["short"], shown["evidence"]) == (given.short or "", list(given.evidence))
        assert (shown["answerable"], shown["seconds"]) == (given.answerable, 0.25)
    tags = [c for _, a in contents.elements if (c := a.get("class") or "").startswith("tag ")]
    assert tags[:5] == ["tag wrong", "tag right", "tag refused", "tag right", "tag wrong"]
    said = [text.strip() for text in contents.texts]
    for verdict in ("right → refused", "wrong → right", "refused", "refused, rightly",
                    "wrong: not answerable", "right"):  # fmt: skip
        assert verdict in said
    assert {"right", "wrong"} <= {text.strip() for text in page_of(ALONE).texts}
    assert [d["shown"] for d in claims] == [dict(i.shown) for i in CLAIMS]
    assert judged[0]["values"] == {"support": 0.9, "human": 4.0}
    assert turns[0]["shown"] == {"human": "When did it open?"}


def test_a_row_keeps_what_was_cited_and_what_was_considered(contents: Contents) -> None:
    first = contents.data["details"][0][0]
    assert first["searched"] == "When did the bridge open?"
    assert first["passages"] == [{"title": "The bridge", "pieces": [
        ["Well. ", False], ["It opened in May.", True], [" It is red.", False],
    ]}]  # fmt: skip
    assert first["stages"] == ["dense", "rerank"]
    assert [(c["kept"], c["gold"], c["scores"], c["reason"]) for c in first["trace"]] == [
        (True, True, [0.71, 3.25], "best of all"),
        (False, False, [0.82, None], "far below the best"),
    ]
    assert contents.data["details"][0][2]["searched"] == ""  # as it was asked
    assert first["exact"] == ["May"]


def test_a_row_tells_what_the_second_configuration_answers(contents: Contents) -> None:
    first, built, *others = contents.data["details"][0]
    assert first["against"] == {"answer": f"Nothing says so. {EVIL}", "short": "–"}
    assert [d["against"] for d in (built, *others)] == [{"answer": "", "short": ""}] * 4
    assert page_of(ALONE).data["details"][0][0]["against"] == {"answer": "", "short": ""}


def test_text_from_outside_is_text(contents: Contents) -> None:
    assert EVIL in contents.data["details"][0][1]["answer"]
    assert EVIL in contents.data["details"][0][1]["passages"][0]["title"]
    assert EVIL in contents.data["details"][0][1]["trace"][1]["text"]
    assert f"Who built it? {EVIL}" in contents.text
    assert not any(name.startswith("on") for _, found in contents.elements for name in found)
    hostile = Measured(EVIL, EVIL, [Report.of(ROWS[1:2]), Report.of(SECOND[1:2])])
    tags = [t for t, _ in page_of(hostile).elements]
    assert tags.count("script") == 4 + 1 + 2  # charts, details, plotly's and ours
    assert "img" not in tags


def page_of(measured: Measured) -> Contents:
    from ui import report

    own, _ = measured.compared()
    other = measured.reports[1] if len(measured.reports) > 1 else None
    section = report.of_questions(measured.reports[0], measured.name, 0.5, other, own)
    return Contents(report.render([section], {"threshold": 0.5}, measured.against))


def test_the_figures_stand_beside_those_of_the_second_configuration(contents: Contents) -> None:
    text = contents.text
    assert "threshold 0.5" in text
    assert "against threshold=0.7" in text
    # of three answerable questions one is right, by either
    assert "answer 0.333 0.000–1.000 0.333 0.000–1.000 3 Share of answerable" in text
    assert re.search(r"false_refusals 0\.333 [\d.–]+ 0\.667 [\d.–]+ 3 Share", text)
    assert "questions 5 5 5 Questions asked" in text
    assert "each question asked of all documents; 5 of 1,190, seed 7" in text
    assert "95 % intervals: percentile bootstrap over questions: 1,000 draws" in text
    alone = page_of(ALONE)
    assert "Against" in text
    assert "gainst" not in alone.text
    assert "from wrong to right" not in alone.text
    cells = [(a.get("class") or "").split() for tag, a in contents.elements if tag == "td"]
    own = [c for c in cells if "value" in c and "other" in c][: len(METRICS)]
    differ = [n for n, c in zip(METRICS, own, strict=True) if "same" not in c]
    assert "false_refusals" in differ
    assert not {"questions", "answer", "hit@1"} & set(differ)


def test_rows_that_came_out_otherwise_are_named(contents: Contents) -> None:
    changed = "1 from wrong to right, 1 from right to wrong (right: 2 → 2 of 5)"
    assert contents.text.count(changed) == 2  # the question set and the suite
    assert f"gained Who built it? {EVIL} wrong → right" in contents.text
    assert "lost When did it open? right → refused" in contents.text
    # Claims are judged alike by any configuration.
    assert "gained It is red." not in contents.text
    assert "claims judged against evidence; all of 3 (cached); no setting" in contents.text
    flags = [a["data-flags"] for _, a in contents.elements if "data-flags" in a]
    assert flags[:5] == ["lost right", "gained wrong", "wrong refused", "right refused", "wrong"]
    assert "All 5 Wrong 3 Refused 2 Right 2 Gained 1 Lost 1" in contents.text


@pytest.mark.parametrize("where", ["no folder/page.html", "folder", "file/page.html"])
def test_a_file_that_cannot_be_written(tmp_path: Path, where: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("no folder", "utf-8")
    target = tmp_path / where
    for attempt in (
        lambda: MEASURED.write_page(target, Settings()),
        lambda: check_file(target),
    ):
        with pytest.raises(SettingsError, match="--html") as caught:
            attempt()
        assert str(target) in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_file_that_can_be_written_is_not_touched_before(tmp_path: Path) -> None:
    check_file(tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "page.html").write_text("older", "utf-8")
    check_file(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == "older"


def test_an_account_that_may_not_write_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SettingsError, match="this account may not write there"):
        check_file(tmp_path / "page.html")


def test_half_a_surrogate_pair_does_not_lose_the_page(tmp_path: Path) -> None:
    half = "half \ud800 a pair"
    broken = replace(ROWS[0], question=half, text=half, short=half, answers=(half,))
    measured = Measured("", half, [Report.of([broken])], [suites((broken,), CLAIMS)])
    measured.write_page(tmp_path / "page.html", Settings())
    assert "half ? a pair" in (tmp_path / "page.html").read_text("utf-8")


def many(count: int, *, wrong: int) -> tuple[Row, ...]:
    """Rows with long passages and traces, the last of them wrong."""
    text = "Ferries stopped in June. " * 6
    trace = tuple(
        Considered("The bridge", text, {"dense": 0.5}, 5 <= n < 8, "why", n == 15)
        for n in range(20)
    )
    passage = MarkedPassage("The bridge", ((text, False), ("In May.", True), (text, False)))
    return tuple(
        row(f"r{n}", f"Question {n}?", verdict="wrong" if n >= count - wrong else "right",
            trace=trace, passages=(passage,))
        for n in range(count)
    )  # fmt: skip


def test_a_large_run_shows_the_wrong_ones_first_and_cuts_what_it_shows() -> None:
    small, large = many(WHOLE, wrong=1), many(LINES + 1, wrong=2)

    def section(rows: tuple[Row, ...]) -> Section:
        return of_suites(
            SuiteReport((Suite("xquad_en", "found", rows, len(rows), len(rows)),), None, 0,
                        {"threshold": 0.5})
        )[0]  # fmt: skip

    whole, cut = section(small), section(large)
    assert (len(whole.lines), whole.note) == (WHOLE, "")
    assert len(whole.lines[0].details["trace"]) == 20
    assert [line.text for line in whole.lines] == [r.question for r in small]
    assert len(cut.lines) == LINES
    assert cut.note == (
        f"{LINES:,} of {LINES + 1:,} shown, the wrong ones first; all are in the JSON (--json)."
    )
    assert [line.kind for line in cut.lines[:3]] == ["wrong", "wrong", "right"]
    details = cut.lines[0].details
    assert [(c["kept"], c["gold"]) for c in details["trace"]] == [
        (False, False)] * BEST + [(True, False)] * 3 + [(False, True)]  # fmt: skip
    assert details["considered"] == 20
    assert all(len(c["text"]) < CUT + 10 for c in details["trace"])
    before, cited, after = details["passages"][0]["pieces"]
    assert cited == ("In May.", True)
    assert max(len(before[0]), len(after[0])) < CUT + 10
    assert set(f"{before[0]} {after[0]}".split()) <= {*"Ferries stopped in June. …".split()}
    assert cut.note in page_of_sections([cut]).text
    assert figure(cut, "answer_holds") == figure(section(large), "answer_holds")


def figure(section: Section, name: str) -> Any:
    return next((f for f in section.figures if f.name == name), None)


def page_of_sections(sections: list[Section]) -> Contents:
    from ui import report

    return Contents(report.render(sections, {}))


def test_a_page_of_all_sets_is_light() -> None:
    rows = many(1200, wrong=600)
    runs = [Suite(f"s{n}", "found", rows, len(rows), len(rows)) for n in range(16)]
    # Counting the figures of so many rows takes long and is no part of the page's weight.
    sections = [
        replace(section, figures=(), charts=())
        for section in of_suites(SuiteReport(tuple(runs), None, 0, {"threshold": 0.5}))
    ]
    from ui import report

    assert len(report.render(sections, {}).encode()) < 10_000_000


def test_what_changed_is_shown_before_what_is_wrong() -> None:
    before = many(LINES + 5, wrong=2)
    after = (replace(before[0], verdict="wrong"), *before[1:])

    def of(rows: tuple[Row, ...]) -> SuiteReport:
        return SuiteReport((Suite("xquad_en", "given", rows, 1, 1),), None, 0, {"threshold": 0.5})

    (section,) = of_suites(of(before), of(after), [compare(before, after)])
    assert [line.text for line in section.lines[:2]] == ["Question 0?", f"Question {LINES + 3}?"]
    assert "those that changed and the wrong ones first" in section.note


def test_what_did_not_work_is_on_the_page() -> None:
    notice = "The model is not there; this is read from the article instead."
    broken = tuple(replace(r, notice=notice, failed=True) for r in ROWS)
    page = page_of(Measured("", "alone", [Report.of(broken)]))
    assert f"5 questions; 5 of 5: {notice}" in page.text
    assert page.data["details"][0][0]["notice"] == notice
    (section, *_) = of_suites(suites(ROWS, CLAIMS), suites(broken, CLAIMS))
    assert section.subtitle.endswith(f"; against, 5 of 5: {notice}")


# -- charts --


def traces(figure: Any) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_charts_of_questions_by_hand() -> None:
    charts = {c.title: c for c in question_charts(ROWS, 0.5)}
    assert list(charts) == CHARTS
    risk = traces(charts["Risk and coverage"].figure)
    # By falling threshold: .9 right; .6 wrong; .55 wrong; those below were refused.
    assert sorted(zip(risk["risk"]["x"], risk["risk"]["y"], strict=True)) == [
        pytest.approx(p) for p in [(1 / 5, 0.0), (2 / 5, 1 / 2), (3 / 5, 2 / 3), (3 / 5, 2 / 3)]
    ]
    here = risk["threshold 0.5"]
    assert (here["x"], here["y"]) == ([3 / 5], [pytest.approx(2 / 3)])
    assert "--threshold 0 shows all" in charts["Risk and coverage"].note
    scores = charts["Scores"].figure
    assert traces(scores)["answerable"]["x"] == [0.9, 0.55, 0.2]
    assert traces(scores)["unanswerable"]["x"] == [0.1, 0.6]
    assert scores["layout"]["shapes"][0]["x0"] == 0.5
    recall = traces(charts["Recall by depth"].figure)
    assert recall["after reranking"]["x"] == ["1", "2", "3", "5", "10", "20"]
    assert recall["after reranking"]["y"] == pytest.approx([1 / 3, 1 / 3] + [2 / 3] * 4)
    assert recall["before reranking"]["y"] == pytest.approx([1 / 3] + [2 / 3] * 5)
    times = traces(charts["Time by stage"].figure)
    assert times["median"]["y"] == ["rerank", "retrieve"]  # upwards, so the first is on top
    assert times["median"]["x"] == pytest.approx([200, 30])
    assert times["95th percentile"]["x"] == pytest.approx([290, 39])


def test_a_score_of_exactly_1_is_in_the_last_bar() -> None:
    rows = [row("a", "?", score=1.0), row("b", "?", score=0.0), row("c", "?", score=0.96)]
    (trace,) = question_charts(rows, 0.5)[1].figure["data"]
    layout = question_charts(rows, 0.5)[1].figure["layout"]
    bins = trace["xbins"]
    assert (bins["start"], bins["end"]) == tuple(layout["xaxis"]["range"]) == (0, 1)
    assert Counter(int(x / bins["size"]) for x in trace["x"]) == {0: 1, BINS - 1: 2}


def test_of_one_document_there_is_no_recall_by_depth() -> None:
    report = SuiteReport(
        tuple(Suite("xquad_en", task, ROWS, of=5, asked=5) for task in ("found", "given")),
        None, 0, {"threshold": 0.5},
    )  # fmt: skip
    found, given = ([c.title for c in s.charts] for s in of_suites(report))
    assert found == CHARTS
    assert given == [c for c in CHARTS if c != "Recall by depth"]


def test_charts_without_anything_to_show_are_left_out() -> None:
    plain = [replace(r, dense=None, reranked=None, timings={}) for r in ROWS]
    assert [c.title for c in question_charts(plain, 0.5)] == CHARTS[:2]
    assert question_charts([], 0.5) == []
    refused = [r for r in plain if r.verdict == "refused" and r.answerable]
    assert [c.title for c in question_charts(refused, 0.1)] == ["Scores"]
    assert item_charts([]) == []


def test_charts_of_suites() -> None:
    sections = of_suites(suites(ROWS, CLAIMS))
    assert [(s.title, [c.title for c in s.charts]) for s in sections] == [
        ("xquad_en · found", CHARTS),
        ("wice_dev · support", ["Scores"]),
        ("mtrag_humaneval · faithfulness", ["Support and people"]),
        ("canard_dev · rewrites", []),
    ]
    scores = traces(sections[1].charts[0].figure)
    assert scores["supported"]["x"] == [0.9, 0.3]
    assert scores["not supported"]["x"] == [0.4]
    (people,) = sections[2].charts[0].figure["data"]
    assert (people["x"], people["y"]) == ([4.0, 1.0], [0.9, 0.2])
    assert sections[1].filters == [("all", "All", 3), ("wrong", "Wrong", 1), ("right", "Right", 2)]
    assert sections[3].filters == [("all", "All", 1)]
    assert sections[3].lines[0].verdict == ""


# -- in a browser --


@pytest.fixture
def visit(browser: Browser, file: Path) -> Iterator[Callable[..., Page]]:
    """Open the page; at the end, nothing was asked for, said by a dialog or failed."""
    pages: list[Page] = []
    wrong: list[str] = []

    def go(**options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}} | options
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda r: None if r.url == file.as_uri() else wrong.append(r.url))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        pages.append(page)
        page.goto(file.as_uri())
        return page

    yield go
    for page in pages:
        page.context.close()
    assert wrong == []


def rows(page: Page) -> Locator:
    return page.locator("section:visible .row:visible")


def chart(page: Page, name: str) -> Locator:
    return page.locator("section:visible").get_by_role("img", name=name)


def fits(page: Page) -> bool:
    """Whether the page needs no scrolling sideways."""
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return bool(wide[0] <= wide[1])


SHAPES = {
    "Risk and coverage": (".scatterlayer .trace", 2),
    "Scores": (".barlayer .trace", 2),
    "Recall by depth": (".scatterlayer .trace", 2),
    "Time by stage": (".barlayer .point", 2),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_drawn_and_read(visit: Callable[..., Page], width: int, scheme: str) -> None:
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    for name, (shape, count) in SHAPES.items():
        box = chart(page, name)
        expect(box.locator("svg.main-svg").first).to_be_visible()
        expect(box.locator(shape)).to_have_count(count)
        drawn, card = box.locator(".svg-container").bounding_box(), box.bounding_box()
        assert drawn
        assert card
        assert drawn["width"] <= card["width"] + 1
        assert drawn["height"] <= card["height"] + 1
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = sum(map(int, re.findall(r"\d+", back)[:3])) < 3 * 128
    assert dark is (scheme == "dark")
    assert fits(page)

    first = rows(page).first
    first.locator("summary").click()
    body = first.locator(".body")
    for name, value in {
        "answer": "It opened in May.", "short answer": "May", "expected": "in MayMay",
        "searched": "When did the bridge open?", "id": "opened (fact)", "expected short": "May",
        "answer, against": f"Nothing says so. {EVIL}", "short, against": "–",
    }.items():  # fmt: skip
        cell = body.locator(f"dt:text-is('{name}') + dd")
        expect(cell).to_be_visible()
        assert cell.text_content() == value
    expect(body.locator("mark")).to_have_text(["It opened in May."])
    expect(body.locator(".passage")).to_contain_text("Well. It opened in May. It is red.")
    lines = body.locator(".trace tbody tr")
    expect(lines).to_have_count(2)
    expect(lines.first).to_contain_text("kept0.7103.250best of allevidence The bridge It opened")
    expect(lines.last).to_contain_text(f"dropped0.820far below the bestFerries {EVIL} Ferries")
    assert fits(page)
    rows(page).nth(1).locator("summary").click()
    expect(rows(page).nth(1)).to_contain_text(f"Anna Berg, {EVIL}")
    expect(page.locator("img")).to_have_count(0)
    rows(page).nth(2).locator("summary").click()
    lines = rows(page).nth(2).locator(".trace tbody tr")  # all of one article
    expect(lines).to_have_text(["kept0.7103.250best of allevidence It opened in May."])


def test_filters_and_search_leave_fewer_rows(visit: Callable[..., Page]) -> None:
    page = visit()
    expect(rows(page)).to_have_count(5)
    for name, ids in {"Refused": [2, 3], "Gained": [1], "Lost": [0], "Right": [0, 3]}.items():
        button = page.locator("section:visible").get_by_role("button", name=name)
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(rows(page).locator(".question")).to_have_text([ROWS[i].question for i in ids])
    expect(page.locator("section:visible .shown")).to_have_text("2 of 5")
    page.locator("section:visible").get_by_role("button", name="All").click()
    expect(rows(page)).to_have_count(5)
    search = page.locator("section:visible").get_by_role("searchbox")
    search.fill("ANNA berg")  # in an answer that is not open
    expect(rows(page).locator(".question")).to_have_text([ROWS[1].question])
    search.fill("nowhere")
    expect(page.locator("section:visible .empty")).to_be_visible()
    search.fill("")
    expect(rows(page)).to_have_count(5)


def test_each_run_has_a_tab(visit: Callable[..., Page]) -> None:
    page = visit()
    tabs = page.get_by_role("navigation").get_by_role("button")
    expect(tabs).to_have_text([
        "the_bridge", "xquad_en · found", "wice_dev · support", "mtrag_humaneval · faithfulness",
        "canard_dev · rewrites",
    ])  # fmt: skip
    expect(page.locator("section:visible h2")).to_have_text(["the_bridge"])
    tabs.nth(2).click()
    expect(page.locator("section:visible h2")).to_have_text(["wice_dev · support"])
    expect(chart(page, "Scores").locator(".barlayer .trace")).to_have_count(2)
    rows(page).nth(1).locator("summary").click()
    expect(rows(page).nth(1).locator(".body")).to_contain_text("no June there")
    expect(page.get_by_text("from wrong to right").locator("visible=true")).to_have_count(0)
    tabs.nth(1).click()
    page.get_by_text("1 from wrong to right").locator("visible=true").click()
    expect(page.get_by_role("cell", name="Who built it?")).to_be_visible()
    tabs.nth(3).click()
    expect(chart(page, "Support and people").locator(".scatterlayer .point")).to_have_count(2)
    tabs.nth(4).click()
    expect(rows(page)).to_have_count(1)
    expect(page.locator("section:visible .chart")).to_have_count(0)


def test_a_verdict_does_not_lie_over_its_question(visit: Callable[..., Page]) -> None:
    line = rows(visit()).filter(has_text="wrong: not answerable").first
    tag, question = (line.locator(name).bounding_box() for name in (".tag", ".question"))
    assert tag is not None
    assert question is not None
    assert tag["x"] + tag["width"] <= question["x"]


def test_charts_follow_the_colour_scheme(visit: Callable[..., Page]) -> None:
    page = visit(color_scheme="light")
    title = chart(page, "Recall by depth").locator(".xtitle")
    colour = "e => getComputedStyle(e).fill"
    expect(title).to_be_visible()
    before = title.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "([e, before]) => getComputedStyle(document.querySelector(e)).fill !== before",
        arg=["[aria-label='Recall by depth'] .xtitle", before],
    )
    after = [int(n) for n in re.findall(r"\d+", title.evaluate(colour))[:3]]
    assert min(after) > 128  # light on dark
