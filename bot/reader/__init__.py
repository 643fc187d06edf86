"""The span reader: a small network of our own that finds the exact answer in a passage.

``Reader`` runs it. ``python -m bot.reader.train`` trains it (the extra ``train``), from the
examples that ``examples`` makes; ``MODEL_CARD.md`` says on what, how, and how well it does.
"""

from bot.reader.reader import Reader, Reading, load_reader
from bot.reader.spans import TextSpan

__all__ = ["Reader", "Reading", "TextSpan", "load_reader"]
