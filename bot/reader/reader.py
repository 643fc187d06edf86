"""Our own models: the exact answer in a passage or that it is not there, and what it supports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from bot.onnx import MAX_TOKENS, OnnxEncoder, pool
from bot.reader.spans import TextSpan, best_spans
from index.weights import READER, RERANKER, SUPPORT, Weights

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

T = TypeVar("T")

OUTPUT = 3
"""Which output of the network the support head is."""

STRIDE = 128
"""Tokens that the windows of a long passage share, so that no answer is cut in two."""

_SUPPORT_LOCK = threading.Lock()

MOST_ASKED = 128
"""Tokens of a question that are read; the passage needs the rest of the window."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of a question and one passage.

    Attributes:
        here: log odds that the passage answers the question.
        spans: the likeliest answers, best first, none within another.
    """

    here: float
    spans: tuple[TextSpan, ...]

    @property
    def certainty(self) -> float:
        """Both heads' say on whether the passage answers: the sum of their log odds."""
        return self.here + (self.spans[0].logit if self.spans else -abs(self.here))


class _Pairs:
    """A model that reads a text beside each of several passages; it is loaded at first use.

    Safe to use from many threads. A passage longer than the network reads at once is read in
    windows that overlap.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._encoder: OnnxEncoder | None = None
        self._questions: Tokenizer | None = None
        self._pool = pool(name)

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._encoder is not None

    def load(self) -> None:
        """Load the model now.

        Raises:
            WeightsError: its files are missing or differ.
        """
        with self._lock:
            if self._encoder is None:
                encoder = OnnxEncoder(self._weights, RERANKER)
                self._questions = encoder.copy_tokenizer(MOST_ASKED)
                encoder.truncate(MAX_TOKENS, STRIDE, "only_second")
                self._encoder = encoder

    def _each(
        self, question: str, passages: Sequence[str], run: Callable[[Encoding], T]
    ) -> list[list[T]]:
        """Return what is found in each window of each passage."""
        if not passages:
            return []
        self.load()
        assert self._encoder is not None
        windows: list[tuple[int, Encoding]] = []
        question = self._cut(question)
        pairs = [(question, text) for text in passages]
        for i, encoding in enumerate(self._encoder.encode(pairs)):
            windows += [(i, e) for e in (encoding, *encoding.overflowing)]
        found: list[list[T]] = [[] for _ in passages]
        for (i, _), one in zip(windows, self._pool.map(run, [e for _, e in windows]), strict=True):
            found[i].append(one)
        return found

    def _cut(self, question: str) -> str:
        assert self._questions is not None
        offsets = self._questions.encode(question, add_special_tokens=False).offsets
        return question[: offsets[-1][1]] if offsets else ""

    def _run(self, encoding: Encoding) -> list[Any]:
        assert self._encoder is not None
        return self._encoder.run(encoding)


class Reader(_Pairs):
    """Finds exact answers in passages."""

    def __init__(self) -> None:
        """Load nothing yet."""
        super().__init__(READER, "reader")

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """Return what each passage answers.

        Args:
            question: a question that stands alone.
            passages: texts; offsets of spans are into them.
        """
        return [_merged(readings) for readings in self._each(question, passages, self._read)]

    def _read(self, encoding: Encoding) -> Reading:
        starts, ends, here, *_ = self._run(encoding)
        return Reading(float(here), best_spans(encoding, starts, ends))


class SupportModel(_Pairs):
    """Says whether passages support a claim."""

    def __init__(self) -> None:
        """Load nothing yet."""
        super().__init__(SUPPORT, "support")

    def support(self, claim: str, passages: Sequence[str]) -> list[float]:
        """Return the log odds that each passage supports a claim, the best of its windows.

        Args:
            claim: a sentence that stands alone.
            passages: texts.
        """
        return [max(found) for found in self._each(claim, passages, self._support)]

    def _support(self, encoding: Encoding) -> float:
        return float(self._run(encoding)[OUTPUT])


def _merged(readings: Sequence[Reading]) -> Reading:
    """Return what the windows of a passage say together."""
    if len(readings) == 1:
        return readings[0]
    spans = sorted({s for r in readings for s in r.spans}, key=lambda s: -s.logit)
    kept: list[TextSpan] = []
    for span in spans:
        if not any(span.start < k.end and k.start < span.end for k in kept):
            kept.append(span)
    return Reading(max(r.here for r in readings), tuple(kept))


@lru_cache(maxsize=1)
def load_reader() -> Reader:
    """Return the reader of this process; it is shared, since it holds tens of megabytes."""
    return Reader()


def load_support_model() -> SupportModel:
    """Return the support model of this process, shared likewise; it is loaded at first use."""
    with _SUPPORT_LOCK:  # many threads may come first
        return _support_model()


@lru_cache(maxsize=1)
def _support_model() -> SupportModel:
    return SupportModel()
