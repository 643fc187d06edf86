"""Which passages are found for a question, and which of them are kept as evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from bot.abstain import holds_count, holds_kind
from bot.records import Candidate, Query, Ranking
from bot.rerank import Reranker
from bot.words import canonical, dates, names, subject
from index import Passage, Store
from index.chunk import titled

DEPTH = 20
"""Passages that are found for a form of the question and handed to the reranker."""

FUSED = 60
"""The constant of reciprocal rank fusion, as in the paper."""

SHORT = 40
"""An article of up to this many passages is reranked whole: nothing can then be missed."""

EVIDENCE = 6
"""Passages that are kept for reading or writing."""

FIRST = 3
"""Passages at the head that are ordered by the reranker alone."""

REPEATED = 3.0
"""Logits that text given before loses where the question is joined to the one it answered."""

SUBJECT = 2.0
"""Logits that a text gains where its subject is the one that the question asks about."""

KIND = 6.0
"""Logits that a text loses where it lacks the kind of thing that is asked for."""

# What is wanted or said is somebody's own: a sentence about what another wants is no answer.
_WANTS = re.compile(
    r"\b(?:wants?|demands?|says?|claims?|seeks?|thinks?|asks?|believes?|insists?|rejects?|expects?|"
    r"needs?|hopes?|fears?|accuses?|plans?|offers?|proposes?|suggests?|den(?:y|ies))\b",
    re.IGNORECASE,
)


def retrieve(query: Query, store: Store) -> Ranking:
    """Find passages for every form of the question, all of them in a short article.

    In longer ones those that are nearest by their vectors and those that share words with the
    question are fused by reciprocal rank (Cormack et al. 2009, "Reciprocal rank fusion outperforms
    Condorcet and individual rank learning methods").
    """
    scope = query.turn.articles
    total = store.count(scope)
    k = total if total <= SHORT else DEPTH
    found: dict[tuple[str, int, int], Candidate] = {}
    for form in query.forms:
        ways = {"dense": store.search(form, k, scope)}
        if total > SHORT:
            ways["lexical"] = store.match(form, k, scope)
        for candidate in fuse(ways)[:k]:
            passage = candidate.passage
            if passage.article_id not in query.sources:
                continue  # it was added after the question was asked
            key = (passage.article_id, passage.start, passage.end)
            if key not in found or found[key].scores["found"] < candidate.scores["found"]:
                found[key] = candidate
    ranked = sorted(found.values(), key=lambda c: -c.scores["found"])
    return Ranking(query, query.forms[0] if query.forms else "", tuple(ranked))


def fuse(ways: Mapping[str, Sequence[tuple[Passage, float]]]) -> list[Candidate]:
    """Fuse rankings of passages by reciprocal rank, best first.

    Args:
        ways: the passages found in each way with their scores, best first.

    Returns:
        Each passage once, with its score by way and, as ``"found"``, the sum of its reciprocal
        ranks.
    """
    scores: dict[tuple[str, int, int], dict[str, float]] = {}
    passages: dict[tuple[str, int, int], Passage] = {}
    for way, found in ways.items():
        for rank, (passage, score) in enumerate(found, 1):
            key = (passage.article_id, passage.start, passage.end)
            passages.setdefault(key, passage)
            by_way = scores.setdefault(key, {"found": 0.0})
            by_way[way] = score
            by_way["found"] += 1 / (FUSED + rank)
    order = sorted(scores, key=lambda key: -scores[key]["found"])
    return [Candidate(passages[key], scores[key], False, "not reranked") for key in order]


def rerank(ranking: Ranking, reranker: Reranker) -> Ranking:
    """Order the candidates by the cross-encoder, for the form of the question that fits best.

    The question as typed is kept unless the history makes one that fits clearly better.
    """
    candidates, query = ranking.candidates, ranking.query
    if not candidates:
        return ranking
    readings = [c.passage.readings for c in candidates]
    titles = titles_of(query, [c.passage.article_id for c in candidates])
    by_form = {form: relevance(query, form, readings, titles, reranker) for form in query.forms}
    best = max(query.forms, key=lambda f: max(by_form[f]) - query.handicaps.get(f, 0.0))
    scores = by_form[best]
    order = order_of(scores)
    ranked = []
    for rank, i in enumerate(order):
        c = candidates[i]
        kept = rank < EVIDENCE
        by_stage = {**c.scores, "rerank": scores[i]}
        ranked.append(replace(c, scores=by_stage, kept=kept, reason=reason(rank + 1, len(order))))
    return replace(ranking, question=best, candidates=tuple(ranked))


def reason(rank: int, count: int) -> str:
    """Return why the passage of a rank, counted from 1, is kept or dropped."""
    return f"rank {rank} of {count}" + ("" if rank <= EVIDENCE else f", {EVIDENCE} are kept")


def order_of(scores: Sequence[float]) -> list[int]:
    """Return the order of candidates that stand as they were found, by their reranked scores.

    The first are those that the reranker likes best. Behind them its order is fused with the one
    in which they were found: a question that needs several passages is like no single one of them.
    """
    liked = sorted(range(len(scores)), key=lambda i: -scores[i])
    fused = {i: 1 / (FUSED + rank) + 1 / (FUSED + i + 1) for rank, i in enumerate(liked, 1)}
    return liked[:FIRST] + sorted(liked[FIRST:], key=lambda i: -fused[i])


def relevance(
    query: Query,
    form: str,
    readings: Sequence[Sequence[str]],
    titles: Sequence[str],
    reranker: Reranker,
) -> list[float]:
    """Return the relevance of texts to a form of the question, in logits.

    A text that leans on the sentence before it is read alone and with that, and gets the mean:
    with it alone, it would win every question that the sentence before it answers. For the same
    reason a form that joins two questions is averaged with the second one as typed, and text that
    was given before loses.

    Args:
        query: what is searched for.
        form: the form of the question.
        readings: the readings of each text, the text itself first.
        titles: title that each text is read after; empty for none.
        reranker: scores question and text.
    """
    joined = form == query.joined
    wordings = [form, query.turn.question] if joined else [form]
    pairs = [
        (w, titled(title, text) if title else text)
        for r, title in zip(readings, titles, strict=True)
        for text in r
        for w in wordings
    ]
    scores = iter(reranker.score(pairs))
    found = []
    for r in readings:
        score = fmean(next(scores) for _ in range(len(r) * len(wordings)))
        score += fit(wordings[-1], r)
        found.append(score - REPEATED * (joined and given(query, r[0])))
    return found


def titles_of(query: Query, articles: Sequence[str]) -> list[str]:
    """Return the title that a text of each article is read after.

    That is none where one article is asked: its title would say the same of all of its texts.
    """
    several = len(query.sources) > 1
    return [query.sources[a].title if several else "" for a in articles]


def given(query: Query, text: str) -> bool:
    """Whether a text was given in an earlier answer."""
    return " ".join(text.split()) in query.given


def fit(question: str, readings: Sequence[str]) -> float:
    """Return what a text gains or loses for what models of relevance do not see, in logits.

    It gains where its subject (its first name) is the one asked about, and loses where that is
    another and the question is what somebody wants or says: "What does Ukraine demand?" is asked of
    Ukraine's demands, not of demands on Ukraine. It also loses where it lacks the kind of
    thing that is asked for, such as a time or a number.
    """
    change = 0.0
    if asked := subject(question):
        first = next((n for n in names(readings[-1]) if not dates(n)), "")
        same = bool(canonical(asked) & canonical(first))
        change += SUBJECT if same else -SUBJECT if first and _WANTS.search(question) else 0.0
    if not (holds_kind(question, readings[0]) and holds_count(question, readings[0])):
        change -= KIND
    return change
