"""How fast the bot is, as ratios that hold on any computer: ``python -m tests.bench [--quick]``.

Prints a Markdown table. What is compared is measured in the same run, alternating, so that a busy
computer slows both sides; what is wanted is set on two cores.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot import Bot
    from index import Article

ROOT = Path(__file__).parent.parent
QUESTIONS = Path(__file__).parent / "questions" / "alaska_summit.jsonl"

LIBRARIES = (
    "import torch, sentence_transformers, chromadb, langchain_chroma, onnxruntime, tokenizers"
)
FIRST_ANSWER = """
import sys
from bot import Bot
with Bot.open(sys.argv[1]) as bot:
    assert bot.ask("Where will Trump and Putin meet?").citations
"""


@dataclass(frozen=True)
class Result:
    """A line of the table.

    Attributes:
        what: what was measured.
        value: the number, with its unit.
        wanted: what is wanted; empty where nothing is.
        met: whether it is met.
        detail: what it was made from.
    """

    what: str
    value: str
    wanted: str
    met: bool
    detail: str


class Stopwatch:
    """The wall time during which at least one of several calls runs, on whatever threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._since = 0.0
        self.seconds = 0.0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time counted."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                if self._running == 0:
                    self._since = time.perf_counter()
                self._running += 1
            try:
                return function(*args, **kwargs)
            finally:
                with self._lock:
                    self._running -= 1
                    if self._running == 0:
                        self.seconds += time.perf_counter() - self._since

        return timed


@contextmanager
def models_watched(stopwatch: Stopwatch) -> Iterator[None]:
    """Count the time inside the models: every encoding of a text, every run of an ONNX session."""
    from onnxruntime import InferenceSession
    from sentence_transformers import CrossEncoder, SentenceTransformer

    methods: list[tuple[Any, str]] = [
        (SentenceTransformer, "encode"),
        (SentenceTransformer, "encode_query"),
        (SentenceTransformer, "encode_document"),
        (CrossEncoder, "predict"),
        (InferenceSession, "run"),
    ]
    originals = [getattr(owner, name) for owner, name in methods]
    for (owner, name), original in zip(methods, originals, strict=True):
        setattr(owner, name, stopwatch.wrap(original))
    try:
        yield
    finally:
        for (owner, name), original in zip(methods, originals, strict=True):
            setattr(owner, name, original)


def seconds(function: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def model_share(bot: Bot, questions: Sequence[str]) -> Result:
    """Measure what share of a warm question's time is spent inside the models."""
    stopwatch = Stopwatch()
    with models_watched(stopwatch):
        spent = [seconds(partial(bot.ask, question)) for question in questions]
    share = stopwatch.seconds / sum(spent)
    return Result(
        "share of a warm question inside the models",
        f"{share:.2f}",
        "≥ 0.8",
        share >= 0.8,
        f"{len(questions)} questions, {1000 * statistics.median(spent):.0f} ms each (median)",
    )


def reader_cost(bot: Bot, questions: Sequence[str]) -> Result:
    """Measure what the span reader adds to a warm question's time."""
    from bot.reader import Reader

    stopwatch, original = Stopwatch(), Reader.read
    Reader.read = stopwatch.wrap(original)  # type: ignore[method-assign]  # timed, and put back
    try:
        spent = sum(seconds(partial(bot.ask, question)) for question in questions)
    finally:
        Reader.read = original  # type: ignore[method-assign]  # timed, and put back
    added = stopwatch.seconds / (spent - stopwatch.seconds)
    return Result(
        "time that the span reader adds to a warm question",
        f"{added:.0%}",
        "≤ 60 %",
        added <= 0.6,
        f"{len(questions)} questions",
    )


def throughput(bot: Bot, questions: Sequence[str]) -> Iterator[Result]:
    """Measure the questions a second from one thread and from eight."""
    for threads in (1, 8):
        with ThreadPoolExecutor(threads) as pool:
            took = seconds(partial(list, pool.map(bot.ask, questions)))
        plural = "s" if threads > 1 else ""
        yield Result(
            f"questions a second, {threads} thread{plural}",
            f"{len(questions) / took:.2f}",
            "",
            True,
            f"{len(questions)} questions in {took:.1f} s",
        )


def long_article(paragraphs: int, seed: int) -> Article:
    """Return an article of distinct paragraphs: the bundled one's sentences, shuffled."""
    from index import Article, bundled
    from index.sentences import sentence_spans

    text = bundled().text
    sentences = [text[start:end] for start, end in sentence_spans(text)][1:]
    rng = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < paragraphs:
        made.setdefault(" ".join(rng.sample(sentences, rng.randint(1, 3))))
    return Article.from_text("\n\n".join(made), title=f"Shuffled {seed}")


def indexing(bot: Bot, paragraphs: int, rounds: int) -> Result:
    """Measure indexing as a share of what the embedder alone does on the same passages."""
    from index import chunk

    embedder, store = bot.store.embedder, bot.store
    alone: list[float] = []
    whole: list[float] = []
    count = 0
    for i in range(rounds):
        article = long_article(paragraphs, seed=i)
        texts = [p.searchable for p in chunk(article, embedder.token_counter(), store.chunking)]
        count = len(texts)
        steps: list[tuple[list[float], Callable[[], object]]] = [
            (alone, partial(embedder.embed_documents, texts)),
            (whole, partial(bot.add, article)),
        ]
        for times, step in steps if i % 2 else reversed(steps):
            times.append(seconds(step))
        bot.remove(article.id)
    share = statistics.median(a / w for a, w in zip(alone, whole, strict=True))
    return Result(
        "indexing, share of the embedder alone",
        f"{share:.2f}",
        "≥ 0.85",
        share >= 0.85,
        f"{count} passages: {count / statistics.median(whole):.0f} a second, "
        f"{count / statistics.median(alone):.0f} by the embedder alone (median of {rounds})",
    )


def first_answer(store: Path, pairs: int) -> Result:
    """Measure the time to a first answer in a fresh process against importing the libraries."""

    def run(*command: str) -> float:
        call = [sys.executable, "-W", "ignore", "-c", *command]
        return seconds(
            lambda: subprocess.run(call, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        )

    run(FIRST_ANSWER, str(store))  # brings the files into memory
    imports, answers = [], []
    for _ in range(pairs):
        imports.append(run(LIBRARIES))
        answers.append(run(FIRST_ANSWER, str(store)))
    ratio = statistics.median(a / i for a, i in zip(answers, imports, strict=True))
    return Result(
        "first answer of a fresh process / importing the libraries",
        f"{ratio:.2f}",
        "≤ 1.4",
        ratio <= 1.4,
        f"{statistics.median(answers):.1f} s / {statistics.median(imports):.1f} s "
        f"(median of {pairs})",
    )


def table(results: Sequence[Result]) -> str:
    """Return results as a Markdown table."""
    lines = [
        f"| measured on {os.cpu_count()} cores | value | wanted | met | of |",
        "|---|---:|---:|---|---|",
    ]
    for r in results:
        met = ("yes" if r.met else "no") if r.wanted else "–"
        lines.append(f"| {r.what} | {r.value} | {r.wanted or '–'} | {met} | {r.detail} |")
    return "\n".join(lines)


def main() -> int:
    """Run all measurements and print the table; 1 where something wanted is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough run of about a minute")
    quick = parser.parse_args().quick

    from bot import Bot
    from bot.evaluate import load_questions

    asked = [q.question for q in load_questions(QUESTIONS) if not q.history]
    random.Random(1).shuffle(asked)
    warm, timed, many = asked[:3], asked[3 : 13 if quick else 43], asked[43 : 59 if quick else 91]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with Bot.open(store) as bot:
            bot.load()
            for question in warm:
                bot.ask(question)
            results = [model_share(bot, timed), reader_cost(bot, timed), *throughput(bot, many)]
        with Bot.open(Path(folder) / "long", articles=[]) as bot:
            bot.add(long_article(8, seed=99))
            results.append(indexing(bot, 120 if quick else 300, 1 if quick else 5))
        results.append(first_answer(store, 1 if quick else 3))
    print(table(results))
    return 0 if all(r.met for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
