"""What a question set is, and how one is read and tied to the places of its evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.metrics import Place
from bot.records import Message
from bot.turns import understand
from index import Article, QuestionError, QuestionSetError
from index.article import normalise


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a question set.

    Attributes:
        id: names it in reports and errors.
        question: as a person types it.
        history: the earlier messages, oldest first.
        answers: accepted strings, any of which makes an answer right; none for an overview.
        short: accepted exact answers, where the question has one ("Friday").
        evidence: the stretches of the article that answer it, verbatim.
        answerable: whether the article answers it.
        extra: whatever else the question set tells of it (``kind``, ``split``, …).
    """

    id: str
    question: str
    history: tuple[Message, ...] = ()
    answers: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    answerable: bool = True
    short: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind that the question set gives it, else whether it is answerable."""
        return str(self.extra.get("kind") or ("answerable" if self.answerable else "unanswerable"))


def load_questions(path: str | Path) -> list[Question]:
    """Read a question set: a JSON object a line.

    Each has ``id``, ``question``, ``answers`` and ``evidence`` (lists of strings) and
    ``answerable`` (true or false); an answerable one needs answers or evidence. ``history``
    (role/content objects) may hold the earlier messages and ``short`` exact answers. Further fields
    are kept in ``Question.extra``. Blank lines are skipped.

    Raises:
        QuestionSetError: the file, its line and what is wrong there.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise QuestionSetError(
            f"No question set at {file}. Check the path; it is taken from the current folder "
            f"({Path.cwd()}) unless it is absolute."
        ) from None
    except UnicodeDecodeError as error:
        if error.object.startswith(b"\x1f\x8b"):
            raise QuestionSetError(
                f"{file} is gzip-compressed and of no published set that is known. Unpack it, or "
                "give a file that is named as eval --suite names them (NAME.questions.jsonl.gz)."
            ) from error
        line = error.object.count(b"\n", 0, error.start) + 1
        raise QuestionSetError(
            f"{file}, line {line}: this is not UTF-8 text ({error.reason}). Save the question "
            "set as UTF-8."
        ) from error
    except (OSError, ValueError) as error:
        raise QuestionSetError(
            f"The question set {file} cannot be read: {error}. Name a JSON Lines file."
        ) from error
    questions: list[Question] = []
    lines: dict[str, int] = {}
    for number, one in enumerate(text.split("\n"), 1):
        if not one.strip():
            continue
        try:
            question = _question(one)
            if question.id in lines:
                raise QuestionSetError(
                    f"the id {question.id!r} stands in line {lines[question.id]} already; give "
                    "each question its own"
                )
        except QuestionSetError as error:
            raise QuestionSetError(f"{file}, line {number}: {error}.") from error
        lines[question.id] = number
        questions.append(question)
    if not questions:
        raise QuestionSetError(f"{file} is empty; write a question a line, as a JSON object.")
    return questions


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "id": (lambda v: isinstance(v, str) and bool(v.strip()), "a string that is not blank"),
    "question": (lambda v: isinstance(v, str) and bool(v.strip()), "a string that is not blank"),
    "history": (lambda v: isinstance(v, list), "a list of role/content objects"),
    "answers": (lambda v: _are_strings(v), "a list of strings that are not blank"),
    "evidence": (lambda v: _are_strings(v), "a list of strings that are not blank"),
    "short": (lambda v: _are_strings(v), "a list of strings that are not blank"),
    "answerable": (lambda v: isinstance(v, bool), "true or false"),
}

_OPTIONAL: dict[str, Any] = {"short": [], "history": []}


def _are_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) and v.strip() for v in value)


def _question(line: str) -> Question:
    """Return the question of a line; errors say what is wrong, without a full stop."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise QuestionSetError(f"this is not JSON ({error}); write one object a line") from error
    if not isinstance(values, dict):
        raise QuestionSetError(
            f"this is a {type(values).__name__}; write an object with the fields "
            f"{', '.join(_FIELDS)}"
        )
    values = _OPTIONAL | values
    for name, (fits, expected) in _FIELDS.items():
        if name not in values:
            needed = ", ".join(field for field in _FIELDS if field not in _OPTIONAL)
            raise QuestionSetError(f"the field {name!r} is missing; each question has {needed}")
        if not fits(values[name]):
            shown = json.dumps(values[name], ensure_ascii=False)[:60]
            raise QuestionSetError(f"the field {name!r} is {shown}; give {expected}")
    if values["answerable"] and not values["answers"] and not values["evidence"]:
        raise QuestionSetError(
            "the question is answerable but has neither answers nor evidence; give accepted "
            "strings, or the sentences of the article that answer it"
        )
    try:
        turn = understand({"question": values["question"], "history": values["history"]})
    except QuestionError as error:
        raise QuestionSetError(str(error).rstrip(".")) from error
    return Question(
        values["id"],
        values["question"],
        turn.history,
        tuple(values["answers"]),
        tuple(values["evidence"]),
        values["answerable"],
        tuple(values["short"]),
        {name: value for name, value in values.items() if name not in _FIELDS},
    )


# A single character each, so that offsets stay those of the article.
_QUOTES = str.maketrans("‘’‚‛“”„‟«»", '\'\'\'\'""""""')


def locate(evidence: str, articles: Sequence[Article]) -> tuple[Place, ...]:
    """Return every place of the articles where a piece of evidence stands.

    Only white space and the style of quotation marks may differ from the article.
    """
    words = normalise(evidence).translate(_QUOTES).split()
    if not words:
        return ()
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    return tuple(
        (article.id, match.start(), match.end())
        for article in articles
        for match in pattern.finditer(article.text.translate(_QUOTES))
    )


def locate_all(question: Question, articles: Sequence[Article]) -> tuple[tuple[Place, ...], ...]:
    """Return, for each piece of a question's evidence, every place where it stands.

    Raises:
        QuestionSetError: one stands nowhere in the articles.
    """
    found = []
    for evidence in question.evidence:
        places = locate(evidence, articles)
        if not places:
            titles = ", ".join(f"“{a.title}”" for a in articles) or "no article at all"
            raise QuestionSetError(
                f"Question {question.id!r}: its evidence “{evidence[:80]}” stands nowhere in "
                f"{titles}. Copy it from the article word for word, or ask about the article that "
                "it is from."
            )
        found.append(places)
    return tuple(found)
