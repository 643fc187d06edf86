"""The records that flow through the pipeline, each made by one stage and changed by none.

``Turn`` → (condense) → ``Query`` → (retrieve, rerank) → ``Ranking`` → (read or write) → ``Draft``
→ (cite, verify) → ``Answer``. Print the record between two stages to see which of them went wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, overload

from index import Article, Passage

Kind = Literal["lookup", "overview", "chat", "empty"]
"""What a turn asks for: a fact, an overview of the article, small talk, or nothing at all."""

Verdict = Literal["supported", "weak", "unsupported"]

REFUSAL = "The article does not say."
"""The one phrase that says that no answer was found; prompts, code and tests all use this one."""


@dataclass(frozen=True, slots=True)
class Support:
    """How well a piece of evidence carries a claim.

    Attributes:
        score: from 0 (no support) to 1 (full support).
        verdict: ``"supported"``, ``"weak"`` or ``"unsupported"``.
        reasons: one line for each thing that was found missing or different; empty where nothing.
    """

    score: float
    verdict: Verdict
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One earlier message of the conversation.

    Attributes:
        role: ``"user"`` or ``"assistant"``.
        content: its text.
    """

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What a caller asks, checked.

    Attributes:
        question: the question as typed, stripped.
        history: the earlier messages, oldest first.
        articles: ids of the articles to search; empty for all of the store.
        timings: seconds by stage so far.
    """

    question: str
    history: tuple[Message, ...] = ()
    articles: tuple[str, ...] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        turn: the turn that it was made from.
        kind: what the turn asks for.
        forms: the wordings to search with; the reranker chooses among them. The first is the
            question as typed; further ones add what the history supplies to a follow-up.
        joined: the form that merely joins the earlier question and this one, if there is one.
        handicaps: logits by which a form must beat one that is a surer reading of the turn.
        given: the answers given before, their white space made even.
        exclude: whether sentences given before are not wanted again ("who else?").
        sources: the articles searched, by their ids; what is removed meanwhile stays readable.
        notice: one line for the reader where something did not work as configured.
        timings: seconds by stage so far.
    """

    turn: Turn
    kind: Kind
    forms: tuple[str, ...]
    joined: str = ""
    handicaps: Mapping[str, float] = field(default_factory=dict)
    given: str = ""
    exclude: bool = False
    sources: Mapping[str, Article] = field(default_factory=dict)
    notice: str | None = None
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that was considered.

    Attributes:
        passage: the passage.
        scores: score by stage, whichever it reached: ``"dense"`` (cosine similarity) and
            ``"lexical"`` (BM25), ``"found"`` (their reciprocal ranks, summed), ``"rerank"``
            (relevance in logits: the cross-encoder, the second bi-encoder and what models do not
            see), ``"reader"`` (the reader's log odds that it answers).
        kept: whether it became evidence.
        reason: why it was kept or dropped.
    """

    passage: Passage
    scores: Mapping[str, float]
    kept: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Trace(Sequence[Candidate]):
    """Every candidate that was considered, best first; a sequence of ``Candidate``.

    Attributes:
        candidates: the candidates.
        dropped_markers: how many ``[n]`` of a written answer named no evidence and were dropped.
        written: what the chat model wrote, word for word; empty where none was asked.
    """

    candidates: tuple[Candidate, ...] = ()
    dropped_markers: int = 0
    written: str = ""

    @overload
    def __getitem__(self, index: int) -> Candidate: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Candidate, ...]: ...
    def __getitem__(self, index: int | slice) -> Candidate | tuple[Candidate, ...]:
        """Return the candidate at a rank, or a slice of them."""
        return self.candidates[index]

    def __len__(self) -> int:
        """Return how many candidates were considered."""
        return len(self.candidates)

    def __iter__(self) -> Iterator[Candidate]:
        """Iterate over the candidates, best first."""
        return iter(self.candidates)

    def as_found(self) -> list[Candidate]:
        """Return the candidates in the order in which they were found, before reranking.

        Of those with the same sum of reciprocal ranks the nearer by its vector comes first.
        """
        never = float("-inf")
        return sorted(
            self.candidates,
            key=lambda c: (-c.scores["found"], -c.scores.get("dense", never)),
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """The passages found for a query, best first.

    Attributes:
        query: what was searched for.
        question: the form of the question that the reranker chose.
        candidates: every passage considered, best first.
        timings: seconds by stage so far.
    """

    query: Query
    question: str
    candidates: tuple[Candidate, ...]
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def evidence(self) -> tuple[Passage, ...]:
        """The passages that were kept, best first."""
        return tuple(c.passage for c in self.candidates if c.kept)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an article: half-open character offsets ``[start, end)`` and a relevance score.

    Attributes:
        article_id: the article.
        start: offset of its first character.
        end: offset after its last character.
        score: relevance to the question (or to the claim), from 0 to 1.
    """

    article_id: str
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of a draft and the stretches of the article that it rests on.

    Attributes:
        text: the sentence as plain text, without markers.
        spans: what it cites; empty where it cites nothing.
        before: white space or list marker that stands before it in the answer.
        quoted: whether its text is the article's own (it then needs no checking).
        missing: where it cites nothing, what was found missing in what comes closest to it.
    """

    text: str
    spans: tuple[Span, ...] = ()
    before: str = ""
    quoted: bool = True
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before its citations are numbered and checked.

    Attributes:
        ranking: what it was made from.
        claims: its sentences in order.
        refused: whether nothing in the article answers the question.
        exact: the stretches that answer exactly, within what the claims quote.
        score: the answerability score that the refusal was decided on, from 0 to 1.
        message: what to say where there are no claims (a refusal, a greeting, a hint).
        closest: the stretches that come closest, for a refusal to offer.
        reason: what is missing where it is refused, in one line.
        suggestions: questions to offer instead.
        model: the chat model that wrote it; None where it was read from the article.
        notice: one line for the reader where something did not work as configured.
        written: the chat model's reply, word for word.
        dropped_markers: how many markers of a written answer named no evidence.
        done: False while it still grows.
        timings: seconds by stage so far.
    """

    ranking: Ranking
    claims: tuple[Claim, ...] = ()
    exact: tuple[Span, ...] = ()
    refused: bool = False
    score: float = 0.0
    message: str = ""
    closest: tuple[Span, ...] = ()
    reason: str = ""
    suggestions: tuple[str, ...] = ()
    model: str | None = None
    notice: str | None = None
    written: str = ""
    dropped_markers: int = 0
    done: bool = True
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence of an article that carries a claim; ``article.text[start:end] == quote``.

    Attributes:
        number: as shown in the answer, from 1.
        article_id: the article.
        title: the article's title.
        start: offset of the quote's first character in the article's text.
        end: offset after its last character.
        quote: the sentence, exactly as it stands in the article.
        score: its relevance to the question, from 0 to 1.
        support: how well it carries the claims that cite it (the weakest of them).
    """

    number: int
    article_id: str
    title: str
    start: int
    end: int
    quote: str
    score: float
    support: Support


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer.

    Attributes:
        text: the sentence as plain text, without markers.
        citations: numbers of the citations that it carries.
        support: how well these carry it.
    """

    text: str
    citations: tuple[int, ...]
    support: Support

    @property
    def verdict(self) -> Verdict:
        """The verdict of its support."""
        return self.support.verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reader sees, with all that is needed to check it.

    Attributes:
        text: Markdown with ``[1]`` markers; the article's own text is escaped in it.
        short: the exact answer in the article's own words (the items of a list joined by
            commas), or None where there is none: a refusal, an overview, a yes or no.
        refused: whether the article does not answer the question.
        citations: in order of their number; ``text`` holds a marker for each, and no other marker.
        sentences: the sentences of the answer, each with its citations and support verdict.
        question: the question that was searched, standing on its own.
        trace: every candidate passage with its scores and why it was kept or dropped.
        timings: seconds by stage.
        exact: where ``short`` stands in the articles, one span for each item.
        score: answerability from 0 to 1; below the threshold the answer is refused.
        closest: where refused, the sentences that come closest, numbered from 1. They are offers,
            not evidence: ``text`` quotes them without markers.
        reason: where refused, what is missing, in one line ("The article does not mention Biden.");
            else empty.
        suggestions: questions to offer (after a greeting or a hint).
        model: name of the chat model that wrote it; None where it is the article's own words.
        notice: one line where something did not work as configured (a model that failed, say).
        done: False for the growing answers of a stream, True for the last.
    """

    text: str
    short: str | None
    refused: bool
    citations: tuple[Citation, ...]
    sentences: tuple[Sentence, ...]
    question: str
    trace: Trace
    timings: Mapping[str, float]
    exact: tuple[Span, ...] = ()
    score: float = 0.0
    closest: tuple[Citation, ...] = ()
    reason: str = ""
    suggestions: tuple[str, ...] = ()
    model: str | None = None
    notice: str | None = None
    done: bool = True

    def to_dict(self, *, trace: bool = False) -> dict[str, Any]:
        """Return the answer as plain values for JSON.

        Args:
            trace: whether to include the trace, which is long.
        """
        values = asdict(self)
        values["timings"] = dict(self.timings)
        if not trace:
            del values["trace"]
        return values
