"""The network of the reader, its first weights, and its export; needs the extra ``train``."""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from index.embed import quiet_models
from index.weights import EMBEDDER, READER, RERANKER, SUPPORT, Weights

if TYPE_CHECKING:
    from transformers import BertModel

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_PARAMETER = re.compile(r"(?:trunk|span|here|support|bert|classifier)\.")
"""How the names of parameters begin, in the reader and in the reranker."""

OUTPUTS = ("starts", "ends", "here", "support")


class SpanReader(nn.Module):
    """A transformer encoder that points at an answer in a passage, or says that it is not there.

    Three heads on one trunk: for each token whether the answer starts or ends there (Devlin et al.
    2019, "BERT", section 4.3, with the first token standing for "not here"); for the pair whether
    the passage answers the question; and, of a claim in the question's place, whether the passage
    supports it; the last two from the pooled first token.
    """

    def __init__(self, trunk: BertModel) -> None:
        """Put fresh heads on a trunk that has a pooler."""
        super().__init__()
        self.trunk = trunk
        self.span = nn.Linear(trunk.config.hidden_size, 2)
        self.here = nn.Linear(trunk.config.hidden_size, 1)
        self.support = nn.Linear(trunk.config.hidden_size, 1)
        nn.init.normal_(self.span.weight, std=0.02)
        nn.init.zeros_(self.span.bias)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return logits: starts and ends (batch, tokens), here and support (batch,)."""
        out = self.trunk(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        )
        starts, ends = self.span(out.last_hidden_state).unbind(-1)
        pooled = out.pooler_output
        return starts, ends, self.here(pooled).squeeze(-1), self.support(pooled).squeeze(-1)

    def freeze(self, layers: int) -> None:
        """Keep the embeddings and so many of the lowest layers as they are."""
        for part in (self.trunk.embeddings, *self.trunk.encoder.layer[:layers]):
            part.requires_grad_(False)


def from_reranker() -> SpanReader:
    """Return a reader whose trunk is the embedded reranker's, its int8 weights dequantised.

    The reranker was trained to see whether a passage answers a query: its relevance head is where
    "here" and "support" start from.
    """
    state = dequantise(RERANKER)
    reader = SpanReader(_trunk(state))
    reader.trunk.load_state_dict(
        {k.removeprefix("bert."): v for k, v in state.items() if k.startswith("bert.")}
    )
    with torch.no_grad():
        for head in (reader.here, reader.support):
            head.weight.copy_(state["classifier.weight"])
            head.bias.copy_(state["classifier.bias"])
    return reader


def from_shipped(weights: Weights = READER) -> SpanReader:
    """Return a network of this package, its int8 weights dequantised, to train it further."""
    state = dequantise(weights)
    reader = SpanReader(_trunk({f"bert.{k.removeprefix('trunk.')}": v for k, v in state.items()}))
    for part in ("weight", "bias"):
        state.setdefault(f"support.{part}", state[f"here.{part}"])  # before it had this head
    reader.load_state_dict(state)
    return reader


def _trunk(state: Mapping[str, Tensor]) -> BertModel:
    """Return an encoder of the shape that these parameters have, with fresh weights."""
    from transformers import BertConfig, BertModel

    layers = 1 + max(int(m[1]) for k in state if (m := re.search(r"layer\.(\d+)\.", k)))
    words, width = state["bert.embeddings.word_embeddings.weight"].shape
    return BertModel(
        BertConfig(
            vocab_size=words,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=width // 32,
            intermediate_size=state["bert.encoder.layer.0.intermediate.dense.bias"].shape[0],
            hidden_dropout_prob=0.0,  # a third of the time on a CPU, for one pass over the data
            attention_probs_dropout_prob=0.0,
        )
    )


def from_embedder() -> SpanReader:
    """Return a reader whose trunk is the embedded six-layer embedder's."""
    from transformers import BertModel

    with quiet_models(offline=True):
        trunk = BertModel.from_pretrained(
            EMBEDDER.locate(), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
        )
    return SpanReader(trunk)


STARTS: dict[str, Callable[[], SpanReader]] = {
    "reranker": from_reranker,
    "embedder": from_embedder,
    "shipped": from_shipped,
    "support": lambda: from_shipped(SUPPORT),
}
"""What a trunk can start from."""


def dequantise(weights: Weights) -> dict[str, Tensor]:
    """Return the parameters of an int8 ONNX file by their names in the network.

    A matrix product lost its name in the export: the bias that is added after it says whose it is.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(weights.locate() / next(iter(weights.files)))).graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def matrix(quantised: str) -> Tensor:
        plain = quantised.removesuffix("_quantized")
        scale, zero = stored[f"{plain}_scale"], stored[f"{plain}_zero_point"]
        return torch.tensor((stored[quantised].astype("float32") - zero) * scale)

    state = {k: torch.tensor(v) for k, v in stored.items() if _PARAMETER.match(k)}
    state = {k: v for k, v in state.items() if v.dtype == torch.float32 and "_scale" not in k}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            step = node
            while step.op_type != "Add":
                (step,) = users[step.output[0]]
            (bias,) = (name for name in step.input if name in stored)
            state[bias.removesuffix("bias") + "weight"] = matrix(node.input[1]).T.contiguous()
        elif node.op_type == "Gather" and node.input[0].endswith("_quantized"):
            state[node.input[0].removesuffix("_quantized")] = matrix(node.input[0])
    return state


def export(reader: SpanReader, file: Path, *, quantised: bool = True) -> None:
    """Write the reader as an ONNX file, its weights as int8 or as float32."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    for name in ("torch.onnx", "torch.onnx._internal.exporter._registration"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what it lacks is not needed
    reader.eval()
    sample = {name: torch.ones(2, 8, dtype=torch.long) for name in INPUTS}
    batch, tokens = torch.export.Dim("batch"), torch.export.Dim("tokens", min=4, max=512)
    with (
        tempfile.TemporaryDirectory() as folder,
        quiet_models(offline=True),
        warnings.catch_warnings(action="ignore"),  # about the exporter's own insides
    ):
        plain = Path(folder) / "reader.onnx"
        program = torch.onnx.export(
            reader,
            kwargs=sample,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes={name: {0: batch, 1: tokens} for name in INPUTS},
            dynamo=True,
            verbose=False,
        )
        program.save(str(plain))
        if quantised:
            quantize_dynamic(plain, file, weight_type=QuantType.QInt8, per_channel=True)
        else:
            onnx.save(onnx.load(str(plain)), str(file))
        without_traces(file)


def without_traces(file: Path) -> None:
    """Take out of an ONNX file the stack traces and paths that the exporter notes at each node."""
    import onnx

    model = onnx.load(str(file))
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.value_info, *graph.input,
                 *graph.output):  # fmt: skip
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, str(file))
