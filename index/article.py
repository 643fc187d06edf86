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

FRONT_MATTER = 5_000
"""Characters at the start of a Markdown file in which its front matter must end."""

TITLE_LENGTH = 200
"""Characters of a first line that are kept as the title."""

# Zero-width characters and the soft hyphen carry no text but break word matching. The zero-width
# joiner and non-joiner stay: emoji sequences, Persian and Indic scripts are spelled with them.
_INVISIBLE = re.compile(
    "[\u200b\u2060\ufeff\u00ad\u061c\u180e\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.*?\w.*?)[\"']?[ \t]*$", re.MULTILINE)
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
        heading = normalise(title).replace("\n", " ") if title else ""
        return cls(text_id(clean), heading or _title(clean), source, clean, date)

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
        file = Path(path)
        try:
            file = file.expanduser()
            if file.is_dir():
                raise UnreadableArticle(f"{file} is a folder. Name a text or Markdown file in it.")
            if not file.exists():
                raise ArticleNotFound(
                    f"No file at {file}. Check the path; it is taken from the current folder "
                    f"({Path.cwd()}) unless it is absolute."
                )
            if not file.is_file():  # reading a pipe or a device may never end
                raise UnreadableArticle(f"{file} is no regular file. Name a text or Markdown file.")
            size = file.stat().st_size
            if size > MAX_BYTES:
                raise UnreadableArticle(
                    f"{file} has {size / 2**20:.0f} MB; at most {MAX_BYTES // 2**20} MB are read "
                    "as one article. Split it into parts and add each."
                )
            raw = file.read_bytes()
        except (OSError, RuntimeError, ValueError) as error:
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

    Byte order marks, zero-width and control characters go, all line ends become the same, unusual
    spaces become plain ones, and characters are composed (Unicode NFC). Doing it twice changes
    nothing.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    text = text.replace("\u2029", "\n\n").replace("\x0b", "\n").replace("\x0c", "\n\n")
    text = text.replace("\u0085", "\n").encode("utf-8", "replace").decode()  # lone surrogates
    text = _CONTROL.sub("", _SPACES.sub(" ", _INVISIBLE.sub("", text)))
    return unicodedata.normalize("NFC", text).strip()


def text_id(text: str) -> str:
    """Return the id of the article with this text."""
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def _title(text: str) -> str:
    """Return the title in front matter, else the first line with a letter or digit."""
    end = text.find("\n---\n", 0, FRONT_MATTER) if text.startswith("---\n") else -1
    if end > 0 and (named := _FRONT_TITLE.search(text, 0, end)):
        text = named.group(1)
    lines = (line.strip() for line in text.split("\n"))
    first = next(line for line in lines if any(ch.isalnum() for ch in line))
    heading = _HEADING.match(first)
    title = heading.group(1) if heading else first
    if len(title) <= TITLE_LENGTH:
        return title
    return title[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def _read_text(raw: bytes, file: Path) -> str:
    """Decode a text file: UTF-8 where it is, else the encoding that fits its bytes best."""
    marked = next((name for mark, name in _MARKS if raw.startswith(mark)), "")
    if b"\0" in raw and not marked:
        raise UnreadableArticle(
            f"{file} is a binary file (it holds NUL bytes). Save its text as UTF-8 and add that."
        )
    try:
        return raw.decode(marked or "utf-8-sig")
    except UnicodeDecodeError as error:
        mended = raw.decode(marked or "utf-8-sig", "replace")
        wrong = mended.count("\ufffd")
        # Text of that encoding with a flaw (a byte lost where it was cut), not of another one.
        # Text of that encoding with a flaw (a byte lost where it was cut), not of another one.
        if wrong * 10 <= sum(ch > "\x7f" for ch in mended):
            log.warning("%s: %d characters cannot be read (%s)", file, wrong, error)
            return mended
        if marked:
            raise UnreadableArticle(
                f"{file} begins like {marked} text and is not ({error}); it may be a binary file. "
                "Save its text as UTF-8 and add that."
            ) from error
    from charset_normalizer import from_bytes  # costs 0.1 s; most files never need it

    found = from_bytes(raw)
    best = found.best()
    if best is None:
        raise UnreadableArticle(
            f"The encoding of {file} cannot be told; it may be a binary file. "
            "Save its text as UTF-8 and add that."
        )
    # Near a tie the code page of Western Europe, which is by far the most common of its kind.
    tied = (m for m in found if m.chaos <= best.chaos + 0.05)
    western = best.language not in _EASTERN and any(
        "cp1252" in (m.encoding, *m.could_be_from_charset) for m in tied
    )
    # Chinese, Japanese and Korean text is mostly of other bytes; a few among letters are accents.
    western |= best.multi_byte_usage > 0 and sum(b > 0x7F for b in raw) < len(raw) * 0.15
    log.info("%s is read as %s", file, "cp1252" if western else best.encoding)
    return raw.decode("cp1252", "replace") if western else str(best)


# UTF-16 and UTF-32 hold NUL bytes by nature. The longer marks come first: they begin like others.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

# Languages of the code page that charset-normalizer mixes up with the Western one.
_EASTERN = ("Croatian", "Czech", "Hungarian", "Polish", "Slovak", "Slovene")

READERS: dict[str, Callable[[bytes, Path], str]] = {
    "": _read_text,
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_text,
    ".markdown": _read_text,
}
"""Reader by file suffix: the bytes of a file and its path in, its text out."""
