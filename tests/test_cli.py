"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot import REFUSAL, Bot, Settings
from bot.evaluate import METRICS
from index import bundled
from tests.sets import CLAIMS, write_sets
from ui import cli, ports, terminal

ROOT = Path(__file__).parent.parent
QUESTION = "Where will Trump and Putin meet?"
UNANSWERABLE = "What is the price of gold in Zurich?"
HEAVY = {"torch", "chromadb", "sentence_transformers", "gradio", "onnxruntime", "transformers"}

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder and with no setting of this computer."""
    for name in list(os.environ):
        if name.upper().startswith("ASKARTICLE_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setitem(Settings.model_config, "env_file", ".env")  # none here, but a test's own
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the bundled article, not to be changed."""
    folder = tmp_path_factory.mktemp("cli") / "store"
    with Bot.open(store=folder):
        pass
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command in this process on a store of the test's own, unless another is given."""

    def run(*args: object, store: Path | None = None, stdin: str | bytes | None = None) -> Result:
        words = [str(a) for a in args]
        return CliRunner().invoke(
            cli.app, [*words, "--store", str(store or tmp_path / "store")], input=stdin
        )

    return run


@pytest.fixture
def article(tmp_path: Path) -> Path:
    """A file with a short article."""
    file = tmp_path / "harbour.md"
    file.write_text(
        "# The old harbour\n\nThe harbour of Brenn was built in 1612. Its lighthouse is 34 metres "
        "tall and painted red.\n",
        encoding="utf-8",
    )
    return file


def process(
    *args: object, env: dict[str, str] | None = None, python: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    return subprocess.run(
        [sys.executable, *python, "-m", "ui.cli", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def imported(importtime: str) -> set[str]:
    """Return the top-level modules that ``python -X importtime`` reports."""
    return {m.split(".")[0] for m in re.findall(r"(?m)^import time:.*\|\s+(\S+)$", importtime)}


# -- ask --


def test_ask_prints_the_answer_and_its_numbered_quotes(run: Run, store: Path) -> None:
    result = run("ask", QUESTION, store=store)
    assert result.exit_code == 0
    assert result.stderr == ""
    answer, quotes = result.stdout.split("\n\n")
    assert "Alaska" in answer
    assert "[1]" in answer
    number, quote = quotes.splitlines()[0].split(" ", 1)
    assert number == "[1]"
    assert quote in bundled().text


def test_ask_takes_a_question_of_several_words(run: Run, store: Path) -> None:
    assert "Alaska" in run("ask", *QUESTION.split(), store=store).stdout


def test_ask_refuses_with_exit_code_3(run: Run, store: Path) -> None:
    result = run("ask", UNANSWERABLE, store=store)
    assert result.exit_code == 3
    assert result.stdout.startswith(REFUSAL)
    assert "\n[1]" not in result.stdout


def test_threshold_0_never_refuses_and_1_always_does(run: Run, store: Path) -> None:
    assert run("ask", UNANSWERABLE, "--threshold", 0, store=store).exit_code == 0
    assert run("ask", QUESTION, "--threshold", 1, store=store).exit_code == 3


def test_ask_json_is_the_whole_answer_and_nothing_else(run: Run, store: Path) -> None:
    result = run("ask", QUESTION, "--json", store=store)
    answer = json.loads(result.stdout)
    assert answer["refused"] is False
    assert "trace" not in answer
    for citation in answer["citations"]:
        assert bundled().text[citation["start"] : citation["end"]] == citation["quote"]
        assert f"[{citation['number']}]" in answer["text"]
    traced = json.loads(run("ask", QUESTION, "--json", "--trace", store=store).stdout)
    assert traced["trace"]["candidates"]


def test_ask_json_of_a_refusal(run: Run, store: Path) -> None:
    result = run("--threshold", 0.9, "ask", UNANSWERABLE, "--json", store=store)
    assert result.exit_code == 3
    assert json.loads(result.stdout)["refused"] is True


def test_ask_trace_tells_why_each_passage_was_kept_or_dropped(run: Run, store: Path) -> None:
    lines = run("ask", QUESTION, "--trace", store=store).stdout.splitlines()
    rows = [line.split("\t") for line in lines if "\t" in line]
    assert {row[0] for row in rows} == {"kept", "dropped"}
    assert all(len(row) == len(rows[0]) for row in rows)


def test_ask_reads_the_question_from_standard_input(run: Run, store: Path) -> None:
    result = run("ask", "-", store=store, stdin=f"{QUESTION}\n")
    assert result.exit_code == 0
    assert "Alaska" in result.stdout


def test_a_greeting_is_answered_with_questions_to_ask(run: Run, store: Path) -> None:
    result = run("ask", "hello", store=store)
    assert result.exit_code == 0
    offered = result.stdout.split("Questions to ask:\n")[1].splitlines()
    assert all(line.startswith("  ") and line.endswith("?") for line in offered)


@pytest.mark.parametrize("question", ["", "   ", "\t\n", "🙂🙂", "???", "\x01\x02\x1b"])
def test_a_question_without_words_is_wrong_usage(run: Run, store: Path, question: str) -> None:
    result = run("ask", "-", store=store, stdin=question)
    assert result.exit_code == 2
    assert "no letter or digit" in " ".join(result.stderr.replace("│", " ").split())


def test_a_question_of_100_000_characters_is_too_long(run: Run, store: Path) -> None:
    for args, stdin in ((("ask", "why " * 25_000), None), (("ask", "-"), "why " * 25_000)):
        result = run(*args, store=store, stdin=stdin)
        assert result.exit_code == 2
        assert result.stderr.startswith("Error: The question has 99,999 characters")
        assert result.stderr.count("\n") == 1


def test_control_characters_and_broken_encodings_do_not_stop_a_question(
    run: Run, store: Path
) -> None:
    for question in (
        "Where will\x1b[31m Trump and Putin\x07 meet?",
        "Where will Trump \udcff and Putin meet?",
    ):
        result = run("ask", question, store=store)
        assert result.exit_code == 0
        assert "Alaska" in result.stdout
        assert "\x1b" not in result.stdout
    result = run("ask", "-", store=store, stdin=b"Where will Trump and Putin \xff\xfe meet?")
    assert result.exit_code == 0


def test_an_article_obeys_no_terminal_codes(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "codes.txt"
    file.write_text("The \x9b31mtower\x1b[0m of [bold]Ilm[/bold] is 90 metres tall.", "utf-8")
    result = run("ask", "How tall is the tower?", "--article", file)
    assert "[bold]Ilm[/bold]" in result.stdout
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", result.stdout)


def test_ask_one_article_by_file_and_by_the_beginning_of_its_id(run: Run, article: Path) -> None:
    question = "How tall is the lighthouse?"
    first = json.loads(run("ask", question, "--article", article, "--json").stdout)
    assert "34 metres" in first["text"]
    listed = json.loads(run("list", "--json").stdout)
    assert [a["title"] for a in listed] == ["The old harbour"]  # and not the bundled one as well
    start = listed[0]["id"][:6]
    assert "34 metres" in run("ask", question, "--article", start).stdout


def test_ask_only_the_article_named(run: Run, article: Path) -> None:
    run("add", article, store=None)
    with_bundled = run("ask", QUESTION, "--article", article)
    assert "Alaska" not in with_bundled.stdout


@pytest.mark.parametrize("name", ["missing.txt", "no/such/file", "feedface", "x" * 300])
def test_ask_about_an_article_that_is_not_there(run: Run, store: Path, name: str) -> None:
    result = run("ask", QUESTION, "--article", name, store=store)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert name in result.stderr
    assert result.stdout == ""


# -- add, list, remove, rebuild --


def test_add_list_and_remove(run: Run, article: Path) -> None:
    added = run("add", article)
    assert added.exit_code == 0
    assert added.stderr == ""
    article_id = added.stdout.split()[0]
    assert re.fullmatch(rf"{article_id}  The old harbour  \(\d+ passages?\)\n", added.stdout)
    assert "was there already" in run("add", article).stdout
    length = len("The harbour of Brenn was built in 1612.")
    row = run("list").stdout.rstrip("\n").split("\t")
    assert row[:3] == [article_id, "The old harbour", str(article)]
    assert int(row[3]) > length
    assert json.loads(run("list", "--json").stdout)[0]["length"] == int(row[3])
    removed = run("remove", article_id[:5], "--yes")
    assert removed.exit_code == 0
    assert article_id in removed.stdout
    assert article.exists()
    assert json.loads(run("list", "--json").stdout) == []


def test_list_of_an_empty_store_says_how_to_fill_it(run: Run, tmp_path: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "askarticle add" in result.stderr
    assert not (tmp_path / "store").exists()  # looking does not make it


def test_list_works_while_the_store_is_open_elsewhere(store: Path) -> None:
    with Bot.open(store=store, articles=[]):
        result = process("list", "--store", store)
    assert result.returncode == 0
    assert bundled().id in result.stdout


def test_one_bad_file_does_not_stop_the_others(run: Run, tmp_path: Path, article: Path) -> None:
    empty, binary, large = tmp_path / "empty.txt", tmp_path / "binary.txt", tmp_path / "large.txt"
    empty.write_bytes(b" \n")
    binary.write_bytes(b"\x7fELF\0\0\x01\x02")
    with large.open("wb") as stream:
        stream.truncate(50 * 2**20)
    bad = [tmp_path / "missing.txt", empty, binary, large, tmp_path, tmp_path / "picture.png"]
    bad[-1].write_bytes(b"\x89PNG")
    result = run("add", *bad[:3], article, *bad[3:])
    assert result.exit_code == 1
    assert "The old harbour" in result.stdout
    errors = result.stderr.splitlines()
    assert len(errors) == len(bad)
    for error, file in zip(errors, bad, strict=True):
        assert error.startswith("Error: ")
        assert str(file) in error


def test_a_latin_1_file_is_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes(
        "Le café de la gare fermera à Noël. Le théâtre, lui, restera ouvert tout l'été; "
        "les élèves y répètent déjà une pièce française.".encode("latin-1")
    )
    result = run("add", file)
    assert result.exit_code == 0
    assert "café" in result.stdout


def test_remove_asks_first(run: Run, article: Path) -> None:
    article_id = run("add", article).stdout.split()[0]
    for reply, left in (("n\n", 1), ("", 1), ("y\n", 0)):
        result = run("remove", article_id, stdin=reply)
        assert result.exit_code == left
        assert "The old harbour" in result.stderr
        assert len(json.loads(run("list", "--json").stdout)) == left


@pytest.mark.parametrize("article_id", ["", "ffff", "harbour"])
def test_remove_an_unknown_article(run: Run, store: Path, article_id: str) -> None:
    result = run("remove", article_id, "--yes", store=store)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert bundled().id in result.stderr


def test_an_id_that_fits_several_articles(run: Run, tmp_path: Path) -> None:
    ids: dict[str, list[str]] = {}
    for i in range(17):  # more than there are first digits, so that two share theirs
        file = tmp_path / f"{i}.txt"
        file.write_text(f"Article number {i} is short.", "utf-8")
        article_id = run("add", file).stdout.split()[0]
        ids.setdefault(article_id[0], []).append(article_id)
    first, several = next((k, v) for k, v in ids.items() if len(v) > 1)
    result = run("remove", first, "--yes")
    assert result.exit_code == 1
    assert all(i in result.stderr for i in several)
    assert len(json.loads(run("list", "--json").stdout)) == 17


def test_rebuild_mends_a_damaged_store(run: Run, article: Path, tmp_path: Path) -> None:
    article_id = run("add", article).stdout.split()[0]
    for file in (tmp_path / "store" / "chroma").glob("*.sqlite3"):
        file.write_bytes(file.read_bytes()[:2000])
    damaged = run("ask", "How tall is the lighthouse?")
    assert damaged.exit_code == 1
    assert "askarticle rebuild" in damaged.stderr
    rebuilt = run("rebuild")
    assert rebuilt.exit_code == 0
    assert article_id in rebuilt.stdout
    assert "34 metres" in run("ask", "How tall is the lighthouse?").stdout


def test_a_folder_that_cannot_be_written(run: Run, tmp_path: Path, article: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder", "utf-8")
    for args in (("ask", QUESTION), ("add", article), ("remove", "abc", "--yes"), ("rebuild",)):
        result = run(*args, store=blocked / "store")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        assert str(blocked / "store") in result.stderr
        assert result.stderr.count("\n") == 1


# -- eval --


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A question set of two questions, one of them unanswerable."""
    quote = "Its lighthouse is 34 metres tall and painted red."
    rows = [
        {"id": "tall", "question": "How tall is the lighthouse?", "history": [],
         "answers": ["34 metres"], "evidence": [quote], "answerable": True, "split": "tune"},
        {"id": "gold", "question": UNANSWERABLE, "history": [],
         "answers": [], "evidence": [], "answerable": False, "split": "report"},
    ]  # fmt: skip
    file = tmp_path / "questions.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


def test_eval_prints_a_table_of_metrics(run: Run, article: Path, questions: Path) -> None:
    result = run("eval", questions, "--article", article, "--rows", "--curve")
    assert result.exit_code == 0
    assert result.stderr == ""
    rows, metrics, curve = result.stdout.split("\n\n")
    assert [row.split("\t")[:2] for row in rows.splitlines()] == [
        ["tall", "right"], ["gold", "refused (unanswerable)"],
    ]  # fmt: skip
    values = {row.split("\t")[0]: row.split("\t")[1] for row in metrics.splitlines()}
    assert list(values) == list(METRICS)
    assert values["questions"] == "2"
    assert values["answer"] == values["refusal_recall"] == "1.000"
    assert [len(line.split("\t")) for line in curve.splitlines()] == [5] * 21


def test_eval_json_and_a_split(run: Run, article: Path, questions: Path) -> None:
    args = ("eval", questions, "--article", article, "--split", "tune", "--json", "--curve")
    report = json.loads(run(*args).stdout)
    assert report["metrics"]["questions"] == 1
    assert [point["threshold"] for point in report["curve"]][::10] == [0, 0.5, 1]
    assert [row["id"] for row in report["rows"]] == ["tall"]


def test_eval_below_a_minimum_exits_with_4(run: Run, article: Path, questions: Path) -> None:
    args = ("eval", questions, "--article", article)
    assert run(*args, "--min", "answer=0.9", "--min", "refusal_recall=1").exit_code == 0
    failed = run(*args, "--min", "answer=0.9", "--min", "seconds_p50=0")
    assert failed.exit_code == 4
    assert failed.stderr.startswith("seconds_p50 is ")
    assert failed.stderr.count("\n") == 1


def test_eval_of_a_set_that_cannot_be_read(run: Run, questions: Path, tmp_path: Path) -> None:
    missing = run("eval", tmp_path / "none.jsonl")
    assert missing.exit_code == 1
    assert "none.jsonl" in missing.stderr
    unknown = run("eval", questions, "--split", "nonsense")
    assert unknown.exit_code == 2
    assert "report, tune" in unknown.stderr


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny sets, not to be changed."""
    folder = tmp_path_factory.mktemp("sets")
    write_sets(folder)
    return folder


def cells(text: str) -> dict[str, list[str]]:
    """Return the lines of tables by their first cell."""
    return {line.split("\t")[0]: line.split("\t")[1:] for line in text.splitlines()}


def test_eval_runs_the_sets_of_a_folder(run: Run, sets: Path, tmp_path: Path) -> None:
    args = ("eval", "--suite", sets, "--only", "nq_oracle", "--only", "fever_symmetric",
            "--sample", 2, "--seed", 3, "--cache", tmp_path / "cache")  # fmt: skip
    result = run(*args)
    assert result.stderr == ""
    assert result.exit_code == 0
    found, given, support = result.stdout.split("\n\n")
    assert found.splitlines()[0] == (
        "nq_oracle, found: each question asked of all documents; 2 of 3, seed 3"
    )
    assert given.splitlines()[0] == (
        "nq_oracle, given: each question asked of its own document; 2 of 3, seed 3"
    )
    assert cells(found)["hit@1"] == [
        "1.000", "1.000 to 1.000", "2",
        "Share of answerable questions whose best document is the gold one, after reranking",
    ]  # fmt: skip
    assert cells(given)["answer_holds"][::2] == ["1.000", "2"]
    assert "hit@1" not in cells(given)
    assert support.startswith("fever_symmetric, support: claims judged against evidence; 2 of 4")
    assert "accuracy" in cells(support)
    assert not (tmp_path / "store").exists()  # the user's own store is left alone

    again = json.loads(run(*args, "--json").stdout)
    assert list(again) == ["suites"]
    assert (again["suites"]["sample"], again["suites"]["seed"]) == (2, 3)
    assert [(s["name"], s["task"], s["asked"], s["of"], s["cached"], len(s["rows"]))
            for s in again["suites"]["suites"]] == [
        ("nq_oracle", "found", 2, 3, True, 2), ("nq_oracle", "given", 2, 3, True, 2),
        ("fever_symmetric", "support", 2, 4, True, 2),
    ]  # fmt: skip
    figures = again["suites"]["suites"][0]["figures"]
    assert f"{figures['hit@1']['value']:.3f}" == cells(found)["hit@1"][0]
    assert "(cached)" in run(*args).stdout


def test_eval_against_another_setting(
    run: Run, article: Path, questions: Path, sets: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    args = ("eval", questions, "--article", article, "--suite", sets, "--only", "fever_symmetric",
            "--cache", tmp_path / "cache", "--against", "threshold=1")  # fmt: skip
    result = run(*args, "--html", page)
    assert result.stderr == ""
    assert result.exit_code == 0
    metrics, suite, changes = result.stdout.split("\n\n")
    assert list(cells(metrics)) == list(METRICS)
    assert cells(metrics)["questions"][:5] == ["2", "", "2", "", "2"]
    assert cells(metrics)["answer"][:5] == ["1.000", "1.000 to 1.000", "0.000", "0.000 to 0.000",
                                            "1"]  # fmt: skip
    assert cells(metrics)["refusal_recall"][:3:2] == ["1.000", "1.000"]
    # Claims are judged by rule: there is nothing to compare.
    assert suite.splitlines()[0].endswith("4 of 4 (cached); no setting matters here") or (
        suite.splitlines()[0].endswith("all of 4; no setting matters here")
    )
    assert cells(suite)["accuracy"][:5:2] == ["1.000", "1.000", "4"]
    assert changes.splitlines() == [
        "questions (threshold=1): 0 from wrong to right, 1 from right to wrong; right are 2 and "
        "then 1 of 2",
        "-\ttall\tright\trefused\tHow tall is the lighthouse?",
    ]
    html = page.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    for text in ("How tall is the lighthouse?", UNANSWERABLE, CLAIMS[0][0],
                 "against threshold=1", "right → refused"):  # fmt: skip
        assert text in html

    values = json.loads(run(*args, "--json").stdout)
    assert values["metrics"]["answer"] == 1.0
    assert values["suites"]["suites"][0]["cached"]
    second = values["against"]
    assert (second["settings"], second["metrics"]["answer"]) == ("threshold=1", 0.0)
    assert second["changes"]["right"] == [2, 1]
    assert [c["id"] for c in second["changes"]["lost"]] == ["tall"]
    assert second["suites"]["settings"]["threshold"] == 1
    assert second["suites"]["suites"][0]["changes"] is None


def test_eval_masks_keys_and_passwords(
    run: Run, sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKARTICLE_BASE_URL", "http://first:p1-SECRET@localhost/v1")
    monkeypatch.setenv("ASKARTICLE_API_KEY", "sk0-SECRET")
    page = tmp_path / "page.html"
    args = ("eval", "--suite", sets, "--only", "wice_dev", "--cache", tmp_path / "cache",
            "--against", "api_key=sk1-SECRET",
            "--against", "base_url=http://second:p2-SE@CRET@localhost/v1")  # fmt: skip
    shown = run(*args, "--html", page)
    assert (shown.exit_code, shown.stderr) == (0, "")
    told = run(*args, "--json")
    html = page.read_text("utf-8")
    for text in (shown.stdout, told.stdout, html):
        assert not re.search("SECRET|CRET|p1-|p2-|sk[01]", text.replace(script(html), ""))
    words = "api_key=*** base_url=http://***@localhost/v1"
    assert json.loads(told.stdout)["against"]["settings"] == words
    assert f"against {words}" in html


def script(html: str) -> str:
    """Return plotly's script, which is not ours."""
    return max(html.split("<script>"), key=len)


def test_eval_loads_both_configurations_before_it_asks(
    run: Run, article: Path, questions: Path, sets: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was asked")

    monkeypatch.setattr(Bot, "ask", refuse)
    for name, asked in (
        ("embedder", (questions, "--article", article)),
        ("reranker", ("--suite", sets, "--only", "nq_oracle", "--cache", tmp_path / "cache")),
    ):
        result = run("eval", *asked, "--against", f"{name}=nonsense")
        assert result.exit_code in (1, 2)
        assert result.stderr.startswith("Error: ")
        assert "nonsense" in result.stderr
        assert "unexpected" not in result.stderr


def test_eval_against_no_model_reads(
    run: Run, article: Path, questions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASKARTICLE_MODEL", "openai:nothing")
    args = ("eval", questions, "--article", article, "--split", "tune", "--against", "model=")
    result = run(*args)
    assert result.exit_code == 0
    assert result.stderr.startswith("Note: 1 of 1: ")
    assert "read from the article instead" in result.stderr
    assert "against" not in result.stderr
    values = json.loads(run(*args, "--json").stdout)
    assert values["against"]["settings"] == "model=-"
    assert (len(values["notices"]), values["against"]["notices"]) == (1, [])


def test_eval_of_a_file_of_a_published_set(run: Run, sets: Path, tmp_path: Path) -> None:
    cache = ("--cache", tmp_path / "cache", "--sample", 1)
    whole = run("eval", "--suite", sets, "--only", "nq_oracle", *cache)
    assert whole.exit_code == 0
    for part in ("questions", "docs"):
        one = run("eval", sets / f"nq_oracle.{part}.jsonl.gz", *cache)
        assert one.stdout.replace(" (cached)", "") == whole.stdout
    mine = tmp_path / "mine.questions.jsonl.gz"
    mine.write_bytes((sets / "nq_oracle.questions.jsonl.gz").read_bytes())
    missing = run("eval", mine, *cache)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "mine.docs.jsonl.gz" in missing.stderr
    (tmp_path / "mine.docs.jsonl.gz").write_bytes((sets / "nq_oracle.docs.jsonl.gz").read_bytes())
    assert run("eval", mine, *cache).stdout.startswith("mine, found: ")
    both = run("eval", mine, "--suite", sets)
    assert both.exit_code == 2
    assert "give it alone" in " ".join(re.sub("[│╭╮╰╯─]", " ", both.stderr).split())


def test_eval_with_half_a_pair_loses_nothing(
    run: Run, article: Path, questions: Path, tmp_path: Path
) -> None:
    rows = questions.read_text("utf-8").replace("How tall", "How \\ud800 tall")
    questions.write_text(rows, "utf-8")
    page = tmp_path / "page.html"
    result = run("eval", questions, "--article", article, "--html", page, "--rows")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "How ? tall" in result.stdout
    assert "How ? tall" in page.read_text("utf-8")


def test_eval_shows_its_figures_before_it_writes_the_page(
    run: Run, article: Path, questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def full(path: Path, *args: Any, **options: Any) -> int:
        if path.name == "page.html":
            raise OSError(28, "No space left on device")
        return write(path, *args, **options)

    monkeypatch.setattr(Path, "write_text", full)
    result = run("eval", questions, "--article", article, "--html", tmp_path / "page.html")
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert "answer\t1.000" in result.stdout


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        *((option, "--suite") for option in (["--only", "nq_oracle"], ["--sample", "2"],
                                             ["--seed", "1"], ["--cache", "here"])),
        *((option, "QUESTIONS") for option in (["--min", "answer=1"], ["--article", "a"],
                                               ["--split", "tune"], ["--rows"], ["--curve"])),
        ([], "Name a question set, or a folder with --suite"),
        (["--json", "--against", "threshold=1"], "Name a question set, or a folder with --suite"),
    ],
)  # fmt: skip
def test_eval_options_that_go_with_nothing(
    run: Run, questions: Path, sets: Path, tmp_path: Path, given: list[str], needed: str
) -> None:
    measured = {"--suite": [questions], "QUESTIONS": ["--suite", sets]}.get(needed, [])
    result = run("eval", *measured, *given)
    assert (result.exit_code, result.stdout) == (2, "")
    message = " ".join(re.sub("[│╭╮╰╯─]", " ", result.stderr).split())
    assert needed in message
    assert given[:1] == ["--json"] or not given or given[0] in message
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        (["--only", "nonsense"], 1, "There is no set 'nonsense'; the sets are xquad_en, squad2"),
        (["--suite", "nowhere"], 1, "There is no folder nowhere."),
        (["--against", "nonsense=1"], 2, "no answer depends on 'nonsense'; the settings that they"),
        (["--against", "port=1"], 2, "no answer depends on 'port'"),
        (["--against", "threshold="], 2, "threshold needs a value"),
        (["--cache", "../questions.jsonl", "--only", "wice_dev"], 1, "another folder with --cache"),
        (["--against", "threshold=7"], 2, "Setting threshold is '7': "),
        (["--against", "threshold"], 2, "'threshold' is not KEY=VALUE, for example threshold=0.7"),
        (["--against", "=1"], 2, "'=1' is not KEY=VALUE"),
        (["--html", "nowhere/page.html"], 2, "cannot be written to nowhere/page.html: there is no"),
        (["--html", "."], 2, "The report cannot be written to .: it is a folder."),
        (["--sample", "0"], 2, "--sample"),
    ],
)
def test_eval_says_what_makes_no_sense_before_it_asks(
    run: Run, questions: Path, sets: Path, tmp_path: Path, wrong: list[str], code: int, says: str
) -> None:
    result = run("eval", questions, "--suite", sets, *wrong)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in " ".join(re.sub("[│╭╮╰╯─]", " ", result.stderr).split())
    assert not (tmp_path / "store").exists()
    assert "Traceback" not in result.stderr


# -- usage and settings --


def test_no_arguments_show_the_help() -> None:
    result = CliRunner().invoke(cli.app, [])
    assert result.exit_code == 2
    for command in ("chat", "ask", "add", "list", "remove", "rebuild", "eval", "settings"):
        assert command in result.output


@pytest.mark.parametrize(
    "args",
    [
        ["ask"],
        ["add"],
        ["remove"],
        ["eval"],
        ["nonsense"],
        ["ask", QUESTION, "--nonsense"],
        ["ask", QUESTION, "--threshold", "high"],
    ],
)
def test_wrong_usage(args: list[str]) -> None:
    result = CliRunner().invoke(cli.app, args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("minimum", ["answer", "answer=", "answer=much", "=0.9", "nonsense=0.9"])
def test_a_minimum_that_makes_no_sense(run: Run, store: Path, minimum: str) -> None:
    questions = ROOT / "tests" / "questions" / "alaska_summit.jsonl"
    result = run("eval", questions, "--min", minimum, store=store)
    assert result.exit_code == 2
    assert "--min" in result.stderr


@pytest.mark.parametrize("where", ["option", "environment", ".env"])
def test_a_setting_out_of_range(
    run: Run, monkeypatch: pytest.MonkeyPatch, own_folder: Path, where: str
) -> None:
    options = ["--threshold", "7"] if where == "option" else []
    if where == "environment":
        monkeypatch.setenv("ASKARTICLE_THRESHOLD", "7")
    if where == ".env":
        (own_folder / ".env").write_text("ASKARTICLE_THRESHOLD=7\n", "utf-8")
    result = run("ask", QUESTION, *options)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Setting threshold is ")
    assert result.stderr.count("\n") == 1


def test_a_dotenv_file_that_is_no_text(run: Run, own_folder: Path) -> None:
    (own_folder / ".env").write_bytes(b"ASKARTICLE_MODEL=\xff\xfe\n")
    result = run("ask", QUESTION)
    assert result.exit_code == 2
    assert str(own_folder / ".env") in result.stderr


def test_options_before_a_command_count_and_those_after_it_win() -> None:
    args = ["--threshold", "0.3", "--store", "before", "settings", "--store", "after"]
    result = CliRunner().invoke(cli.app, args)
    assert "store\tafter\t--store\n" in result.stdout
    assert "threshold\t0.3\t--threshold\n" in result.stdout


def test_settings_tell_where_they_come_from_and_keep_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    monkeypatch.setenv("ASKARTICLE_API_KEY", "sk-secret")
    monkeypatch.setenv("ASKARTICLE_BASE_URL", "http://me:hidden@localhost:1/v1")
    (own_folder / ".env").write_text("ASKARTICLE_PORT=9000\nASKARTICLE_HOST=::1\n", "utf-8")
    monkeypatch.setenv("askarticle_host", "localhost")
    result = run("settings", "--log-level", "error")
    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in result.stdout.splitlines()}
    assert list(rows) == list(Settings.model_fields)
    assert rows["port"] == ["9000", ".env"]
    assert rows["host"] == ["localhost", "ASKARTICLE_HOST"]
    assert rows["log_level"] == ["ERROR", "--log-level"]
    assert rows["temperature"] == ["0.0", "default"]
    assert rows["api_key"][1] == "ASKARTICLE_API_KEY"
    assert "sk-secret" not in result.output
    assert "hidden" not in result.output


def test_an_unexpected_error_is_one_line(
    run: Run, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Bot, "ask", broken)
    result = run("ask", QUESTION, store=store)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError: a bug" in result.stderr
    assert "--log-level DEBUG" in result.stderr
    shown = run("ask", QUESTION, "--log-level", "debug", store=store)
    assert "Traceback" in shown.stderr


def test_ctrl_c_ends_with_130(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bot, "ask", stopped)
    assert run("ask", QUESTION, store=store).exit_code == 130
    with Bot.open(store=store, articles=[]) as bot:  # and the store was given back
        assert bot.articles()


# -- chat --


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Settings, bool]]:
    """What the chat window was asked to serve: article titles, settings, whether to open it."""
    calls = []

    def serve(open_bot: Callable[[], Bot], settings: Settings, *, open_browser: bool) -> None:
        calls.append(([a.title for a in open_bot().articles()], settings, open_browser))

    import ui.chat

    monkeypatch.setattr(ui.chat, "serve", serve)
    return calls


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_chat_serves_the_bundled_article(
    run: Run, served: list[tuple[list[str], Settings, bool]]
) -> None:
    assert run("chat", "--port", 0, "--no-open").exit_code == 0
    titles, settings, opened = served[0]
    assert titles == [bundled().title]
    assert settings.port == 0
    assert opened is False


def test_chat_on_a_port_in_use_names_the_way_out(
    run: Run, taken: int, served: list[tuple[list[str], Settings, bool]]
) -> None:
    result = run("chat", "--port", taken)
    assert result.exit_code == 2
    assert str(taken) in result.stderr
    assert "--port 0" in result.stderr
    assert served == []


def test_chat_takes_the_next_port_where_none_was_asked_for(
    taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    port = ports.free_port("127.0.0.1", taken, asked_for=False)
    assert taken < port <= taken + ports.PORTS_TRIED
    assert capsys.readouterr().err == (f"Port {taken} is in use; the chat window takes {port}.\n")


def test_chat_on_a_host_that_is_not_this_computer() -> None:
    for host in ("203.0.113.1", "bad host"):
        result = process("chat", "--host", host)
        assert result.returncode == 2
        assert result.stderr.startswith(
            f"Error: The chat window cannot be served on the host '{host}'"
        )
        assert result.stderr.count("\n") == 1


# -- processes --


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["ask", "--help"], ["chat", "-h"]])
def test_help_and_version_import_nothing_of_ours(args: list[str]) -> None:
    result = process(*args, python=["-X", "importtime"])
    assert result.returncode == 0
    loaded = imported(result.stderr)
    assert not loaded & (HEAVY | {"bot", "index", "langchain_core", "numpy"})


def test_list_imports_no_model_and_no_database(store: Path) -> None:
    result = process("list", "--store", store, python=["-X", "importtime"])
    assert bundled().id in result.stdout
    assert not imported(result.stderr) & HEAVY


def test_a_store_in_use_is_told_before_the_libraries_are_loaded(store: Path, article: Path) -> None:
    with Bot.open(store=store, articles=[]):
        for args in (["ask", QUESTION], ["add", article], ["chat", "--port", "0"], ["rebuild"]):
            result = process(*args, "--store", store, python=["-X", "importtime"])
            assert result.returncode == 1
            told = [s for s in result.stderr.splitlines() if not s.startswith("import time:")]
            assert len(told) == 1
            assert told[0].startswith(f"Error: The store at {store} is open in another process")
            assert not imported(result.stderr) & HEAVY


def test_a_process_that_asks_prints_the_answer_alone(store: Path) -> None:
    result = process("ask", QUESTION, "--store", store, env={"FORCE_COLOR": ""})
    assert result.returncode == 0
    assert result.stderr == ""
    assert result.stdout.count("[1]") == 2
    assert not re.search(r"[\x1b─│┌╭▌]", result.stdout)


def test_a_process_without_unicode_prints_what_it_can(store: Path) -> None:
    question = "What did Macron say about territorial issues?"
    result = process(
        "ask", question, "--store", store, "--threshold", 0, env={"PYTHONIOENCODING": "ascii"}
    )
    assert result.returncode == 0
    assert result.stderr == ""
    assert '"Territorial issues' in result.stdout


def test_a_reader_that_goes_away_ends_it_quietly(store: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "list", "--json", "--store", str(store)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as child:
        os.close(writer)
        _, stderr = child.communicate(timeout=60)
    assert child.returncode == 141
    assert stderr == b""


def test_ctrl_c_at_a_process_that_waits_for_a_question(store: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "ask", "-", "--store", str(store)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None
        child.stdin.write(b"Where will")
        child.stdin.flush()
        unread = bytearray(4)
        deadline = time.monotonic() + 60
        while fcntl.ioctl(child.stdin, termios.FIONREAD, unread) or any(unread):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # nothing tells when a pipe has been read
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert stdout == b""
    assert stderr == b"Stopped.\n"


# -- the terminal --


def test_characters_that_an_encoding_lacks_are_written_in_their_place() -> None:
    terminal.prepare_streams()
    assert "«a» – b… 語".encode("ascii", errors="askarticle") == b'"a" - b... ?'
