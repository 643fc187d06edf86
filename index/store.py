"""Where the vectors of passages live: a Chroma collection in a folder, one owner at a time.

What else is in the folder, and how its files are written and checked, is in ``index.folder``.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from index.article import Article, normalise, text_id
from index.chunk import SCHEMA, Chunking, Passage, chunk, titled
from index.embed import Embedder
from index.errors import (
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreMismatch,
    StoreNotWritable,
    UnknownArticle,
)
from index.folder import (
    COLLECTION,
    PAGE,
    Kept,
    article_file,
    check_files,
    damage,
    first_line,
    seal_file,
    seal_files,
    stored_articles,
    unwritable,
    who,
    write_article,
    writing,
)
from index.lexical import FILE, LexicalIndex

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection
    from filelock import BaseFileLock
    from langchain_chroma import Chroma

log = logging.getLogger(__name__)

BATCH = 512
"""Passages embedded and written together: below Chroma's limit of 5,461 and small in memory."""

MOST_NAMED = 10
"""Ids of articles that a message lists; a store may hold thousands."""

Progress = Callable[[int, int], None]
"""Called with the number of passages done and the number in all."""


GRAPH = {"ef_construction": 200, "ef_search": 200, "max_neighbors": 32}
"""How thoroughly Chroma's graph is built and searched: twice its defaults, with which a passage
unlike a thousand others was missed about once in seven times."""


class Store:
    """The articles and their passages in one folder; safe for the threads of one process.

    A process that opens a folder again shares it; another process is refused. Use ``Store.open``.
    """

    def __init__(self, owner: _Owner, embedder: Embedder, chunking: Chunking) -> None:
        """Use the folder that ``owner`` holds; see ``open``."""
        self.path = owner.path
        self.embedder = embedder
        self.chunking = chunking
        self._owner = owner
        self._closed = False
        self._busy = threading.RLock()
        with owner.opening:
            self._chroma, self._collection = self._open_collection()

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
        owner = _Owner.acquire(path)
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
        owner = _Owner.acquire(path, alone=True)
        try:
            kept = stored_articles(owner.path, skip_damaged=True)
            # An interruption from here on leaves fewer vectors than the articles' files tell of,
            # so that the next opening says so and asks for a rebuild; the texts are not touched.
            with writing(owner.path):
                seal_file(owner.path).unlink(missing_ok=True)
                if (owner.path / "chroma").exists():
                    shutil.rmtree(owner.path / "chroma")
                owner.words.clear()
            owner.kept = {}
            store = cls(owner, embedder, chunking or Chunking())
            for one in kept.values():
                store._index(one.article, progress, added=one.added)
            return store
        except BaseException:
            owner.release()
            raise

    def articles(self) -> list[Article]:
        """Return the articles in the order in which they were added."""
        return [one.article for one in self._owner.articles.values()]

    def article(self, article_id: str) -> Article:
        """Return an article by its id.

        Raises:
            UnknownArticle: there is none with that id.
        """
        known = self._owner.articles
        if article_id in known:
            return known[article_id].article
        names = ", ".join(itertools.islice(known, MOST_NAMED)) or "none"
        more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
        raise UnknownArticle(
            f"The store at {self.path} has no article with the id {article_id!r}; it has: "
            f"{names}{more}. Add the article, or use one of these."
        )

    def add(self, article: Article, progress: Progress | None = None) -> Article:
        """Index an article; one that is there already is returned as it is.

        Args:
            article: the article.
            progress: called after each batch of passages.
        """
        if article.text != normalise(article.text) or article.id != text_id(article.text):
            given = article  # made by hand; offsets and the id must hold for the text as stored
            article = Article.from_text(
                given.text, title=given.title, source=given.source, date=given.date
            )
        with self._busy, self._owner.writing:
            self._check_open()
            if article.id not in self._owner.articles:
                self._index(article, progress)
            return self.article(article.id)

    def remove(self, article_id: str) -> Article:
        """Remove an article and its passages, and return it.

        Raises:
            UnknownArticle: there is none with that id.
        """
        with self._busy, self._owner.writing:
            self._check_open()
            article = self.article(article_id)
            with self._changing(article_id):
                with writing(self.path):
                    article_file(self.path, article_id).unlink(missing_ok=True)
                self._owner.articles = {
                    key: one for key, one in self._owner.articles.items() if key != article_id
                }
                self._discard(article_id)
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
        known = self._owner.articles
        return sum(known[a].passages for a in set(articles or known) if a in known)

    def search(
        self, question: str, k: int, articles: Sequence[str] = ()
    ) -> list[tuple[Passage, float]]:
        """Return the passages nearest to a question with their cosine similarity, best first.

        Args:
            question: the text to embed as a question.
            k: how many passages at most.
            articles: ids of the articles to search; empty for all.
        """
        self._check_open()
        if not self._owner.articles or k < 1:
            return []
        where: dict[str, Any] | None = None
        if articles:
            where = {"article_id": {"$in": list(articles)}}
        elif changing := self._owner.changing:  # its passages would take the places of others
            where = {"article_id": {"$ne": changing}}
        vector = self.embedder.embed_query(question)
        if k >= self.count(articles):
            return self._compare_all(vector, articles)
        with self._reading():
            found = self._chroma.similarity_search_by_vector_with_relevance_scores(
                vector, k=k, filter=cast("Any", where)
            )
            pairs = [(self._passage(d.metadata), 1.0 - distance) for d, distance in found]
        return [(passage, score) for passage, score in pairs if passage is not None]

    def match(
        self, question: str, k: int, articles: Sequence[str] = ()
    ) -> list[tuple[Passage, float]]:
        """Return the passages that share words with a question, with their BM25, best first.

        Args:
            question: any text.
            k: how many passages at most.
            articles: ids of the articles to search; empty for all.
        """
        self._check_open()
        with self._reading():
            changing = self._owner.changing
            try:
                found = self._owner.words.search(question, k, articles, without=changing)
            except sqlite3.DatabaseError as error:
                log.warning("the words of %s are indexed anew: %s", self.path, error)
                with self._owner.writing:
                    self._index_words(self._collection)
                found = self._owner.words.search(question, k, articles, without=changing)
            if not found:
                return []
            rows = self._chroma.get(ids=[name for name, _ in found], include=["metadatas"])
            by_id = dict(zip(rows["ids"], rows["metadatas"], strict=True))
            pairs = [(self._passage(by_id[i]), score) for i, score in found if i in by_id]
        return [(passage, score) for passage, score in pairs if passage is not None]

    def _compare_all(
        self, vector: list[float], articles: Sequence[str]
    ) -> list[tuple[Passage, float]]:
        """Return all passages, best first: the index of neighbours may miss some, this does not."""
        import numpy as np

        ids = [a for a in articles or self._owner.articles if a in self._owner.articles]
        rows = [row for article_id in ids for row in self.vectors(article_id)]
        if not rows:
            return []
        matrix = np.array([row[1] for row in rows])
        lengths = np.linalg.norm(matrix, axis=1) * np.linalg.norm(vector)
        scores = matrix @ np.array(vector) / np.maximum(lengths, 1e-12)
        order = np.argsort(-scores, kind="stable")
        return [(rows[i][0], float(scores[i])) for i in order]

    def close(self) -> None:
        """Give the store back, so that another process may open it; closing twice is fine."""
        with self._busy:  # what this object adds is finished, what others add goes on
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

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The store at {self.path} was closed. Open it again: Bot.open.")

    @contextlib.contextmanager
    def _changing(self, article_id: str) -> Iterator[None]:
        """Hide an article from searches and leave the files without a seal while they change."""
        with writing(self.path):
            seal_file(self.path).unlink(missing_ok=True)
        self._owner.changing = article_id
        try:
            yield
            seal_files(self.path)
        finally:
            self._owner.changing = ""

    def _index(self, article: Article, progress: Progress | None, added: float = 0.0) -> None:
        passages = chunk(article, self.embedder.token_counter(), self.chunking)
        kept = Kept(article, len(passages), added or time.time())
        with self._changing(article.id):
            try:
                with self._reading(), self._healing_words():
                    self._owner.words.remove(article.id)  # what a failed try may have left
                for done in range(0, len(passages), BATCH):
                    batch = passages[done : done + BATCH]
                    texts = [titled(article.title, p.searchable) for p in batch]
                    vectors = self.embedder.embed_documents(texts)
                    with self._reading():
                        self._collection.upsert(
                            ids=[_name(p) for p in batch],
                            embeddings=cast("Any", vectors),
                            documents=texts,
                            metadatas=[_metadata(p) for p in batch],
                        )
                        with self._healing_words():
                            self._owner.words.add(
                                (_name(p), p.article_id, text)
                                for p, text in zip(batch, texts, strict=True)
                            )
                    if progress:
                        progress(done + len(batch), len(passages))
                write_article(self.path, kept)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._discard(article.id)
                    seal_files(self.path)
                raise
            self._owner.articles = {**self._owner.articles, article.id: kept}
        log.info("indexed %s: %d passages", article.title, len(passages))

    def _discard(self, article_id: str) -> None:
        with self._reading():
            self._collection.delete(where={"article_id": article_id})
            with self._healing_words():
                self._owner.words.remove(article_id)

    def _get(self, article_id: str, include: list[str]) -> list[tuple[Passage, Any]]:
        self._check_open()
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
        kept = self._owner.articles.get(metadata["article_id"])
        if kept is None:
            return None
        start, end = metadata["start"], metadata["end"]
        sentences = tuple((s, e) for s, e in json.loads(metadata["sentences"]))
        text = kept.article.text[start:end]
        return Passage(kept.article.id, start, end, text, sentences, metadata["context"])

    def _open_collection(self) -> tuple[Chroma, Collection]:
        owner = self._owner
        if owner.kept is None:
            owner.kept = stored_articles(owner.path)
        sealed = owner.checked or check_files(self.path)
        from langchain_chroma import Chroma

        with self._reading():
            client = owner.client()
            names = [c.name for c in client.list_collections()]
            if COLLECTION in names:
                found = client.get_collection(COLLECTION, embedding_function=None)
                self._check_identity(found.metadata or {})
            elif owner.articles:
                raise StoreDamaged(damage(self.path, "its vectors are missing"))
            chroma = Chroma(
                client=client,
                collection_name=COLLECTION,
                embedding_function=self.embedder,
                collection_metadata=self._identity,
                collection_configuration={"hnsw": {"space": "cosine", **GRAPH}},
            )
            collection = client.get_collection(COLLECTION, embedding_function=None)
            if not owner.checked:
                self._check_passages(collection, thoroughly=not sealed)
                self._check_words(collection)
                seal_files(self.path)
                owner.checked = True
        return chroma, collection

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

    def _check_passages(self, collection: Collection, *, thoroughly: bool) -> None:
        """Remove passages that an interruption left behind; refuse a store that lacks some."""
        known = self._owner.articles
        expected = self.count()
        if collection.count() > expected:
            pages = range(0, collection.count(), PAGE)
            ids = [
                i for at in pages for i in collection.get(limit=PAGE, offset=at, include=[])["ids"]
            ]
            left = [i for i in ids if i.split(":")[0] not in known]
            for at in range(0, len(left), PAGE):
                collection.delete(ids=left[at : at + PAGE])
        counts = {"the store": (collection.count(), expected)}
        if thoroughly:  # fetching a vector finds out whether it is there
            for key, kept in known.items():
                found = collection.get(where={"article_id": key}, include=["embeddings"])
                counts[kept.article.title] = (len(found["ids"]), kept.passages)
        for name, (there, wanted) in counts.items():
            if there != wanted:
                what = f"{name} has {there} passages where {wanted} were written"
                raise StoreDamaged(damage(self.path, what))

    def _check_words(self, collection: Collection) -> None:
        """Make the lexical index anew where it cannot be read or holds other passages."""
        try:
            there = len(self._owner.words)
        except sqlite3.DatabaseError as error:
            log.info("the words of %s cannot be read: %s", self.path, error)
            there = -1
        if there != collection.count():
            self._index_words(collection)

    def _index_words(self, collection: Collection) -> None:
        """Make the lexical index anew from the passages in the collection."""

        def rows() -> Iterator[tuple[str, str, str]]:
            for at in range(0, collection.count(), PAGE):
                page = collection.get(limit=PAGE, offset=at, include=["documents"])
                for name, text in zip(page["ids"], page["documents"] or [], strict=True):
                    yield name, name.split(":")[0], text

        self._owner.words.replace(rows())

    @contextlib.contextmanager
    def _healing_words(self) -> Iterator[None]:
        """Make the lexical index anew where a change to it fails; the vectors are changed first."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            log.warning("the words of %s are indexed anew: %s", self.path, error)
            self._index_words(self._collection)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn whatever Chroma raises on bad files into one error that names the way out."""
        try:
            yield
        except StoreError:
            raise
        except BaseException as error:
            # A panic of Chroma's compiled code is a BaseException of a type it does not export.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            self._check_open()  # another thread may have closed it meanwhile
            if any(words in str(error) for words in ("is full", "readonly", "disk I/O")):
                raise StoreNotWritable(unwritable(self.path, first_line(error))) from error
            raise StoreDamaged(damage(self.path, first_line(error))) from error


class _Owner:
    """This process's claim on a folder, shared by all that opens it here."""

    _held: ClassVar[dict[Path, _Owner]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        self.path = path
        self.opening = threading.Lock()
        self.writing = threading.RLock()  # one writer at a time; readers take snapshots
        self.kept: dict[str, Kept] | None = None
        self.changing = ""
        self.checked = False
        self.users = 0
        self.words = LexicalIndex(path / FILE)
        self._lock = lock
        self._client: ClientAPI | None = None

    @property
    def articles(self) -> dict[str, Kept]:
        """The articles by id, in the order added; never changed in place."""
        return self.kept or {}

    @articles.setter
    def articles(self, kept: dict[str, Kept]) -> None:
        self.kept = kept

    @classmethod
    def acquire(cls, path: str | Path, *, alone: bool = False) -> _Owner:
        """Claim a folder; ``alone`` refuses to share it within the process as well."""
        with writing(Path(path)):
            path = Path(path).expanduser().resolve()
        with cls._guard:
            owner = cls._held.get(path)
            if owner is None:
                owner = cls._held[path] = cls._claim(path)
            elif alone:
                raise StoreInUse(
                    f"The store at {path} is open in this process. Close it first (Bot.close)."
                )
            owner.users += 1
            return owner

    @classmethod
    def _claim(cls, path: Path) -> _Owner:
        from filelock import FileLock, Timeout

        with writing(path):
            path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path / "lock", timeout=0, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                raise StoreInUse(
                    f"The store at {path} is open in another process{who(path)}. Close that one, "
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
            self.users -= 1
            if self.users > 0:
                return
            self._held.pop(self.path, None)
            if self._client is not None:
                with contextlib.suppress(Exception):
                    self._client.close()
                self._client = None
            self.words.close()
            with contextlib.suppress(OSError):
                (self.path / "owner.txt").unlink(missing_ok=True)
            self._lock.release()

    def client(self) -> ClientAPI:
        """Return Chroma's client of the folder, one for the process."""
        if self._client is None:
            import chromadb
            from chromadb.config import Settings

            self._client = chromadb.PersistentClient(
                str(self.path / "chroma"), settings=Settings(anonymized_telemetry=False)
            )
        return self._client


def _name(passage: Passage) -> str:
    """Return the id of a passage in the collection and in the lexical index."""
    return f"{passage.article_id}:{passage.start}-{passage.end}"


def _metadata(passage: Passage) -> dict[str, str | int]:
    return {
        "article_id": passage.article_id,
        "start": passage.start,
        "end": passage.end,
        "sentences": json.dumps(passage.sentences),
        "context": passage.context,
    }
