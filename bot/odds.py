"""Probabilities and log odds, which are what models and rules are weighed in."""

from __future__ import annotations

import math


def probability(logit: float) -> float:
    """Return log odds as a probability."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def logit(share: float) -> float:
    """Return a probability as log odds."""
    share = max(1e-9, min(1.0 - 1e-9, share))
    return math.log(share / (1.0 - share))
