"""How the files of published sets are read: each loader turns files into documents and units.

A set is a few files of gzip-compressed JSON Lines. To add one, write a loader here and name it in
``bot.suites.SETS``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from bot.questions import Question
from bot.records import Message
from index import AskArticleError

SUFFIX = ".jsonl.gz"
"""What the names of a set's files end with; unpacked ones end with ``PLAIN``."""

PLAIN = ".jsonl"

NO_ANSWER = "CANNOTANSWER"
"""What stands in CANARD for an answer that is not in the article."""


class SuiteError(AskArticleError):
    """A set that cannot be read, or that there is none of."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a set.

    Attributes:
        id: its id in the set.
        title: its title; empty where it has none.
        text: its text as it stands in the file.
        sentences: its sentences, where the set gives them.
        flags: what else is true or false of it.
    """

    id: str
    title: str
    text: str
    sentences: tuple[str, ...] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A question of a set and where its answer is.

    Attributes:
        question: the question.
        documents: ids of its gold documents; for an unanswerable one the document it was asked of.
        evidence: for each annotator the numbers of the evidence sentences of its document.
        spans: where accepted answers stand in its document: half-open character offsets
            ``[start, end)`` into the text as it stands in the file.
    """

    question: Question
    documents: tuple[str, ...]
    evidence: tuple[tuple[int, ...], ...] = ()
    spans: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader makes of a set's files.

    Attributes:
        units: what is sampled: a ``Case`` or a row of the file.
        documents: all documents of the set.
        more: further rows that a task needs, by their id.
    """

    units: tuple[Any, ...]
    documents: tuple[Document, ...] = ()
    more: Mapping[str, Mapping[str, Any]] | None = None


def find_file(folder: Path, stem: str) -> Path:
    """Return the file of a set in a folder: packed, or unpacked where only that is there."""
    packed, plain = folder / f"{stem}{SUFFIX}", folder / f"{stem}{PLAIN}"
    return plain if plain.exists() and not packed.exists() else packed


def read_rows(file: Path, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read a file of a set: JSON, an object a line, gzip-compressed where its name ends so.

    Args:
        file: the file.
        fields: the type of each field that is needed.

    Raises:
        SuiteError: it is missing or cannot be read, or a line lacks a field.
    """
    rows = []
    number = 0
    wanted: dict[str, Any] = {name: (kind, ...) for name, kind in fields.items()}
    model = create_model("Row", __config__=ConfigDict(strict=True), **wanted)
    try:
        with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                _check(row, model, f"{file}, line {number}")
                rows.append(row)
    except FileNotFoundError:
        raise SuiteError(
            f"There is no file {file.name} in {file.parent}. Expected is JSON, an object a line, "
            f"with the fields {', '.join(fields)}. Put it there, or leave this set out: --only "
            "NAME names those to run."
        ) from None
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise SuiteError(
            f"{file}, after line {max(0, number)}: this cannot be read ({error}). Expected is "
            f"JSON, an object a line, in UTF-8, gzip-compressed where the name ends in {SUFFIX}; "
            "fetch or pack the file again."
        ) from error
    if not rows:
        raise SuiteError(f"{file} is empty; it needs a JSON object a line. Fetch it again.")
    return rows


def _check(row: object, model: type[BaseModel], where: str) -> None:
    """Refuse a line that lacks a field or has one of another type."""
    try:
        model.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or next(iter(model.model_fields))
        raise SuiteError(
            f"{where}: the field {name!r} is not as it should be ({first['msg'].lower()}); each "
            f"line is an object with {', '.join(model.model_fields)}. Take the file as it was "
            "published."
        ) from error


def _read_documents(folder: Path, stem: str) -> dict[str, Document]:
    """Return the documents of a file by their ids."""
    rows = read_rows(find_file(folder, stem), {"doc_id": str, "text": str})
    return {
        r["doc_id"]: Document(
            r["doc_id"],
            title_of(r),
            r["text"],
            tuple(map(str, r.get("sentences") or ())),
            {name: value for name, value in r.items() if isinstance(value, bool)},
        )
        for r in rows
    }


def title_of(row: Mapping[str, Any]) -> str:
    """Return the title of a document; that of a news story after its outlet and day."""
    title = str(row.get("title") or "").replace("_", " ")  # so are Wikipedia's pages named
    told = [row[name][:10] if name == "date" else row[name] for name in ("source", "date")
            if isinstance(row.get(name), str)]  # fmt: skip
    return f"{', '.join(told)}: {title}" if told else title


def _known(
    named: Iterable[tuple[str, Sequence[str]]], documents: Mapping[str, Document], file: Path
) -> None:
    """Refuse questions, given by id and documents, that name a document which is not there."""
    for question, ids in named:
        for document in ids:
            if document not in documents:
                raise SuiteError(
                    f"{file}: question {question!r} names the document {document!r}, which is not "
                    f"among the {len(documents)} that come with it. Take both files from the same "
                    "release."
                )


def _questions(
    folder: Path,
    stem: str,
    documents: Mapping[str, Document],
    fields: Mapping[str, Any],
    case: Callable[[Mapping[str, Any], tuple[str, ...]], Case],
) -> Loaded:
    """Read the questions on some documents.

    Args:
        folder: where the set is.
        stem: its name.
        documents: the documents by their ids.
        fields: the type of each field besides those that all questions have; ``doc_id`` or
            ``gold_docs`` among them names the gold documents.
        case: makes a case of a line and the ids of its gold documents.
    """
    file = find_file(folder, f"{stem}.questions")
    rows = read_rows(file, {"qid": str, "question": str, "answerable": bool, **fields})
    named = [
        (r, tuple(dict.fromkeys([r["doc_id"]] if "doc_id" in fields else r["gold_docs"])))
        for r in rows
    ]
    _known(((r["qid"], ids) for r, ids in named), documents, file)
    return Loaded(tuple(case(r, ids) for r, ids in named), tuple(documents.values()))


def questions(folder: Path, stem: str) -> Loaded:
    """Read a set of questions with exact answers, each from one document."""
    documents = _read_documents(folder, f"{stem}.docs")

    def case(row: Mapping[str, Any], names: tuple[str, ...]) -> Case:
        (document,) = (documents[name] for name in names)
        question = Question(
            row["qid"],
            row["question"],
            answers=tuple(dict.fromkeys(row["answers"])),
            answerable=row["answerable"],
            extra=document.flags,
        )
        return Case(question, names, spans=_spans(row, document.text))

    fields = {"doc_id": str, "answers": list[str]}
    return _questions(folder, stem, documents, fields, case)


def _spans(row: Mapping[str, Any], text: str) -> tuple[tuple[int, int], ...]:
    """Return where accepted answers stand in a text, spelled as they are wherever one is.

    A span whose letters differ in case may lie inside another word.
    """
    spans = tuple((start, end) for start, end in row.get("spans") or ())
    return tuple(s for s in spans if text[s[0] : s[1]] in row["answers"]) or spans


class _Output(BaseModel):
    """A long answer and the numbers of its evidence sentences."""

    model_config = ConfigDict(strict=True)
    answer: str
    evidence_sentences: list[Annotated[int, Field(ge=0)]]


def long_answers(folder: Path, stem: str) -> Loaded:
    """Read a set of questions with long answers and the numbers of their evidence sentences."""

    def case(row: Mapping[str, Any], names: tuple[str, ...]) -> Case:
        question = Question(
            row["qid"],
            row["question"],
            answerable=row["answerable"],
            extra={"expected": [o["answer"] for o in row["outputs"]]},
        )
        return Case(question, names, tuple(tuple(o["evidence_sentences"]) for o in row["outputs"]))

    documents = _read_documents(folder, f"{stem}.docs")
    return _questions(folder, stem, documents, {"doc_id": str, "outputs": list[_Output]}, case)


def several_facts(folder: Path, stem: str) -> Loaded:
    """Read a set of questions whose answer needs several documents of one sentence each."""

    def case(row: Mapping[str, Any], names: tuple[str, ...]) -> Case:
        question = Question(
            row["qid"],
            row["question"],
            answerable=row["answerable"],
            extra={"expected": row["answers"], "kind": row.get("type")},
        )
        return Case(question, names)

    fields = {"gold_docs": list[str], "answers": list[str]}
    return _questions(folder, stem, _read_documents(folder, f"{stem}.facts"), fields, case)


def canard(folder: Path, stem: str) -> Loaded:
    """Read follow-ups and rewrites; page and section stand as a first message of the user.

    The answers of a conversation are a document, under the conversation's id: they are cut from
    one section of an article.
    """
    rows = read_rows(
        find_file(folder, stem),
        {"QuAC_dialog_id": str, "Question_no": int, "History": list[str], "Question": str,
         "Rewrite": str},
    )  # fmt: skip
    units = []
    longest: dict[str, list[str]] = {}
    for r in rows:
        dialog, said = r["QuAC_dialog_id"], r["History"]
        heading, turns = said[:2], said[2:]
        history = [Message("user", ", ".join(heading))] if heading else []
        history += [Message("assistant" if i % 2 else "user", t) for i, t in enumerate(turns)]
        units.append((f"{dialog}:{r['Question_no']}", tuple(history), r["Question"], r["Rewrite"]))
        longest[dialog] = max(longest.get(dialog, []), said, key=len)
    documents = []
    for dialog, said in longest.items():
        answers = dict.fromkeys(a.strip() for a in said[3::2] if a.strip() != NO_ANSWER)
        if any(answers):
            text = "\n\n".join(answers)
            documents.append(Document(dialog, ", ".join(said[:2]), text))
    return Loaded(tuple(units), tuple(documents))


def turn_rewrites(folder: Path, stem: str) -> Loaded:
    """Read the user's turns of conversations and rewrites of the last one.

    What is searched for them are the documents of ``mtrag_humaneval``, where these are there.
    """
    rows = read_rows(
        find_file(folder, stem),
        {"qid": str, "user_turns": list[str], "last_turn": str, "rewrite": str},
    )
    units = []
    for r in rows:
        turns = r["user_turns"]
        earlier = turns[:-1] if turns and turns[-1] == r["last_turn"] else turns
        history = tuple(Message("user", t) for t in earlier)
        units.append((r["qid"], history, r["last_turn"], r["rewrite"]))
    there = find_file(folder, "mtrag_humaneval.docs").exists()
    documents = _read_documents(folder, "mtrag_humaneval.docs") if there else {}
    return Loaded(tuple(units), tuple(documents.values()))


class _Said(BaseModel):
    """A message of a conversation."""

    model_config = ConfigDict(strict=True)
    speaker: str
    text: str


class _Response(BaseModel):
    """A system's answer and how faithful people find it, from 1 to 4."""

    model_config = ConfigDict(strict=True)
    text: str
    faithfulness: list[float]


def conversations(folder: Path, stem: str) -> Loaded:
    """Read conversations with gold documents and answers that people have judged.

    Those without gold documents are left out: there is nothing to find for them. Rewrites of the
    last turns are taken from ``mtrag_rewrites`` where that is there.
    """
    documents = _read_documents(folder, f"{stem}.docs")
    file = find_file(folder, f"{stem}.tasks")
    rows = read_rows(
        file,
        {
            "qid": str,
            "conversation": Annotated[list[_Said], Field(min_length=1)],
            "gold_docs": list[str],
            "responses": dict[str, _Response],
        },
    )
    _known(((r["qid"], r["gold_docs"]) for r in rows), documents, file)
    rewrites = find_file(folder, "mtrag_rewrites")
    more = read_rows(rewrites, {"qid": str, "rewrite": str}) if rewrites.exists() else []
    asked = tuple(r for r in rows if r["gold_docs"])
    return Loaded(asked, tuple(documents.values()), {r["qid"]: r for r in more})


def claims(folder: Path, stem: str) -> Loaded:
    """Read claims, each with the sentences that are to carry it."""
    rows = read_rows(
        find_file(folder, f"{stem}.oracle_chunks"),
        {"claim": str, "evidence": list[str], "label": str},
    )
    return Loaded(
        tuple(
            (str(n), r["claim"], " ".join(r["evidence"]), r["label"] == "supported")
            for n, r in enumerate(rows)
        )
    )


def pairs(folder: Path, stem: str) -> Loaded:
    """Read pairs of a premise and a hypothesis that it carries or does not."""
    rows = read_rows(
        find_file(folder, stem), {"id": str, "premise": str, "hypothesis": str, "support": int}
    )
    return Loaded(tuple((r["id"], r["hypothesis"], r["premise"], r["support"] == 1) for r in rows))
