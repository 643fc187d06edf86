"""Where articles and the vectors of their passages live: a folder with a Chroma collection.

::

    store/
    ├── articles/<id>.json   the text of each article; written last, so it marks a finished one
    ├── chroma/              the vectors, which can be built again from the articles
    ├── lock, owner.txt      who has the store open
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from index.article import Article
from index.chunk import SCHEMA, Chunking, Passage, chunk
from index.embed import Embedder
from index.errors import (
    StoreDamaged,
    StoreInUse,
    StoreMismatch,
    StoreNotWritable,
    UnknownArticle,
)

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from filelock import BaseFileLock
    from langchain_chroma import Chroma

log = logging.getLogger(__name__)

BATCH = 512
"""Passages embedded and written together: below Chroma's limit of 5,461 and small in memory."""

_COLLECTION = "passages"

Progress = Callable[[int, int], None]
"""Called with the number of passages done and the number in all."""


class Store:
    """The articles and their passages in one folder; safe for the threads of one process.

    A process that opens a folder again shares it; another process is refused. Use ``Store.open``.
    """

    def __init__(
        self, owner: _Owner, embedder: Embedder, chunking: Chunking, *, fresh: bool = False
    ) -> None:
        """Read the articles of a folder that ``owner`` holds (``fresh``: none); see ``open``."""
        self.path = owner.path
        self.embedder = embedder
        self.chunking = chunking
        self._owner = owner
        self._closed = False
        self._lock = threading.RLock()  # one writer at a time; readers take snapshots
        self._counts: dict[str, int] = {}
        self._articles: dict[str, Article] = {}
        for article, passages in [] if fresh else _stored_articles(self.path):
            self._articles[article.id] = article
            self._counts[article.id] = passages
        self._chroma = self._open_collection()

    @classmethod
    def open(cls, path: str | Path, embedder: Embedder, chunking: Chunking | None = None) -> Store:
        """Open the store in a folder; the folder is made where it is missing.

        Args:
            path: the folder.
            embedder: makes the vectors; must be the one that the store was built with.
            chunking: how passages are cut; must be the one that the store was built with.

        Raises:
            StoreInUse: another process has it open.
            StoreMismatch: it was built with another embedder, chunking or schema.
            StoreDamaged: its files cannot be read.
            StoreNotWritable: the folder cannot be made or written.
        """
        owner = _Owner.acquire(Path(path).expanduser().resolve())
        try:
            return cls(owner, embedder, chunking or Chunking())
        except BaseException:
            owner.release()
            raise

    @classmethod
    def rebuild(
        cls,
        path: str | Path,
        embedder: Embedder,
        chunking: Chunking | None = None,
        progress: Progress | None = None,
    ) -> Store:
        """Build the vectors of a store again from the articles kept in it, and open it.

        Args:
            path: the folder of a store.
            embedder: makes the vectors.
            chunking: how passages are cut.
            progress: called after each batch of each article.

        Raises:
            StoreInUse: it is open, here or in another process.
            StoreNotWritable: the folder cannot be written.
        """
        owner = _Owner.acquire(Path(path).expanduser().resolve(), alone=True)
        try:
            found = [a for a, _ in _stored_articles(owner.path, skip_damaged=True)]
            # An interruption from here on leaves fewer vectors than the articles' files tell of,
            # so that the next opening says so and asks for a rebuild; the texts are not touched.
            with _writing(owner.path):
                if (owner.path / "chroma").exists():
                    shutil.rmtree(owner.path / "chroma")
            store = cls(owner, embedder, chunking or Chunking(), fresh=True)
            for article in found:
                store._index(article, progress)
            return store
        except BaseException:
            owner.release()
            raise

    def articles(self) -> list[Article]:
        """Return the articles in the order in which they were added."""
        return list(self._articles.values())

    def article(self, article_id: str) -> Article:
        """Return an article by its id.

        Raises:
            UnknownArticle: there is none with that id.
        """
        try:
            return self._articles[article_id]
        except KeyError:
            known = ", ".join(self._articles) or "none"
            raise UnknownArticle(
                f"The store at {self.path} has no article with the id {article_id!r}; it has: "
                f"{known}. Add the article, or use one of these."
            ) from None

    def add(self, article: Article, progress: Progress | None = None) -> Article:
        """Index an article; one that is there already is returned as it is.

        Args:
            article: the article.
            progress: called after each batch of passages.
        """
        with self._lock:
            if article.id not in self._articles:
                self._index(article, progress)
            return self._articles[article.id]

    def remove(self, article_id: str) -> Article:
        """Remove an article and its passages, and return it.

        Raises:
            UnknownArticle: there is none with that id.
        """
        with self._lock:
            article = self.article(article_id)
            with _writing(self.path):
                _article_file(self.path, article_id).unlink(missing_ok=True)
            self._articles = {k: v for k, v in self._articles.items() if k != article_id}
            self._counts.pop(article_id, None)
            with self._reading():
                self._chroma.delete(where={"article_id": article_id})
            return article

    def passages(self, article_id: str) -> list[Passage]:
        """Return the passages of an article in the article's order.

        Raises:
            UnknownArticle: there is none with that id.
        """
        return [passage for passage, _ in self._get(article_id, ["metadatas"])]

    def vectors(self, article_id: str) -> list[tuple[Passage, list[float]]]:
        """Return the passages of an article in its order, each with its unit vector.

        Raises:
            UnknownArticle: there is none with that id.
        """
        return [(p, list(v)) for p, v in self._get(article_id, ["metadatas", "embeddings"])]

    def count(self, articles: Sequence[str] = ()) -> int:
        """Return how many passages there are, in the articles of these ids or in all."""
        return sum(self._counts.get(a, 0) for a in (articles or self._counts))

    def search(
        self, question: str, k: int, articles: Sequence[str] = ()
    ) -> list[tuple[Passage, float]]:
        """Return the passages nearest to a question with their cosine similarity, best first.

        Args:
            question: the text to embed as a question.
            k: how many passages at most.
            articles: ids of the articles to search; empty for all.
        """
        if not self._articles or k < 1:
            return []
        vector = self.embedder.embed_query(question)
        where = cast("Any", {"article_id": {"$in": list(articles)}} if articles else None)
        with self._reading():
            found = self._chroma.similarity_search_by_vector_with_relevance_scores(
                vector, k=k, filter=where
            )
        pairs = [(self._passage(d.metadata), 1.0 - distance) for d, distance in found]
        return [(passage, score) for passage, score in pairs if passage is not None]

    def close(self) -> None:
        """Give the store back, so that another process may open it; closing twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._owner.release()

    # -- inside --

    @property
    def _identity(self) -> dict[str, str]:
        """What a store's vectors depend on."""
        return {
            "embedder": self.embedder.identity,
            "chunking": self.chunking.identity,
            "schema": str(SCHEMA),
        }

    def _index(self, article: Article, progress: Progress | None) -> None:
        passages = chunk(article, self.embedder.token_counter(), self.chunking)
        with self._reading():
            self._chroma.delete(where={"article_id": article.id})  # left by an interruption
        for done in range(0, len(passages), BATCH):
            batch = passages[done : done + BATCH]
            with self._reading():
                self._chroma.add_texts(
                    [p.searchable for p in batch],
                    metadatas=[_metadata(p) for p in batch],
                    ids=[f"{p.article_id}:{p.start}-{p.end}" for p in batch],
                )
            if progress:
                progress(done + len(batch), len(passages))
        _write_article(self.path, article, passages=len(passages))
        self._counts[article.id] = len(passages)
        self._articles = {**self._articles, article.id: article}
        log.info("indexed %s: %d passages", article.title, len(passages))

    def _get(self, article_id: str, include: list[str]) -> list[tuple[Passage, Any]]:
        self.article(article_id)
        with self._reading():
            found = self._chroma.get(where={"article_id": article_id}, include=include)
        vectors = found.get("embeddings")
        if vectors is None:
            vectors = itertools.repeat(None)
        pairs = zip(map(self._passage, found["metadatas"]), vectors, strict=False)
        kept = [(p, v) for p, v in pairs if p is not None]
        return sorted(kept, key=lambda pair: (pair[0].start, pair[0].end))

    def _passage(self, metadata: dict[str, Any]) -> Passage | None:
        """Return the passage that metadata describe; None where its article was just removed."""
        article = self._articles.get(metadata["article_id"])
        if article is None:
            return None
        start, end = metadata["start"], metadata["end"]
        sentences = tuple((s, e) for s, e in json.loads(metadata["sentences"]))
        text = article.text[start:end]
        return Passage(article.id, start, end, text, sentences, metadata["context"])

    def _open_collection(self) -> Chroma:
        from langchain_chroma import Chroma

        with self._reading():
            client = self._owner.client()
            names = [c.name for c in client.list_collections()]
            if _COLLECTION in names:
                found = client.get_collection(_COLLECTION, embedding_function=None)
                self._check_identity(found.metadata or {})
            elif self._articles:
                raise StoreDamaged(self._damage("its vectors are missing"))
            chroma = Chroma(
                client=client,
                collection_name=_COLLECTION,
                embedding_function=self.embedder,
                collection_metadata=self._identity,
                collection_configuration={"hnsw": {"space": "cosine"}},
            )
            self._check_count(client)
        return chroma

    def _check_identity(self, metadata: dict[str, Any]) -> None:
        for name, wanted in self._identity.items():
            built = metadata.get(name, "nothing")
            if built != wanted:
                raise StoreMismatch(
                    f"The store at {self.path} was built with the {name} {built!r}, and this "
                    f"configuration has {wanted!r}. Use that {name}, another folder (--store), or "
                    f"build its vectors again from the articles kept in it: askarticle rebuild "
                    f"--store '{self.path}'"
                )

    def _check_count(self, client: ClientAPI) -> None:
        """Remove passages that an interruption left behind; refuse a store that lacks some."""
        collection = client.get_collection(_COLLECTION, embedding_function=None)
        expected = self.count()
        if collection.count() > expected:
            if self._articles:
                collection.delete(where={"article_id": {"$nin": list(self._articles)}})
            else:
                collection.delete(ids=collection.get(include=[])["ids"])
        if collection.count() != expected:
            raise StoreDamaged(
                self._damage(
                    f"it holds {collection.count()} passages where {expected} were written"
                )
            )

    def _damage(self, what: str) -> str:
        return _damage(self.path, what)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn whatever Chroma raises on bad files into one error that names the way out."""
        try:
            yield
        except (StoreDamaged, StoreMismatch):
            raise
        except Exception as error:
            raise StoreDamaged(self._damage(_first_line(error))) from error
        except BaseException as error:
            # A panic of Chroma's compiled code is a BaseException of a type it does not export.
            if type(error).__name__ != "PanicException":
                raise
            raise StoreDamaged(self._damage(_first_line(error))) from error


class _Owner:
    """This process's claim on a folder, shared by all that opens it here."""

    _held: ClassVar[dict[Path, _Owner]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        self.path = path
        self._lock = lock
        self._users = 0
        self._client: ClientAPI | None = None
        self._client_lock = threading.Lock()

    @classmethod
    def acquire(cls, path: Path, *, alone: bool = False) -> _Owner:
        """Claim a folder; ``alone`` refuses to share it within the process as well."""
        with cls._guard:
            owner = cls._held.get(path)
            if owner is None:
                owner = cls._held[path] = cls._claim(path)
            elif alone:
                raise StoreInUse(
                    f"The store at {path} is open in this process. Close it first (Bot.close)."
                )
            owner._users += 1
            return owner

    @classmethod
    def _claim(cls, path: Path) -> _Owner:
        from filelock import FileLock, Timeout

        with _writing(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / "lock", timeout=0, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                raise StoreInUse(
                    f"The store at {path} is open in another process{_who(path)}. Close that one, "
                    "or give this one its own folder: --store FOLDER, or ASKARTICLE_STORE."
                ) from None
            try:
                (path / "owner.txt").write_text(str(os.getpid()), encoding="ascii")
                (path / "articles").mkdir(exist_ok=True)
            except BaseException:
                lock.release()
                raise
        return cls(path, lock)

    def release(self) -> None:
        """Give up one use; the last one frees the folder for other processes."""
        with self._guard:
            self._users -= 1
            if self._users > 0:
                return
            self._held.pop(self.path, None)
            if self._client is not None:
                with contextlib.suppress(Exception):
                    self._client.close()
                self._client = None
            with contextlib.suppress(OSError):
                (self.path / "owner.txt").unlink(missing_ok=True)
            self._lock.release()

    def client(self) -> ClientAPI:
        """Return Chroma's client of the folder, one for the process."""
        with self._client_lock:
            if self._client is None:
                _check_file(self.path)
                import chromadb
                from chromadb.config import Settings

                self._client = chromadb.PersistentClient(
                    str(self.path / "chroma"), settings=Settings(anonymized_telemetry=False)
                )
            return self._client


def _metadata(passage: Passage) -> dict[str, str | int]:
    return {
        "article_id": passage.article_id,
        "start": passage.start,
        "end": passage.end,
        "sentences": json.dumps(passage.sentences),
        "context": passage.context,
    }


def _article_file(store: Path, article_id: str) -> Path:
    return store / "articles" / f"{article_id}.json"


def _write_article(store: Path, article: Article, *, passages: int) -> None:
    """Write an article's file whole or not at all."""
    file = _article_file(store, article.id)
    with _writing(store):
        added = json.loads(file.read_text("utf-8"))["added"] if file.exists() else time.time()
        record = {**asdict(article), "passages": passages, "added": added}
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        partial.replace(file)


def _stored_articles(store: Path, *, skip_damaged: bool = False) -> list[tuple[Article, int]]:
    """Return the articles of a store in the order added, each with its number of passages."""
    found: list[tuple[float, Article, int]] = []
    for file in sorted((store / "articles").glob("*.json")):
        try:
            record = json.loads(file.read_text("utf-8"))
            added, passages = float(record.pop("added")), int(record.pop("passages"))
            found.append((added, Article(**record), passages))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if skip_damaged:
                aside = file.with_suffix(".damaged")
                log.warning("%s cannot be read and is kept as %s", file, aside.name)
                file.replace(aside)
                continue
            raise StoreDamaged(
                _damage(store, f"{file.name} cannot be read ({_first_line(error)})")
            ) from error
    return [(article, passages) for _, article, passages in sorted(found, key=lambda f: f[0])]


def _check_file(store: Path) -> None:
    """Refuse a database file that was cut short before Chroma opens it, and perhaps hangs on it."""
    file = store / "chroma" / "chroma.sqlite3"
    if not file.exists():
        return
    head = file.read_bytes()[:100] if file.stat().st_size < 100 else _head(file)
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise StoreDamaged(_damage(store, f"{file.name} is not a database"))
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    if file.stat().st_size < (65536 if page == 1 else page) * pages:
        raise StoreDamaged(_damage(store, f"{file.name} was cut short"))


def _head(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(100)


def _damage(store: Path, what: str) -> str:
    return (
        f"The store at {store} cannot be read: {what}. Its articles are kept as text in "
        f"{store / 'articles'}; build the rest again from them: askarticle rebuild "
        f"--store '{store}'"
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _who(store: Path) -> str:
    try:
        return f" (number {(store / 'owner.txt').read_text(encoding='ascii').strip()})"
    except (OSError, UnicodeDecodeError):
        return ""


@contextlib.contextmanager
def _writing(store: Path) -> Iterator[None]:
    """Turn a refusal of the file system into one error that names the folder and the way out."""
    try:
        yield
    except OSError as error:
        raise StoreNotWritable(
            f"The store at {store} cannot be written: {error.strerror or error}. Choose a folder "
            "that you may write: --store FOLDER, or ASKARTICLE_STORE."
        ) from error
