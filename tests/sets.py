"""Tiny sets in the formats of the published ones, for the tests that need a folder of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DOCUMENTS = {
    "harbour": ("Harbour_of_Brenn", "The harbour of Brenn was built in 1612. Its lighthouse is 34 "
                "metres tall. Johan Falk painted the lighthouse red in 1921."),
    "bridge": ("Oslo bridge", "The Oslo bridge was opened in 1911 by mayor Anna Berg. It cost "
               "twelve million crowns."),
    "violin": ("Violin", "A violin has four strings. Its bow is made of pernambuco wood and "
               "horsehair."),
}  # fmt: skip
QUESTIONS: list[tuple[str, str, str, list[str]]] = [
    ("q1", "harbour", "When was the harbour of Brenn built?", ["1612"]),
    ("q2", "bridge", "Who opened the Oslo bridge?", ["Anna Berg", "mayor Anna Berg"]),
    ("q3", "violin", "How many strings does a violin have?", ["four"]),
    ("q4", "harbour", "What is the price of gold in Zurich?", []),
]
CLAIMS = [
    ("The bridge was opened in 1911.", DOCUMENTS["bridge"][1], True),
    ("The bridge was opened in 1950.", DOCUMENTS["bridge"][1], False),
    ("A violin has four strings.", DOCUMENTS["violin"][1], True),
    ("The tower was painted by Greta Holm.", DOCUMENTS["harbour"][1], False),
]


def pack(file: Path, rows: Sequence[Any]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def spans(text: str, answers: Sequence[str]) -> list[list[int]]:
    return [[text.index(one), text.index(one) + len(one)] for one in answers]


def write_sets(folder: Path) -> None:
    """Write every set that is known, with a handful of rows each."""
    docs = [
        {"doc_id": i, "title": title, "text": text, "article_in_train": i == "bridge"}
        for i, (title, text) in DOCUMENTS.items()
    ]
    asked = [
        {"qid": q, "doc_id": doc, "question": text, "answers": answers,
         "spans": spans(DOCUMENTS[doc][1], answers), "answerable": bool(answers)}
        for q, doc, text, answers in QUESTIONS
    ]  # fmt: skip
    for name in ("xquad_en", "nq_oracle", "squad2_dev_eval"):
        twin = [{**docs[0], "doc_id": "twin"}] if name == "squad2_dev_eval" else []
        pack(folder / f"{name}.docs.jsonl.gz", docs + twin)
        kept = asked if name == "squad2_dev_eval" else asked[:3]
        pack(folder / f"{name}.questions.jsonl.gz", kept)
    sentences = ["The harbour of Brenn was built in 1612.", "Its lighthouse is 34 metres tall.",
                 "Johan Falk painted the lighthouse red in 1921."]  # fmt: skip
    pack(folder / "clapnq_dev.docs.jsonl.gz", [{**docs[0], "sentences": sentences}, *docs[1:]])
    pack(
        folder / "clapnq_dev.questions.jsonl.gz",
        [
            {"qid": "c1", "doc_id": "harbour", "question": QUESTIONS[0][2], "answerable": True,
             "outputs": [{"answer": "It was built in 1612.", "evidence_sentences": [0]},
                         {"answer": "Built in 1612, it is tall.", "evidence_sentences": [0, 1]}]},
            {"qid": "c2", "doc_id": "harbour", "question": QUESTIONS[3][2], "answerable": False,
             "outputs": []},
        ],
    )  # fmt: skip
    facts = [
        {"doc_id": f"f{n}", "title": title, "text": text}
        for n, (title, text) in enumerate(DOCUMENTS.values())
    ]
    pack(folder / "multihop_rag_500.facts.jsonl.gz", facts)
    pack(
        folder / "multihop_rag_500.questions.jsonl.gz",
        [
            {"qid": "m1", "question": "Were the harbour of Brenn and the Oslo bridge both built "
             "before 1900?", "answers": ["no"], "gold_docs": ["f0", "f1"], "answerable": True,
             "type": "comparison_query"},
            {"qid": "m2", "question": QUESTIONS[3][2], "answers": ["Insufficient information."],
             "gold_docs": [], "answerable": False, "type": "null_query"},
        ],
    )  # fmt: skip
    pack(
        folder / "canard_dev.jsonl.gz",
        [
            {"QuAC_dialog_id": "d", "Question_no": 1, "History": ["Anna Berg", "Life"],
             "Question": "Where was Anna Berg born?", "Rewrite": "Where was Anna Berg born?"},
            {"QuAC_dialog_id": "d", "Question_no": 2,
             "History": ["Anna Berg", "Life", "Where was Anna Berg born?", "In Oslo."],
             "Question": "When did she die?", "Rewrite": "When did Anna Berg die?"},
        ],
    )  # fmt: skip
    pack(
        folder / "mtrag_rewrites.jsonl.gz",
        [
            {"qid": "t1", "domain": "x", "user_turns": ["Who is Anna Berg?", "What did she open?"],
             "last_turn": "What did she open?", "rewrite": "What did Anna Berg open?"},
            {"qid": "t2", "domain": "x", "user_turns": ["Who is Anna Berg?", "Who built Brenn?"],
             "last_turn": "Who built Brenn?", "rewrite": "Who built Brenn?"},
        ],
    )  # fmt: skip
    pack(folder / "mtrag_humaneval.docs.jsonl.gz",
         [{"doc_id": i, "text": text} for i, (_, text) in DOCUMENTS.items()])  # fmt: skip
    judged = {
        "good": {"text": "The Oslo bridge was opened in 1911.", "faithfulness": [4, 4, 4]},
        "fair": {"text": "The bridge cost many crowns. It is blue.", "faithfulness": [3, 2, 3]},
        "poor": {"text": "Peter Lund closed it in 1999.", "faithfulness": [1, 1]},
    }
    pack(
        folder / "mtrag_humaneval.tasks.jsonl.gz",
        [
            {"qid": "t1", "gold_docs": ["bridge"], "responses": judged,
             "conversation": [{"speaker": "user", "text": "Who is Anna Berg?"},
                              {"speaker": "agent", "text": "Anna Berg is a mayor of Oslo."},
                              {"speaker": "user", "text": "What did she open?"}]},
            {"qid": "t9", "gold_docs": [], "responses": judged,
             "conversation": [{"speaker": "user", "text": "Hello"}]},
        ],
    )  # fmt: skip
    pack(
        folder / "wice_dev.oracle_chunks.jsonl.gz",
        [
            {"claim": c, "evidence": [e], "label": "supported" if label else "partially_supported"}
            for c, e, label in CLAIMS
        ],
    )
    for name in ("fever_symmetric", "summedits_news_podcast"):
        pack(
            folder / f"{name}.jsonl.gz",
            [
                {"id": f"p{n}", "premise": e, "hypothesis": c, "support": int(label)}
                for n, (c, e, label) in enumerate(CLAIMS)
            ],
        )
