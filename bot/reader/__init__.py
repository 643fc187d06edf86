"""Our own small networks: one finds exact answers in a passage, one says what a passage supports.

``Reader`` and ``SupportModel`` run them. ``python -m bot.reader.train`` trains both (the extra
``train``), from the examples that ``examples`` and ``claims`` make; ``MODEL_CARD.md`` says on what,
how, and how well they do.
"""

from bot.reader.reader import Reader, Reading, SupportModel, load_reader, load_support_model
from bot.reader.spans import TextSpan

__all__ = ["Reader", "Reading", "SupportModel", "TextSpan", "load_reader", "load_support_model"]
