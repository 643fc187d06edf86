"""Each measure against an independent implementation, on chosen and on generated input."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import Any

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import RR, Success
from scipy.stats import spearmanr
from sklearn.metrics import precision_recall_fscore_support, roc_auc_score
from torchmetrics.functional.text.squad import squad

from bot.metrics import (
    auroc,
    bootstrap_interval,
    bootstrap_statistic,
    calibration_error,
    citation_precision_recall,
    contains_answer,
    exact_match,
    hit_at,
    match_citations,
    mean,
    normalise_answer,
    overlap,
    percentile,
    reciprocal_rank,
    refusal_precision_recall,
    spearman,
    token_f1,
    unigram_recall,
)

untimed = settings(deadline=None)  # the first call of a library imports much

WORDS = st.sampled_from(
    ["the", "a", "an", "on", "friday", "Friday,", "24", "«24»", "U.S.", "u.s", "’s", "-", "Äther"]
)
PHRASES = st.lists(WORDS, max_size=6).map(" ".join) | st.text(
    string.printable + "éЖ中’“", max_size=12
)
FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)


def squad_by_torchmetrics(prediction: str, answers: list[str]) -> tuple[float, float]:
    target: dict[str, Any] = {
        "answers": {"answer_start": [0] * len(answers), "text": answers},
        "id": "q",
    }
    found = squad([{"prediction_text": prediction, "id": "q"}], [target])
    return float(found["exact_match"]) / 100, float(found["f1"]) / 100


@pytest.mark.parametrize(
    ("prediction", "answers", "em", "f1"),
    [
        ("on Friday", ["Friday"], 0.0, 2 / 3),
        ("The Friday.", ["friday"], 1.0, 1.0),
        ("military base in Alaska", ["Alaska", "a base in Alaska"], 0.0, 2 * 3 / (4 + 3)),
        ("Riyadh", ["Istanbul"], 0.0, 0.0),
        ("Friday Friday", ["Friday"], 0.0, 2 / 3),
        ("the", ["a"], 1.0, 1.0),
        ("", ["Friday"], 0.0, 0.0),
    ],
)
def test_squad_by_hand(prediction: str, answers: list[str], em: float, f1: float) -> None:
    assert exact_match(prediction, answers) == em
    assert token_f1(prediction, answers) == pytest.approx(f1)
    assert squad_by_torchmetrics(prediction, answers) == pytest.approx((em, f1))


@untimed
@given(PHRASES, st.lists(PHRASES, min_size=1, max_size=3))
def test_squad_as_torchmetrics(prediction: str, answers: list[str]) -> None:
    found = exact_match(prediction, answers), token_f1(prediction, answers)
    assert found == pytest.approx(squad_by_torchmetrics(prediction, answers), abs=1e-6)


def test_no_accepted_answer_is_never_met() -> None:
    assert exact_match("", []) == 0.0
    assert token_f1("", []) == 0.0
    assert not contains_answer("anything", [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  U.S. base!", "us base"),
        ("an apple a day", "apple day"),
        ("theatre, Anna", "theatre anna"),
        ("well-known", "wellknown"),
        (" \t\n", ""),
    ],
)
def test_normalise_answer(text: str, expected: str) -> None:
    assert normalise_answer(text) == expected


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("They meet on  FRIDAY,\nin Alaska.", "on friday", True),
        ("meet\non\tFriday", "on Friday", True),
        ("«24 hours» of taking office", '"24 hours"', True),
        ("Putin’s visit", "putin's visit", True),
        ("Putin’s visit", "Putin", True),
        ("in 2024", "24", False),
        ("nothing", "no", False),
        ("It is $4.5 million.", "$4.5 million", True),
        ("It is $4.5 million.", "4.5", True),
        ("a U.S. base", "U.S.", True),
        ("STRASSE", "straße", True),
        ("他们星期五在阿拉斯加会面。", "星期五", True),
        ("(a+b)", "a+b", True),
        ("on Monday", "Friday", False),
        ("", "Friday", False),
        ("anything", "  ", False),
    ],
)
def test_contains_answer(text: str, answer: str, expected: bool) -> None:
    assert contains_answer(text, ["never said", answer]) is expected


@untimed
@given(st.lists(st.sampled_from(["on", "Friday", "24", "hours", "U.S.", "land"]), min_size=1),
       st.data())  # fmt: skip
def test_contains_answer_as_token_matching(words: list[str], data: st.DataObject) -> None:
    """On plain words it is ``has_answer``: the tokens of one within those of the other."""
    wanted = data.draw(st.lists(st.sampled_from(["on", "Friday", "24", "hours"]), min_size=1,
                                max_size=3))  # fmt: skip
    spans = [words[i : i + len(wanted)] for i in range(len(words))]
    assert contains_answer("  ".join(words).upper(), [" ".join(wanted)]) is (wanted in spans)


GOLD = st.lists(st.booleans(), min_size=1, max_size=12)


@untimed
@given(st.lists(GOLD, min_size=1, max_size=8))
def test_retrieval_as_trec_eval(rankings: list[list[bool]]) -> None:
    qrels, run = [], []
    for q, gold in enumerate(rankings):
        qrels.append(ir_measures.Qrel(str(q), "elsewhere", 1))  # trec_eval wants one for each
        for rank, right in enumerate(gold):
            qrels.append(ir_measures.Qrel(str(q), f"d{rank}", int(right)))
            run.append(ir_measures.ScoredDoc(str(q), f"d{rank}", -float(rank)))
    measures = [Success @ 1, Success @ 3, Success @ 5, RR]
    expected = ir_measures.calc_aggregate(measures, qrels, run)
    for k in (1, 3, 5):
        assert mean([hit_at(g, k) for g in rankings]) == pytest.approx(expected[Success @ k])
    assert mean([reciprocal_rank(g) for g in rankings]) == pytest.approx(expected[RR])


def test_retrieval_of_nothing() -> None:
    assert hit_at([], 1) == 0.0
    assert reciprocal_rank([]) == 0.0


def test_citations_by_hand() -> None:
    gold = [[("a", 0, 10), ("a", 50, 60)], [("a", 20, 30)], [("b", 0, 10)]]
    # The second place of the first, the edge of the second, the right offsets of a wrong article.
    cited = [("a", 55, 70), ("a", 29, 40), ("a", 30, 40), ("c", 0, 10)]
    assert match_citations(cited, gold) == ([True, True, False, False], [True, True, False])
    assert citation_precision_recall(cited, gold) == (0.5, 2 / 3)
    assert citation_precision_recall([], gold) == (0.0, 0.0)
    assert citation_precision_recall(cited, []) == (0.0, None)


SPANS = st.tuples(st.sampled_from("ab"), st.integers(0, 15), st.integers(1, 6)).map(
    lambda t: (t[0], t[1], t[1] + t[2])
)


@untimed
@given(st.lists(SPANS, max_size=5), st.lists(st.lists(SPANS, min_size=1, max_size=2), max_size=4))
def test_citations_as_sets_of_characters(
    cited: list[tuple[str, int, int]], gold: list[list[tuple[str, int, int]]]
) -> None:
    def characters(place: tuple[str, int, int]) -> set[tuple[str, int]]:
        return {(place[0], i) for i in range(place[1], place[2])}

    golden = [set().union(*map(characters, places)) for places in gold]
    marked = [any(characters(c) & g for g in golden) for c in cited]
    found = [any(characters(c) & g for c in cited) for g in golden]
    precision, recall = citation_precision_recall(cited, gold)
    assert precision == (np.mean(marked) if marked else 0.0)
    assert recall == (np.mean(found) if found else None)
    for c in cited:
        assert overlap(c, c)


@untimed
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_refusals_as_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    refused, answerable = [r for r, _ in pairs], [a for _, a in pairs]
    precision, recall = refusal_precision_recall(refused, answerable)
    assert (precision is None) is (not any(refused))
    assert (recall is None) is all(answerable)
    if pairs:
        expected = precision_recall_fscore_support(
            [not a for a in answerable], refused, average="binary", zero_division=0.0
        )
        assert (precision or 0.0, recall or 0.0) == pytest.approx(expected[:2])


@untimed
@given(st.lists(st.tuples(FINITE | st.integers(0, 3), st.booleans()), max_size=30))
def test_auroc_as_scikit_learn(pairs: list[tuple[float, bool]]) -> None:
    scores, labels = [float(s) for s, _ in pairs], [p for _, p in pairs]
    found = auroc(scores, labels)
    if len(set(labels)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(float(roc_auc_score(labels, scores)))


def test_auroc_leaves_out_what_is_no_number() -> None:
    assert auroc([math.nan, 0.9, 0.1, 0.9], [True, True, False, False]) == 0.75
    assert auroc([math.nan, 0.1], [True, False]) is None
    assert auroc([math.inf, -math.inf], [True, False]) == 1.0


@untimed
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(0, 100))
def test_percentile_as_numpy(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)))


@untimed
@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_mean_as_numpy(values: list[float]) -> None:
    assert mean(values) == pytest.approx(float(np.mean(values)), abs=1e-6)


def test_nothing_has_no_value() -> None:
    assert mean([]) is None
    assert percentile([], 50) is None
    assert bootstrap_interval([]) is None


def test_bootstrap_holds_the_mean_as_often_as_it_says() -> None:
    """Of 300 samples of a coin that falls right 0.8 of the time, about 95 % hold 0.8."""
    rng = np.random.default_rng(7)
    holds = 0
    for _ in range(300):
        found = bootstrap_interval([float(v) for v in rng.random(100) < 0.8], resamples=400)
        assert found is not None
        holds += found[0] <= 0.8 <= found[1]
    assert 0.88 <= holds / 300 <= 0.99


def test_bootstrap_is_seeded_and_exact_where_all_agree() -> None:
    values = [0.0, 1.0, 1.0, 1.0, 0.0, 1.0]
    assert bootstrap_interval(values) == bootstrap_interval(values)
    uneven = [i / 17 for i in range(17)]
    assert bootstrap_interval(uneven, seed=1) != bootstrap_interval(uneven, seed=2)
    assert bootstrap_interval([1.0] * 9) == (1.0, 1.0)
    narrow, wide = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.99)
    assert narrow is not None
    assert wide is not None
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_bootstrap_of_a_mean_is_that_of_means() -> None:
    """Another way of drawing gives nearly the same interval."""
    values = [float(v) for v in np.random.default_rng(3).normal(5, 2, 80)]
    found = bootstrap_statistic(mean, values, resamples=1000)
    assert found is not None
    assert found == pytest.approx(bootstrap_interval(values), abs=0.1)
    narrow = bootstrap_statistic(mean, values, level=0.5)
    assert narrow is not None
    assert found[0] < narrow[0] < narrow[1] < found[1]


def test_bootstrap_keeps_the_columns_of_a_row_together() -> None:
    ones, others = [1.0, 2.0, 3.0, 4.0] * 5, [2.0, 4.0, 6.0, 8.0] * 5
    ratios: list[set[float]] = []

    def ratio(one: Sequence[float], other: Sequence[float]) -> float:
        assert len(one) == len(other) == 20
        ratios.append({b / a for a, b in zip(one, other, strict=True)})
        return sum(one)

    low, high = bootstrap_statistic(ratio, ones, others, resamples=50) or (0.0, 0.0)
    assert ratios == [{2.0}] * 50
    assert low < sum(ones) < high  # rows are drawn with replacement


def test_bootstrap_of_a_statistic_is_seeded_and_leaves_out_draws_without_a_value() -> None:
    scores, labels = [0.1, 0.4, 0.35, 0.8, 0.7], [False, False, True, True, True]
    found = bootstrap_statistic(auroc, scores, labels)
    assert found == bootstrap_statistic(auroc, scores, labels)
    assert found is not None
    assert 0 <= found[0] <= 5 / 6 <= found[1] <= 1
    alike = [i / 50 for i in range(50)]
    assert bootstrap_statistic(mean, alike, seed=1) != bootstrap_statistic(mean, alike, seed=2)
    assert bootstrap_statistic(auroc, scores, [True] * 5) is None  # no draw has a value
    assert bootstrap_statistic(mean, []) is None
    assert bootstrap_statistic(mean) is None


def test_calibration_error_by_hand() -> None:
    # 0.72 and 0.78 share a bin: |0.75 - 0.5|; 0.15 stands alone; 1.0 is in the last bin.
    found = calibration_error([0.72, 0.78, 0.15, 1.0], [True, False, False, True])
    assert found == pytest.approx((2 * 0.25 + 0.15 + 0) / 4)
    assert calibration_error([0.2, 0.4], [False, True], bins=1) == pytest.approx(0.2)
    assert calibration_error([1.0, 0.0], [True, False]) == 0.0
    assert calibration_error([1.0, 0.0], [False, True]) == 1.0
    assert calibration_error([], []) is None


def calibration_by_numpy(
    probabilities: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]
) -> float:
    """Guo et al.'s equation 3, bin by bin."""
    which = np.digitize(probabilities, np.arange(1, 10) / 10)
    total = 0.0
    for number in range(10):
        inside = which == number
        if inside.any():
            gap = abs(labels[inside].mean() - probabilities[inside].mean())
            total += inside.sum() / len(labels) * gap
    return total


@untimed
@given(st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=1, max_size=30))
def test_calibration_error_as_defined(pairs: list[tuple[float, bool]]) -> None:
    probabilities, labels = [p for p, _ in pairs], [t for _, t in pairs]
    assert calibration_error(probabilities, labels) == pytest.approx(
        calibration_by_numpy(np.array(probabilities), np.array(labels, dtype=float))
    )


@untimed
@given(st.lists(st.tuples(st.integers(0, 6) | st.floats(-9, 9), st.integers(0, 6)), max_size=20))
def test_spearman_as_scipy(pairs: list[tuple[float, int]]) -> None:
    one, other = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    found = spearman(one, other)
    if len(set(one)) < 2 or len(set(other)) < 2:
        assert found is None
    else:
        assert found == pytest.approx(float(spearmanr(one, other).statistic))


def test_spearman_by_hand() -> None:
    assert spearman([1, 2, 3], [10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 2, 2, 3], [1, 3, 2, 4]) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert spearman([1], [2]) is None
    assert spearman([1, 1], [1, 2]) is None


@pytest.mark.parametrize(
    ("text", "wanted", "recall"),
    [
        ("When did Anna Berg die?", "When did Anna Berg die?", 1.0),
        ("When did she die?", "When did Anna Berg die?", 3 / 5),
        ("The bridge, when?", "When the bridge", 1.0),  # case, order, articles
        ("no no yes", "no no no yes", 3 / 4),  # as a bag
        ("much more than is wanted", "wanted", 1.0),
        ("", "wanted", 0.0),
        ("anything", "", 1.0),
        ("anything", "the?", 1.0),
    ],
)
def test_unigram_recall(text: str, wanted: str, recall: float) -> None:
    assert unigram_recall(text, wanted) == pytest.approx(recall)
