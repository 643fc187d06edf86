"""How well unsupported claims are told from supported ones, and where the weights come from."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from bot import verify
from bot.checks import check
from bot.cite import lead_in
from bot.metrics import auroc, calibration_error
from bot.odds import probability
from bot.reader.claims import make_claims
from bot.reader.corrupt import WAYS, Pool, corrupt
from bot.reader.examples import Example
from bot.records import Support
from bot.rerank import load_reranker
from bot.verify import Signs, said_there, support
from index import bundled
from index.sentences import sentence_spans
from tests.measure.common import table
from tests.measure.logistic import Array, logistic, spread_of

PARAPHRASES = Path(__file__).parent.parent / "questions" / "paraphrases.jsonl"

SEEDS = 4
"""Times that each sentence is changed in each way."""

WORDS = 5
"""Words that a sentence has more of to be changed."""

FOR = ("learned", "weakest", "least", "relevance")
"""Signs that speak for a claim; the others speak against it. No weight may be of the other kind."""

HELD = {"stretched": verify.STRETCHED}
"""Weights that are not fitted."""

BAR = Console(stderr=True)


def measure(*, quick: bool, data: Path | None = None) -> str:
    """Return how claims about the bundled article are judged, and with ``data`` the weights."""
    tables = [ours(quick=quick)]
    if data is not None:
        tables += fitted(data, quick=quick)
    return "\n\n".join(tables)


# -- the bundled article --


def ours(*, quick: bool) -> str:
    """Return a table of what becomes of changed sentences, of untouched ones and paraphrases."""
    rows: list[list[object]] = []
    for kind, judged in {**changed(1 if quick else SEEDS), **kept()}.items():
        verdicts = [s.verdict for s in judged]
        rows.append(
            [kind, len(judged), *(verdicts.count(v) / len(judged) for v in VERDICTS),
             1 - verdicts.count("supported") / len(judged)]
        )  # fmt: skip
    return table(
        "What becomes of claims about the bundled article: its sentences changed in seeded ways, "
        "as they stand, and paraphrased; the evidence is the sentence",
        ["claims", "count", *VERDICTS, "marked or struck out"],
        rows,
    )


VERDICTS = ("supported", "weak", "unsupported")


def changed(seeds: int) -> dict[str, list[Support]]:
    """Return how the sentences of the bundled article are judged once changed, by way."""
    text = bundled().text
    spans = [(s, e) for s, e in sentence_spans(text) if len(text[s:e].split()) > WORDS]
    pool = Pool.of([text[s:e] for s, e in spans])
    judged: dict[str, list[Support]] = {way: [] for way in WAYS}
    for seed in range(seeds):
        for way in WAYS:
            rng = random.Random(seed)
            for start, end in spans:
                sentence = text[start:end]
                if claim := corrupt(sentence, way, pool, rng):
                    context = lead_in(text, start, end)
                    judged[way].append(support(claim, sentence, context))
    return judged


def kept() -> dict[str, list[Support]]:
    """Return how sentences as they stand, and paraphrases, are judged."""
    text = bundled().text
    sentences = [text[start:end] for start, end in sentence_spans(text)]
    said = [json.loads(line) for line in PARAPHRASES.read_text("utf-8").splitlines()]
    return {
        "as it stands": [support(s, s) for s in sentences],
        "as it stands, of the whole article": [support(s, text) for s in sentences],
        "paraphrased": [support(row["claim"], row["evidence"]) for row in said],
    }


# -- weights --


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one claim.

    Attributes:
        source: the set it is from and how it was made.
        signs: its signs.
        share: share of its words that are in the evidence.
        relevance: the reranker's logit, for comparison.
        supported: whether it is supported.
    """

    source: str
    signs: Signs
    share: float
    relevance: float
    supported: bool


def fitted(data: Path, *, quick: bool) -> list[str]:
    """Return tables of the weights, of what each sign gives, and of what thresholds do.

    The claims are about documents kept out of training, without those that stand there word for
    word. The weights are fitted on every second one, and all figures are of the others.
    """
    watched = [e for e in make_claims(data)[1] if not said_there(e.question, e.text)]
    random.Random(0).shuffle(watched)
    seen = [see(e) for e in track(watched[:: 5 if quick else 1], "Judging", console=BAR,
                                  transient=True)]  # fmt: skip
    left, right = seen[::2], seen[1::2]
    weights = fit(left)
    in_use = np.array([*astuple(verify.WEIGHTS), verify.BIAS])
    labels = [s.supported for s in right]
    titles = ["weights", *(f.name for f in fields(Signs)), "bias", "AUROC", "calibration error"]
    rows: list[list[object]] = []
    for name, w in {"fitted": weights, "in use": in_use}.items():
        scored = scores(right, w)
        rows.append(
            [name, *map(float, w), auroc(scored, labels), calibration_error(scored, labels)]
        )
    count = f"{len(left)} claims fitted on, {len(right)} others"
    tables = [table(f"Logistic regression of supported on the signs; {count}", titles, rows)]
    tables.append(alone(left, right))
    tables.append(cuts(right, weights))
    tables.append(sources(right, weights))
    return tables


def see(example: Example) -> Seen:
    """Return the signs of a claim, and its relevance to its evidence for comparison."""
    claim, evidence = example.question, example.text
    checks = check(claim, evidence)
    relevance = load_reranker("bundled").score([(claim, evidence)])[0]
    signs = verify.look(claim, evidence, "", checks)
    return Seen(example.source, signs, checks.share, relevance, bool(example.supported))


def fit(seen: Sequence[Seen], *, relevance: bool = False) -> Array:
    """Return a weight for each sign, none against its sense, and the bias."""
    signs = np.array([[*astuple(s.signs), *([s.relevance] if relevance else [])] for s in seen])
    named = [f.name for f in fields(Signs)] + (["relevance"] if relevance else [])
    return logistic(
        signs,
        [s.supported for s in seen],
        spread=spread_of(signs),
        senses=[1 if name in FOR else -1 for name in named],
        held=[HELD.get(name) for name in named],
    )


def alone(left: Sequence[Seen], right: Sequence[Seen]) -> str:
    """Return a table of what single signs and sums of them part."""
    labels = [s.supported for s in right]
    scores: Mapping[str, list[float]] = {
        "support head": [s.signs.learned for s in right],
        "words of the claim": [s.share for s in right],
        "reranker": [s.relevance for s in right],
        "all signs": _odds(right, fit(left)),
        "all signs and the reranker": _odds(right, fit(left, relevance=True), relevance=True),
    }
    return table("AUROC of single signs and of their sum",
                 ["sign", "AUROC"], [[k, auroc(v, labels)] for k, v in scores.items()])  # fmt: skip


def _odds(seen: Sequence[Seen], w: Array, *, relevance: bool = False) -> list[float]:
    return [float(np.dot(w, [*astuple(s.signs), *([s.relevance] if relevance else []), 1.0]))
            for s in seen]  # fmt: skip


def scores(seen: Sequence[Seen], w: Array) -> list[float]:
    """Return the support of claims with these weights."""
    return [probability(o) for o in _odds(seen, w)]


def cuts(right: Sequence[Seen], weights: Array) -> str:
    """Return a table of the shares of claims below each score, and of changed sentences by way."""
    found = scores(right, weights)
    groups = {
        "supported": [s.supported for s in right],
        "others": [not s.supported for s in right],
        **{way: [s.source.endswith(f"-sentence-{way}") for s in right] for way in WAYS},
    }
    groups = {name: of for name, of in groups.items() if any(of)}
    rows: list[list[object]] = []
    for step in range(2, 13):
        below = np.array([p < step * 0.05 for p in found])
        rows.append([f"{step * 0.05:.2f}", *(float(below[np.array(g)].mean())
                                             for g in groups.values())])  # fmt: skip
    titles = [f"{name} ({sum(of)})" for name, of in groups.items()]
    return table("Share of claims below each score", ["score", *titles], rows)


def sources(right: Sequence[Seen], weights: Array) -> str:
    """Return a table of AUROC by source."""
    rows: list[list[object]] = []
    groups: dict[str, list[Seen]] = {}
    for s in right:
        groups.setdefault(s.source.split("-")[0], []).append(s)
    for name, group in sorted(groups.items()):
        labels = [s.supported for s in group]
        if len(set(labels)) == 2:
            rows.append([name, len(group), auroc(_odds(group, weights), labels),
                         auroc([s.signs.learned for s in group], labels)])  # fmt: skip
    return table("AUROC by source", ["source", "claims", "all signs", "support head"], rows)
