"""How well the span reader reads a passage that it is given, as int8 and as float."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from rich.console import Console
from rich.progress import track

from bot.metrics import auroc, contains_answer, exact_match, mean, token_f1
from bot.reader import Reader, Reading
from tests.measure.common import evaluation, read_rows, table

SETS = ("xquad_en", "squad2_dev_eval", "nq_oracle")


@dataclass(frozen=True, slots=True)
class Read:
    """A question of a set and what the reader made of it."""

    row: dict[str, Any]
    text: str
    reading: Reading

    @property
    def answer(self) -> str:
        """The likeliest answer, whether or not one is thought to be there."""
        best = self.reading.spans[0] if self.reading.spans else None
        return self.text[best.start : best.end] if best else ""


def measure(*, quick: bool, data: Path | None = None, weights: Path | None = None) -> str:
    """Return the table; with ``weights``, of a float file as well."""
    if data is None:
        raise SystemExit("Give the folder with the question sets: --data FOLDER")
    data = evaluation(data)
    readers = {"int8": Reader()}
    if weights:
        readers["float"] = with_file(weights)
    rows = []
    for name in SETS:
        read = {kind: ask(reader, data, name, quick=quick) for kind, reader in readers.items()}
        parts: dict[str, Callable[[Read], bool]] = {name: lambda _: True}
        if name == "xquad_en":
            parts |= {
                f"{name}, article not in train": lambda r: not r.row["article_in_train"],
                f"{name}, article in train": lambda r: bool(r.row["article_in_train"]),
            }
        for part, belongs in parts.items():
            rows += [
                [part, kind, *figures([r for r in rs if belongs(r)])] for kind, rs in read.items()
            ]
    return table(
        "The span reader given the passage that the question was written for",
        ["set", "weights", "questions", "F1", "EM", "holds the gold", "AUROC of answerability"],
        rows,
    )


def ask(reader: Reader, data: Path, name: str, *, quick: bool) -> list[Read]:
    """Return what the reader makes of each question of a set."""
    documents = {d["doc_id"]: d for d in read_rows(data / f"{name}.docs.jsonl.gz")}
    questions = read_rows(data / f"{name}.questions.jsonl.gz")[:: 20 if quick else 1]
    print(f"reader: {name}", file=sys.stderr)
    done = []
    steps = range(0, len(questions), 16)
    for i in track(steps, "Reading", console=Console(stderr=True), transient=True):
        for row in questions[i : i + 16]:
            document = documents[row["doc_id"]]
            (reading,) = reader.read(row["question"], [document["text"]])
            row = {"article_in_train": document.get("article_in_train"), **row}
            done.append(Read(row, document["text"], reading))
    return done


def figures(read: Sequence[Read]) -> list[object]:
    """Return count, F1, EM and held gold of the answerable, and AUROC of all."""
    asked = [(r.answer, r.row["answers"]) for r in read if r.row["answerable"]]
    return [
        len(read),
        mean([token_f1(answer, gold) for answer, gold in asked]),
        mean([exact_match(answer, gold) for answer, gold in asked]),
        mean([float(contains_answer(answer, gold)) for answer, gold in asked]),
        auroc([r.reading.certainty for r in read], [r.row["answerable"] for r in read]),
    ]


def with_file(weights: Path) -> Reader:
    """Return a reader that runs another file of weights."""
    reader = Reader()
    reader.load()
    encoder: Any = reader._encoder
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    encoder._session = onnxruntime.InferenceSession(str(weights), options)
    return reader
