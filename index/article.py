"""What an article is, and how one is loaded: a file or a string in, normalised text out.

To read another format, add its suffix and a reader to ``READERS``.
"""

from __future__ import annotations

import hashlib
import logging
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from index.errors import ArticleNotFound, EmptyArticle, UnreadableArticle

log = logging.getLogger(__name__)

MAX_BYTES = 20 * 1024 * 1024
"""Largest file that is read as one article: about forty novels, and minutes of embedding."""

ID_LENGTH = 16
"""Hexadecimal digits of an article's id: 64 bits of the SHA-256 of its text."""

TITLE_LENGTH = 200
"""Characters of a first line that are kept as the title."""

# Zero-width characters and the soft hyphen carry no text but break word matching. The zero-width
# joiner and non-joiner stay: emoji sequences, Persian and Indic scripts are spelled with them.
_INVISIBLE = dict.fromkeys(
    map(ord, "\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a\u202b\u202c\u202d\u202e")
)
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2009\u200a\u2002\u2003\u3000"), " ")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$")


@dataclass(frozen=True, slots=True)
class Article:
    """A text that questions are asked about.

    Attributes:
        id: a hash of the text: the same text is the same article, whatever its file is called.
        title: from the first line or heading, unless given.
        source: the path or URL that it came from; empty for a string.
        text: the text, normalised once when it was loaded; all offsets point into it.
        date: the day it was published as ``YYYY-MM-DD``, where known.
    """

    id: str
    title: str
    source: str
    text: str
    date: str | None = None

    @classmethod
    def from_text(
        cls, text: str, *, title: str | None = None, source: str = "", date: str | None = None
    ) -> Article:
        """Make an article from a string.

        Args:
            text: the article; it is normalised (see ``normalise``).
            title: its title; by default the first line or heading.
            source: the path or URL that it came from.
            date: the day it was published as ``YYYY-MM-DD``.

        Raises:
            EmptyArticle: nothing is left of the text after normalising.
        """
        clean = normalise(text)
        if not any(ch.isalnum() for ch in clean):
            name = source or title or "the text given"
            raise EmptyArticle(
                f"{name} holds no text ({len(text)} characters, none of them a letter or digit). "
                "Give an article with at least one sentence."
            )
        digest = hashlib.sha256(clean.encode()).hexdigest()[:ID_LENGTH]
        heading = normalise(title).replace("\n", " ") if title else ""
        return cls(digest, heading or _title(clean), source, clean, date)

    @classmethod
    def load(cls, path: str | Path, *, title: str | None = None) -> Article:
        """Read an article from a plain text or Markdown file.

        Args:
            path: the file; its encoding is detected.
            title: its title; by default the first line or heading.

        Raises:
            ArticleNotFound: there is no such file.
            EmptyArticle: it holds no text.
            UnreadableArticle: it is binary, too large, or of a format that is not read.
        """
        file = Path(path).expanduser()
        try:
            if file.is_dir():
                raise UnreadableArticle(f"{file} is a folder. Name a text or Markdown file in it.")
            if not file.exists():
                raise ArticleNotFound(
                    f"No file at {file}. Check the path; it is taken from the current folder "
                    f"({Path.cwd()}) unless it is absolute."
                )
            size = file.stat().st_size
            if size > MAX_BYTES:
                raise UnreadableArticle(
                    f"{file} has {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read "
                    "as one article. Split it into parts and add each."
                )
            raw = file.read_bytes()
        except (OSError, ValueError) as error:
            raise UnreadableArticle(
                f"{file} cannot be read: {error}. Check its name and permissions."
            ) from error
        suffix = file.suffix.lower()
        reader = READERS.get(suffix)
        if reader is None:
            raise UnreadableArticle(
                f"{file} is a {suffix} file; the formats read are "
                f"{', '.join(sorted(s for s in READERS if s))}. Save it as plain text first."
            )
        return cls.from_text(reader(raw, file), title=title, source=str(file))


def bundled() -> Article:
    """Return the article that comes with the project, supplied by its user."""
    name = "alaska_summit.txt"
    text = resources.files("index").joinpath("articles", name).read_text(encoding="utf-8")
    return Article.from_text(text, source=name)


def normalise(text: str) -> str:
    """Return text as it is stored: the one place where characters are changed.

    Byte order marks, zero-width and control characters go, line ends become ``\\n``, unusual
    spaces become plain ones, and characters are composed (Unicode NFC). Doing it twice changes
    nothing.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = text.replace("\u2029", "\n\n").replace("\x0b", "\n").replace("\x0c", "\n\n")
    text = text.replace("\u0085", "\n").encode("utf-8", "replace").decode()  # lone surrogates
    text = _CONTROL.sub("", text.translate(_INVISIBLE).translate(_SPACES))
    return unicodedata.normalize("NFC", text).strip()


def _title(text: str) -> str:
    """Return the first line that holds a letter, without heading marks, cut to a title's length."""
    lines = (line.strip() for line in text.split("\n"))
    first = next(line for line in lines if any(ch.isalnum() for ch in line))
    heading = _HEADING.match(first)
    title = heading.group(1) if heading else first
    if len(title) <= TITLE_LENGTH:
        return title
    return title[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def _read_text(raw: bytes, file: Path) -> str:
    """Decode a text file: UTF-8 where it is, else the encoding that fits its bytes best."""
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16 holds NUL bytes by nature
    if b"\0" in raw and not marked:
        raise UnreadableArticle(
            f"{file} is a binary file (it holds NUL bytes). Save its text as UTF-8 and add that."
        )
    try:
        return raw.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes  # costs 0.1 s; most files never need it

    best = from_bytes(raw).best()
    if best is None:
        raise UnreadableArticle(
            f"The encoding of {file} cannot be told; it may be a binary file. "
            "Save its text as UTF-8 and add that."
        )
    log.info("%s is read as %s", file, best.encoding)
    return str(best)


READERS: dict[str, Callable[[bytes, Path], str]] = {
    "": _read_text,
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_text,
    ".markdown": _read_text,
}
"""Reader by file suffix: the bytes of a file and its path in, its text out."""
