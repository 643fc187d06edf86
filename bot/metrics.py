"""The measures of an evaluation as pure functions: plain values in, a number or None out.

None stands for "there is nothing to measure" (no unanswerable question, say); it is never zero.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Place = tuple[str, int, int]
"""A stretch of an article: its id and half-open character offsets ``[start, end)``."""

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

_QUOTES = str.maketrans(dict.fromkeys("‘’‚‛′`´", "'") | dict.fromkeys("“”„‟″«»", '"'))
# Scripts that put spaces between words; in others an answer may stand inside a run of letters.
_SPACED = "0-9A-Za-z\u00c0-\u024f\u0370-\u04ff"
_EDGE = re.compile(f"[{_SPACED}]")


def mean(values: Sequence[float]) -> float | None:
    """Return the arithmetic mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the value below which ``percent`` percent lie; None of nothing.

    Between two values it is interpolated linearly (definition 7 of Hyndman and Fan 1996, "Sample
    quantiles in statistical packages").

    Args:
        values: in any order.
        percent: from 0 to 100.
    """
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Return an interval that the mean of such values lies in; None of nothing.

    The percentile bootstrap (Efron and Tibshirani 1993, "An introduction to the bootstrap",
    chapter 13): the middle ``level`` of the means of ``resamples`` draws with replacement.

    Args:
        values: one for each question.
        level: the share of means that the interval holds, from 0 to 1.
        resamples: how many draws.
        seed: the same seed gives the same interval.
    """
    if not values:
        return None
    import numpy as np

    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(sample), size=(resamples, len(sample)))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(sample[draws].mean(axis=1), [tail, 100 - tail])
    return float(low), float(high)


# -- answers --


def normalise_answer(text: str) -> str:
    """Return an answer without case, ASCII punctuation, articles and extra white space.

    As in SQuAD's official script (Rajpurkar et al. 2016, "SQuAD: 100,000+ questions for machine
    comprehension of text").
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1.0 where a prediction equals an accepted answer after normalising, else 0.0.

    SQuAD's exact match (Rajpurkar et al. 2016): the best over the accepted answers.
    """
    found = normalise_answer(prediction)
    return float(any(found == normalise_answer(answer) for answer in answers))


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Return the harmonic mean of the precision and recall of a prediction's words.

    SQuAD's F1 (Rajpurkar et al. 2016): over the normalised words as a bag, the best over the
    accepted answers. Where either side has no words it is 1.0 if both have none (SQuAD 2.0).
    """
    return max((_f1(prediction, answer) for answer in answers), default=0.0)


def _f1(prediction: str, answer: str) -> float:
    found, wanted = normalise_answer(prediction).split(), normalise_answer(answer).split()
    if not found or not wanted:
        return float(found == wanted)
    common = (Counter(found) & Counter(wanted)).total()
    return 2 * common / (len(found) + len(wanted))


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether a text holds an accepted answer as whole words.

    Case, runs of white space and the style of quotation marks do not matter. Whole words, as in
    the ``has_answer`` of open-domain question answering (Chen et al. 2017, "Reading Wikipedia to
    answer open-domain questions"): "24" is not in "2024".
    """
    folded = _fold(text)
    return any(_stands_in(_fold(answer), folded) for answer in answers)


def _fold(text: str) -> str:
    return " ".join(text.translate(_QUOTES).casefold().split())


def _stands_in(answer: str, text: str) -> bool:
    if not answer:
        return False
    before = rf"(?<![{_SPACED}])" if _EDGE.match(answer[0]) else ""
    after = rf"(?![{_SPACED}])" if _EDGE.match(answer[-1]) else ""
    return re.search(f"{before}{re.escape(answer)}{after}", text) is not None


# -- retrieval --


def hit_at(gold: Sequence[bool], k: int) -> float:
    """Return 1.0 where one of the first ``k`` results is right, else 0.0 (TREC's success@k).

    Args:
        gold: for each result, best first, whether it is right.
        k: how many results are looked at.
    """
    return float(any(gold[:k]))


def reciprocal_rank(gold: Sequence[bool]) -> float:
    """Return 1 / the rank of the first right result, 0.0 where none is right.

    Its mean is the MRR (Voorhees 1999, "The TREC-8 question answering track report").

    Args:
        gold: for each result, best first, whether it is right.
    """
    return next((1 / rank for rank, right in enumerate(gold, 1) if right), 0.0)


# -- citations --


def overlap(one: Place, other: Place) -> bool:
    """Whether two stretches share at least one character of the same article."""
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def match_citations(
    cited: Sequence[Place], gold: Sequence[Sequence[Place]]
) -> tuple[list[bool], list[bool]]:
    """Return, for each citation, whether it is right, and for each evidence, whether it is cited.

    Args:
        cited: the stretches cited.
        gold: for each piece of evidence every place where it stands (a sentence may recur).
    """
    right = [any(overlap(c, place) for places in gold for place in places) for c in cited]
    covered = [any(overlap(c, place) for place in places for c in cited) for places in gold]
    return right, covered


def citation_precision_recall(
    cited: Sequence[Place], gold: Sequence[Sequence[Place]]
) -> tuple[float, float | None]:
    """Return the share of citations that are right and the share of evidence that is cited.

    Citation precision and recall after Liu et al. 2023, "Evaluating verifiability in generative
    search engines", with evidence chosen beforehand in place of a judge: a citation is right
    where it overlaps a piece of evidence in the same article. An answer that cites nothing has
    precision 0.0, since nothing that it says can be checked.

    Args:
        cited: the stretches cited.
        gold: for each piece of evidence every place where it stands (a sentence may recur).

    Returns:
        Precision, and recall (None where there is no evidence to cite).
    """
    right, covered = match_citations(cited, gold)
    return mean(right) or 0.0, mean(covered)


# -- refusals --


def refusal_precision_recall(
    refused: Sequence[bool], answerable: Sequence[bool]
) -> tuple[float | None, float | None]:
    """Return the share of refusals that are due and the share of unanswerable ones refused.

    Precision and recall with "unanswerable" as the positive class, as for the no-answer
    questions of SQuAD 2.0 (Rajpurkar et al. 2018, "Know what you don't know").

    Args:
        refused: for each question, whether it was refused.
        answerable: for each question, whether the article answers it.

    Returns:
        Precision (None where nothing was refused) and recall (None where all are answerable).
    """
    pairs = list(zip(refused, answerable, strict=True))
    precision = mean([not known for no, known in pairs if no])
    recall = mean([no for no, known in pairs if not known])
    return precision, recall


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """Return the chance that a positive scores higher than a negative; ties count half.

    The area under the ROC curve as the Mann-Whitney statistic (Hanley and McNeil 1982, "The
    meaning and use of the area under a receiver operating characteristic curve"), ties by
    mid-rank. Scores that are not a number are left out.

    Args:
        scores: higher for what is thought positive.
        labels: what is positive.

    Returns:
        From 0 to 1; None where there is no positive or no negative.
    """
    pairs = [(s, bool(p)) for s, p in zip(scores, labels, strict=True) if not math.isnan(s)]
    positive, negative = Counter(s for s, p in pairs if p), Counter(s for s, p in pairs if not p)
    wins, below = 0.0, 0
    for score in sorted(positive.keys() | negative.keys()):
        wins += positive[score] * (below + negative[score] / 2)
        below += negative[score]
    total = positive.total() * negative.total()
    return wins / total if total else None


def calibration_error(
    probabilities: Sequence[float], labels: Sequence[bool], bins: int = 10
) -> float | None:
    """Return how far probabilities are from the shares that come true; None of nothing.

    The expected calibration error (Guo et al. 2017, "On calibration of modern neural networks"):
    over bins of equal width, the distance of mean probability and share, weighted by bin size.

    Args:
        probabilities: from 0 to 1.
        labels: what came true.
        bins: how many bins.
    """
    sums: dict[int, list[float]] = {}
    for probability, label in zip(probabilities, labels, strict=True):
        entry = sums.setdefault(min(bins - 1, max(0, int(probability * bins))), [0.0])
        entry[0] += probability - label
    total = len(probabilities)
    return sum(abs(entry[0]) for entry in sums.values()) / total if total else None


def spearman(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties by mid-rank; None where a side does not vary.

    Args:
        one: values.
        other: the values paired with them.
    """
    import numpy as np

    if len(one) < 2 or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    return float(np.corrcoef(_mid_ranks(one), _mid_ranks(other))[0, 1])


def _mid_ranks(values: Sequence[float]) -> list[float]:
    counts = Counter(values)
    rank, below = {}, 0
    for value in sorted(counts):
        rank[value] = below + (counts[value] + 1) / 2
        below += counts[value]
    return [rank[value] for value in values]


def bootstrap_statistic(
    statistic: Callable[..., float | None],
    *columns: Sequence[Any],
    level: float = 0.95,
    resamples: int = 200,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return an interval that a statistic of rows lies in; None where it has no value.

    The percentile bootstrap over rows, for what is no mean (see ``bootstrap_interval``). Draws in
    which the statistic has no value are left out.

    Args:
        statistic: takes as many columns as are given.
        *columns: the columns of the rows, of one length.
        level: the share of values that the interval holds, from 0 to 1.
        resamples: how many draws.
        seed: the same seed gives the same interval.
    """
    if not columns or not columns[0]:
        return None
    import numpy as np

    size, random = len(columns[0]), np.random.default_rng(seed)
    found = []
    for _ in range(resamples):
        picked = random.integers(0, size, size=size).tolist()
        value = statistic(*([column[i] for i in picked] for column in columns))
        if value is not None:
            found.append(value)
    if not found:
        return None
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)


# -- rewrites --


def unigram_recall(text: str, wanted: str) -> float:
    """Return the share of the words of ``wanted`` that a text holds (ROUGE-1 recall, Lin 2004).

    Over words normalised as for SQuAD, as a bag; 1.0 where nothing is wanted.
    """
    held, needed = (
        Counter(normalise_answer(text).split()),
        Counter(normalise_answer(wanted).split()),
    )
    return (held & needed).total() / needed.total() if needed else 1.0
