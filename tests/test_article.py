"""What is read as an article, what is refused, and that normalising is done once and for all."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Article, ArticleNotFound, EmptyArticle, UnreadableArticle, bundled
from index.article import MAX_BYTES, TITLE_LENGTH, normalise

ENGLISH = "President Trump said “we’ll see” – and left. The café is open; it costs £5 and €6."
GERMAN = "Die Straße war völlig überfüllt. „Schöne Grüße“ aus Österreich und der Türkei."
FRENCH = (
    "Les dirigeants européens ont réclamé dimanche que l’Ukraine participe aux négociations entre "
    "les États-Unis et la Russie, à quelques jours d’un sommet. La paix ne se décide pas sans elle."
)
CZECH = (
    "Prezident řekl, že jednání bude pokračovat příští týden. Ukrajina podle něj musí být u stolu "
    "a o míru se nesmí rozhodovat bez ní."
)
RUSSIAN = "Президент заявил, что встреча прошла успешно. Переговоры продолжатся в Москве."

# Plain random text seldom holds what normalising is about.
texts = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("ab \n\r\t\u0085\u2028\u2029\x0b\x0c\x00\ufeff\u200b\u200d\u2000\u2001"),
        st.sampled_from("e\u0301\u0323\u212b\u1100\u1161\U0001f469\u00a0\u2066\ud800\x7f\x9f"),
    ),
    max_size=60,
)


@given(texts)
def test_normalising_is_done_once_and_for_all(text: str) -> None:
    clean = normalise(text)
    assert normalise(clean) == clean == clean.strip()
    assert unicodedata.is_normalized("NFC", clean)
    assert not set(clean) & set("\r\x00\x0b\x0c\x85\u2028\u2029\ufeff\u200b\u00a0\u2000\u2001")
    clean.encode()  # no lone surrogates: it can be written and hashed


@given(texts)
def test_any_string_is_an_article_or_empty(text: str) -> None:
    if any(ch.isalnum() for ch in normalise(text)):
        article = Article.from_text(text)
        assert article.text == normalise(text)
        assert article.title
        assert "\n" not in article.title
        assert len(article.title) <= TITLE_LENGTH
    else:
        with pytest.raises(EmptyArticle):
            Article.from_text(text)


def test_normalised_characters() -> None:
    given = "\ufeffOne\u00a0two\r\nthree\rfour\u200b\u00ad five\x00 e\u0301\u2028six\x0cseven\ud800"
    assert normalise(given) == "One two\nthree\nfour five é\nsix\n\nseven?"
    family = "👩\u200d👩\u200d👧 می\u200cخواهم"
    assert normalise(family) == family, "joiners are spelling"


def test_id_is_the_text_alone() -> None:
    one = Article.from_text("Hello there.\r\nYou.", title="A", source="a.txt")
    two = Article.from_text("\ufeffHello there.\nYou.\n", title="B")
    assert one.id == two.id == "3818592017e72e4d"  # written into stores: it must never change
    assert one != two
    assert one == Article.from_text(one.text, title="A", source="a.txt")
    assert Article.from_text("Hello there. You").id != one.id
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.text = "other"  # type: ignore[misc]  # it is frozen


def test_bundled() -> None:
    article = bundled()
    assert article == bundled()
    assert article.title == article.text.split("\n")[0]
    assert "Trump" in article.title
    assert article.source == "alaska_summit.txt"
    assert Article.from_text(article.text).id == article.id


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("First line\n\nMore.", "First line"),
        ("\n\n---\n# The  heading #\n\nMore.", "The  heading"),
        ("### Third level\nMore.", "Third level"),
        ("#hashtag first\nMore.", "#hashtag first"),
        ("Underlined\n==========\nMore.", "Underlined"),
        ("---\ndate: 2025-08-09\ntitle: 'From front matter'\n---\n\n# Head\n", "From front matter"),
        ("---\nno front: matter\n\nMore.", "no front: matter"),
        ("…\n“Quoted”\n", "“Quoted”"),
        ("word " * 100, "word " * 38 + "word…"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_title(text: str, title: str) -> None:
    assert Article.from_text(text).title == title


def test_title_given(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text("# Heading\n\nText.", encoding="utf-8")
    assert Article.load(file).title == "Heading"
    assert Article.load(str(file), title="Two\r\nlines\u00a0").title == "Two lines"
    assert Article.load(file, title=" \n").title == "Heading"
    assert Article.load(file).source == str(file)
    assert Article.from_text("x", date="2025-08-09").date == "2025-08-09"


@pytest.mark.parametrize("repeated", [1, 40])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "utf-8"),
        (ENGLISH, "utf-8-sig"),
        (ENGLISH, "cp1252"),
        (ENGLISH, "utf-16"),
        (RUSSIAN, "utf-32"),
        (GERMAN, "cp1252"),
        (GERMAN.replace("„", '"').replace("“", '"'), "latin-1"),
        (FRENCH, "cp1252"),
        (CZECH, "cp1250"),
        ("El señor Muñoz llegó mañana a la reunión de la Unión Europea en España.", "latin-1"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "utf-16"),
    ],
)
def test_encodings(tmp_path: Path, text: str, encoding: str, repeated: int) -> None:
    file = tmp_path / "article.txt"
    whole = "\r\n\r\n".join([text] * repeated)
    file.write_bytes(whole.encode(encoding))
    assert Article.load(file).text == whole.replace("\r", "")


def test_a_flaw_in_utf8_is_not_another_encoding(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "cut.txt"
    file.write_bytes(RUSSIAN.encode()[:-2])
    assert Article.load(file).text == RUSSIAN[:-2] + "\ufffd"
    assert "1 characters cannot be read" in caplog.text
    file.write_bytes(RUSSIAN.encode("utf-16")[:-1])
    assert Article.load(file).text == RUSSIAN[:-1] + "\ufffd"


@pytest.mark.parametrize(
    ("name", "raw", "error", "said"),
    [
        ("empty.txt", b"", EmptyArticle, "holds no text"),
        ("junk.txt", b"\xff\xfe\x00\x01binary\x00", UnreadableArticle, "may be a binary file"),
        ("blank.md", b"\xef\xbb\xbf \r\n\t\n", EmptyArticle, "holds no text"),
        ("marks.txt", "… 🙂 —".encode(), EmptyArticle, "none of them a letter or digit"),
        ("binary.txt", b"\x7fELF\x02\x01\x00\x00\x00" * 40, UnreadableArticle, "NUL bytes"),
        ("noise.txt", bytes(range(1, 256)) * 20, UnreadableArticle, "encoding"),
        ("paper.pdf", b"%PDF-1.7 text", UnreadableArticle, r"a \.pdf file.*\.md.*\.txt"),
    ],
)
def test_files_refused(
    tmp_path: Path, name: str, raw: bytes, error: type[Exception], said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(raw)
    with pytest.raises(error, match=said) as caught:
        Article.load(file)
    assert str(file) in str(caught.value)


def test_paths_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableArticle, match="is a folder"):
        Article.load(tmp_path)
    with pytest.raises(ArticleNotFound, match=r"No file at .*missing\.txt"):
        Article.load(tmp_path / "missing.txt")
    with pytest.raises(ArticleNotFound):
        Article.load("nul\0byte.txt")
    with pytest.raises(UnreadableArticle, match="too long"):
        Article.load("x" * 5000)
    with pytest.raises(UnreadableArticle, match="cannot be read"):
        Article.load("~nobody-of-that-name/a.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises((ArticleNotFound, UnreadableArticle)):
        Article.load(tmp_path / "loop.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnreadableArticle, match="no regular file"):
        Article.load(tmp_path / "pipe.txt")  # would wait for a writer for ever


def test_large_file(tmp_path: Path) -> None:
    file = tmp_path / "large.txt"
    with file.open("wb") as stream:
        stream.truncate(50 * 2**20)
    with pytest.raises(UnreadableArticle, match="has 50 MB; at most 20 MB"):
        Article.load(file)
    with file.open("wb") as stream:
        stream.write(b"Words. ")
        stream.truncate(MAX_BYTES)
    with pytest.raises(UnreadableArticle, match="NUL bytes"):  # not too large
        Article.load(file)


@pytest.mark.parametrize("name", ["README", "notes.TXT", "a.markdown", "a.text", ".hidden"])
def test_suffixes_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Some text.", encoding="utf-8")
    assert Article.load(tmp_path / name).text == "Some text."


def test_a_few_accents_are_not_chinese(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_bytes("Ein kurzer Text. Das Wetter in Köln war schön.\n".encode("latin-1"))
    assert Article.load(file).text == "Ein kurzer Text. Das Wetter in Köln war schön."
