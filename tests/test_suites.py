"""Published sets: tiny files in their formats are read, asked of the real bot, counted and kept."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot import AskArticleError, Bot
from bot import Settings as BotSettings
from bot import cache as cache_module
from bot import figures as count
from bot.cache import Cache, key_of, source_digest
from bot.compare import compare
from bot.evaluate import Outcome, Row
from bot.figures import Item
from bot.sets import SuiteError, canard, conversations, long_answers, questions, read_rows
from bot.suites import SETS, TASKS, Suite, SuiteReport, find_sets, rank_documents, run_suites
from tests.sets import CLAIMS, DOCUMENTS, pack, write_sets
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
        assert all(c.gold for c in row.trace)
    for row in suite("xquad_en", "found").questions:
        assert {c.gold for c in row.trace} == {True, False}


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
    assert "1,950" in items[1].shown["reasons"]
    found = values(suite(name, "support"))
    assert (found["auroc"], found["accuracy"], found["supported"]) == (1.0, 1.0, 0.5)


def test_the_report_as_json_is_plain_and_short(report: SuiteReport) -> None:
    values = json.loads(json.dumps(report.to_dict()))
    assert (values["sample"], values["seed"]) == (None, 0)
    assert values["settings"]["threshold"] == 0.4
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
    assert not cached(settings=settings.model_copy(update={"threshold": 0.5}))
    assert cached(settings=settings.model_copy(update={"port": 1}))
    monkeypatch.setattr("bot.suites.source_digest", lambda *_: "another")
    assert not cached()
    monkeypatch.undo()
    assert cached()
    pack(folder / "fever_symmetric.jsonl.gz", [
        {"id": f"p{n}", "premise": e, "hypothesis": c, "support": 1}
        for n, (c, e, _) in enumerate(CLAIMS)
    ])  # fmt: skip
    assert not cached()


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
    data: Path, tmp_path: Path, settings: BotSettings, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    (one,) = run_suites(data, names=["wice_dev"], settings=settings, cache=tmp_path / "file").suites
    assert len(one.rows) == 4
    assert "cannot be" in caplog.text


def test_the_cache_is_in_the_users_cache_folder_unless_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    assert Cache().folder == tmp_path / "askarticle" / "evaluations"


def test_the_digest_of_the_source_sees_every_file_that_answers_depend_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("bot/read.py", "bot/figures.py", "bot/reader/model.onnx", "prompts/ask.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(cache_module, "__file__", str(tmp_path / "bot" / "cache.py"))
    seen = set()
    for name in ("", "bot/read.py", "bot/reader/model.onnx", "prompts/ask.txt", "bot/figures.py"):
        if name:
            (tmp_path / name).write_text("two")
        source_digest.cache_clear()
        seen.add(source_digest())
    source_digest.cache_clear()
    assert len(seen) == 4  # how figures are counted does not change the rows


def test_an_index_is_kept_and_an_older_one_of_the_set_goes(
    data: Path, kept: Path, report: SuiteReport, settings: BotSettings, tmp_path: Path
) -> None:
    stores = sorted(p.name.rsplit("-", 2)[0] for p in (kept / "stores").iterdir())
    assert stores == sorted(n for n, s in SETS.items() if {"found", "facts", "conversation"} &
                            set(s.tasks))  # fmt: skip
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


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"no gzip", "cannot be read"),
        (gzip.compress(b'{"id": "a"}')[:-4], "cannot be read"),
        (gzip.compress(b'{"id": "a"}\n{"id": '), "after line 2: this cannot be read"),
        (gzip.compress(b"\xff\xfe"), "cannot be read"),
        (gzip.compress(b'{"id": "a"}\n{"id": 1}'), "line 2: the field 'id' must be there as a str"),
        (gzip.compress(b"[]"), "line 1: the field 'id'"),
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
