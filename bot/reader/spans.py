"""From the logits of the network to answer spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

LONGEST = 30
"""Tokens of a span at most."""

OFFERED = 5
"""Spans of a passage that are kept."""


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A stretch of a passage that may answer.

    Attributes:
        start: character offset into the passage.
        end: the one after its last character.
        logit: how much likelier it is than that nothing answers, as log odds.
    """

    start: int
    end: int
    logit: float


def best_spans(
    encoding: Encoding,
    starts: NDArray[np.float32],
    ends: NDArray[np.float32],
    most: int = OFFERED,
) -> tuple[TextSpan, ...]:
    """Return the likeliest spans of the passage, best first, none overlapping another.

    Args:
        encoding: question and passage, as encoded.
        starts: logit of each token for the start; the first stands for "not here".
        ends: the same for the end.
        most: how many spans at most.
    """
    import numpy as np

    passage = [i for i, s in enumerate(encoding.sequence_ids) if s == 1]
    if not passage:
        return ()
    first, last = passage[0], passage[-1] + 1
    size = last - first
    total = starts[first:last, None] + ends[None, first:last]
    apart = np.arange(size)[None, :] - np.arange(size)[:, None]
    total = np.where((apart >= 0) & (apart < LONGEST), total, -np.inf)
    nothing = float(starts[0] + ends[0])
    found: list[TextSpan] = []
    while len(found) < most and np.isfinite(best := total.max()):
        i, j = divmod(int(total.argmax()), size)
        start, end = encoding.offsets[first + i][0], encoding.offsets[first + j][1]
        found.append(TextSpan(start, end, float(best) - nothing))
        total[: j + 1, i:] = -np.inf  # whatever starts before its end and ends after its start
    return tuple(found)
