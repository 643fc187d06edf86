"""The embedding model: texts in, unit vectors out, behind LangChain's interface."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from index.errors import WeightsError
from index.weights import EMBEDDER

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

BUNDLED = "bundled"
BATCH = 32
"""Texts a forward pass; on two cores larger batches only pad more."""

_importing = threading.Lock()


@contextlib.contextmanager
def quiet_models(*, offline: bool) -> Iterator[None]:
    """Import and load sentence-transformers without its bars, warnings and hub calls.

    Args:
        offline: whether the model hub must not be asked (it must not for the bundled models).
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # it warns when a process forks
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if offline:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with _importing:
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        yield


class Embedder(Embeddings):
    """A sentence-transformers model as LangChain ``Embeddings``; loaded at first use.

    Vectors have unit length, so that their dot product is the cosine similarity. Safe to use from
    many threads.

    Args:
        name: ``"bundled"``, or the name or folder of a sentence-transformers model.
    """

    def __init__(self, name: str = BUNDLED) -> None:
        """Remember the name; nothing is loaded yet."""
        self.name = name
        self._model: SentenceTransformer | None = None
        # One at a time: fast tokenizers refuse concurrent use, and torch uses all cores anyway.
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """The model's name and, where it is known, the digest of its weights."""
        if self.name == BUNDLED:
            return f"{EMBEDDER.name}@{EMBEDDER.digest[:12]}"
        weights = Path(self.name) / "model.safetensors"
        return f"{self.name}@{_digest(weights)[:12]}" if weights.is_file() else self.name

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    @property
    def model(self) -> SentenceTransformer:
        """The model, loaded at first use.

        Raises:
            WeightsError: its files are missing or differ.
        """
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each passage: ``len(texts)`` rows of the model's dimension."""
        model = self.model
        with self._lock:
            vectors = model.encode_document(
                list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        rows: list[list[float]] = vectors.tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        return self.embed_queries([text])[0]

    def embed_queries(self, texts: Sequence[str]) -> list[list[float]]:
        """Return a vector for each question, in one pass."""
        model = self.model
        with self._lock:
            vectors = model.encode_query(
                list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        rows: list[list[float]] = vectors.tolist()
        return rows

    def token_counter(self) -> Callable[[str], int]:
        """Return a function that counts the word pieces of a text, without loading the model."""
        if self.name != BUNDLED and not (Path(self.name) / "tokenizer.json").exists():
            tokenizer = self.model.tokenizer
            return lambda text: len(tokenizer.tokenize(text))
        folder = EMBEDDER.locate() if self.name == BUNDLED else Path(self.name)
        fast = _tokenizer(folder / "tokenizer.json")
        return lambda text: len(fast.encode(text, add_special_tokens=False).ids)

    def _load(self) -> SentenceTransformer:
        bundled = self.name == BUNDLED
        path = str(EMBEDDER.locate()) if bundled else self.name
        local = bundled or Path(path).exists()
        with quiet_models(offline=local):
            from sentence_transformers import SentenceTransformer

            log.info("loading the embedding model %s", self.identity)
            try:
                return SentenceTransformer(path, device="cpu", local_files_only=local)
            except Exception as error:
                raise WeightsError(
                    f"The embedding model {self.name!r} cannot be loaded: {error}. Give 'bundled', "
                    "or the folder or name of a sentence-transformers model."
                ) from error


def load_embedder(name: str = BUNDLED) -> Embedder:
    """Return the embedder of that name, the same object for the whole process."""
    return _embedder(name)  # a cache would tell load_embedder() from load_embedder("bundled")


_embedder = lru_cache(maxsize=8)(Embedder)


@lru_cache(maxsize=8)
def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@lru_cache(maxsize=8)
def _tokenizer(file: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
