"""How an answer is made without a chat model: the article's own sentences, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.abstain import Signs, answerability, look
from bot.records import Claim, Draft, Ranking, Span
from bot.rerank import Reranker
from bot.retrieve import relevance
from index import Article, Passage, Store
from index.chunk import is_heading, leans

MOST = 4
"""Sentences of an answer at most; more is a page to read, not an answer."""

CLOSE = 2.0
"""Logits below the best sentence at which a further one still answers."""

FLOOR = 0.0
"""Logit below which no further sentence answers, however close it is to the best."""

PASSAGE = 0.6
"""Share of the passage's relevance in that of its sentences."""

OFFERED = 3
"""Sentences offered as closest where nothing answers."""

OVERVIEW_SENTENCES = (3, 6)
"""Fewest and most sentences of an overview."""

NOVELTY = 0.3
"""Weight of being unlike the sentences already taken for an overview, against centrality."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A sentence of an evidence passage with its relevance logit."""

    article_id: str
    start: int
    end: int
    text: str
    logit: float

    @property
    def span(self) -> Span:
        """Where it stands, with its relevance as a probability."""
        return Span(self.article_id, self.start, self.end, probability(self.logit))


def probability(logit: float) -> float:
    """Return a cross-encoder's logit as a probability."""
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def read(
    ranking: Ranking, reranker: Reranker, article: Callable[[str], Article], threshold: float
) -> Draft:
    """Answer with the sentences of the evidence that answer, or refuse.

    Args:
        ranking: the evidence.
        reranker: scores the sentences.
        article: looks an article up by its id.
        threshold: answerability below which nothing is answered.
    """
    scored = score_sentences(ranking, reranker, article)
    query = ranking.query
    pool = [s for s in scored if s.text not in query.given] if query.exclude else scored
    closest = tuple(s.span for s in (pool or scored)[:OFFERED])
    score = answerability(signs(ranking, pool, article)) if pool else 0.0
    if not pool or score < threshold:
        return Draft(ranking, refused=True, score=score, closest=closest)
    best = pool[0]
    chosen = [s for s in pool if s.logit >= best.logit - CLOSE][:MOST]
    chosen = [s for s in chosen if s is best or s.logit > FLOOR]
    chosen.sort(key=lambda s: (s.article_id != best.article_id, s.article_id, s.start))
    return Draft(ranking, claims=quote(chosen), score=score, closest=closest)


def signs(ranking: Ranking, pool: Sequence[Scored], article: Callable[[str], Article]) -> Signs:
    """Gather what speaks for the best of these sentences answering the question."""
    scope = sorted({c.passage.article_id for c in ranking.candidates})
    joined = ranking.question == ranking.query.joined
    return look(
        ranking.query.turn.question if joined else ranking.question,
        [(s.text, s.logit) for s in pool],
        max(c.scores["rerank"] for c in ranking.candidates),
        [article(a).text for a in scope],
    )


def quote(sentences: Sequence[Scored]) -> tuple[Claim, ...]:
    """Return sentences of the article as claims that cite themselves."""
    return tuple(Claim(s.text, (s.span,), before=" " if i else "") for i, s in enumerate(sentences))


def score_sentences(
    ranking: Ranking, reranker: Reranker, article: Callable[[str], Article]
) -> list[Scored]:
    """Return the sentences of the evidence, each once, by relevance to the question.

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
        for key, readings in _readings(passage, article(passage.article_id).text):
            found.setdefault(key, readings)
            around.setdefault(key, candidate.scores["rerank"])
    logits = relevance(query, ranking.question, list(found.values()), reranker)
    sentences = [
        Scored(*key, readings[0], (1 - PASSAGE) * logit + PASSAGE * around[key])
        for (key, readings), logit in zip(found.items(), logits, strict=True)
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

    scope = ranking.query.turn.articles
    articles = [a for a in store.articles() if not scope or a.id in scope]
    fewest, most = OVERVIEW_SENTENCES
    taken: list[Scored] = []
    for article in articles[:most]:
        rows = [
            (span, vector)
            for passage, vector in store.vectors(article.id)
            if (span := _lead(passage, article.text)) is not None
        ]
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
        for start, end in (rows[i][0] for i in chosen):
            taken.append(Scored(article.id, start, end, article.text[start:end], 0.0))
    return Draft(ranking, claims=quote(taken), refused=not taken, score=float(bool(taken)))


def _lead(passage: Passage, text: str) -> tuple[int, int] | None:
    """Return the first sentence of a passage that is no heading."""
    return next((s for s in passage.sentences if not is_heading(text, s)), None)
