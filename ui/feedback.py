"""Thumbs up and down, kept as one JSON object a line."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import Answer, Citation

_LOCK = threading.Lock()


def record(
    path: Path,
    *,
    liked: bool | None,
    question: str,
    answer: Answer,
    article_id: str,
    history: Sequence[Mapping[str, str]],
) -> None:
    """Append a reader's verdict on an answer to a file; its folder is made where it is missing.

    Args:
        path: the JSON Lines file.
        liked: True for a thumb up, False for a thumb down, None where it was taken back.
        question: the question as typed.
        answer: the answer.
        article_id: the article that was asked.
        history: the messages before the question.

    Raises:
        OSError: the file cannot be written.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "liked": liked,
        "question": question,
        "searched": answer.question,
        "answer": answer.text,
        "refused": answer.refused,
        "citations": [_place(c) for c in answer.citations],
        "closest": [_place(c) for c in answer.closest],
        "articles": list(dict.fromkeys([article_id, *(c.article_id for c in answer.citations)])),
        "model": answer.model,
        "history": list(history),
    }
    data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
    with _LOCK:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write to a file opened for appending: lines of two processes do not mix.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, data)
        finally:
            os.close(file)


def _place(citation: Citation) -> dict[str, Any]:
    return {
        "number": citation.number,
        "article_id": citation.article_id,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
    }
