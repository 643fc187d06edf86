"""The files of a store's folder: the articles' texts, and a seal on the vectors' files.

::

    store/
    ├── articles/<id>.json   the text of each article; written last, so it marks a finished one
    ├── chroma/              the vectors, which can be built again from the articles
    ├── words.sqlite3        the words of the passages, made anew where it is missing or damaged
    ├── seal.json            size, time and digest of the files in chroma/ as last written
    ├── lock, owner.txt      who has the store open
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from index.article import Article, text_id
from index.errors import StoreDamaged, StoreNotWritable

log = logging.getLogger(__name__)

COLLECTION = "passages"
PAGE = 5000
_READ_ALL = """
import sys, chromadb
folder, name, page = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings = chromadb.Settings(anonymized_telemetry=False)
client = chromadb.PersistentClient(folder, settings=settings)
if name in [collection.name for collection in client.list_collections()]:
    collection = client.get_collection(name, embedding_function=None)
    for at in range(0, collection.count(), page):
        collection.get(limit=page, offset=at, include=["embeddings"])
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store's file of an article says."""

    article: Article
    passages: int
    added: float


def article_file(store: Path, article_id: str) -> Path:
    """Return where the text of an article is kept."""
    return store / "articles" / f"{article_id}.json"


def write_article(store: Path, kept: Kept) -> None:
    """Write an article's file whole or not at all."""
    record = {**asdict(kept.article), "passages": kept.passages, "added": kept.added}
    _write_whole(store, article_file(store, kept.article.id), record)


def _write_whole(store: Path, file: Path, record: object) -> None:
    partial = file.with_suffix(".partial")
    with writing(store):
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(record, stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)


def stored_articles(store: Path, *, skip_damaged: bool = False) -> dict[str, Kept]:
    """Return the articles of a store by id, in the order added.

    Raises:
        StoreNotWritable: it is no folder.
        StoreDamaged: an article cannot be read, and is not to be skipped.
    """
    if store.is_file():
        raise StoreNotWritable(unwritable(store, "it is a file"))
    found: list[Kept] = []
    for file in sorted((store / "articles").glob("*.json")):
        try:
            record = json.loads(file.read_text("utf-8"))
            article = Article(**{field.name: record[field.name] for field in fields(Article)})
            if not article.id == text_id(article.text) == file.stem:
                raise ValueError("its text is not the one that was written")
            found.append(Kept(article, int(record["passages"]), float(record["added"])))
        except Exception as error:
            if skip_damaged:
                aside = file.with_suffix(".damaged")
                log.warning("%s cannot be read and is kept as %s", file, aside.name)
                with writing(store):
                    file.replace(aside)
                continue
            what = (
                f"{file.name} cannot be read ({first_line(error)}). A rebuild sets that file "
                f"aside as {file.stem}.damaged; add its article again then"
            )
            raise StoreDamaged(damage(store, what)) from error
    return {kept.article.id: kept for kept in sorted(found, key=lambda kept: kept.added)}


def seal_file(store: Path) -> Path:
    """Return where the seal is kept."""
    return store / "seal.json"


def _read_seal(store: Path) -> dict[str, list[Any]] | None:
    try:
        seal = json.loads(seal_file(store).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return seal if isinstance(seal, dict) else None


def seal_files(store: Path) -> None:
    """Note the vector files as they are now; digests are kept where a file did not change."""
    before = _read_seal(store) or {}
    seal: dict[str, list[Any]] = {}
    for file in sorted((store / "chroma").rglob("*")):
        if file.suffix not in (".bin", ".pickle", ".sqlite3"):
            continue
        name, stat = file.relative_to(store).as_posix(), file.stat()
        noted = [stat.st_size, stat.st_mtime_ns]
        old = before.get(name, [])
        same = old[:2] == noted or file.suffix == ".sqlite3"  # a database checks itself
        seal[name] = [*noted, *(old[2:] if same else [_digest(file)])]
    _write_whole(store, seal_file(store), seal)


def check_files(store: Path) -> bool:
    """Refuse files that were cut short or overwritten, on which Chroma hangs, crashes or is silent.

    Returns:
        Whether there is a seal; there is none after an interruption.
    """
    seal = _read_seal(store)
    database = "chroma/chroma.sqlite3"
    for name, (size, changed, *digest) in (seal or {database: [0, 0]}).items():
        file = store / name
        if not file.exists():
            if seal is None:
                continue
            raise StoreDamaged(damage(store, f"{name} is missing"))
        stat = file.stat()
        if (stat.st_size, stat.st_mtime_ns) == (size, changed):
            continue
        if name == database:
            problem = _database_problem(file)
        else:
            problem = "" if stat.st_size == size and _digest(file) == digest[0] else "has changed"
        if problem:
            raise StoreDamaged(damage(store, f"{name} {problem}"))
    if seal is None and (store / database).exists() and not _survives(store / "chroma"):
        raise StoreDamaged(damage(store, "its vectors are damaged, perhaps by an interruption"))
    return seal is not None


def _survives(folder: Path) -> bool:
    """Whether Chroma reads all of its files, tried in a process that may crash or hang on them."""
    try:
        tried = subprocess.run(  # noqa: S603  # our own interpreter, no shell
            [sys.executable, "-P", "-c", _READ_ALL, str(folder), COLLECTION, str(PAGE)],
            capture_output=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0


def _database_problem(file: Path) -> str:
    """Return what is wrong with a database file, in words; empty where nothing is."""
    if file.stat().st_size == 0:
        return "is empty"
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=1.0)) as database:
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return f"is damaged ({first_line(error)})"
    return "" if verdict == "ok" else f"is damaged ({verdict.splitlines()[-1]})"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def damage(store: Path, what: str) -> str:
    """Return the message about a damaged store, with the way out."""
    return (
        f"The store at {store} cannot be read: {what}. Its articles are kept as text in "
        f"{store / 'articles'}; build the rest again from them: askarticle rebuild "
        f"--store '{store}'"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def who(store: Path) -> str:
    """Return the process that has a store open, in brackets; empty where it is not known."""
    try:
        return f" (process {int((store / 'owner.txt').read_text(encoding='ascii'))})"
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def writing(store: Path) -> Iterator[None]:
    """Turn a refusal of the file system into one error that names the folder and the way out."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise StoreNotWritable(unwritable(store, why)) from error


def unwritable(store: Path, why: str) -> str:
    """Return the message about a store that cannot be written, with the way out."""
    return (
        f"The store at {store} cannot be written: {why}. Choose a folder that you may write: "
        "--store FOLDER, or ASKARTICLE_STORE."
    )
