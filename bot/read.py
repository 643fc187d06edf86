"""How an answer is made without a chat model: the article's own sentences, or a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.abstain import Signs, answerability, look, why
from bot.exact import Exact, choose, exact_answers
from bot.odds import logit, probability
from bot.reader import Reader, Reading
from bot.records import Claim, Draft, Ranking, Span
from bot.rerank import Reranker
from bot.retrieve import given, reason, relevance, titles_of
from index import Article, Passage, Store
from index.chunk import is_heading, leans

MOST = 4
"""Sentences of an answer at most; more is a page to read, not an answer."""

CLOSE = 1.0
"""Logits below the best sentence at which a further one still answers."""

FLOOR = 0.0
"""Logit of the best sentence below which it is no clear match."""

TIE = 0.25
"""Logits below the best sentence at which a further one answers where the best is no clear match:
then the two are as good as equal, and the reader sees both."""

PASSAGE = 0.6
"""Share of the passage's relevance in that of its sentences."""

READER = 1.0
"""Logits of relevance that one of the reader's log odds is worth, in choosing a sentence and in the
order of the passages."""

SURE = 8.0
"""Log odds above which, and the negative below which, the reader's say no longer grows."""

OFFERED = 3
"""Sentences offered as closest where nothing answers."""

OVERVIEW_SENTENCES = (3, 6)
"""Fewest and most sentences of an overview."""

NOVELTY = 0.3
"""Weight of being unlike the sentences already taken for an overview, against centrality."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence of an evidence passage.

    Attributes:
        article_id: the article.
        start: offset of its first character in the article's text.
        end: offset after its last character.
        text: its characters.
        relevance: what the reranker says of it, in logits.
        odds: log odds of the reader that the exact answer is in it.
    """

    article_id: str
    start: int
    end: int
    text: str
    relevance: float
    odds: float = -SURE

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it stands."""
        return self.article_id, self.start, self.end

    @property
    def logit(self) -> float:
        """What it is chosen by: relevance and exact answer together."""
        return self.relevance + _say(self.odds)

    @property
    def span(self) -> Span:
        """Where it stands, with its relevance as a probability."""
        return Span(self.article_id, self.start, self.end, probability(self.relevance))


def read(ranking: Ranking, reranker: Reranker, reader: Reader, threshold: float) -> Draft:
    """Answer with the sentences of the evidence that answer, or refuse.

    Args:
        ranking: the evidence.
        reranker: scores the sentences.
        reader: finds the exact answer in them.
        threshold: answerability below which nothing is answered.
    """
    readings = reader.read(ranking.question, [p.searchable for p in ranking.evidence])
    exact = exact_answers(ranking, readings)
    ranking = heard(ranking, readings)
    scored = score_sentences(ranking, reranker, exact)
    query = ranking.query
    pool = [s for s in scored if not given(query, s.text)] if query.exclude else scored
    closest = tuple(s.span for s in (pool or scored)[:OFFERED])
    score = answerability(signs(ranking, pool, exact)) if pool else 0.0
    if not pool or score < threshold:
        searched = [a.text for a in query.sources.values()]
        reason = why(asked(ranking), [s.text for s in pool], searched)
        return Draft(ranking, refused=True, score=score, closest=closest, reason=reason)
    best = pool[0]
    close = CLOSE if best.logit > FLOOR else TIE
    chosen = [s for s in pool if s.logit >= best.logit - close][:MOST]
    texts = {a.id: a.text for a in ranking.query.sources.values()}
    short = choose(asked(ranking), exact, [s.place for s in chosen], texts)
    chosen.sort(key=lambda s: (s.article_id != best.article_id, s.article_id, s.start))
    return Draft(
        ranking,
        claims=quote(chosen),
        exact=tuple(e.span for e in short),
        score=score,
        closest=closest,
    )


def heard(ranking: Ranking, readings: Sequence[Reading]) -> Ranking:
    """Return the evidence in the order that the reranker and the reader together give it.

    Args:
        ranking: the candidates, the kept ones first.
        readings: what the reader makes of each passage that is kept.
    """
    kept = [
        replace(c, scores={**c.scores, "reader": r.here})
        for c, r in zip(ranking.candidates, readings, strict=False)
    ]
    kept.sort(key=lambda c: -c.scores["rerank"] - _say(c.scores["reader"]))
    rest, count = ranking.candidates[len(kept) :], len(ranking.candidates)
    kept = [replace(c, reason=reason(rank, count)) for rank, c in enumerate(kept, 1)]
    return replace(ranking, candidates=(*kept, *rest))


def _say(odds: float) -> float:
    """Return what the reader's log odds add to relevance, in logits."""
    return READER * max(-SURE, min(SURE, odds))


def asked(ranking: Ranking) -> str:
    """Return the question itself: of two joined ones, the second."""
    joined = ranking.question == ranking.query.joined
    return ranking.query.turn.question if joined else ranking.question


def signs(ranking: Ranking, pool: Sequence[Scored], exact: Sequence[Exact]) -> Signs:
    """Gather what speaks for the best of these sentences answering the question."""
    return look(
        asked(ranking),
        [(s.text, s.relevance) for s in pool],
        max(c.scores["rerank"] for c in ranking.candidates),
        [a.text for a in ranking.query.sources.values()],
        here=max((e.here for e in exact), default=-SURE),
        exact=max(s.odds for s in pool),
    )


def quote(sentences: Sequence[Scored]) -> tuple[Claim, ...]:
    """Return sentences of the article as claims that cite themselves."""
    return tuple(
        Claim(s.text, (s.span,), before="\n\n" if i else "") for i, s in enumerate(sentences)
    )


def score_sentences(
    ranking: Ranking, reranker: Reranker, exact: Sequence[Exact] = ()
) -> list[Scored]:
    """Return the sentences of the evidence, each once, those that answer best first.

    A sentence that leans on the one before it is read with that as well, and the passage's own
    relevance counts, which knows what the sentence is about.
    """
    query = ranking.query
    found: dict[tuple[str, int, int], list[str]] = {}
    around: dict[tuple[str, int, int], float] = {}
    for candidate in ranking.candidates:
        if not candidate.kept:
            continue
        passage = candidate.passage
        for key, readings in _readings(passage, query.sources[passage.article_id].text):
            found.setdefault(key, readings)
            around.setdefault(key, candidate.scores["rerank"])
    titles = titles_of(query, [key[0] for key in found])
    logits = relevance(query, ranking.question, list(found.values()), titles, reranker)
    odds: dict[tuple[str, int, int], float] = {}
    for answer in reversed(exact):  # the likeliest last
        for key in found:
            if key[0] == answer.article_id and key[1] <= answer.start < key[2]:
                odds[key] = answer.odds
    sentences = [
        Scored(*key, r[0], (1 - PASSAGE) * logit + PASSAGE * around[key], odds.get(key, -SURE))
        for (key, r), logit in zip(found.items(), logits, strict=True)
    ]
    return sorted(sentences, key=lambda s: -s.logit)


def _readings(passage: Passage, text: str) -> list[tuple[tuple[str, int, int], list[str]]]:
    """Return the sentences of a passage, each alone and, where it leans, with the one before.

    The first sentence under a heading is read with the heading, which names its subject.
    """
    found = []
    before, headed = passage.context, False
    for start, end in passage.sentences:
        sentence = text[start:end]
        heading = is_heading(text, (start, end))
        if not heading or len(passage.sentences) == 1:
            together = [f"{before} {sentence}"] if before and (headed or leans(sentence)) else []
            found.append(((passage.article_id, start, end), [sentence, *together]))
        before, headed = sentence, heading
    return found


def overview(ranking: Ranking, store: Store) -> Draft:
    """Answer with the sentences that cover an article: the lead, then one of each part of the rest.

    Of each part that sentence is taken whose passage is the most like all others (degree
    centrality of their vectors: Erkan and Radev 2004, LexRank), marked down for its likeness to
    those taken before (maximal marginal relevance: Carbonell and Goldstein 1998).
    """
    import numpy as np

    articles = list(ranking.query.sources.values())
    fewest, most = OVERVIEW_SENTENCES
    taken: list[Scored] = []
    for article in articles[:most]:
        rows = _leads(article, store)
        if not rows:
            continue
        wanted = max(fewest, min(most, len(rows) // 5)) if len(articles) == 1 else 1
        matrix = np.array([vector for _, vector in rows], dtype=float)
        likeness = matrix @ matrix.T
        centrality = likeness.mean(axis=1)
        chosen = [0]
        for part in np.array_split(np.arange(1, len(rows)), wanted - 1) if wanted > 1 else []:
            plain = [i for i in part if not leans(article.text[slice(*rows[i][0])])]
            if plain:
                worth = centrality - NOVELTY * likeness[:, chosen].max(axis=1)
                chosen.append(max(plain, key=lambda i: worth[i]))
        for i in chosen:
            start, end = rows[i][0]
            text = article.text[start:end]
            taken.append(Scored(article.id, start, end, text, logit(float(centrality[i]))))
    return Draft(ranking, claims=quote(taken), refused=not taken, score=float(bool(taken)))


def _leads(article: Article, store: Store) -> list[tuple[tuple[int, int], list[float]]]:
    """Return the sentences that an overview may take, each with a vector.

    These are the first ones of the passages, or all of them where there are few passages.
    """
    rows = [
        (span, vector)
        for passage, vector in store.vectors(article.id)
        if (span := _lead(passage, article.text)) is not None
    ]
    if len(rows) > OVERVIEW_SENTENCES[1]:
        return rows
    spans = [
        span
        for passage in store.passages(article.id)
        for span in passage.sentences
        if not is_heading(article.text, span)
    ]
    texts = [article.text[start:end] for start, end in spans]
    return list(zip(spans, store.embedder.embed_documents(texts), strict=True))


def _lead(passage: Passage, text: str) -> tuple[int, int] | None:
    """Return the first sentence of a passage that is no heading."""
    return next((s for s in passage.sentences if not is_heading(text, s)), None)
