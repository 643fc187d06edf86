"""A logistic regression whose weights may be held, or kept from being against their sense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

PENALTY = 0.01
"""Weight of the squared weights, on signs divided by their spread."""


def logistic(
    signs: Array,
    labels: Sequence[bool] | NDArray[np.bool_],
    *,
    spread: Array,
    senses: Sequence[int],
    held: Sequence[float | None],
    counts: Array | None = None,
) -> Array:
    """Return a weight for each sign, and the bias.

    Args:
        signs: a row for each example.
        labels: whether each example is positive.
        spread: what each sign is divided by before the penalty.
        senses: for each sign 1 where its weight may not be below 0, -1 where not above.
        held: the weight of each sign that is not fitted, else None; it is not penalised.
        counts: how much each example counts, 1 in sum; alike by default.
    """
    scaled = np.column_stack([signs / spread, np.ones(len(signs))])
    sign = np.where(labels, 1.0, -1.0)
    counts = np.full(len(signs), 1 / len(signs)) if counts is None else counts
    fixed = [None if h is None else h * s for h, s in zip(held, spread, strict=True)]
    free = np.array([*(h is None for h in held), False])

    def loss(w: Array) -> tuple[float, Array]:
        margin = sign * (scaled @ w)
        ridge = np.where(free, w, 0.0)
        value = counts @ np.logaddexp(0.0, -margin) + PENALTY * (ridge @ ridge)
        slope = scaled.T @ (-counts * sign / (1.0 + np.exp(margin))) + 2 * PENALTY * ridge
        return float(value), slope

    bounds: list[tuple[float | None, float | None]] = [
        ((0.0, None) if sense > 0 else (None, 0.0)) if h is None else (h, h)
        for sense, h in zip(senses, fixed, strict=True)
    ]
    start = np.array([*(h or 0.0 for h in fixed), 0.0])
    found = minimize(loss, start, jac=True, bounds=[*bounds, (None, None)], method="L-BFGS-B")
    weights: Array = found.x / np.append(spread, 1.0)
    return weights


def spread_of(signs: Array) -> Array:
    """Return the standard deviation of each sign; 1 for one that never varies."""
    spread: Array = signs.std(axis=0)
    return np.where(spread > 0, spread, 1.0)
