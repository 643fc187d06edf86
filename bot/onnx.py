"""A transformer encoder in an ONNX file with its tokenizer; how all bundled int8 models run."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from index.weights import Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding, Tokenizer

log = logging.getLogger(__name__)

MAX_TOKENS = 512
"""What the models read of a text, or of a question and a passage together."""


class OnnxEncoder:
    """Runs one text, or pair of texts, a call: safe from many threads.

    The activations of an int8 model are quantised per call, so that batches would make what it
    says of a text depend on its neighbours; a pool of threads keeps every core busy instead.

    Args:
        weights: the model's file.
        tokenizer: whose ``tokenizer.json`` is used; by default the model's own.

    Raises:
        WeightsError: its files are missing or differ.
    """

    def __init__(self, weights: Weights, tokenizer: Weights | None = None) -> None:
        """Load the model."""
        import onnxruntime
        from tokenizers import Tokenizer

        folder = weights.locate()
        log.info("loading %s", weights.name)
        self._tokenizer = Tokenizer.from_file(
            str((tokenizer or weights).locate() / "tokenizer.json")
        )
        self._tokenizer.no_padding()
        self.truncate(MAX_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / next(iter(weights.files))), options, providers=["CPUExecutionProvider"]
        )

    def truncate(self, tokens: int, stride: int = 0, strategy: str = "longest_first") -> None:
        """Set how much is read at once; what overflows is in an encoding's ``overflowing``."""
        self._tokenizer.enable_truncation(tokens, stride=stride, strategy=strategy)

    def copy_tokenizer(self, tokens: int) -> Tokenizer:
        """Return a tokenizer like the encoder's that reads so many tokens."""
        from tokenizers import Tokenizer

        copied = Tokenizer.from_str(self._tokenizer.to_str())
        copied.enable_truncation(tokens)
        return copied

    def encode(self, texts: Sequence[str | tuple[str, str]]) -> list[Encoding]:
        """Return the tokens of texts or of pairs of texts."""
        return list(self._tokenizer.encode_batch(list(texts)))

    def run(self, encoding: Encoding) -> list[NDArray[np.float32]]:
        """Return the outputs for one text, without the batch dimension."""
        import numpy as np

        inputs: dict[str, Any] = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        }
        return [output[0] for output in self._session.run(None, inputs)]


def pool(name: str) -> ThreadPoolExecutor:
    """Return a pool with a thread for each core."""
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix=name)
