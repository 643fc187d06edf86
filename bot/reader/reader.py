"""The span reader: the exact answer in a passage, or that it is not there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from bot.onnx import MAX_TOKENS, OnnxEncoder, pool
from bot.reader.spans import TextSpan, best_spans
from index.weights import READER, RERANKER

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

STRIDE = 128
"""Tokens that the windows of a long passage share, so that no answer is cut in two."""

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


class Reader:
    """Finds exact answers in passages; its model is loaded at first use.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        """Load nothing yet."""
        self._lock = threading.Lock()
        self._encoder: OnnxEncoder | None = None
        self._questions: Tokenizer | None = None
        self._pool = pool("reader")

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
                encoder = OnnxEncoder(READER, RERANKER)
                self._questions = encoder.copy_tokenizer(MOST_ASKED)
                encoder.truncate(MAX_TOKENS, STRIDE, "only_second")
                self._encoder = encoder

    def read(self, question: str, passages: Sequence[str]) -> list[Reading]:
        """Return what each passage answers.

        A passage longer than the network reads at once is read in windows that overlap.

        Args:
            question: a question that stands alone.
            passages: texts; offsets of spans are into them.
        """
        if not passages:
            return []
        self.load()
        assert self._encoder is not None
        windows: list[tuple[int, Encoding]] = []
        question = self._cut(question)
        pairs = [(question, text) for text in passages]
        for i, encoding in enumerate(self._encoder.encode(pairs)):
            windows += [(i, e) for e in (encoding, *encoding.overflowing)]
        found: list[list[Reading]] = [[] for _ in passages]
        for (i, _), reading in zip(
            windows, self._pool.map(self._read, [e for _, e in windows]), strict=True
        ):
            found[i].append(reading)
        return [_merged(readings) for readings in found]

    def _cut(self, question: str) -> str:
        assert self._questions is not None
        offsets = self._questions.encode(question, add_special_tokens=False).offsets
        return question[: offsets[-1][1]] if offsets else ""

    def _read(self, encoding: Encoding) -> Reading:
        assert self._encoder is not None
        starts, ends, here = self._encoder.run(encoding)
        return Reading(float(here), best_spans(encoding, starts, ends))


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
