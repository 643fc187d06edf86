"""Where articles and the vectors of their passages live: a folder with a Chroma collection.

::

    store/
    ├── articles/<id>.json   the text of each article; written last, so it marks a finished one
    ├── chroma/              the vectors, which can be built again from the articles
    ├── seal.json            size, time and digest of the files in chroma/ as last written
    ├── lock, owner.txt      who has the store open
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from index.article import Article, normalise, text_id
from index.chunk import SCHEMA, Chunking, Passage, chunk
from index.embed import Embedder
from index.errors import (
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreMismatch,
    StoreNotWritable,
    UnknownArticle,
)

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

_COLLECTION = "passages"
_PAGE = 5000
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

Progress = Callable[[int, int], None]
"""Called with the number of passages done and the number in all."""


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
            kept = _stored_articles(owner.path, skip_damaged=True)
            # An interruption from here on leaves fewer vectors than the articles' files tell of,
            # so that the next opening says so and asks for a rebuild; the texts are not touched.
            with _writing(owner.path):
                _seal_file(owner.path).unlink(missing_ok=True)
                if (owner.path / "chroma").exists():
                    shutil.rmtree(owner.path / "chroma")
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
                with _writing(self.path):
                    _article_file(self.path, article_id).unlink(missing_ok=True)
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
        with self._reading():
            found = self._chroma.similarity_search_by_vector_with_relevance_scores(
                vector, k=k, filter=cast("Any", where)
            )
            pairs = [(self._passage(d.metadata), 1.0 - distance) for d, distance in found]
        return [(passage, score) for passage, score in pairs if passage is not None]

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
        with _writing(self.path):
            _seal_file(self.path).unlink(missing_ok=True)
        self._owner.changing = article_id
        try:
            yield
            _seal(self.path)
        finally:
            self._owner.changing = ""

    def _index(self, article: Article, progress: Progress | None, added: float = 0.0) -> None:
        passages = chunk(article, self.embedder.token_counter(), self.chunking)
        kept = _Kept(article, len(passages), added or time.time())
        with self._changing(article.id):
            try:
                for done in range(0, len(passages), BATCH):
                    batch = passages[done : done + BATCH]
                    texts = [p.searchable for p in batch]
                    vectors = self.embedder.embed_documents(texts)
                    with self._reading():
                        self._collection.upsert(
                            ids=[f"{p.article_id}:{p.start}-{p.end}" for p in batch],
                            embeddings=cast("Any", vectors),
                            documents=texts,
                            metadatas=[_metadata(p) for p in batch],
                        )
                    if progress:
                        progress(done + len(batch), len(passages))
                _write_article(self.path, kept)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._discard(article.id)
                    _seal(self.path)
                raise
            self._owner.articles = {**self._owner.articles, article.id: kept}
        log.info("indexed %s: %d passages", article.title, len(passages))

    def _discard(self, article_id: str) -> None:
        with self._reading():
            self._collection.delete(where={"article_id": article_id})

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
            owner.kept = _stored_articles(owner.path)
        sealed = owner.checked or _check_files(self.path)
        from langchain_chroma import Chroma

        with self._reading():
            client = owner.client()
            names = [c.name for c in client.list_collections()]
            if _COLLECTION in names:
                found = client.get_collection(_COLLECTION, embedding_function=None)
                self._check_identity(found.metadata or {})
            elif owner.articles:
                raise StoreDamaged(_damage(self.path, "its vectors are missing"))
            chroma = Chroma(
                client=client,
                collection_name=_COLLECTION,
                embedding_function=self.embedder,
                collection_metadata=self._identity,
                collection_configuration={"hnsw": {"space": "cosine"}},
            )
            collection = client.get_collection(_COLLECTION, embedding_function=None)
            if not owner.checked:
                self._check_passages(collection, thoroughly=not sealed)
                _seal(self.path)
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
            pages = range(0, collection.count(), _PAGE)
            ids = [
                i for at in pages for i in collection.get(limit=_PAGE, offset=at, include=[])["ids"]
            ]
            left = [i for i in ids if i.split(":")[0] not in known]
            for at in range(0, len(left), _PAGE):
                collection.delete(ids=left[at : at + _PAGE])
        counts = {"the store": (collection.count(), expected)}
        if thoroughly:  # fetching a vector finds out whether it is there
            for key, kept in known.items():
                found = collection.get(where={"article_id": key}, include=["embeddings"])
                counts[kept.article.title] = (len(found["ids"]), kept.passages)
        for name, (there, wanted) in counts.items():
            if there != wanted:
                what = f"{name} has {there} passages where {wanted} were written"
                raise StoreDamaged(_damage(self.path, what))

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
                raise StoreNotWritable(_unwritable(self.path, _first_line(error))) from error
            raise StoreDamaged(_damage(self.path, _first_line(error))) from error


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a store's file of an article says."""

    article: Article
    passages: int
    added: float


class _Owner:
    """This process's claim on a folder, shared by all that opens it here."""

    _held: ClassVar[dict[Path, _Owner]] = {}
    _guard: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path, lock: BaseFileLock) -> None:
        self.path = path
        self.opening = threading.Lock()
        self.writing = threading.RLock()  # one writer at a time; readers take snapshots
        self.kept: dict[str, _Kept] | None = None
        self.changing = ""
        self.checked = False
        self.users = 0
        self._lock = lock
        self._client: ClientAPI | None = None

    @property
    def articles(self) -> dict[str, _Kept]:
        """The articles by id, in the order added; never changed in place."""
        return self.kept or {}

    @articles.setter
    def articles(self, kept: dict[str, _Kept]) -> None:
        self.kept = kept

    @classmethod
    def acquire(cls, path: str | Path, *, alone: bool = False) -> _Owner:
        """Claim a folder; ``alone`` refuses to share it within the process as well."""
        with _writing(Path(path)):
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
            self.users -= 1
            if self.users > 0:
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
        if self._client is None:
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


def _write_article(store: Path, kept: _Kept) -> None:
    """Write an article's file whole or not at all."""
    record = {**asdict(kept.article), "passages": kept.passages, "added": kept.added}
    _write_whole(store, _article_file(store, kept.article.id), record)


def _write_whole(store: Path, file: Path, record: object) -> None:
    partial = file.with_suffix(".partial")
    with _writing(store):
        with partial.open("w", encoding="utf-8") as stream:
            json.dump(record, stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(file)


def _stored_articles(store: Path, *, skip_damaged: bool = False) -> dict[str, _Kept]:
    """Return the articles of a store by id, in the order added."""
    found: list[_Kept] = []
    for file in sorted((store / "articles").glob("*.json")):
        try:
            record = json.loads(file.read_text("utf-8"))
            article = Article(**{field.name: record[field.name] for field in fields(Article)})
            if not article.id == text_id(article.text) == file.stem:
                raise ValueError("its text is not the one that was written")
            found.append(_Kept(article, int(record["passages"]), float(record["added"])))
        except Exception as error:
            if skip_damaged:
                aside = file.with_suffix(".damaged")
                log.warning("%s cannot be read and is kept as %s", file, aside.name)
                with _writing(store):
                    file.replace(aside)
                continue
            what = (
                f"{file.name} cannot be read ({_first_line(error)}). A rebuild sets that file "
                f"aside as {file.stem}.damaged; add its article again then"
            )
            raise StoreDamaged(_damage(store, what)) from error
    return {kept.article.id: kept for kept in sorted(found, key=lambda kept: kept.added)}


def _seal_file(store: Path) -> Path:
    return store / "seal.json"


def _read_seal(store: Path) -> dict[str, list[Any]] | None:
    try:
        seal = json.loads(_seal_file(store).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return seal if isinstance(seal, dict) else None


def _seal(store: Path) -> None:
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
    _write_whole(store, _seal_file(store), seal)


def _check_files(store: Path) -> bool:
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
            raise StoreDamaged(_damage(store, f"{name} is missing"))
        stat = file.stat()
        if (stat.st_size, stat.st_mtime_ns) == (size, changed):
            continue
        if name == database:
            problem = _database_problem(file)
        else:
            problem = "" if stat.st_size == size and _digest(file) == digest[0] else "has changed"
        if problem:
            raise StoreDamaged(_damage(store, f"{name} {problem}"))
    if seal is None and (store / database).exists() and not _survives(store / "chroma"):
        raise StoreDamaged(_damage(store, "its vectors are damaged, perhaps by an interruption"))
    return seal is not None


def _survives(folder: Path) -> bool:
    """Whether Chroma reads all of its files, tried in a process that may crash or hang on them."""
    try:
        tried = subprocess.run(  # noqa: S603
            [sys.executable, "-P", "-c", _READ_ALL, str(folder), _COLLECTION, str(_PAGE)],
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
        return f"is damaged ({_first_line(error)})"
    return "" if verdict == "ok" else f"is damaged ({verdict.splitlines()[-1]})"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
        return f" (process {int((store / 'owner.txt').read_text(encoding='ascii'))})"
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def _writing(store: Path) -> Iterator[None]:
    """Turn a refusal of the file system into one error that names the folder and the way out."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or _first_line(error)
        raise StoreNotWritable(_unwritable(store, why)) from error


def _unwritable(store: Path, why: str) -> str:
    return (
        f"The store at {store} cannot be written: {why}. Choose a folder that you may write: "
        "--store FOLDER, or ASKARTICLE_STORE."
    )
