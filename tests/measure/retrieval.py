"""Which passages are found: ways of finding, fused and reranked, on real question sets.

Passages are cut as the bot cuts them and searched by themselves, with or without their title: the
sentence before one that leans on it, which the store adds, is left out here. A hit is one of the
document that answers. Vectors are compared exactly. The reader reads what the reranker read.
"""

from __future__ import annotations

import random
import re
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from bot import rerank
from bot.metrics import mean
from bot.reader import Reader
from bot.rerank import SECOND_PROMPT, Reranker
from bot.retrieve import FIRST, order_of
from bot.sets import title_of
from bot.words import content, stem
from index import Article
from index.chunk import Chunking, chunk, titled
from index.embed import Embedder, load_embedder
from tests.measure.common import evaluation, patched, read_rows, table

SETS = ("xquad_en", "nq_oracle", "squad2_dev_eval", "multihop_rag_500")

WHOLE = "squad2_dev_train"
"""A training set whose documents are the paragraphs of a few articles."""

DEPTHS = (1, 5, 10, 20, 40)
"""Passages looked at."""

FUSED = 60
"""The constant of reciprocal rank fusion (Cormack et al. 2009)."""

RERANKED = 20
"""Passages that are reranked, of each way of finding."""

WEIGHTS = (0.0, 30.0)
"""Weights of the bi-encoder beside the cross-encoder."""

READER = (1.0,)
"""Weights of the reader's log odds that a passage answers, beside both."""

SAMPLE = 100
"""Questions of each set, seed 0, for which passages are reranked."""

READ = 6
"""Passages that the reader reads: those that are best after reranking."""

Array = NDArray[np.float64]
Found = list[list[int]]
"""For each question the passages found, best first."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """The passages of a set and its answerable questions.

    Attributes:
        name: name of the set.
        texts: the passages.
        titled: the passages, each after its document's title.
        documents: the document that each passage is from.
        questions: the questions.
        gold: for each question the documents that answer it.
        all_of: whether all of these are wanted, not just one.
    """

    name: str
    texts: list[str]
    titled: list[str]
    documents: list[str]
    questions: list[str]
    gold: list[list[str]]
    all_of: bool


def load(folder: Path, name: str, embedder: Embedder, sample: int | None) -> Corpus:
    """Return a set, its documents cut into passages; of its questions a sample, seed 0."""
    multihop = name.startswith("multihop")
    documents = read_rows(folder / f"{name}.{'facts' if multihop else 'docs'}.jsonl.gz")
    asked = [q for q in read_rows(folder / f"{name}.questions.jsonl.gz") if q["answerable"]]
    asked = [q for q in asked if q.get("gold_docs", True)]
    if sample and sample < len(asked):
        asked = random.Random(0).sample(asked, sample)
    return _corpus(name, documents, asked, embedder)


def _corpus(
    name: str,
    documents: Sequence[dict[str, Any]],
    asked: Sequence[dict[str, Any]],
    embedder: Embedder,
) -> Corpus:
    """Return documents cut into passages, and those of the questions that they answer."""
    rows = []
    for document in documents:
        title = title_of(document)
        article = Article.from_text(document["text"], title=title)
        passages = chunk(article, embedder.token_counter(), Chunking())
        rows += [(p.text, titled(title, p.text), document["doc_id"]) for p in passages]
    texts, with_titles, ids = map(list, zip(*rows, strict=True))
    known = set(ids)
    gold = [(q["question"], q.get("gold_docs") or [q["doc_id"]]) for q in asked]
    gold = [(question, of) for question, of in gold if known.issuperset(of)]
    questions, answers = map(list, zip(*gold, strict=True))
    return Corpus(name, texts, with_titles, ids, questions, answers, name.startswith("multihop"))


# -- ways of finding --


def by_vector(passages: Array, questions: Array) -> Found:
    """Return the passages nearest to each question."""
    return [list(map(int, np.argsort(-row)[: DEPTHS[-1]])) for row in questions @ passages.T]


def by_words(corpus: Corpus, texts: Sequence[str]) -> Found:
    """Return the passages with the best BM25 in SQLite's FTS5, English stems."""
    with sqlite3.connect(":memory:") as index:
        index.execute("CREATE VIRTUAL TABLE p USING fts5(t, tokenize='porter unicode61')")
        index.executemany("INSERT INTO p(rowid, t) VALUES (?, ?)", list(enumerate(texts, 1)))
        found: Found = []
        for question in corpus.questions:
            wanted = dict.fromkeys(re.findall(r"\w+", question.lower()))
            matched = " OR ".join(f'"{w}"' for w in wanted)
            rows = index.execute(
                "SELECT rowid FROM p WHERE p MATCH ? ORDER BY bm25(p) LIMIT ?",
                (matched, DEPTHS[-1]),
            )
            found.append([row - 1 for (row,) in rows])
    return found


def by_keyword(corpus: Corpus, texts: Sequence[str], passages: Array, questions: Array) -> Found:
    """Return the nearest among the passages that hold the question's two rarest words."""
    held = [{stem(w) for w in content(t)} for t in texts]
    counts: dict[str, int] = {}
    for words in held:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    found: Found = []
    for question, row in zip(corpus.questions, questions @ passages.T, strict=True):
        known = sorted({stem(w) for w in content(question)} & counts.keys(), key=counts.__getitem__)
        order = map(int, np.argsort(-row))
        found.append([i for i in order if held[i] & set(known[:2])][: DEPTHS[-1]])
    return found


def fuse(*lists: Found) -> Found:
    """Return several rankings as one, by reciprocal rank."""
    fused: Found = []
    for ranked in zip(*lists, strict=True):
        scores: dict[int, float] = {}
        for ranking in ranked:
            for rank, i in enumerate(ranking, 1):
                scores[i] = scores.get(i, 0.0) + 1 / (FUSED + rank)
        fused.append(sorted(scores, key=lambda i: -scores[i])[: DEPTHS[-1]])
    return fused


# -- the tables --


def hit(corpus: Corpus, question: int, ranked: Sequence[int], depth: int) -> float:
    """Return whether the first passages hold a document that answers, or all where all count."""
    seen = {corpus.documents[i] for i in ranked[:depth]}
    gold = corpus.gold[question]
    return float(all(g in seen for g in gold) if corpus.all_of else any(g in seen for g in gold))


def hits(corpus: Corpus, found: Found, depth: int) -> float | None:
    """Return the share of the questions that are hit."""
    return mean([hit(corpus, q, ranked, depth) for q, ranked in enumerate(found)])


def measure(*, quick: bool, data: Path | None = None, names: Sequence[str] = SETS) -> str:
    """Return the tables of all sets: finding, then reranking."""
    if data is None:
        raise SystemExit("Give the folder with the question sets: --data FOLDER")
    embedder, reranker = load_embedder(), Reranker()
    parts = [] if quick else [within_articles(data, embedder)]
    data = evaluation(data)
    for name in names:
        corpus = load(data, name, embedder, 40 if quick else None)
        print(f"retrieval: {name}", file=sys.stderr)
        ways = _ways(corpus, embedder)
        ways |= _second_ways(corpus, ways, reranker)
        of = f"{name}: {len(corpus.questions)} questions, {len(corpus.texts)} passages"
        kind = "all gold facts" if corpus.all_of else "the document that answers"
        parts.append(
            table(
                f"Share of questions with {kind} in the first passages found; {of}",
                ["found by", *map(str, DEPTHS)],
                [[way, *(hits(corpus, f, d) for d in DEPTHS)] for way, f in ways.items()],
            )
        )
        parts.append(_reranked(corpus, ways, reranker, of))
    return "\n\n".join(parts)


def within_articles(data: Path, embedder: Embedder) -> str:
    """Return the table for questions that are asked of one whole article at a time."""
    folder = data / "train"
    asked = [q for q in read_rows(folder / f"{WHOLE}.questions.jsonl.gz") if q["answerable"]]
    articles: dict[str, list[dict[str, Any]]] = {}
    for document in read_rows(folder / f"{WHOLE}.docs.jsonl.gz"):
        articles.setdefault(document["title"], []).append(document)
    found: dict[str, list[list[float]]] = {}
    sizes = []
    for documents in articles.values():
        corpus = _corpus(WHOLE, documents, asked, embedder)
        sizes.append(len(corpus.texts))
        for way, ranked in _ways(corpus, embedder).items():
            found.setdefault(way, []).extend(
                [hit(corpus, q, r, d) for d in DEPTHS] for q, r in enumerate(ranked)
            )
    count = len(next(iter(found.values())))
    return table(
        f"Share of questions with the document that answers in the first passages found, each "
        f"asked of its own article alone; {WHOLE}: {count} questions, {len(sizes)} articles of "
        f"{min(sizes)} to {max(sizes)} passages",
        ["found by", *map(str, DEPTHS)],
        [[way, *map(mean, zip(*rows, strict=True))] for way, rows in found.items()],
    )


def _ways(corpus: Corpus, embedder: Embedder) -> dict[str, Found]:
    """Return what each way of finding finds that the store has, or could have at no cost."""
    plain, titled = (np.array(embedder.embed_documents(t)) for t in (corpus.texts, corpus.titled))
    asked = np.array(embedder.embed_queries(corpus.questions))
    dense, dense_titled = by_vector(plain, asked), by_vector(titled, asked)
    words, words_titled = by_words(corpus, corpus.texts), by_words(corpus, corpus.titled)
    return {
        "dense": dense,
        "dense, title prepended": dense_titled,
        "dense + keyword-constrained dense": fuse(
            dense, by_keyword(corpus, corpus.texts, plain, asked)
        ),
        "BM25 (FTS5)": words,
        "BM25, title prepended": words_titled,
        "dense + BM25": fuse(dense, words),
        "dense + BM25, title prepended to both": fuse(dense_titled, words_titled),
        "dense + BM25, title prepended to the words": fuse(dense, words_titled),
    }


def _second_ways(corpus: Corpus, ways: dict[str, Found], reranker: Reranker) -> dict[str, Found]:
    """Return what is found with the vectors of the reranker's bi-encoder as well."""
    reranker.load()
    model: Any = reranker._model
    second = by_vector(
        _stacked(model._embed, corpus.texts),
        _stacked(model._embed, [SECOND_PROMPT + q for q in corpus.questions]),
    )
    dense, words = ways["dense"], ways["BM25 (FTS5)"]
    return {
        "second bi-encoder": second,
        "second bi-encoder + BM25": fuse(second, words),
        "dense + second bi-encoder + BM25": fuse(dense, second, words),
    }


def _stacked(embed: Callable[[list[str]], dict[str, Any]], texts: list[str]) -> Array:
    vectors = embed(list(dict.fromkeys(texts)))
    return np.array([vectors[t] for t in texts])


def _reranked(corpus: Corpus, ways: dict[str, Found], reranker: Reranker, of: str) -> str:
    chosen = ["dense", "dense + BM25", "dense + BM25, title prepended to both"]
    rows: dict[tuple[str, str, str], Found] = {}
    reader = Reader()
    console = Console(stderr=True)
    asked: Sequence[int] = range(len(corpus.questions))
    if len(asked) > SAMPLE:
        asked = sorted(random.Random(0).sample(asked, SAMPLE))  # no secret
    for q in track(asked, "Reranking", console=console, transient=True):
        union = sorted({i for way in chosen for i in ways[way][q][:RERANKED]})
        for shown in ("passage", "title and passage"):
            texts = corpus.titled if shown != "passage" else corpus.texts
            scores = _scores(reranker, corpus.questions[q], [texts[i] for i in union])
            for weight in WEIGHTS:
                total = dict(zip(union, scores(weight), strict=True))
                for way in chosen:
                    ranked = sorted(ways[way][q][:RERANKED], key=lambda i: -total[i])
                    rows.setdefault((way, shown, f"{weight:g}"), []).append(ranked)
                    if weight == rerank.SECOND_WEIGHT:
                        found = ways[way][q][:RERANKED]
                        order = [found[i] for i in order_of([total[i] for i in found])]
                        key = (way, shown, f"{weight:g}, fused behind the first {FIRST}")
                        rows.setdefault(key, []).append(order)
                    if weight == rerank.SECOND_WEIGHT and way == chosen[-1]:
                        first, rest = ranked[:READ], ranked[READ:]
                        read = reader.read(corpus.questions[q], [texts[i] for i in first])
                        here = {i: r.here for i, r in zip(first, read, strict=True)}
                        for share in READER:
                            order = sorted(first, key=lambda i: -total[i] - share * here[i])
                            key = (way, shown, f"{weight:g}, reader {share:g}")
                            rows.setdefault(key, []).append([*order, *rest])
    return table(
        f"After reranking the first {RERANKED}, of {len(asked)} questions drawn; {of}",
        ["found by", "reranked", "weight of the bi-encoder", "hit@1", "hit@5", "hit@10"],
        [
            [
                *key,
                *(
                    mean([hit(corpus, q, r, d) for q, r in zip(asked, found, strict=True)])
                    for d in (1, 5, 10)
                ),
            ]
            for key, found in rows.items()
        ],
    )


def _scores(reranker: Reranker, question: str, texts: list[str]) -> Callable[[float], list[float]]:
    """Return what the reranker says of texts, for any weight of the bi-encoder."""
    with patched(rerank, "SECOND_WEIGHT", 0.0):
        cross = reranker.score([(question, text) for text in texts])
    model: Any = reranker._model
    vectors = model._embed([SECOND_PROMPT + question, *texts])
    like = [float(vectors[SECOND_PROMPT + question] @ vectors[text]) for text in texts]
    return lambda weight: [c + weight * v for c, v in zip(cross, like, strict=True)]
