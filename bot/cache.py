"""Results that need not be computed again: kept in files under a key of all that they depend on."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import platformdirs
from pydantic import TypeAdapter

log = logging.getLogger(__name__)

T = TypeVar("T")

PACKAGES = ("bot", "index", "prompts")
"""The packages that answers depend on, weights and prompts among their files."""

LIBRARIES = (
    "chromadb", "nupunkt", "numpy", "onnxruntime", "rapidfuzz", "sentence-transformers",
    "snowballstemmer", "tokenizers", "torch",
)  # fmt: skip
"""Libraries whose versions answers depend on."""

COUNTING = ("bot/cache.py", "bot/compare.py", "bot/figures.py")
"""Files that only count or keep what was computed."""

WORDS = (".md", ".typed")
"""What the names of files end with that only people and type checkers read."""

UNUSED = 30 * 24 * 3600
"""Seconds after which results that nobody asked for are removed."""

KEY = 16
"""Hexadecimal digits of a key that a file is named by."""


def default_folder() -> Path:
    """Return where evaluations are kept unless told otherwise."""
    return platformdirs.user_cache_path("askarticle") / "evaluations"


def key_of(values: Mapping[str, Any]) -> str:
    """Return a key that differs wherever one of the values does."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def model_state(name: str) -> list[list[str | int]]:
    """Return what tells the files of a model in a folder from other ones; nothing of a mere name.

    A model that was trained anew in the same folder is another one.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return []
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    return [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files]


@lru_cache(maxsize=8)
def source_digest(packages: tuple[str, ...] = PACKAGES) -> str:
    """Return a digest of our own packages and the versions of the libraries they depend on.

    The files are taken as they are when it is first asked for.
    """
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library}\0{_version(library)}\n".encode())
    for package in packages:
        for file in sorted((root / package).rglob("*")):
            name = file.relative_to(root).as_posix()
            if "__pycache__" in file.parts or name in COUNTING or not file.is_file():
                continue
            if file.suffix in WORDS:
                continue
            digest.update(f"{name}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"


class Cache:
    """A folder of kept results.

    Args:
        folder: where; made when something is kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Take a folder; nothing is read or written yet."""
        self.folder = (folder or default_folder()).expanduser()

    def make(self) -> None:
        """Make the folder where it is missing, and remove results unused for long.

        Raises:
            OSError: it cannot be made or written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.folder))
        for file in self.folder.glob("*.json.gz"):
            with contextlib.suppress(OSError):
                if time.time() - file.stat().st_mtime > UNUSED:
                    file.unlink()

    def read(self, name: str, key: str, kind: TypeAdapter[T]) -> T | None:
        """Return what is kept under a key; None where nothing is that can be read.

        Args:
            name: what it is, for its file's name.
            key: see ``key_of``.
            kind: the type of what is kept.
        """
        file = self._file(name, key)
        try:
            kept = json.loads(gzip.decompress(file.read_bytes()))
            if kept["key"] != key:
                raise ValueError("it was kept under another key")
            rows = kind.validate_python(kept["rows"])
            with contextlib.suppress(OSError):
                file.touch()  # for make, which removes what nobody asks for
            return rows
        except FileNotFoundError:
            return None
        except Exception as error:
            first = (str(error).splitlines() or [""])[0][:200]
            log.warning("%s cannot be read (%s) and is computed again", file, first)
            return None

    def write(self, name: str, key: str, kind: TypeAdapter[T], rows: T) -> None:
        """Keep something under a key, whole or not at all; a full disk is only logged."""
        file = self._file(name, key)
        values = {"key": key, "rows": kind.dump_python(rows, mode="json")}
        packed = gzip.compress(json.dumps(values).encode(), 6, mtime=0)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, partial = tempfile.mkstemp(dir=file.parent, prefix=".partial-")
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(packed)
                Path(partial).replace(file)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
        except OSError as error:
            log.warning("%s cannot be kept: %s", file, error)

    def store(self, name: str, key: str) -> Path:
        """Return the folder of an index of the same name and key; others of the name are removed.

        Args:
            name: what is indexed, and by which embedder.
            key: see ``key_of``.
        """
        folder = self.folder / "stores" / f"{name}-{key[:KEY]}"
        for old in folder.parent.glob(f"{name}-{'?' * KEY}"):
            if old != folder:
                _remove_unused(old)
        return folder

    def _file(self, name: str, key: str) -> Path:
        return self.folder / f"{name}-{key[:KEY]}.json.gz"


def _remove_unused(store: Path) -> None:
    """Remove a store unless somebody has it open."""
    from filelock import FileLock, Timeout

    with contextlib.suppress(OSError, Timeout), FileLock(store / "lock", timeout=0):
        shutil.rmtree(store)
