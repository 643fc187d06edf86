"""Two runs of the same questions, row by row: what came right and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.evaluate import Row
from bot.figures import Item
from index import QuestionSetError


@dataclass(frozen=True, slots=True)
class Change:
    """A row that came out otherwise.

    Attributes:
        id: the row's id.
        text: the question or claim.
        before: how it came out in the first run, in a word.
        after: how it came out in the second.
        right: whether it is right in the second run.
    """

    id: str
    text: str
    before: str
    after: str
    right: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the rows of two runs differ.

    Attributes:
        changes: the rows that went from wrong to right or back, in the order asked.
        compared: how many rows have a right and a wrong.
        right: how many of them are right in the first and in the second run.
    """

    changes: tuple[Change, ...]
    compared: int
    right: tuple[int, int]

    @property
    def gained(self) -> tuple[Change, ...]:
        """The rows that went from wrong to right."""
        return tuple(c for c in self.changes if c.right)

    @property
    def lost(self) -> tuple[Change, ...]:
        """The rows that went from right to wrong."""
        return tuple(c for c in self.changes if not c.right)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values for JSON."""
        return {
            "compared": self.compared,
            "right": list(self.right),
            "gained": [asdict(c) for c in self.gained],
            "lost": [asdict(c) for c in self.lost],
        }


def compare(before: Sequence[Row | Item], after: Sequence[Row | Item]) -> Comparison:
    """Compare two runs of the same rows.

    Args:
        before: the rows of the first run.
        after: those of the second, in the same order.

    Raises:
        QuestionSetError: they are not runs of the same rows.
    """
    if [row.id for row in before] != [row.id for row in after]:
        raise QuestionSetError(
            f"Two runs of {len(before)} and {len(after)} rows cannot be compared: they are not of "
            "the same questions in the same order. Run both on the same set and sample."
        )
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if None not in (a.right, b.right)]
    changes = tuple(
        Change(
            b.id, b.question if isinstance(b, Row) else b.text, _word(a), _word(b), bool(b.right)
        )
        for a, b in pairs
        if a.right != b.right
    )
    right = (sum(bool(a.right) for a, _ in pairs), sum(bool(b.right) for _, b in pairs))
    return Comparison(changes, len(pairs), right)


def _word(row: Row | Item) -> str:
    if isinstance(row, Row):
        return row.verdict
    return "right" if row.right else "wrong"
