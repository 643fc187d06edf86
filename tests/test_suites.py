"""Published sets: tiny files in their formats are read, asked of the real bot, counted and kept."""

from __future__ import annotations

import ast
import gzip
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot import Answer, AskArticleError, Bot, Citation, Support, Trace
from bot import Settings as BotSettings
from bot import cache as cache_module
from bot import figures as count
from bot import suites as suites_module
from bot.cache import LIBRARIES, Cache, key_of, source_digest
from bot.compare import compare
from bot.evaluate import Outcome, Row
from bot.figures import Item
from bot.sets import Case, SuiteError, canard, conversations, long_answers, questions, read_rows
from bot.suites import (
    MATTERS,
    SETS,
    TASKS,
    Suite,
    SuiteReport,
    _asked,
    _Bench,
    _evidence,
    _texts,
    describe,
    find_sets,
    rank_documents,
    run_suites,
    set_of,
)
from index import Article
from tests.measure import suites as table
from tests.sets import CLAIMS, DOCUMENTS, pack, spans, write_sets
from tests.test_evaluate import answered, trace

ALL = ("found", "given")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``evaluate/`` in it, which holds all the sets; not to be changed."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "evaluate").mkdir()
    write_sets(folder / "evaluate")
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the run that most tests look at."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def settings() -> BotSettings:
    return BotSettings(_env_file=None)  # type: ignore[call-arg]  # pydantic-settings takes it


@pytest.fixture(scope="module")
def report(data: Path, kept: Path, settings: BotSettings) -> SuiteReport:
    return run_suites(data, settings=settings, cache=kept)


@pytest.fixture
def suite(report: SuiteReport) -> Callable[[str, str], Suite]:
    found = {(s.name, s.task): s for s in report.suites}
    return lambda name, task: found[name, task]


def values(suite: Suite) -> dict[str, float | None]:
    return {f.name: f.value for f in suite.figures}


# -- the run --


def test_every_set_is_run_in_every_way_that_it_is_for(report: SuiteReport) -> None:
    assert [(s.name, s.task) for s in report.suites] == [
        (name, task) for name, one in SETS.items() for task in one.tasks
    ]
    assert {s.task for s in report.suites} == set(TASKS)
    assert all(s.asked == s.of and not s.cached for s in report.suites)
    for one in report.suites:
        for figure in one.figures:
            assert figure.meaning
            assert (figure.value is None) is (figure.interval is None), (one.name, figure)
            if figure.interval is not None:
                assert figure.interval[0] <= figure.interval[1]


@pytest.mark.parametrize("name", ["xquad_en", "nq_oracle", "squad2_dev_eval"])
def test_questions_are_asked_of_all_documents_and_of_their_own(
    suite: Callable[[str, str], Suite], name: str
) -> None:
    for task in ALL:
        one = suite(name, task)
        rows = {row.id: row for row in one.questions}
        assert [rows[q].verdict for q in ("q1", "q2", "q3")] == ["right"] * 3
        assert rows["q2"].answers == ("Anna Berg", "mayor Anna Berg")
        found = values(one)
        assert found["answer_holds"] == 1.0
        assert found["refused_answerable"] == 0.0
        assert ("hit@1" in found) is ("dense_hit@20" in found) is (task == "found")
        assert ("auroc" in found) is (name == "squad2_dev_eval")
    found = values(suite(name, "found"))
    assert found["hit@1"] == found["hit@20"] == found["dense_hit@20"] == 1.0


def test_unanswerable_questions_count_where_they_should(
    suite: Callable[[str, str], Suite],
) -> None:
    one = suite("squad2_dev_eval", "found")
    row = next(r for r in one.questions if r.id == "q4")
    assert (row.answerable, row.verdict, row.dense, row.right) == (False, "refused", None, True)
    counts = {f.name: f.count for f in one.figures}
    assert counts["f1_all"] == counts["em_all"] == 4
    assert not {"f1_all", "em_all"} & set(values(suite("xquad_en", "found")))
    assert counts["hit@1"] == counts["short_f1"] == counts["refused_answerable"] == 3
    assert (counts["refused_unanswerable"], counts["auroc"], counts["ece"]) == (1, 4, 4)
    assert values(one)["refused_unanswerable"] == values(one)["auroc"] == 1.0


def test_given_means_that_no_other_document_is_considered(
    suite: Callable[[str, str], Suite],
) -> None:
    for task in ALL:
        titles = {c.title for r in suite("xquad_en", task).questions for c in r.trace}
        assert titles == {"Harbour of Brenn", "Oslo bridge", "Violin"}
    for row in suite("xquad_en", "given").questions:
        assert len({c.title for c in row.trace}) == 1
    for row in suite("xquad_en", "found").questions:
        assert {c.gold for c in row.trace} == {True, False}


def test_evidence_is_the_sentence_that_holds_an_accepted_answer(
    suite: Callable[[str, str], Suite],
) -> None:
    rows = {row.id: row for row in suite("squad2_dev_eval", "given").questions}
    assert rows["q1"].evidence == ("The harbour of Brenn was built in 1612.",)
    assert rows["q2"].evidence == ("The Oslo bridge was opened in 1911 by mayor Anna Berg.",)
    assert rows["q4"].evidence == ()
    assert (rows["q1"].right_citations, rows["q1"].covered) == ((True,), (True,))


def bench_on(folder: Path, settings: BotSettings, text: str, *cases: dict[str, Any]) -> _Bench:
    """A bench on a set of one document and questions on it; its bot is not opened."""
    pack(folder / "s.docs.jsonl.gz", [{"doc_id": "d", "text": text}])
    given = {"qid": "q", "doc_id": "d", "question": "?", "answers": [], "answerable": True}
    pack(folder / "s.questions.jsonl.gz", [given | case for case in cases])
    return _Bench("s", questions(folder, "s"), settings, Cache(folder), progress=False)


def test_spans_are_those_of_the_file_and_find_the_sentence_in_the_article(
    tmp_path: Path, settings: BotSettings
) -> None:
    # What loading takes away or changes before the answer must not move its place.
    text = "\u200bA\u00ad bridge is red.\r\n\r\nIt  opened in 1911. Ed shared it. It cost 9 crowns."
    answers = ["1911", "9 crowns", "Ed"]
    small = text.index("shared") + 4
    bench = bench_on(
        tmp_path, settings, text,
        {"answers": answers[:2], "spans": spans(text, answers[:2])},
        {"qid": "r", "answers": ["Ed"], "spans": [[small, small + 2], *spans(text, ["Ed"])]},
        {"qid": "s", "answers": ["RED"], "spans": spans(text, ["red"])},
        {"qid": "t", "answers": ["1911"]},
    )  # fmt: skip
    first, second, third, fourth = bench.loaded.units
    assert bench.articles["d"].text != text

    def told(case: Case) -> tuple[str, ...]:
        return _texts(_evidence(case, bench), bench)

    assert told(first) == ("It  opened in 1911.", "It cost 9 crowns.")
    assert len(_evidence(first, bench)) == 1  # either is enough
    assert second.spans == tuple(map(tuple, spans(text, ["Ed"])))
    assert told(third) == ("A bridge is red.",)
    assert told(fourth) == ()


class Answering:
    """Stands for a bot: it answers everything alike."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def ask(self, *_: object, **__: object) -> Answer:
        return self.answer


def cites(text: str, start: int, end: int, **more: Any) -> Answer:
    """An answer that cites a stretch of a text."""
    article = Article.from_text(text)
    one = Citation(1, article.id, "t", start, end, text[start:end], 1.0, Support(1.0, "supported"))
    return replace(answered(), text=text[start:end], citations=(one,), **more)


def test_a_citation_of_another_sentence_of_the_document_is_wrong(
    tmp_path: Path, settings: BotSettings
) -> None:
    text = "It is red. It opened in 1911."
    bench = bench_on(tmp_path, settings, text, {"answers": ["1911"], "spans": [[24, 28]]})
    (case,) = bench.loaded.units
    for start, end, right in ((0, 10, False), (11, 29, True)):
        bench.__dict__["bot"] = Answering(cites(text, start, end))
        row = _asked(case, bench, alone=True)
        assert (row.right_citations, row.covered) == ((right,), (right,))
        assert (row.verdict == "right") is right


def test_where_no_annotator_names_a_sentence_any_of_the_document_will_do(
    tmp_path: Path, settings: BotSettings
) -> None:
    text = "It is red. It opened in 1911."
    pack(tmp_path / "s.docs.jsonl.gz",
         [{"doc_id": "d", "text": text, "sentences": [text[:10], text[11:]]}])  # fmt: skip
    output = {"answer": "In 1911.", "evidence_sentences": []}
    pack(tmp_path / "s.questions.jsonl.gz", [
        {"qid": "q", "doc_id": "d", "question": "?", "answerable": True,
         "outputs": [output, {**output, "evidence_sentences": [1]} if named else output]}
        for named in (False, True)
    ])  # fmt: skip
    bench = _Bench("s", long_answers(tmp_path, "s"), settings, Cache(tmp_path), progress=False)
    bench.__dict__["bot"] = Answering(cites(text, 0, 10))
    unnamed, named = (_asked(case, bench, alone=True) for case in bench.loaded.units)
    assert (unnamed.verdict, "cited_precision" in unnamed.extra) == ("right", False)
    assert (named.verdict, named.extra["cited_precision"]) == ("wrong", 0.0)
    assert named.evidence == ("It opened in 1911.",)


def test_articles_of_the_training_data_are_told_apart(
    suite: Callable[[str, str], Suite],
) -> None:
    counts = {f.name: f.count for f in suite("xquad_en", "given").figures}
    assert counts["short_f1"] == 3
    assert counts["short_f1@in_train"] == counts["short_em@in_train"] == 1
    assert counts["short_f1@not_in_train"] == 2
    assert not any("@in_train" in f.name for f in suite("nq_oracle", "found").figures)


def test_rows_show_what_is_cited_in_its_passage(suite: Callable[[str, str], Suite]) -> None:
    row = suite("xquad_en", "found").questions[0]
    (passage,) = row.passages
    assert "".join(text for text, _ in passage.pieces) == DOCUMENTS["harbour"][1]
    assert "The harbour of Brenn was built in 1612." in [t for t, cited in passage.pieces if cited]
    assert row.trace[0].kept
    assert {"dense", "rerank"} <= set(row.trace[0].scores)
    assert next(iter(row.timings)) == "understand"


def test_long_answers_are_judged_by_the_characters_cited(
    suite: Callable[[str, str], Suite],
) -> None:
    row, other = suite("clapnq_dev", "given").questions
    cited = {text for p in row.passages for text, marked in p.pieces if marked}
    assert "The harbour of Brenn was built in 1612." in cited
    assert row.verdict == "right"
    assert row.evidence == (
        "The harbour of Brenn was built in 1612.", "Its lighthouse is 34 metres tall.",
    )  # fmt: skip
    assert row.extra["expected"] == ["It was built in 1612.", "Built in 1612, it is tall."]
    right = len("The harbour of Brenn was built in 1612.")
    if len(cited) == 1:  # the annotator who names this sentence alone agrees the most
        assert (row.extra["cited_precision"], row.extra["cited_recall"]) == (1.0, 1.0)
    assert row.extra["cited_precision"] >= right / sum(map(len, cited)) - 1e-9
    assert other.verdict == "refused"
    found = values(suite("clapnq_dev", "given"))
    assert found["citation_precision"] == row.extra["cited_precision"]
    assert "short_f1" not in found


def test_several_facts_must_all_be_found(suite: Callable[[str, str], Suite]) -> None:
    one = suite("multihop_rag_500", "facts")
    row = one.questions[0]
    assert row.extra["gold"] == 2
    assert row.reranked is not None
    assert sum(row.reranked) == 2
    found = values(one)
    assert found["all_in_10"] == found["any_in_10"] == found["dense_all_in_10"] == 1.0
    assert found["refused_unanswerable"] == 1.0
    assert "short_f1" not in found


def test_rewrites_are_compared_with_copying(suite: Callable[[str, str], Suite]) -> None:
    first, second = (i for i in suite("canard_dev", "rewrites").rows if isinstance(i, Item))
    assert first.values["unigram_recall_copied"] == 1.0
    assert first.values["drift"] == 0.0
    assert "drift" not in second.values
    assert second.shown["copied"] == "When did she die?"
    assert second.shown["resolved"] == "When did Anna Berg die?"
    assert second.values["unigram_recall_copied"] == 3 / 5
    assert second.values["unigram_recall_resolved"] == 1.0
    assert second.values["entity_recall_copied"] == 0.0
    assert second.values["entity_recall_longest"] == 1.0
    assert "Where was Anna Berg born?" in second.shown["longest"]
    found = values(suite("canard_dev", "rewrites"))
    assert found["unigram_recall_copied"] == pytest.approx((1 + 3 / 5) / 2)
    assert found["drift"] == 0.0
    turn = suite("mtrag_rewrites", "rewrites").rows[0]
    assert isinstance(turn, Item)
    assert turn.shown["resolved"] == "What did Anna Berg open?"


def test_conversations_are_searched_in_four_wordings(suite: Callable[[str, str], Suite]) -> None:
    (item,) = suite("mtrag_humaneval", "conversation").rows  # one has no gold documents
    assert isinstance(item, Item)
    assert set(item.values) == {
        f"{stage}recall@10_{wording}"
        for stage in ("", "dense_")
        for wording in ("last", "history", "ours", "rewrite")
    }
    assert item.values["recall@10_ours"] == 1.0  # three documents: all are among the first ten
    assert item.right is True
    assert item.shown["human"] == "What did Anna Berg open?"
    assert item.shown["searched"] != ""


def test_support_follows_human_faithfulness(suite: Callable[[str, str], Suite]) -> None:
    one = suite("mtrag_humaneval", "faithfulness")
    items = [i for i in one.rows if isinstance(i, Item)]
    assert [i.values["human"] for i in items] == pytest.approx([4, 8 / 3, 1])
    assert [i.id for i in items] == ["t1:good", "t1:fair", "t1:poor"]
    scores = [i.values["support"] for i in items]
    assert scores[0] > scores[2]
    assert values(one)["spearman"] == pytest.approx(
        {True: 1.0, False: 0.5}[scores[0] > scores[1] > scores[2]]
    )


@pytest.mark.parametrize("name", ["wice_dev", "fever_symmetric", "summedits_news_podcast"])
def test_claims_are_judged_against_their_evidence(
    suite: Callable[[str, str], Suite], name: str
) -> None:
    items = [i for i in suite(name, "support").rows if isinstance(i, Item)]
    assert [bool(i.values["label"]) for i in items] == [True, False, True, False]
    assert [i.right for i in items] == [True] * 4
    assert "1950" in items[1].shown["reasons"]
    found = values(suite(name, "support"))
    assert (found["auroc"], found["accuracy"], found["supported"]) == (1.0, 1.0, 0.5)


def test_the_report_as_json_is_plain_and_short(report: SuiteReport) -> None:
    values = json.loads(json.dumps(report.to_dict()))
    assert (values["sample"], values["seed"]) == (None, 0)
    assert values["settings"]["threshold"] == report.settings["threshold"]
    assert "percentile bootstrap" in values["intervals_by"]
    first = values["suites"][0]
    assert (first["name"], first["task"], first["asked"], first["of"]) == (
        "xquad_en", "found", 3, 3,
    )  # fmt: skip
    assert first["figures"]["hit@1"]["value"] == 1.0
    assert first["rows"][0]["id"] == "q1"
    assert "trace" not in first["rows"][0]
    assert first["rows"][0]["timings"]["rerank"] > 0


# -- samples and the cache --


def test_a_rerun_costs_nothing(
    data: Path, kept: Path, settings: BotSettings, report: SuiteReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def refuse(*args: object, **options: object) -> Bot:
        raise AssertionError("a bot was opened")

    monkeypatch.setattr(Bot, "open", refuse)
    again = run_suites(data / "evaluate", settings=settings, cache=kept)
    assert all(s.cached for s in again.suites)
    assert [s.rows for s in again.suites] == [s.rows for s in report.suites]
    assert [s.figures for s in again.suites] == [s.figures for s in report.suites]


def test_what_rows_depend_on_is_in_their_key(
    data: Path, tmp_path: Path, settings: BotSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "sets"
    folder.mkdir()
    pack(folder / "fever_symmetric.jsonl.gz", [
        {"id": f"p{n}", "premise": e, "hypothesis": c, "support": int(label)}
        for n, (c, e, label) in enumerate(CLAIMS)
    ])  # fmt: skip

    def cached(**options: Any) -> bool:
        given = {"settings": settings, "cache": tmp_path / "cache", "sample": 2} | options
        (one,) = run_suites(folder, **given).suites
        assert (one.asked, one.of, len(one.rows)) == (given["sample"] or 4, 4, one.asked)
        return one.cached

    assert not cached()
    assert cached()
    assert not cached(seed=1)
    assert not cached(sample=3)
    # Where all are asked, none is drawn.
    assert not cached(sample=None)
    assert cached(sample=4, seed=1)
    # Claims are judged by rule: the bot is not asked, and no setting matters.
    assert cached(settings=settings.model_copy(update={"threshold": 0.5, "port": 1}))
    monkeypatch.setattr("bot.suites.source_digest", lambda *_: "another")
    assert not cached()
    monkeypatch.undo()
    assert cached()
    pack(folder / "fever_symmetric.jsonl.gz", [
        {"id": f"p{n}", "premise": e, "hypothesis": c, "support": 1}
        for n, (c, e, _) in enumerate(CLAIMS)
    ])  # fmt: skip
    assert not cached()


def test_settings_that_answers_depend_on_are_in_the_key(
    data: Path, tmp_path: Path, settings: BotSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        TASKS, "found", replace(TASKS["found"], ask=lambda *_: [row(1)], figures=lambda _: [])
    )
    monkeypatch.setitem(SETS, "nq_oracle", replace(SETS["nq_oracle"], tasks=("found",)))

    def cached(**changed: object) -> bool:
        return run_suites(
            data, names=["nq_oracle"], settings=settings.model_copy(update=changed), cache=tmp_path
        ).suites[0].cached  # fmt: skip

    assert not cached()
    others: dict[str, object] = {
        "model": "openai:x", "base_url": "http://x", "model_timeout": 1.0, "temperature": 1.0,
        "embedder": "x", "reranker": "x", "threshold": 0.5, "unsupported": "drop",
    }  # fmt: skip
    assert set(others) == set(MATTERS)
    for name, value in others.items():
        assert not cached(**{name: value}), name
        assert cached(**{name: value}), name
    assert cached(port=1)
    assert not cached(risk=0.05)


DEAD = {"model": "openai:gpt-x", "base_url": "http://127.0.0.1:9/v1", "api_key": SecretStr("k")}
"""A chat model at whose address nothing listens."""


@pytest.mark.parametrize(("name", "asked"), [("nq_oracle", 2), ("mtrag_humaneval", 1)])
def test_answers_of_a_chat_model_that_fails_are_told_and_not_kept(
    data: Path, tmp_path: Path, settings: BotSettings, name: str, asked: int
) -> None:
    pytest.importorskip("langchain_openai")
    dead = settings.model_copy(update=DEAD)

    def run() -> Suite:
        return run_suites(data, names=[name], settings=dead, sample=2, cache=tmp_path).suites[0]

    for _ in range(2):
        one = run()
        assert not one.cached
        assert all(r.failed and r.notice for r in one.rows)
        (notice,) = one.to_dict()["notices"]
        assert notice.startswith(f"{asked} of {asked}: ")
        assert "read from the article instead" in notice
        assert notice in describe(one, 0)
    assert not list(tmp_path.glob(f"{name}-{one.task}-*"))


def test_settings_given_are_not_filled_up_from_the_environment(
    data: Path, tmp_path: Path, settings: BotSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKARTICLE_MODEL", "nobody:nothing")
    one = run_suites(
        data, names=["nq_oracle"], settings=settings, sample=1, cache=tmp_path
    ).suites[0]  # fmt: skip
    assert one.to_dict()["notices"] == []


def test_what_a_chat_model_wrote_and_was_struck_out_is_its_own() -> None:
    from bot.evaluate import failure

    notice = "Nothing that x wrote is supported."
    struck = replace(answered(), notice=notice, trace=Trace(written="It is blue."))
    assert failure(struck) is None
    assert failure(replace(struck, trace=Trace())) == notice
    assert failure(answered()) is None


def test_passwords_are_no_part_of_a_report(settings: BotSettings) -> None:
    report = SuiteReport((), None, 0, {"base_url": "http://u:p@ss@host:1/v1", "threshold": 0.5})
    assert report.to_dict()["settings"] == {"base_url": "http://***@host:1/v1", "threshold": 0.5}


def test_a_lone_surrogate_is_kept_as_it_is(tmp_path: Path) -> None:
    cache, kind = Cache(tmp_path), TASKS["support"].kind
    items = (Item("i", "half \ud800 a pair", {}),)
    cache.write("a", key_of({"v": "\ud800"}), kind, items)
    assert cache.read("a", key_of({"v": "\ud800"}), kind) == items


def test_a_sample_is_drawn_by_its_seed_in_the_order_of_the_set(
    data: Path, tmp_path: Path, settings: BotSettings
) -> None:
    def drawn(seed: int) -> list[str]:
        (one,) = run_suites(
            data, names=["wice_dev"], settings=settings, sample=2, seed=seed, cache=tmp_path
        ).suites
        return [row.id for row in one.rows]

    samples = [drawn(seed) for seed in range(8)]
    assert all(sample == sorted(sample) and len(sample) == 2 for sample in samples)
    assert len({tuple(sample) for sample in samples}) > 1
    assert drawn(3) == samples[3]


@pytest.mark.parametrize("damage", ["cut", "noise", "other", "empty"])
def test_a_damaged_cache_is_computed_again(
    data: Path, tmp_path: Path, settings: BotSettings, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    def run() -> Suite:
        (one,) = run_suites(data, names=["wice_dev"], settings=settings, cache=tmp_path).suites
        return one

    first = run()
    (file,) = tmp_path.glob("wice_dev-support-*.json.gz")
    packed = file.read_bytes()
    file.write_bytes({
        "cut": packed[: len(packed) // 2],
        "noise": b"\0" * 100,
        "other": gzip.compress(json.dumps({"key": "another", "rows": []}).encode()),
        "empty": b"",
    }[damage])  # fmt: skip
    with caplog.at_level(logging.WARNING, "bot.cache"):
        second = run()
    assert not second.cached
    assert second.rows == first.rows
    assert f"{file} cannot be read" in caplog.text
    assert run().cached
    assert list(tmp_path.iterdir()) == [file]  # nothing partial is left


def test_a_cache_that_cannot_be_written_is_no_error(
    data: Path, tmp_path: Path, settings: BotSettings, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def full(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("tempfile.mkstemp", full)
    (one,) = run_suites(data, names=["wice_dev"], settings=settings, cache=tmp_path).suites
    assert len(one.rows) == 4
    assert "cannot be kept: the disk is full" in caplog.text


def test_a_cache_that_is_no_folder_is_an_error_that_names_its_option(
    data: Path, tmp_path: Path, settings: BotSettings
) -> None:
    (tmp_path / "file").write_text("not a folder")
    for cache in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(SuiteError, match=r"kept in .*file.* with --cache\.$"):
            run_suites(data, names=["wice_dev"], settings=settings, cache=cache)


def test_results_that_nobody_asked_for_in_a_month_are_removed(tmp_path: Path) -> None:
    cache, kind = Cache(tmp_path), TASKS["support"].kind
    old, used = key_of({"v": 1}), key_of({"v": 2})
    for key in (old, used):
        cache.write("a", key, kind, ())
        for file in tmp_path.glob("*.json.gz"):
            os.utime(file, (1, 1))
    assert cache.read("a", used, kind) == ()
    cache.make()
    assert (cache.read("a", old, kind), cache.read("a", used, kind)) == (None, ())


def test_the_cache_is_in_the_users_cache_folder_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert Cache().folder == tmp_path / "askarticle" / "evaluations"


def test_the_digest_of_the_source_sees_every_file_that_answers_depend_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ("bot/reader/MODEL_CARD.md", "prompts/py.typed")
    for name in ("bot/read.py", "bot/figures.py", "bot/reader/model.onnx", "prompts/ask.txt",
                 *words):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(cache_module, "__file__", str(tmp_path / "bot" / "cache.py"))
    seen = set()
    for name in ("", "bot/read.py", "bot/reader/model.onnx", "prompts/ask.txt", "bot/figures.py",
                 *words):  # fmt: skip
        if name:
            (tmp_path / name).write_text("two")
        source_digest.cache_clear()
        seen.add(source_digest())
    assert len(seen) == 4  # how figures are counted, and what people read, changes no row
    for library in LIBRARIES:
        monkeypatch.setattr(
            cache_module, "version", lambda name, new=library: "9.9" if name == new else "1"
        )
        source_digest.cache_clear()
        seen.add(source_digest())
    source_digest.cache_clear()
    assert len(seen) == 4 + len(LIBRARIES)


def test_a_model_trained_anew_in_its_folder_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"one")
    before = cache_module.model_state(str(tmp_path))
    assert cache_module.model_state(str(tmp_path)) == before
    (tmp_path / "model.bin").write_bytes(b"other")
    assert cache_module.model_state(str(tmp_path)) != before
    assert cache_module.model_state("bundled") == []


def test_a_constant_that_rows_are_made_with_is_not_left_out_of_the_digest() -> None:
    counted = {name.removesuffix(".py").replace("/", ".") for name in cache_module.COUNTING}
    tree = ast.parse(Path(str(suites_module.__file__)).read_text("utf-8"))
    taken = {
        f"{node.module}.{one.name}"
        for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        for one in node.names if node.module in counted
    }  # fmt: skip
    assert not [name for name in taken if name.rsplit(".", 1)[1].isupper()]
    used = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)
            and isinstance(n.value, ast.Name) and n.value.id == "figures"}  # fmt: skip
    assert not [name for name in used if name.isupper()]


def test_an_index_is_kept_and_an_older_one_of_the_set_goes(
    data: Path, kept: Path, report: SuiteReport, settings: BotSettings, tmp_path: Path
) -> None:
    stores = sorted(p.name.rsplit("-", 2)[0] for p in (kept / "stores").iterdir())
    asking = {"found", "facts", "conversation", "rewrites"}
    assert stores == sorted(n for n, s in SETS.items() if asking & set(s.tasks))
    cache = Cache(tmp_path)
    old, other = cache.store("a", key_of({"v": 1})), cache.store("b", key_of({"v": 1}))
    for folder in (old, other):
        folder.mkdir(parents=True)
    new = cache.store("a", key_of({"v": 2}))
    assert not old.exists()
    assert other.exists()
    assert new.parent == old.parent


def test_a_damaged_index_is_made_again(
    data: Path, tmp_path: Path, settings: BotSettings, caplog: pytest.LogCaptureFixture
) -> None:
    def run(seed: int) -> Suite:
        return run_suites(
            data, names=["nq_oracle"], settings=settings, sample=1, seed=seed, cache=tmp_path
        ).suites[0]

    run(0)
    (store,) = (tmp_path / "stores").iterdir()
    database = store / "chroma" / "chroma.sqlite3"
    database.write_bytes(database.read_bytes()[:100])
    assert run(1).figures[0].value == 1.0
    assert "is made again" in caplog.text


def test_an_index_in_use_elsewhere_is_made_for_the_time(
    data: Path, tmp_path: Path, settings: BotSettings
) -> None:
    from filelock import FileLock

    run_suites(data, names=["nq_oracle"], settings=settings, sample=1, cache=tmp_path)
    (store,) = (tmp_path / "stores").iterdir()
    with FileLock(store / "lock"):
        one = run_suites(
            data, names=["nq_oracle"], settings=settings, sample=1, seed=1, cache=tmp_path
        ).suites[0]
    assert one.figures[0].value == 1.0
    assert list((tmp_path / "stores").iterdir()) == [store]


# -- the table of results --


def test_the_table_of_results_is_of_the_defaults_and_whole(
    report: SuiteReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def run(*_: object, **options: Any) -> SuiteReport:
        asked.append(options)
        return report

    monkeypatch.setenv("ASKARTICLE_THRESHOLD", "0.9")
    monkeypatch.setattr(table, "run_suites", run)
    lines = table.measure(quick=True, data=Path()).splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 1 + len(table.TABLE)
    assert [one["names"] for one in asked] == [[n] for n in dict.fromkeys(
        line.split()[1] for line in lines if line.startswith("| ") and " asked |" not in line
    )]  # fmt: skip
    assert {n for one in asked for n in one["names"]} == set(SETS)
    assert asked[0]["settings"].threshold == BotSettings.model_fields["threshold"].default
    for wrong in (
        table.Wanted("xquad_en found", "old", ""),
        table.Wanted("old found", "hit@1", ""),
    ):
        monkeypatch.setattr(table, "TABLE", (*table.TABLE, wrong))
        with pytest.raises(SystemExit, match=r"There is no figure .*old"):
            table.measure(quick=True, data=Path())


# -- files --


def test_the_folder_may_be_the_one_above(data: Path) -> None:
    assert find_sets(data) == find_sets(data / "evaluate") == (data / "evaluate", list(SETS))
    assert find_sets(data, ["nq_oracle", "nq_oracle"])[1] == ["nq_oracle"]


def test_sets_that_are_not_there_are_left_out_unless_named(data: Path, tmp_path: Path) -> None:
    file = "fever_symmetric.jsonl.gz"
    (tmp_path / file).write_bytes((data / "evaluate" / file).read_bytes())
    assert find_sets(tmp_path)[1] == ["fever_symmetric"]
    with pytest.raises(SuiteError, match=r"nq_oracle in .* lacks the file nq_oracle\.docs\.jsonl"):
        find_sets(tmp_path, ["nq_oracle"])
    (tmp_path / "nq_oracle.docs.jsonl.gz").write_bytes(b"")
    with pytest.raises(SuiteError, match=r"lacks the file nq_oracle\.questions\.jsonl\.gz; it "):
        find_sets(tmp_path)


def test_folders_and_names_that_make_no_sense(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"There is no folder .*none"):
        find_sets(tmp_path / "none")
    with pytest.raises(SuiteError, match=r"No set is in .*xquad_en\.docs\.jsonl\.gz"):
        find_sets(tmp_path)
    with pytest.raises(SuiteError, match="no set 'nonsense'; the sets are xquad_en"):
        find_sets(data, ["nonsense"])
    with pytest.raises(SuiteError, match="at least 1"):
        run_suites(data, sample=0)
    assert issubclass(SuiteError, AskArticleError)


def corrupted(packed: bytes) -> bytes:
    """The same with a deflate stream that no program writes."""
    return packed[:10] + b"\xff" * 8 + packed[18:]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"no gzip", "cannot be read"),
        (gzip.compress(b'{"id": "a"}')[:-4], "cannot be read"),
        (gzip.compress(b'{"id": "a"}\n{"id": '), "after line 2: this cannot be read"),
        (gzip.compress(b"\xff\xfe"), "cannot be read"),
        (gzip.compress(b'{"id": "a"}\n{"id": 1}'), "line 2: the field 'id' is not as it should be"),
        (gzip.compress(b"{}"), "line 1: the field 'id' is not as it should be (field required)"),
        (gzip.compress(b"[]"), "line 1: the field 'id'"),
        (corrupted(gzip.compress(b'{"id": "a"}' * 50)), "cannot be read"),
        (gzip.compress(b""), "is empty"),
    ],
)
def test_files_that_are_not_what_they_should_be(tmp_path: Path, raw: bytes, says: str) -> None:
    file = tmp_path / "set.jsonl.gz"
    file.write_bytes(raw)
    with pytest.raises(SuiteError) as caught:
        read_rows(file, {"id": str})
    assert str(file) in str(caught.value)
    assert says in str(caught.value)
    assert str(caught.value).endswith(".")
    with pytest.raises(SuiteError, match=r"There is no file none in .* with the fields id"):
        read_rows(tmp_path / "none", {"id": str})


def test_a_question_about_a_document_that_is_not_there(tmp_path: Path) -> None:
    pack(tmp_path / "s.docs.jsonl.gz", [{"doc_id": "d", "text": "A text."}])
    pack(tmp_path / "s.questions.jsonl.gz", [
        {"qid": "q", "doc_id": "e", "question": "?", "answers": [], "outputs": [],
         "answerable": False},
    ])  # fmt: skip
    for load in (questions, long_answers):
        with pytest.raises(SuiteError, match="question 'q' names the document 'e'"):
            load(tmp_path, "s")


@pytest.mark.parametrize(
    ("name", "part", "changed", "says"),
    [
        ("xquad_en", "questions", {"answers": [{"text": "1612"}]}, "'answers.0'"),
        ("xquad_en", "questions", {"spans": [3]}, "set xquad_en in"),
        ("clapnq_dev", "questions", {"outputs": [{}]}, "'outputs.0.answer'"),
        ("clapnq_dev", "questions", {"outputs": [{"answer": "a", "evidence_sentences": ["0"]}]},
         "'outputs.0.evidence_sentences.0'"),
        ("canard_dev", "", {"History": ["a", None]}, "'History.1'"),
        ("wice_dev", "oracle_chunks", {"evidence": [1]}, "'evidence.0'"),
        ("mtrag_humaneval", "tasks", {"gold_docs": ["none"]}, "names the document 'none'"),
        ("mtrag_humaneval", "tasks", {"conversation": []}, "'conversation'"),
        ("mtrag_humaneval", "tasks", {"conversation": [{"text": "?"}]}, "'conversation.0.speaker'"),
        ("mtrag_humaneval", "tasks", {"responses": {"a": {"text": "?"}}},
         "'responses.a.faithfulness'"),
    ],
)  # fmt: skip
def test_sets_whose_fields_are_not_as_published(
    data: Path, tmp_path: Path, settings: BotSettings, name: str, part: str,
    changed: dict[str, Any], says: str,
) -> None:  # fmt: skip
    for file in (data / "evaluate").glob(f"{name}.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    file = tmp_path / f"{name}{'.' * bool(part)}{part}.jsonl.gz"
    first, *others = read_rows(file, {})
    pack(file, [first | changed, *others])
    with pytest.raises(SuiteError) as caught:
        run_suites(tmp_path, names=[name], settings=settings, cache=tmp_path / "cache")
    assert says in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).endswith(".")


def test_conversations_without_gold_documents_are_no_part_of_the_set(
    data: Path, suite: Callable[[str, str], Suite]
) -> None:
    assert [u["qid"] for u in conversations(data / "evaluate", "mtrag_humaneval").units] == ["t1"]
    one = suite("mtrag_humaneval", "conversation")
    assert (one.of, one.asked) == (1, 1)


def test_unpacked_files_and_sets_of_ones_own_are_read(
    data: Path, tmp_path: Path, settings: BotSettings
) -> None:
    for part in ("docs", "questions"):
        packed = (data / "evaluate" / f"nq_oracle.{part}.jsonl.gz").read_bytes()
        (tmp_path / f"mine.{part}.jsonl").write_bytes(gzip.decompress(packed))
    (tmp_path / "evaluate").mkdir()  # a folder of that name beside files is not looked into
    assert find_sets(tmp_path, ["mine"]) == (tmp_path, ["mine"])
    found = run_suites(
        tmp_path, names=["mine"], settings=settings, sample=1, cache=tmp_path / "cache"
    ).suites
    assert [(s.name, s.task, s.of) for s in found] == [("mine", "found", 3), ("mine", "given", 3)]
    assert found[0].figures[0].value == 1.0


def test_a_set_is_known_by_a_file_of_it(tmp_path: Path) -> None:
    for file, name in {
        "nq_oracle.questions.jsonl.gz": "nq_oracle",
        "nq_oracle.docs.jsonl": "nq_oracle",
        "multihop_rag_500.questions.jsonl.gz": "multihop_rag_500",
        "canard_dev.jsonl.gz": "canard_dev",
        "mtrag_humaneval.tasks.jsonl.gz": "mtrag_humaneval",
        "mine.questions.jsonl.gz": "mine",
    }.items():
        assert set_of(tmp_path / file) == (tmp_path, name)
    for file in ("mine.jsonl", "mine.jsonl.gz", "mine.questions.jsonl", "questions", ".jsonl.gz",
                 ".questions.jsonl.gz", "nq_oracle"):  # fmt: skip
        assert set_of(tmp_path / file) is None
    (tmp_path / "mine.docs.jsonl").write_text("")
    assert set_of(tmp_path / "mine.questions.jsonl") == (tmp_path, "mine")
    (tmp_path / "mine.docs.jsonl").unlink()
    (tmp_path / "mine.questions.jsonl.gz").write_bytes(b"")
    with pytest.raises(SuiteError, match=r"set mine in .* lacks the file mine\.docs\.jsonl\.gz"):
        find_sets(tmp_path, ["mine"])


def test_loaders_keep_what_tasks_need(data: Path, tmp_path: Path) -> None:
    folder = data / "evaluate"
    first = questions(folder, "xquad_en").units[1]
    assert first.question.extra == {"article_in_train": True}
    assert first.documents == ("bridge",)
    _, history, turn, human = canard(folder, "canard_dev").units[1]
    assert [(m.role, m.content) for m in history] == [
        ("user", "Anna Berg, Life"),
        ("user", "Where was Anna Berg born?"),
        ("assistant", "In Oslo."),
    ]
    assert (turn, human) == ("When did she die?", "When did Anna Berg die?")
    assert set(conversations(folder, "mtrag_humaneval").more or ()) == {"t1", "t2"}
    for part in ("docs", "tasks"):
        name = f"mtrag_humaneval.{part}.jsonl.gz"
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert conversations(tmp_path, "mtrag_humaneval").more == {}


# -- figures, by hand --


def row(
    number: int, *, answerable: bool = True, verdict: Outcome = "right", score: float = 0.5,
    short: str | None = None, text: str = "", answers: tuple[str, ...] = ("May",),
    dense: tuple[bool, ...] | None = None, reranked: tuple[bool, ...] | None = None,
    **extra: Any,
) -> Row:  # fmt: skip
    return Row(
        id=f"r{number}", kind="", question="?", searched="?", text=text, short=short,
        answers=answers if answerable else (), evidence=(), answerable=answerable,
        verdict=verdict, quotes=(), score=score, seconds=float(number), dense=dense,
        reranked=reranked, right_citations=(), covered=(), extra=extra,
    )  # fmt: skip


def test_figures_of_questions_by_hand() -> None:
    late = (False,) * 10 + (True,)
    rows = [
        row(1, score=0.95, short="in May", text="It opened in May.", dense=late, reranked=(True,)),
        row(2, score=0.85, short="June", text="In June.", dense=(False, True), reranked=late),
        row(3, score=0.75, text="It was May.", dense=(), reranked=()),  # no short answer
        row(4, score=0.05, verdict="refused", short="May", text="May", dense=(True,),
            reranked=(True,)),
        row(5, answerable=False, verdict="refused", score=0.15),
        row(6, answerable=False, verdict="wrong", score=0.8),
    ]  # fmt: skip
    found = {f.name: f for f in count.found(rows)}
    expected = {
        "hit@1": 2 / 4, "hit@10": 2 / 4, "hit@20": 3 / 4,
        "dense_hit@1": 1 / 4, "dense_hit@3": 2 / 4, "dense_hit@5": 2 / 4, "dense_hit@10": 2 / 4,
        "dense_hit@20": 3 / 4,
        "short_f1": (2 / 3 + 0 + 0 + 0) / 4, "short_em": 0.0, "short_holds": 1 / 4,
        "f1_all": (2 / 3 + 0 + 0 + 0 + 1 + 0) / 6, "em_all": 1 / 6,
        "answer_holds": 2 / 4,
        "refused_answerable": 1 / 4, "refused_unanswerable": 1 / 2,
        # .95 .85 beat both, .75 beats .15, .05 beats none
        "auroc": 5 / 8,
        # Bins of their own, but .85 and .8: .05 + (1.65 - 1) + .25 + |.05 - 1| + .15
        "ece": (0.05 + 0.65 + 0.25 + 0.95 + 0.15) / 6,
        "seconds_p50": 3.5,
    }  # fmt: skip
    assert {name: f.value for name, f in found.items()} == pytest.approx(expected)
    assert list(found) == list(expected)
    assert {found[n].count for n in ("hit@1", "short_f1", "answer_holds")} == {4}
    assert {found[n].count for n in ("f1_all", "em_all")} == {6}


def test_figures_of_facts_by_hand() -> None:
    rows = [
        row(1, gold=2, dense=(True, True), reranked=(True,) + (False,) * 9 + (True,)),
        row(2, gold=2, dense=(False,), reranked=(True, False, True)),
        row(3, gold=3, dense=(), reranked=()),
        row(4, answerable=False, verdict="refused", gold=0),
    ]
    found = {f.name: f.value for f in count.facts(rows)}
    assert found["all_in_10"] == pytest.approx(1 / 3)
    assert found["any_in_10"] == pytest.approx(2 / 3)
    assert found["dense_all_in_10"] == found["dense_any_in_10"] == pytest.approx(1 / 3)


def test_documents_are_ranked_by_their_best_passage() -> None:
    answer = answered(ranked=trace((2, 0.1), (0, 0.3), (1, 0.2)))
    (article,) = {c.passage.article_id for c in answer.trace}
    dense, reranked = rank_documents(answer, {article})
    assert dense == reranked == (True,)  # three passages of one document
    first = answer.trace[0]
    other = replace(first, passage=replace(first.passage, article_id="x"), scores={"found": 0.9})
    mixed = replace(answer, trace=replace(answer.trace, candidates=(*answer.trace, other)))
    assert rank_documents(mixed, {article}) == ((False, True), (True, False))
    assert rank_documents(answered(), {article}) == ((), ())


def test_of_two_that_are_found_alike_the_nearer_was_found_first() -> None:
    first, second = answered(ranked=trace((0, 0.3), (1, 0.3))).trace
    near = replace(first, scores={"found": 0.3, "dense": 0.9})
    far = replace(second, scores={"found": 0.3, "dense": 0.1})
    words = replace(second, scores={"found": 0.3, "lexical": 9.0})
    assert Trace((far, words, near)).as_found() == [near, far, words]


# -- two runs --


def test_what_came_right_and_what_went_wrong() -> None:
    before = [row(1), row(2, verdict="wrong"), row(3, verdict="refused"),
              row(4, answerable=False, verdict="wrong"), row(5)]  # fmt: skip
    after = [row(1), row(2), row(3, verdict="wrong"),
             row(4, answerable=False, verdict="refused"), row(5, verdict="refused")]  # fmt: skip
    found = compare(before, after)
    assert [(c.id, c.before, c.after) for c in found.gained] == [
        ("r2", "wrong", "right"), ("r4", "wrong", "refused"),
    ]  # fmt: skip
    assert [(c.id, c.before, c.after) for c in found.lost] == [("r5", "right", "refused")]
    assert (found.compared, found.right) == (5, (2, 3))
    assert [c["id"] for c in found.to_dict()["lost"]] == ["r5"]
    with pytest.raises(AskArticleError, match="Two runs of 5 and 4 rows cannot be compared"):
        compare(before, after[:4])
    items = [Item("i", "claim", {}, right=True), Item("j", "turn", {})]
    changed = compare(items, [replace(items[0], right=False), items[1]])
    assert (changed.compared, len(changed.lost), changed.lost[0].text) == (1, 1, "claim")


def test_another_threshold_refuses_what_the_first_answers(
    data: Path, kept: Path, settings: BotSettings, report: SuiteReport
) -> None:
    strict = run_suites(
        data,
        names=["xquad_en"],
        settings=settings.model_copy(update={"threshold": 1.0}),
        cache=kept,
    )
    found = compare(report.suites[0].rows, strict.suites[0].rows)
    assert [(c.id, c.before, c.after) for c in found.lost] == [
        (q, "right", "refused") for q in ("q1", "q2", "q3")
    ]
    assert found.right == (3, 0)
