"""Train the reader: ``python -m bot.reader.train DATA_FOLDER``; needs the extra ``train``.

Stopped at any point, the same command goes on from the last checkpoint.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from bot.cache import KEY, file_digest, key_of
from bot.metrics import auroc, exact_match, mean, token_f1
from bot.reader import claims, corrupt
from bot.reader import examples as made
from bot.reader.examples import Example, TrainingDataError
from bot.reader.model import INPUTS, STARTS, SpanReader, export
from bot.reader.spans import best_spans
from index.embed import load_embedder
from index.weights import RERANKER

log = logging.getLogger(__name__)

MAX_TOKENS = 384
"""What the network reads of a question and a passage together while it is trained."""


KEPT = 250
"""Steps after which a checkpoint is written."""

WATCHED = 400
"""Examples of each kind at most that training is watched by."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the reader is trained.

    Attributes:
        trunk: what the trunk starts from, one of ``STARTS``.
        seed: of the examples, their order and the fresh heads.
        rate: peak learning rate of the trunk; the heads' is five times that.
        warmup: share of the steps over which the rate rises; it then falls linearly to zero.
        frozen: lowest layers, and the embeddings, that stay as they are.
        tokens: padded tokens of a batch.
        epochs: passes over the examples.
        questions: share of the questions that are trained on.
        claims: share of the claims.
        decay: weight decay of AdamW.
        clip: longest gradient.
    """

    trunk: str = "reranker"
    seed: int = 0
    rate: float = 1.2e-4
    warmup: float = 0.05
    frozen: int = 5
    tokens: int = 3600
    epochs: int = 1
    decay: float = 0.01
    clip: float = 1.0
    questions: float = 1.0
    claims: float = 1.0


RECIPE = Recipe()


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples as the network takes them, padded to the longest.

    Attributes:
        inputs: token ids, mask and types, each (batch, tokens).
        allowed: where an answer may start or end: the passage and the first token.
        starts: where an accepted answer starts; the first token where there is none.
        ends: where an accepted answer ends, likewise.
        here: 1.0 where the passage answers.
        claims: whether it is a claim, and not a question.
        supported: 1.0 where the passage supports the claim.
    """

    inputs: dict[str, Tensor]
    allowed: Tensor
    starts: Tensor
    ends: Tensor
    here: Tensor
    claims: Tensor
    supported: Tensor


def tokenizer() -> Tokenizer:
    """Return the reranker's tokenizer, which the reader shares."""
    found: Tokenizer = Tokenizer.from_file(str(RERANKER.locate() / "tokenizer.json"))
    found.enable_truncation(MAX_TOKENS, strategy="only_second")
    found.no_padding()
    return found


def encode(batch: Sequence[tuple[Example, Encoding]], device: str) -> Batch:
    """Pad encoded examples and mark their answers."""
    longest = max(len(e.ids) for _, e in batch)
    shape = (len(batch), longest)
    inputs = {name: torch.zeros(shape, dtype=torch.long) for name in INPUTS}
    allowed, starts, ends = (torch.zeros(shape, dtype=torch.bool) for _ in range(3))
    for row, (example, encoding) in enumerate(batch):
        size = len(encoding.ids)
        inputs["input_ids"][row, :size] = torch.tensor(encoding.ids)
        inputs["attention_mask"][row, :size] = 1
        inputs["token_type_ids"][row, :size] = torch.tensor(encoding.type_ids)
        offsets = encoding.offsets
        passage = [i for i, s in enumerate(encoding.sequence_ids) if s == 1]
        allowed[row, 0] = True
        allowed[row, passage] = True
        found = False
        for start, end in example.spans:
            inside = [i for i in passage if offsets[i][0] < end and start < offsets[i][1]]
            if inside and offsets[inside[-1]][1] >= end:
                found = True
                starts[row, inside if example.weak else inside[:1]] = True
                ends[row, inside if example.weak else inside[-1:]] = True
        if not found:
            starts[row, 0] = ends[row, 0] = True
    here = (~starts[:, 0]).float()
    claims = torch.tensor([e.supported is not None for e, _ in batch])
    supported = torch.tensor([float(bool(e.supported)) for e, _ in batch])
    parts = (allowed, starts, ends, here, claims, supported)
    return Batch({k: v.to(device) for k, v in inputs.items()}, *(p.to(device) for p in parts))


def loss(reader: SpanReader, batch: Batch) -> Tensor:
    """Return the mean loss of a batch.

    Of a question: cross entropy of the start and of the end, summed over all accepted places (the
    marginal likelihood of Clark and Gardner 2018, "Simple and effective multi-paragraph reading
    comprehension"), and of whether the answer is here. Of a claim: of whether it is supported.
    """
    starts, ends, here, support = (x.float() for x in reader(**batch.inputs))
    lost = torch.zeros_like(here)
    for logits, accepted in ((starts, batch.starts), (ends, batch.ends)):
        everywhere = logits.masked_fill(~batch.allowed, -1e4).logsumexp(-1)
        lost = lost + (everywhere - logits.masked_fill(~accepted, -1e4).logsumexp(-1)) / 2
    binary = torch.nn.functional.binary_cross_entropy_with_logits
    lost = lost + binary(here, batch.here, reduction="none")
    return torch.where(
        batch.claims, binary(support, batch.supported, reduction="none"), lost
    ).mean()


def batches(
    examples: Sequence[Example], encodings: Sequence[Encoding], recipe: Recipe
) -> list[list[int]]:
    """Return the examples of each step, those of a batch about equally long."""
    rng = random.Random(recipe.seed)  # noqa: S311  # nothing secret is drawn
    steps = []
    for _ in range(recipe.epochs):
        order = sorted(range(len(examples)), key=lambda i: len(encodings[i].ids) + rng.random() * 8)
        epoch: list[list[int]] = [[]]
        longest = 0
        for i in order:
            longest = max(longest, len(encodings[i].ids))
            if epoch[-1] and (len(epoch[-1]) + 1) * longest > recipe.tokens:
                epoch.append([])
                longest = len(encodings[i].ids)
            epoch[-1].append(i)
        rng.shuffle(epoch)
        steps.extend(epoch)
    return steps


@torch.no_grad()
def watch(reader: SpanReader, examples: Sequence[Example], device: str) -> dict[str, float]:
    """Return exact match and F1 of the answerable, AUROC of answerability and of support."""
    reader.eval()
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in examples])
    exact: list[float] = []
    f1: list[float] = []
    answerable: list[tuple[float, bool]] = []
    supported: list[tuple[float, bool]] = []
    for i in range(0, len(examples), 32):
        rows = list(zip(examples[i : i + 32], encodings[i : i + 32], strict=True))
        batch = encode(rows, device)
        outputs = [x.float().cpu().numpy() for x in reader(**batch.inputs)]
        for (example, encoding), start, end, here, support in zip(rows, *outputs, strict=True):
            if example.supported is not None:
                supported.append((float(support), example.supported))
                continue
            span = next(iter(best_spans(encoding, start, end, 1)), None)
            answerable.append((float(here), example.answerable))
            if example.answerable and span:
                answers = [example.text[s:e] for s, e in example.spans]
                exact.append(exact_match(example.text[span.start : span.end], answers))
                f1.append(token_f1(example.text[span.start : span.end], answers))
    reader.train()
    figures = {
        "exact": mean(exact),
        "f1": mean(f1),
        "auroc": auroc(*map(list, zip(*answerable, strict=True))) if answerable else None,
        "support": auroc(*map(list, zip(*supported, strict=True))) if supported else None,
    }
    return {k: round(v, 4) for k, v in figures.items() if v is not None}


def train(
    folder: Path,
    output: Path,
    recipe: Recipe,
    device: str,
    *,
    start: Path | None = None,
    most: int | None = None,
) -> SpanReader:
    """Train a reader, keeping checkpoints in a folder; go on from the last one there.

    The weights are written to ``reader.pt`` once every step is done.

    Args:
        folder: the data folder.
        output: where examples, checkpoints and the log are kept.
        recipe: how to train.
        device: "cpu" or "cuda".
        start: weights of an earlier run to start from; by default the reranker's.
        most: step after which to stop for now.

    Raises:
        TrainingDataError: the data folder lacks a set, or the checkpoint is of another recipe,
            other data or other first weights.
    """
    torch.manual_seed(recipe.seed)
    output.mkdir(parents=True, exist_ok=True)
    data = _data_digest(folder)
    training, watched = _examples(folder, output, recipe, data)
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in training])
    steps = batches(training, encodings, recipe)
    reader = STARTS[recipe.trunk]()
    checkpoint = output / "checkpoint.pt"
    made_by = {**asdict(recipe), "data": data, "start": file_digest(start) if start else ""}
    if start:
        reader.load_state_dict(torch.load(start, weights_only=True, map_location=device))
    reader.to(device).train()
    reader.freeze(recipe.frozen)
    optimiser, schedule = _optimiser(reader, recipe, len(steps))
    done = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True, map_location=device)
        if kept["recipe"] != made_by:
            differs = [n for n, value in made_by.items() if kept["recipe"].get(n) != value]
            raise TrainingDataError(
                f"{checkpoint} was made by another recipe; these differ: {', '.join(differs)}. It "
                f"was {kept['recipe']}. Give that one, or another output folder."
            )
        reader.load_state_dict(kept["reader"])
        optimiser.load_state_dict(kept["optimiser"])
        schedule.load_state_dict(kept["schedule"])
        done = kept["step"]
        log.info("going on from step %d", done)
    with (output / "log.jsonl").open("a", encoding="utf-8") as journal, _bar() as bar:
        if not done:
            _note(journal, recipe=asdict(recipe), examples=len(training), steps=len(steps))
        last = min(len(steps), most or len(steps))
        task = bar.add_task("", total=last, completed=done, loss=0.0)
        running, began = 0.0, time.monotonic()
        for step in range(done, last):
            batch = encode([(training[i], encodings[i]) for i in steps[step]], device)
            with torch.autocast(device, torch.bfloat16):
                lost = loss(reader, batch)
            lost.backward()
            torch.nn.utils.clip_grad_norm_(reader.parameters(), recipe.clip)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            seen = step + 1 - done
            running += (lost.item() - running) / min(seen, 50)
            bar.update(task, advance=1, loss=running)
            if (step + 1) % 50 == 0 or step + 1 == last:
                _note(
                    journal, step=step + 1, loss=round(running, 4), rate=schedule.get_last_lr()[0],
                    seconds=round(time.monotonic() - began, 1),
                )  # fmt: skip
            if (step + 1) % KEPT == 0 or step + 1 == last:
                _note(journal, step=step + 1, watched=watch(reader, watched, device))
                state = {
                    "recipe": made_by, "step": step + 1, "reader": reader.state_dict(),
                    "optimiser": optimiser.state_dict(), "schedule": schedule.state_dict(),
                }  # fmt: skip
                torch.save(state, checkpoint.with_suffix(".new"))
                checkpoint.with_suffix(".new").replace(checkpoint)
    if last == len(steps):
        torch.save(reader.state_dict(), output / "reader.pt")
    return reader


def _data_digest(folder: Path) -> str:
    """Return a digest of the training files and of how examples are made of them."""
    ours = (Path(str(module.__file__)) for module in (made, claims, corrupt))
    files = [*(folder / "train").glob("*.jsonl.gz"), *ours]
    return key_of({file.name: file_digest(file) for file in files})[:KEY]


def _examples(
    folder: Path, output: Path, recipe: Recipe, data: str
) -> tuple[list[Example], list[Example]]:
    """Return what is trained on, and what training is watched by: so many of each kind."""
    rng = random.Random(recipe.seed)  # noqa: S311  # nothing secret is drawn
    training: list[Example] = []
    watched: list[Example] = []
    kinds: dict[str, tuple[float, Callable[[], tuple[list[Example], list[Example]]]]] = {
        "questions": (recipe.questions, lambda: made.make(folder, load_embedder(), recipe.seed)),
        "claims": (recipe.claims, lambda: claims.make_claims(folder, recipe.seed)),
    }
    for kind, (share, make) in kinds.items():
        if not share:
            continue
        files = [
            output / f"{kind}-{part}-{recipe.seed}-{data}.jsonl.gz" for part in ("train", "watch")
        ]
        if not all(file.exists() for file in files):
            for file, examples in zip(files, make(), strict=True):
                made.save(examples, file)
        kept, out = (made.load(file) for file in files)
        training += rng.sample(kept, round(share * len(kept)))
        watched += rng.sample(out, min(WATCHED, len(out)))
    return training, watched


def _optimiser(reader: SpanReader, recipe: Recipe, steps: int) -> tuple[Any, Any]:
    heads = [p for name, p in reader.named_parameters() if not name.startswith("trunk.")]
    trunk = [p for p in reader.trunk.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": trunk, "lr": recipe.rate}, {"params": heads, "lr": 5 * recipe.rate}],
        weight_decay=recipe.decay,
    )
    rise = max(1, round(recipe.warmup * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda n: min((n + 1) / rise, max(0.0, (steps - n) / max(1, steps - rise)))
    )
    return optimiser, schedule


def _bar() -> Progress:
    return Progress(
        TextColumn("Training"), BarColumn(), MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip


def _note(journal: Any, **values: object) -> None:
    journal.write(json.dumps(values) + "\n")
    journal.flush()
    log.debug("%s", values)


app = typer.Typer(add_completion=False)


@app.command()
def main(
    data: Annotated[Path, typer.Argument(help="The data folder, with train/ in it.")],
    output: Annotated[
        Path, typer.Option(help="Where examples, checkpoints, log and weights are kept.")
    ] = Path("reader-training"),
    epochs: Annotated[int, typer.Option(help="Passes over the examples.")] = RECIPE.epochs,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = RECIPE.rate,
    frozen: Annotated[int, typer.Option(help="Lowest layers kept as they are.")] = RECIPE.frozen,
    trunk: Annotated[str, typer.Option(help=f"{' or '.join(STARTS)}.")] = RECIPE.trunk,
    questions: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the questions.")
    ] = RECIPE.questions,
    claimed: Annotated[
        float, typer.Option("--claims", min=0, max=1, help="Share of the claims.")
    ] = RECIPE.claims,
    seed: Annotated[int, typer.Option(help="Seed of the examples and their order.")] = 0,
    start: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Weights to start from.")
    ] = None,
    most: Annotated[
        int | None, typer.Option(help="Step after which to stop; the same command goes on.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the span reader and write it as reader.onnx (int8) and reader.float.onnx."""
    logging.basicConfig(
        level=logging.INFO, format="%(message)s", handlers=[RichHandler(show_path=False)]
    )
    if trunk not in STARTS:
        raise typer.BadParameter(f"--trunk is {trunk!r}; give {' or '.join(STARTS)}.")
    recipe = Recipe(trunk=trunk, seed=seed, rate=rate, frozen=frozen, epochs=epochs,
                    questions=questions, claims=claimed)  # fmt: skip
    try:
        reader = train(data, output, recipe, device, start=start, most=most)
    except TrainingDataError as error:
        log.error("%s", error)
        raise typer.Exit(2) from None
    if not (output / "reader.pt").exists():
        log.info("stopped; the same command without --most goes on")
        return
    export(reader.cpu(), output / "reader.float.onnx", quantised=False)
    export(reader, output / "reader.onnx")
    log.info("written: %s", output / "reader.onnx")


if __name__ == "__main__":
    app()
