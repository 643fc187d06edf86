"""How well and how fast sentences are found, beside libraries that are made for it."""

from __future__ import annotations

import gzip
import json
import re
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.progress import track

from index import bundled
from index.sentences import sentence_spans
from tests.measure.common import evaluation, table
from tests.test_sentences import CASES, END

Spans = list[tuple[int, int]]
Splitter = Callable[[str], Spans]

DATA = ("wice_dev.claims.jsonl.gz", "dev.jsonl")
"""Names of WiCE's development claims: JSON Lines whose ``evidence`` is a page cut in sentences."""

ROUNDS = 5
"""Times that each library splits the bundled article; the libraries take turns."""

_STOPPED = re.compile(r"[.!?…][\"”’'»)\]]*\s*$")


def measure(*, quick: bool, data: Path | None) -> str:
    """Return the table.

    Args:
        quick: whether to read a tenth of the data only.
        data: folder with WiCE's claims, or one with that as evaluate; None skips what needs them.
    """
    warnings.simplefilter("ignore")  # of the other libraries
    found = {name: make for name, make in LIBRARIES.items() if importable(make)}
    splitters = {name: make() for name, make in found.items()}
    cases = [str(case.values[0]) for case in CASES]
    runs, told = [], "WiCE skipped: give its folder with --data"
    if data is not None:
        folder = evaluation(data)
        file = next((folder / name for name in DATA if (folder / name).exists()), None)
        told = f"WiCE skipped: none of {', '.join(DATA)} is in the folder"
        if file is not None:
            runs = wice(file)[:: 10 if quick else 1]
            told = f"WiCE: {len(runs)} runs of prose, {sum(len(t) for t, _ in runs):,} characters"
    times = speeds(splitters)
    ours = next(iter(times.values()))
    rows: list[list[object]] = []
    for name in LIBRARIES:
        if name not in splitters:
            rows.append([name, "not installed", *[None] * 5])
            continue
        split = splitters[name]
        right = sum(attempt(split, case.replace(END, "")) == gold(case) for case in cases)
        scores = boundary_scores(split, runs) if runs else (None, None, None)
        speed = f"{ours / times[name]:.2g}"
        rows.append([name, version(name), f"{right} of {len(cases)}", *scores, speed])
    titles = ["splitter", "version", "hard cases", "precision", "recall", "F1", "speed"]
    what = "Sentence splitters on the hard cases of tests/test_sentences.py and on gold sentences"
    return table(f"{what} ({told}), speed on the bundled article as a ratio", titles, rows)


# -- the libraries, each as it comes --


def ours() -> Splitter:
    return sentence_spans


def nupunkt() -> Splitter:
    import nupunkt

    return lambda text: stripped(text, nupunkt.sentence_spans(text))


def blingfire() -> Splitter:
    import blingfire

    return lambda text: stripped(text, blingfire.text_to_sentences_and_offsets(text)[1])


def segtok() -> Splitter:
    from segtok.segmenter import split_multi

    return lambda text: located(text, split_multi(text))


def syntok() -> Splitter:
    from syntok import segmenter

    def split(text: str) -> Spans:
        sentences = [s for p in segmenter.analyze(text) for s in p if s]
        return [(s[0].offset, s[-1].offset + len(s[-1].value)) for s in sentences]

    return lambda text: stripped(text, split(text))


def pysbd() -> Splitter:
    import pysbd

    segmenter = pysbd.Segmenter(language="en", clean=False)
    return lambda text: located(text, segmenter.segment(text))


LIBRARIES: dict[str, Callable[[], Splitter]] = {
    "index.sentences": ours,
    "nupunkt": nupunkt,
    "blingfire": blingfire,
    "segtok": segtok,
    "syntok": syntok,
    "pysbd": pysbd,
}


def importable(make: Callable[[], Splitter]) -> bool:
    """Whether a splitter can be made here."""
    with suppress(ImportError):
        make()
        return True
    return False


def version(name: str) -> str:
    """Return the version of a library; ours has nupunkt's."""
    if name == "index.sentences":
        return f"nupunkt {metadata.version('nupunkt')}"
    return metadata.version(name)


def stripped(text: str, spans: Iterable[tuple[int, int]]) -> Spans:
    """Return spans without the white space at their ends, and none that hold nothing else."""
    parts = ((text[start:end], start) for start, end in spans)
    return [
        (start + len(part) - len(part.lstrip()), start + len(part.rstrip()))
        for part, start in parts
        if part.strip()
    ]


def located(text: str, parts: Iterable[str]) -> Spans:
    """Return where strings stand that follow each other in a text; only white space may differ.

    Raises:
        ValueError: one of them is not the text's next.
    """
    spans, i = [], 0
    for part in parts:
        start = None
        for ch in "".join(part.split()):
            while i < len(text) and text[i].isspace():
                i += 1
            if text[i : i + 1] != ch:
                raise ValueError(f"{part[:40]!r} is not what follows at {i}")
            start = i if start is None else start
            i += 1
        if start is not None:
            spans.append((start, i))
    return spans


# -- what is measured --


def gold(case: str) -> Spans:
    """Return the sentences of a hard case, from its marks."""
    return located(case.replace(END, ""), case.split(END))


def attempt(split: Splitter, text: str) -> Spans:
    """Return the sentences of a text, none where the library fails on it."""
    try:
        return split(text)
    except (ValueError, IndexError):
        return []


def wice(file: Path) -> list[tuple[str, set[int]]]:
    """Return runs of three or more sentences that end in a stop, joined, with where each ends."""
    lines = (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8")
    with lines as stream:
        pages = sorted({tuple(json.loads(line)["evidence"]) for line in stream})
    runs = []
    for page in pages:
        run: list[str] = []
        for sentence in [*(s.strip() for s in page), ""]:
            if _STOPPED.search(sentence) and len(sentence) > 14:
                run.append(sentence)
                continue
            if len(run) >= 3:
                ends = {len(" ".join(run[: i + 1])) for i in range(len(run) - 1)}
                runs.append((" ".join(run), ends))
            run = []
    return runs


def boundary_scores(
    split: Splitter, runs: Sequence[tuple[str, set[int]]]
) -> tuple[float, float, float]:
    """Return precision, recall and F1 of the ends of sentences inside the runs."""
    right = found = wanted = 0
    for text, ends in track(runs, "Splitting", console=Console(stderr=True), transient=True):
        inside = {end for _, end in attempt(split, text)} - {len(text)}
        right += len(inside & ends)
        found += len(inside)
        wanted += len(ends)
    precision, recall = right / max(1, found), right / max(1, wanted)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def speeds(splitters: dict[str, Splitter]) -> dict[str, float]:
    """Return the seconds of each splitter for the bundled article, the median of some rounds."""
    text = bundled().text
    times: dict[str, list[float]] = {name: [] for name in splitters}
    for split in splitters.values():
        attempt(split, text)
    for _ in range(ROUNDS):
        for name, split in splitters.items():
            began = time.process_time()
            attempt(split, text)
            times[name].append(time.process_time() - began)
    return {name: statistics.median(t) for name, t in times.items()}
