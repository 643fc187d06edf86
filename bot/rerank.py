"""The reranking models: how relevant a passage is to a question."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.cross_encoders import BaseCrossEncoder

from bot.onnx import OnnxEncoder, pool
from index.embed import BUNDLED, quiet_models
from index.errors import WeightsError
from index.weights import RERANKER, SECOND

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

log = logging.getLogger(__name__)

MOST_ASKED = 400
"""Characters of a question that are scored; the passage needs the rest of the window."""

SECOND_WEIGHT = 30.0
"""Logits that one unit of the bi-encoder's cosine similarity is worth (tests/MEASUREMENTS.md)."""

SECOND_CENTRE = 0.8
"""Cosine similarity at which the bi-encoder neither adds nor takes; its values are narrow."""

SECOND_PROMPT = "Represent this sentence for searching relevant passages: "
"""What the bi-encoder was trained to see before a question."""

REMEMBERED = 20_000
"""Texts whose vectors are kept in memory, about 1.5 kB each; the sentences of many articles."""


class Reranker(BaseCrossEncoder):
    """Scores (question, passage) pairs; its models are loaded at first use.

    The bundled one adds two opinions: a cross-encoder's logit, which is exact about wording, and
    a bi-encoder's cosine similarity, which knows paraphrases better. Safe to use from many
    threads.

    Args:
        name: ``"bundled"``, or the name or folder of a sentence-transformers cross-encoder.
    """

    def __init__(self, name: str = BUNDLED) -> None:
        """Remember the name; nothing is loaded yet."""
        self.name = name
        self._model: _Bundled | _HubCrossEncoder | None = None
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    def load(self) -> None:
        """Load the model now.

        Raises:
            WeightsError: its files are missing or differ.
        """
        with self._lock:
            if self._model is None:
                bundled = self.name == BUNDLED
                self._model = _Bundled() if bundled else _HubCrossEncoder(self.name)

    def score(self, text_pairs: Sequence[tuple[str, str]]) -> list[float]:
        """Return the relevance logit of each (question, passage) pair, about -11 to 11."""
        if not text_pairs:
            return []
        text_pairs = [(question[:MOST_ASKED], text) for question, text in text_pairs]
        self.load()
        assert self._model is not None
        return self._model.score(text_pairs)


class _Bundled:
    """The bundled cross-encoder and bi-encoder, both int8 ONNX."""

    def __init__(self) -> None:
        self._cross = OnnxEncoder(RERANKER)
        self._second = OnnxEncoder(SECOND)
        self._pool = pool("rerank")
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        cross = self._pool.map(
            self._cross_score, self._cross.encode([(q, text) for q, text in pairs])
        )
        wanted = dict.fromkeys(t for q, text in pairs for t in (SECOND_PROMPT + q, text))
        vectors = self._embed(list(wanted))
        likeness = [float(vectors[SECOND_PROMPT + q] @ vectors[text]) for q, text in pairs]
        return [
            logit + SECOND_WEIGHT * (cosine - SECOND_CENTRE)
            for logit, cosine in zip(cross, likeness, strict=True)
        ]

    def _cross_score(self, encoding: Encoding) -> float:
        return float(self._cross.run(encoding)[0][0])

    def _embed(self, texts: list[str]) -> dict[str, NDArray[np.float32]]:
        known = {t: v for t in texts if (v := self._vectors.get(t)) is not None}
        new = [t for t in texts if t not in known]
        found = dict(zip(new, self._pool.map(self._vector, self._second.encode(new)), strict=True))
        if len(self._vectors) + len(found) > REMEMBERED:
            self._vectors = {}
        self._vectors.update(found)
        return known | found

    def _vector(self, encoding: Encoding) -> NDArray[np.float32]:
        import numpy as np

        first: NDArray[np.float32] = self._second.run(encoding)[0][0]  # of the [CLS] mark
        unit: NDArray[np.float32] = first / np.linalg.norm(first)
        return unit


class _HubCrossEncoder:
    """Any cross-encoder that sentence-transformers loads."""

    def __init__(self, name: str) -> None:
        local = Path(name).exists()
        with quiet_models(offline=local):
            from sentence_transformers import CrossEncoder

            try:
                self._model = CrossEncoder(name, device="cpu", local_files_only=local)
            except Exception as error:
                raise WeightsError(
                    f"The cross-encoder {name!r} cannot be loaded: {error}. Give 'bundled', or the "
                    "folder or name of a sentence-transformers cross-encoder."
                ) from error
        self._lock = threading.Lock()

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        from torch.nn import Identity

        with self._lock:
            scores = self._model.predict(
                list(pairs), activation_fn=Identity(), show_progress_bar=False
            )
        return [float(s) for s in scores]


@lru_cache(maxsize=8)
def load_reranker(name: str = BUNDLED) -> Reranker:
    """Return the reranker of that name, the same object for the whole process."""
    return Reranker(name)
