"""How the files of published sets are read: each loader turns files into documents and units.

A set is a few files of gzip-compressed JSON Lines. To add one, write a loader here and name it in
``bot.suites.SETS``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.questions import Question
from bot.records import Message
from index import AskArticleError

SUFFIX = ".jsonl.gz"


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
    """

    id: str
    title: str
    text: str
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A question of a set and where its answer is.

    Attributes:
        question: the question.
        documents: ids of its gold documents; for an unanswerable one the document it was asked of.
        evidence: for each annotator the numbers of the evidence sentences of its document.
    """

    question: Question
    documents: tuple[str, ...]
    evidence: tuple[tuple[int, ...], ...] = ()


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


def read_rows(file: Path, fields: Mapping[str, type]) -> list[dict[str, Any]]:
    """Read a file of a set: gzip-compressed JSON, an object a line.

    Args:
        file: the file.
        fields: the type of each field that is needed.

    Raises:
        SuiteError: it is missing or cannot be read, or a line lacks a field.
    """
    rows = []
    number = 0
    try:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                row = json.loads(line)
                for name, kind in fields.items():
                    if not isinstance(row, dict) or not isinstance(row.get(name), kind):
                        raise SuiteError(
                            f"{file}, line {number}: the field {name!r} must be there as a "
                            f"{kind.__name__}; each line is an object with {', '.join(fields)}. "
                            "Take the file as it was published."
                        )
                rows.append(row)
    except FileNotFoundError:
        raise SuiteError(
            f"There is no file {file.name} in {file.parent}. Expected is gzip-compressed JSON, an "
            f"object a line, with the fields {', '.join(fields)}. Put it there, or leave this set "
            "out: --only NAME names those to run."
        ) from None
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise SuiteError(
            f"{file}, after line {max(0, number)}: this cannot be read ({error}). Expected is "
            "gzip-compressed JSON, an object a line, in UTF-8; fetch or pack the file again."
        ) from error
    if not rows:
        raise SuiteError(f"{file} is empty; it needs a JSON object a line. Fetch it again.")
    return rows


def _read_documents(folder: Path, stem: str) -> tuple[Document, ...]:
    rows = read_rows(folder / f"{stem}{SUFFIX}", {"doc_id": str, "text": str})
    return tuple(
        Document(
            r["doc_id"],
            # Wikipedia's names of pages as they stand in addresses.
            str(r.get("title") or "").replace("_", " "),
            r["text"],
            tuple(r.get("sentences") or ()),
        )
        for r in rows
    )


def _known(cases: Iterable[Case], documents: Sequence[Document], stem: str) -> None:
    ids = {d.id for d in documents}
    for case in cases:
        for document in case.documents:
            if document not in ids:
                raise SuiteError(
                    f"{stem}: question {case.question.id!r} names the document {document!r}, which "
                    f"is not among the {len(ids)} of {stem}.docs{SUFFIX}. Take both files from "
                    "the same release."
                )


def questions(folder: Path, stem: str) -> Loaded:
    """Read a set of questions with exact answers, each from one document."""
    documents = _read_documents(folder, f"{stem}.docs")
    flags = {
        r["doc_id"]: {k: v for k, v in r.items() if isinstance(v, bool)}
        for r in read_rows(folder / f"{stem}.docs{SUFFIX}", {"doc_id": str})
    }
    rows = read_rows(
        folder / f"{stem}.questions{SUFFIX}",
        {"qid": str, "doc_id": str, "question": str, "answers": list, "answerable": bool},
    )
    cases = tuple(
        Case(
            Question(
                r["qid"],
                r["question"],
                answers=tuple(dict.fromkeys(r["answers"])),
                answerable=r["answerable"],
                extra=flags.get(r["doc_id"], {}),
            ),
            (r["doc_id"],),
        )
        for r in rows
    )
    _known(cases, documents, stem)
    return Loaded(cases, documents)


def long_answers(folder: Path, stem: str) -> Loaded:
    """Read a set of questions with long answers and the numbers of their evidence sentences."""
    documents = _read_documents(folder, f"{stem}.docs")
    rows = read_rows(
        folder / f"{stem}.questions{SUFFIX}",
        {"qid": str, "doc_id": str, "question": str, "outputs": list, "answerable": bool},
    )
    cases = tuple(
        Case(
            Question(
                r["qid"],
                r["question"],
                answerable=r["answerable"],
                extra={"expected": [o["answer"] for o in r["outputs"]]},
            ),
            (r["doc_id"],),
            tuple(tuple(o["evidence_sentences"]) for o in r["outputs"]),
        )
        for r in rows
    )
    _known(cases, documents, stem)
    return Loaded(cases, documents)


def several_facts(folder: Path, stem: str) -> Loaded:
    """Read a set of questions whose answer needs several documents of one sentence each."""
    documents = _read_documents(folder, f"{stem}.facts")
    rows = read_rows(
        folder / f"{stem}.questions{SUFFIX}",
        {"qid": str, "question": str, "gold_docs": list, "answers": list, "answerable": bool},
    )
    cases = tuple(
        Case(
            Question(
                r["qid"],
                r["question"],
                answerable=r["answerable"],
                extra={"expected": r["answers"], "kind": r.get("type")},
            ),
            tuple(dict.fromkeys(r["gold_docs"])),
        )
        for r in rows
    )
    _known(cases, documents, stem)
    return Loaded(cases, documents)


def canard(folder: Path, stem: str) -> Loaded:
    """Read follow-ups and rewrites; page and section stand as a first message of the user."""
    rows = read_rows(
        folder / f"{stem}{SUFFIX}",
        {"QuAC_dialog_id": str, "Question_no": int, "History": list, "Question": str,
         "Rewrite": str},
    )  # fmt: skip
    units = []
    for r in rows:
        heading, turns = r["History"][:2], r["History"][2:]
        history = [Message("user", ", ".join(heading))] if heading else []
        history += [Message("assistant" if i % 2 else "user", t) for i, t in enumerate(turns)]
        name = f"{r['QuAC_dialog_id']}:{r['Question_no']}"
        units.append((name, tuple(history), r["Question"], r["Rewrite"]))
    return Loaded(tuple(units))


def turn_rewrites(folder: Path, stem: str) -> Loaded:
    """Read the user's turns of conversations and rewrites of the last one."""
    rows = read_rows(
        folder / f"{stem}{SUFFIX}",
        {"qid": str, "user_turns": list, "last_turn": str, "rewrite": str},
    )
    units = []
    for r in rows:
        turns = r["user_turns"]
        earlier = turns[:-1] if turns and turns[-1] == r["last_turn"] else turns
        history = tuple(Message("user", t) for t in earlier)
        units.append((r["qid"], history, r["last_turn"], r["rewrite"]))
    return Loaded(tuple(units))


def conversations(folder: Path, stem: str) -> Loaded:
    """Read conversations with gold documents and answers that people have judged.

    Rewrites of the last turns are taken from ``mtrag_rewrites`` where that is there.
    """
    documents = _read_documents(folder, f"{stem}.docs")
    rows = read_rows(
        folder / f"{stem}.tasks{SUFFIX}",
        {"qid": str, "conversation": list, "gold_docs": list, "responses": dict},
    )
    rewrites = folder / f"mtrag_rewrites{SUFFIX}"
    more = read_rows(rewrites, {"qid": str, "rewrite": str}) if rewrites.exists() else []
    return Loaded(tuple(rows), documents, {r["qid"]: r for r in more})


def claims(folder: Path, stem: str) -> Loaded:
    """Read claims, each with the sentences that are to carry it."""
    rows = read_rows(
        folder / f"{stem}.oracle_chunks{SUFFIX}", {"claim": str, "evidence": list, "label": str}
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
        folder / f"{stem}{SUFFIX}", {"id": str, "premise": str, "hypothesis": str, "support": int}
    )
    return Loaded(tuple((r["id"], r["hypothesis"], r["premise"], r["support"] == 1) for r in rows))
