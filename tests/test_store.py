"""The store keeps what it was given: shared, interrupted, damaged, rebuilt, never silently wrong.

Most tests use a small honest embedder (a bag of words), which makes search readable; the last ones
use the bundled model.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings

from index import (
    Article,
    Chunking,
    Store,
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreMismatch,
    StoreNotWritable,
    UnknownArticle,
    WeightsError,
    bundled,
    chunk,
    load_embedder,
)
from index.chunk import SCHEMA, titled
from index.store import BATCH

ROOT = Path(__file__).parent.parent


class Words(Embeddings):
    """A bag of words: texts are near where they share words."""

    def __init__(self, name: str = "words", size: int = 64) -> None:
        self.identity = name
        self.size = size
        self.batches: list[int] = []
        self.before: Callable[[], None] = lambda: None

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        self.before()
        self.batches.append(len(texts))
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector = np.full(self.size, 1e-3)
        for word in re.findall(r"\w+", text.lower()):
            vector[zlib.crc32(word.encode()) % self.size] += 1
        return list((vector / np.linalg.norm(vector)).tolist())

    def token_counter(self) -> Callable[[str], int]:
        return lambda text: len(text.split())


def open_store(path: Path, embedder: Any = None, chunking: Chunking | None = None) -> Store:
    return Store.open(path, embedder or Words(), chunking)


def paragraphs(count: int, about: str = "river") -> Article:
    """Return an article of that many paragraphs."""
    text = "\n\n".join(
        f"The {about} number {i} has {i * 7} boats. They sail." for i in range(count)
    )
    return Article.from_text(text, title=f"{count} of {about}")


TREES = Article.from_text("Oaks are old trees.\n\nPines are green.", title="Trees", source="t.txt")
STARS = Article.from_text(
    "Sirius is a bright star.\n\nIt is far.", title="Stars", date="2025-01-01"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store of this test's own with two articles."""
    with_two = open_store(tmp_path / "store")
    with_two.add(TREES)
    with_two.add(STARS)
    yield with_two
    with_two.close()


def vectors_in(store: Store) -> int:
    """Return how many vectors there are, known to the store or not."""
    return int(store._collection.count())


# -- adding, finding, removing --


def test_search(store: Store) -> None:
    (best, score), *others = store.search("old oaks", 4)
    assert best.text == "Oaks are old trees."
    assert 0.5 < score <= 1.0001
    assert len(others) == 3
    scores = [s for _, s in store.search("old oaks", 4)]
    assert scores == sorted(scores, reverse=True)
    for passage, _ in store.search("x", 4):
        text = store.article(passage.article_id).text
        assert text[passage.start : passage.end] == passage.text
        assert [text[s:e] for s, e in passage.sentences] == [passage.text]
    exact = store.search("Trees. Pines are green.", 1)
    assert exact[0][1] == pytest.approx(1, abs=1e-5)


def test_search_of_some_articles(store: Store) -> None:
    assert {p.article_id for p, _ in store.search("old oaks", 9, [STARS.id])} == {STARS.id}
    assert len(store.search("old oaks", 9, [STARS.id, TREES.id])) == 4
    assert store.search("old oaks", 9, ["unknown"]) == []
    assert (store.count([STARS.id]), store.count([STARS.id, "unknown"]), store.count()) == (2, 2, 4)


def test_a_small_article_is_found_beside_a_large_one(store: Store) -> None:
    store.add(paragraphs(1200))
    found = store.search("The river number 5", 20, [TREES.id])
    assert {p.text for p, _ in found} == {"Oaks are old trees.", "Pines are green."}
    assert store.search("old oaks", 1)[0][0].article_id == TREES.id


# -- words --


def test_match_finds_shared_words(store: Store) -> None:
    (best, score), *_ = store.match("Which old oak is it?", 4)  # "oak" and "Oaks" share a stem
    assert (best.text, score > 0) == ("Oaks are old trees.", True)
    assert store.article(best.article_id).text[best.start : best.end] == best.text
    scores = [s for _, s in store.match("are is a bright trees", 9)]
    assert len(scores) == 4
    assert scores == sorted(scores, reverse=True)
    assert len(store.match("are is a bright trees", 2)) == 2
    assert store.match("is it far", 9, [STARS.id])[0][0].text == "It is far."
    assert {p.article_id for p, _ in store.match("old trees are far", 9, [TREES.id])} == {TREES.id}
    assert store.match("zebra", 4) == store.match("", 4) == store.match("oaks", 0) == []
    assert store.match("oaks", 4, ["unknown"]) == []


@pytest.mark.parametrize(
    "question", ['"', 'oaks" OR', "NEAR(oaks)", "oaks*", "-oaks", "text:oaks", "AND", "' OR 1=1 --"]
)
def test_match_takes_any_text(store: Store, question: str) -> None:
    found = {p.text for p, _ in store.match(question, 9)}
    assert found == ({"Oaks are old trees."} if "oaks" in question else set())


def test_words_follow_what_is_added_and_removed(store: Store) -> None:
    store.remove(TREES.id)
    assert store.match("old oaks", 4) == []
    store.add(TREES)
    assert [p.text for p, _ in store.match("old oaks", 4)] == ["Oaks are old trees."]
    assert len(store._owner.words) == store.count() == 4


def test_words_are_made_anew_where_they_are_missing_or_damaged(store: Store) -> None:
    path, file = store.path, store.path / "words.sqlite3"
    expected = store.match("a bright old star", 4)
    assert expected
    store.close()
    for harm in (file.unlink, lambda: file.write_bytes(b"junk" * 999)):
        harm()
        with contextlib.closing(open_store(path)) as again:
            assert again.match("a bright old star", 4) == expected
    with contextlib.closing(open_store(path)) as again:  # damaged while it is open
        again._owner.words.close()
        file.write_bytes(b"junk" * 999)
        assert again.match("a bright old star", 4) == expected
    with contextlib.closing(Store.rebuild(path, Words())) as again:
        assert again.match("a bright old star", 4) == expected


def test_words_are_made_anew_where_a_change_to_them_fails(store: Store) -> None:
    file, words = store.path / "words.sqlite3", store._owner.words
    file.unlink()
    store.remove(TREES.id)
    assert store.match("old oaks", 4) == []
    words.close()
    file.write_bytes(b"junk" * 999)
    store.add(TREES)
    assert [p.text for p, _ in store.match("Oaks old", 1)] == ["Oaks are old trees."]
    assert len(words) == store.count() == 4


def test_words_that_a_failed_try_left_are_not_kept_twice(store: Store) -> None:
    article = paragraphs(3)
    (first, *_) = chunk(article, Words().token_counter())
    left = f"{article.id}:{first.start}-{first.end}"
    store._owner.words.add([(left, article.id, first.text)])
    store.add(article)
    assert len(store._owner.words) == store.count()


def test_words_of_an_interrupted_article_are_not_kept(store: Store, tmp_path: Path) -> None:
    embedder = store.embedder
    assert isinstance(embedder, Words)

    def fail() -> None:
        raise RuntimeError("stopped")

    embedder.before = fail
    with pytest.raises(RuntimeError, match="stopped"):
        store.add(paragraphs(3))
    embedder.before = lambda: None
    assert store.match("river", 4) == []
    store._owner.words.add([("x:0-1", "x", "rivers of old")])  # as after a crash
    path = store.path
    store.close()
    with contextlib.closing(open_store(path)) as again:
        assert again.match("river", 4) == []
        assert len(again._owner.words) == 4


def test_empty_store(tmp_path: Path) -> None:
    store = open_store(tmp_path / "deep" / "folder")
    assert store.search("anything", 5) == []
    assert (store.articles(), store.count()) == ([], 0)
    with pytest.raises(UnknownArticle, match="it has: none"):
        store.article("0" * 16)
    store.close()


def test_context_is_kept(store: Store) -> None:
    first, second = store.passages(STARS.id)
    assert second.context == first.text == "Sirius is a bright star."
    assert store.passages(STARS.id) == chunk(STARS, Words().token_counter())


def test_vectors(store: Store) -> None:
    pairs = store.vectors(TREES.id)
    assert [p for p, _ in pairs] == store.passages(TREES.id)
    for passage, vector in pairs:
        text = titled(TREES.title, passage.searchable)
        assert vector == pytest.approx(Words().embed_query(text), abs=1e-6)


def test_adding_twice_changes_nothing(store: Store) -> None:
    before = (store.articles(), store.count(), vectors_in(store))
    again = store.add(Article.from_text(TREES.text + "\r\n", title="Other", source="other.txt"))
    assert again == TREES, "the article that is there already"
    assert (store.articles(), store.count(), vectors_in(store)) == before
    assert store.embedder.batches == [2, 2]  # type: ignore[attr-defined]  # of the double


def test_removing(store: Store) -> None:
    assert store.remove(TREES.id) == TREES
    assert [a.id for a in store.articles()] == [STARS.id]
    assert (store.count(), vectors_in(store)) == (2, 2)
    assert {p.article_id for p, _ in store.search("old oaks", 9)} == {STARS.id}
    for use in (store.remove, store.article, store.passages, store.vectors):
        with pytest.raises(UnknownArticle, match=f"{TREES.id}.*it has: {STARS.id}. Add"):
            use(TREES.id)
    store.add(TREES)
    assert [a.id for a in store.articles()] == [STARS.id, TREES.id]


def test_a_message_lists_a_few_ids(store: Store) -> None:
    for i in range(10):
        store.add(Article.from_text(f"Text {i}."))
    with pytest.raises(UnknownArticle) as caught:
        store.article("nope")
    assert "'nope'" in str(caught.value)
    assert f"{TREES.id}, {STARS.id}, " in str(caught.value)
    assert " and 2 more. " in str(caught.value)


def test_more_passages_than_a_batch(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    article = paragraphs(BATCH + 90)
    seen: list[tuple[int, int]] = []
    store.add(article, lambda done, total: seen.append((done, total)))
    assert seen == [(BATCH, BATCH + 90), (BATCH + 90, BATCH + 90)]
    assert store.count() == len(store.passages(article.id)) == vectors_in(store) == BATCH + 90
    assert len(store.search("boats", BATCH + 200)) == BATCH + 90
    store.close()


def test_an_article_made_by_hand_is_put_right(store: Store, tmp_path: Path) -> None:
    odd = Article("../../escape", "By hand", "s", "One\r\nline \ud800 here.\n", "2025-01-01")
    added = store.add(odd)
    assert added == Article.from_text(odd.text, title="By hand", source="s", date="2025-01-01")
    assert store.passages(added.id)[0].text == "One\nline ? here."
    store.close()
    again = open_store(store.path)
    assert again.article(added.id) == added
    again.close()


# -- closing and opening --


def test_opening_again_keeps_all(store: Store) -> None:
    store.add(paragraphs(30))
    before = [(a, store.vectors(a.id)) for a in store.articles()]
    found = store.search("old oaks", 5)
    store.close()
    store.close()
    again = open_store(store.path)
    assert [(a, again.vectors(a.id)) for a in again.articles()] == before
    assert again.search("old oaks", 5) == found
    assert again.embedder.batches == []  # type: ignore[attr-defined]  # of the double
    again.close()


def test_text_without_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("Ça va — «bien» 🙂.\r\n\r\nZweiter Absatz.".encode())
    store = open_store(tmp_path / "store")
    article = store.add(Article.load(file))
    file.unlink()
    store.close()
    again = open_store(tmp_path / "store")
    assert again.article(article.id) == article
    assert again.article(article.id).text == "Ça va — «bien» 🙂.\n\nZweiter Absatz."
    again.close()


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    uses: list[Callable[[], object]] = [
        lambda: store.search("x", 1),
        lambda: store.add(paragraphs(1)),
        lambda: store.remove(TREES.id),
        lambda: store.passages(TREES.id),
        lambda: store.vectors(TREES.id),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="was closed") as caught:
            use()
        assert type(caught.value) is StoreError
    open_store(store.path).close()  # nothing was harmed


def test_threads_share_one_store(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def work(i: int) -> list[str]:
        start.wait()
        store = open_store(tmp_path / "store")
        mine = store.add(Article.from_text(f"Thread {i} was here.\n\nIt left."))
        same = store.add(TREES)
        texts = [p.text for p, _ in store.search(f"Thread {i} was here.", 2)]
        assert texts[0] == f"Thread {i} was here."
        assert store.article(mine.id) == mine
        if i % 2:
            store.remove(mine.id)
        store.close()
        return [mine.id, same.id]

    keeper = open_store(tmp_path / "store")
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(work, range(8)))
    assert {a.id for a in keeper.articles()} == {TREES.id, *(ids[i][0] for i in (0, 2, 4, 6))}
    assert vectors_in(keeper) == keeper.count() == 10
    keeper.close()
    open_store(tmp_path / "store").close()


def test_searching_and_opening_while_another_adds(store: Store) -> None:
    adding, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        if words.batches:  # the first batch is written, the second not yet
            adding.set()
            assert go_on.wait(30)

    words = Words()
    words.before = wait
    other = open_store(store.path, words)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(other.add, paragraphs(BATCH + 10, "old oaks"))
        assert adding.wait(30)
        assert [p.text for p, _ in store.search("old oaks", 1)] == ["Oaks are old trees."]
        assert len(store.search("old oaks", 9)) == 4, "unfinished passages take no places"
        third = open_store(store.path)  # does not take them for leftovers
        third.close()
        assert vectors_in(store) == 4 + BATCH
        go_on.set()
        future.result(30)
    assert len(store.search("old oaks", 9)) == 9
    other.close()
    assert store.count() == vectors_in(store) == 4 + BATCH + 10


# -- another process --


def python(code: str, *args: str, **options: Any) -> subprocess.Popen[str]:
    """Start Python with what these tests use imported."""
    imports = "import os, sys, time\nfrom tests.test_store import *\n"
    return subprocess.Popen(
        [sys.executable, "-c", imports + textwrap.dedent(code), *args],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_second_process_is_refused_within_a_second(store: Store) -> None:
    code = """
        words = Words()
        began = time.perf_counter()
        try:
            open_store(Path(sys.argv[1]))
        except StoreInUse as error:
            print(time.perf_counter() - began, error, sep="\\n")
        sys.stdin.readline()
        print(len(open_store(Path(sys.argv[1])).articles()))
    """
    process = python(code, str(store.path))
    assert process.stdout is not None
    assert float(process.stdout.readline()) < 1
    message = process.stdout.readline()
    assert f"{store.path} is open in another process (process {os.getpid()})" in message
    assert "--store FOLDER" in message
    assert store.search("old oaks", 1), "the owner is not disturbed"
    store.close()
    out, err = process.communicate("\n", timeout=60)
    assert (out, err) == ("2\n", "")


def test_a_killed_owner_leaves_no_lock_and_no_half_article(tmp_path: Path) -> None:
    code = """
        words = Words()
        def wait():
            if len(words.batches) == 2:
                print("half", flush=True)
                sys.stdin.readline()
        words.before = wait
        store = open_store(Path(sys.argv[1]), words)
        store.add(TREES)
        store.add(paragraphs(BATCH + 700))
    """
    process = python(code, str(tmp_path))
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    with pytest.raises(StoreInUse, match=f"process {process.pid}"):
        open_store(tmp_path)
    process.kill()
    process.communicate(timeout=30)
    store = open_store(tmp_path)
    assert store.articles() == [TREES]
    assert store.count() == vectors_in(store) == 2
    assert len(store.search("river boats", 9)) == 2
    article = store.add(paragraphs(BATCH + 700))
    asked = titled(article.title, store.passages(article.id)[800].text)
    assert store.search(asked, 1)[0][1] == pytest.approx(1, abs=1e-5)
    store.close()
    again = open_store(tmp_path)
    assert again.count() == vectors_in(again) == BATCH + 702
    again.close()


def test_opening_loads_no_model(store: Store) -> None:
    store.close()
    code = """
        began = time.perf_counter()
        store = open_store(Path(sys.argv[1]))
        heavy = {"torch", "transformers", "sentence_transformers", "onnxruntime", "gradio"}
        print(time.perf_counter() - began, sorted(heavy & set(sys.modules)), len(store.articles()))
        store.close()
    """
    out, err = python(code, str(store.path)).communicate(timeout=60)
    assert err == ""
    seconds, rest = out.split(" ", 1)
    assert rest == "[] 2\n"
    assert float(seconds) < 10  # 0.7 s on a quiet computer, the import of chromadb in it


def test_a_full_disk(store: Store) -> None:
    store.close()
    code = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = open_store(Path(sys.argv[1]))
        size = (store.path / "chroma" / "chroma.sqlite3").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        try:
            store.add(paragraphs(900))
        except StoreNotWritable as error:
            print(error)
        print([a.title for a in store.articles()], len(store.search("old oaks", 9)))
        store.close()
    """
    out, err = python(code, str(store.path)).communicate(timeout=60)
    message, rest = out.splitlines()
    assert "cannot be written" in message
    assert rest == "['Trees', 'Stars'] 4", err
    again = open_store(store.path)
    assert again.count() == vectors_in(again) == 4
    again.close()


# -- interrupted --


@pytest.mark.parametrize(
    "error", [RuntimeError("no memory"), KeyboardInterrupt(), WeightsError("w")]
)
def test_an_embedder_that_fails_half_way(store: Store, error: BaseException) -> None:
    words = store.embedder
    assert isinstance(words, Words)

    def fail() -> None:
        if BATCH in words.batches:
            raise error

    words.before = fail
    article = paragraphs(BATCH + 100)
    with pytest.raises(type(error)) as caught:
        store.add(article)
    assert caught.value is error, "not taken for damage"
    assert store.articles() == [TREES, STARS]
    assert vectors_in(store) == store.count() == 4
    assert (store.path / "seal.json").exists()
    words.before = lambda: None
    store.add(article)
    assert vectors_in(store) == store.count() == BATCH + 104


def test_an_interrupted_rebuild_loses_nothing(store: Store) -> None:
    store.close()
    words = Words()

    def fail() -> None:
        if words.batches:
            raise KeyboardInterrupt

    words.before = fail
    with pytest.raises(KeyboardInterrupt):
        Store.rebuild(store.path, words)  # type: ignore[arg-type]  # a double of the embedder
    with pytest.raises(StoreDamaged, match=r"2 passages where 4 were written.*askarticle rebuild"):
        open_store(store.path)
    rebuilt = Store.rebuild(store.path, Words())  # type: ignore[arg-type]  # a double of the embedder
    assert rebuilt.articles() == [TREES, STARS]
    rebuilt.close()


# -- another configuration --


@pytest.mark.parametrize(
    ("what", "embedder", "chunking", "both"),
    [
        ("embedder", Words("other words"), Chunking(), ("'words'", "'other words'")),
        ("chunking", Words(), Chunking(target_tokens=80), ("target=0", "target=80")),
        ("schema", Words(), Chunking(), (f"'{SCHEMA}'", f"'{SCHEMA + 1}'")),
    ],
)
def test_another_configuration_is_refused_and_rebuilt(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    embedder: Any,
    chunking: Chunking,
    both: tuple[str, str],
) -> None:
    if what == "schema":
        monkeypatch.setattr("index.store.SCHEMA", SCHEMA + 1)
    for attempt in ("shared", "alone"):
        with pytest.raises(StoreMismatch, match=what) as caught:
            open_store(store.path, embedder, chunking)
        assert all(value in str(caught.value) for value in both)
        assert f"askarticle rebuild --store '{store.path}'" in str(caught.value)
        if attempt == "shared":
            assert len(store.search("old oaks", 9)) == 4, "those who have it open go on"
            store.close()
    rebuilt = Store.rebuild(store.path, embedder, chunking)
    assert rebuilt.articles() == [TREES, STARS]
    assert rebuilt.search("old oaks", 1)[0][0].article_id == TREES.id
    rebuilt.close()
    again = open_store(store.path, embedder, chunking)
    assert again.articles() == [TREES, STARS]
    again.close()


def test_rebuilding_an_open_store_is_refused(store: Store) -> None:
    with pytest.raises(StoreInUse, match="open in this process"):
        Store.rebuild(store.path, Words())  # type: ignore[arg-type]  # a double of the embedder
    assert len(store.search("old oaks", 9)) == 4


def test_rebuilding_with_vectors_of_another_size(store: Store) -> None:
    store.close()
    steps: list[tuple[int, int]] = []
    rebuilt = Store.rebuild(
        store.path,
        Words("wide", 96),  # type: ignore[arg-type]  # a double of the embedder
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(2, 2), (2, 2)]
    assert len(rebuilt.vectors(TREES.id)[0][1]) == 96
    rebuilt.close()


# -- not writable --


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    for path in (
        file,
        file / "below",
        Path("/proc/nothing"),
        Path("nul\0byte"),
        Path("~nobody?/s"),
    ):
        with pytest.raises(StoreNotWritable, match=r"cannot be written.*--store FOLDER"):
            open_store(path)
    assert file.read_text(encoding="utf-8") == "x"
    open_store(tmp_path / "store").close()


def test_a_read_only_folder() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:  # whom no permission stops
            os.seteuid(65534)
        try:
            for path in (folder, folder / "new"):
                with pytest.raises(StoreNotWritable, match="Permission denied"):
                    open_store(path)
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


# -- damaged --


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed store with all of Chroma's files: some come with the thousandth passage."""
    path = tmp_path_factory.mktemp("large")
    store = open_store(path)
    store.add(paragraphs(1100))
    store.add(TREES)
    store.close()
    return path


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def delete(file: Path) -> None:
    shutil.rmtree(file) if file.is_dir() else file.unlink()


def overwrite(file: Path) -> None:
    file.write_bytes(np.random.default_rng(1).bytes(file.stat().st_size))


def spoil_half(file: Path) -> None:
    kept = file.read_bytes()[: file.stat().st_size // 2]
    file.write_bytes(kept + np.random.default_rng(2).bytes(len(kept)))


SEGMENT = ["data_level0.bin", "header.bin", "length.bin", "link_lists.bin", "index_metadata.pickle"]


@pytest.mark.parametrize("damage", [cut, empty, delete, overwrite, spoil_half])
@pytest.mark.parametrize("name", ["chroma.sqlite3", *SEGMENT])
def test_damaged_files_are_noticed(
    large: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "store"
    shutil.copytree(large, path)
    (file,) = (path / "chroma").rglob(name)
    damage(file)
    with pytest.raises(StoreDamaged, match=name.replace(".", r"\.")) as caught:
        open_store(path)
    assert f"askarticle rebuild --store '{path}'" in str(caught.value)
    assert str(path / "articles") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("chroma.sqlite3", cut),
        ("chroma.sqlite3", delete),
        ("data_level0.bin", overwrite),
        ("chroma", delete),
        ("seal.json", delete),
    ],
)
def test_a_rebuild_restores_every_article(
    large: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "store"
    shutil.copytree(large, path)
    (file,) = path.rglob(name)
    damage(file)
    if name != "seal.json":
        with pytest.raises(StoreDamaged):
            open_store(path)
    rebuilt = Store.rebuild(path, Words())  # type: ignore[arg-type]  # a double of the embedder
    assert rebuilt.articles() == [paragraphs(1100), TREES]
    assert rebuilt.count() == vectors_in(rebuilt) == 1102
    assert rebuilt.search("old oaks", 1)[0][0].text == "Oaks are old trees."
    rebuilt.close()


def test_a_copied_store_is_whole(large: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    shutil.copytree(large, path, copy_function=shutil.copyfile)  # times are lost
    store = open_store(path)
    assert store.search("old oaks", 1)[0][0].text == "Oaks are old trees."
    store.close()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("data_level0.bin", empty),
        ("data_level0.bin", overwrite),
        ("header.bin", cut),
        ("index_metadata.pickle", delete),
    ],
)
def test_vectors_are_tried_elsewhere_without_a_seal(
    large: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    # As after an interruption. Chroma crashes on some of these, but not this process.
    path = tmp_path / "store"
    shutil.copytree(large, path)
    (path / "seal.json").unlink()
    (file,) = (path / "chroma").rglob(name)
    damage(file)
    with pytest.raises(StoreDamaged, match="askarticle rebuild"):
        open_store(path)


def test_a_store_without_a_seal_is_checked_and_sealed(large: Path, tmp_path: Path) -> None:
    path = tmp_path / "store"
    shutil.copytree(large, path)
    for seal in ("", "[]", "{"):
        (path / "seal.json").write_text(seal, encoding="utf-8")
        open_store(path).close()
        assert len(json.loads((path / "seal.json").read_text("utf-8"))) == 6


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: "7",
        lambda text: text.replace("Oaks", "Elms"),
        lambda text: text.replace('"passages"', '"passengers"'),
        lambda text: json.dumps({**json.loads(text), "text": 5}),
    ],
)
def test_a_damaged_article(store: Store, spoil: Callable[[str], str]) -> None:
    store.close()
    file = store.path / "articles" / f"{TREES.id}.json"
    file.write_text(spoil(file.read_text("utf-8")), encoding="utf-8")
    spoiled = file.read_text("utf-8")
    with pytest.raises(StoreDamaged, match=f"{file.name} cannot be read.*add its article again"):
        open_store(store.path)
    rebuilt = Store.rebuild(store.path, Words())  # type: ignore[arg-type]  # a double of the embedder
    assert rebuilt.articles() == [STARS]
    assert file.with_suffix(".damaged").read_text("utf-8") == spoiled, "kept for a person to see"
    rebuilt.add(TREES)
    assert rebuilt.search("old oaks", 1)[0][0].article_id == TREES.id
    rebuilt.close()
    open_store(store.path).close()


def test_fields_of_a_later_version_do_no_harm(store: Store) -> None:
    store.close()
    file = store.path / "articles" / f"{TREES.id}.json"
    record = {**json.loads(file.read_text("utf-8")), "language": "en"}
    file.write_text(json.dumps(record), encoding="utf-8")
    again = open_store(store.path)
    assert again.article(TREES.id) == TREES
    again.close()


def test_a_deleted_article_file_is_a_removal(store: Store) -> None:
    store.close()
    (store.path / "articles" / f"{TREES.id}.json").unlink()
    again = open_store(store.path)
    assert again.articles() == [STARS]
    assert again.count() == vectors_in(again) == 2
    again.close()


# -- the bundled model --


def test_the_bundled_article(tmp_path: Path) -> None:
    article = bundled()
    store = Store.open(tmp_path, load_embedder())
    store.add(article)
    assert store.passages(article.id) == chunk(article, load_embedder().token_counter())
    found = store.search("Where will Trump and Putin meet?", 5)
    assert any("Alaska" in passage.text for passage, _ in found)
    norms = [float(np.linalg.norm(vector)) for _, vector in store.vectors(article.id)]
    assert norms == pytest.approx([1] * store.count(), abs=1e-4)
    store.close()
    with pytest.raises(StoreMismatch, match="all-MiniLM-L6-v2@53aa51172d14"):
        open_store(tmp_path)


def test_indexing_takes_little_more_than_embedding(tmp_path: Path) -> None:
    embedder = load_embedder()
    store = Store.open(tmp_path, embedder)
    embedding = 0.0

    def timed(texts: Sequence[str]) -> list[list[float]]:
        nonlocal embedding
        began = time.process_time()
        try:
            return embedder.embed_documents(texts)
        finally:
            embedding += time.process_time() - began

    class Timed:
        identity = embedder.identity
        token_counter = staticmethod(embedder.token_counter)
        embed_documents = staticmethod(timed)

    store.embedder = Timed()  # type: ignore[assignment]  # a double of the embedder
    store.embedder.embed_documents(["warm"])
    embedding = 0.0
    text = "\n\n".join(f"{p.text} This is round {i}." for i in range(4) for p in _passages())
    began = time.process_time()
    store.add(Article.from_text(text))
    whole = time.process_time() - began
    store.close()
    # Processor seconds, which a busy computer stretches less; tests/bench.py measures the clock's.
    assert embedding / whole > 0.75


def _passages() -> list[Any]:
    return chunk(bundled(), load_embedder().token_counter())
