"""A lexical index of passages: which of them share words with a question, by BM25.

It is SQLite's full-text search, which comes with Python, in a file of its own. Whatever is in it
can be made again from the passages, so a file that is damaged or lags behind is simply made anew.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

FILE = "words.sqlite3"

MOST_WORDS = 64
"""Different words of a question that are looked for."""

_CREATE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS passages USING "
    "fts5(text, id UNINDEXED, article UNINDEXED, tokenize='porter unicode61')"
)


class LexicalIndex:
    """The words of passages in a file; safe for the threads of one process.

    Args:
        file: where; made where it is missing.
    """

    def __init__(self, file: Path) -> None:
        """Remember the file; it is opened at first use."""
        self._file = file
        self._lock = threading.RLock()
        self._database: sqlite3.Connection | None = None

    def __len__(self) -> int:
        """Return how many passages are in it."""
        with self._open() as database:
            (count,) = database.execute("SELECT count(*) FROM passages").fetchone()
        return int(count)

    def add(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Add passages.

        Args:
            rows: id, id of the article, and text of each.
        """
        with self._open() as database, database:
            database.executemany("INSERT INTO passages(id, article, text) VALUES (?, ?, ?)", rows)

    def remove(self, article_id: str) -> None:
        """Remove the passages of an article."""
        with self._open() as database, database:
            database.execute("DELETE FROM passages WHERE article = ?", (article_id,))

    def search(
        self, question: str, k: int, articles: Sequence[str] = (), *, without: str = ""
    ) -> list[tuple[str, float]]:
        """Return ids of the passages that share words with a question, with their BM25, best first.

        BM25 as of Robertson and Zaragoza 2009 ("The probabilistic relevance framework"), with
        SQLite's constants (k1 1.2, b 0.75) over English word stems (Porter 1980).

        Args:
            question: any text.
            k: how many passages at most.
            articles: ids of the articles to search; empty for all.
            without: id of an article that is left out.
        """
        words = list(dict.fromkeys(re.findall(r"\w+", question.lower())))[:MOST_WORDS]
        if not words or k < 1:
            return []
        wanted = " OR ".join(f'"{word}"' for word in words)
        within = "AND article IN (SELECT value FROM json_each(?))" if articles else ""
        given = (wanted, without, *([json.dumps(list(articles))] if articles else ()), k)
        with self._open() as database:
            rows = database.execute(
                f"SELECT id, bm25(passages) AS score FROM passages "  # noqa: S608  # our own words
                f"WHERE passages MATCH ? AND article <> ? {within} ORDER BY score, rowid LIMIT ?",
                given,
            ).fetchall()
        return [(row[0], -float(row[1])) for row in rows]

    def replace(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Delete the file and make it anew from these rows; searches wait until it is whole.

        Args:
            rows: as ``add`` takes them.
        """
        with self._lock:
            self.clear()
            self.add(rows)

    def clear(self) -> None:
        """Close and delete the file."""
        with self._lock:
            self.close()
            for suffix in ("", "-journal"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; it is opened again when it is used again."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._database is None:
                database = sqlite3.connect(self._file, check_same_thread=False)
                try:
                    database.execute(_CREATE)
                except BaseException:
                    database.close()
                    raise
                self._database = database
            yield self._database
