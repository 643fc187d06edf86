"""How an answer is written by a chat model: numbered evidence in, checked and cited sentences out.

Nothing that the model says is taken on trust. Markers are looked up, unknown ones dropped and
counted; every sentence is tied to the sentence of the article that carries it, or marked; a model
that fails raises ``ModelUnavailable``, and the bot reads instead.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bot.cite import strip_markdown
from bot.read import probability
from bot.records import REFUSAL, Claim, Draft, Message, Ranking, Span, Turn
from bot.rerank import Reranker
from bot.settings import Settings
from bot.verify import support
from index import Passage
from index.errors import ModelUnavailable
from index.sentences import sentence_spans
from prompts import load

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = logging.getLogger(__name__)

EXTRAS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google_genai": "google",
    "ollama": "ollama",
}
"""The extra of this package that installs a provider, by the provider's name."""

LONGEST_QUESTION = 400
"""Characters of a rewritten question; a longer reply is an answer or a ramble, not a question."""

RECALLED = 6
"""Earlier messages that the condense prompt is shown."""

_MARKER = re.compile(r"[ \t]*\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")
_UNFINISHED = re.compile(r"[ \t]*\[[\d\s,;]*$")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s+|#+\s+")
_DANGEROUS = re.compile(r"(?<!\\)([\[\]<])")


class Writer:
    """A chat model that rewrites follow-ups and writes answers.

    Args:
        model: the model.
        name: how it is called in answers and messages.
        timeout: seconds to wait for the next words of the model.
    """

    def __init__(self, model: BaseChatModel, name: str, timeout: float) -> None:
        """Keep the model; it is asked nothing yet."""
        self.model = model
        self.name = name
        self.timeout = timeout

    def rewrite(self, turn: Turn) -> str:
        """Return the question of a turn so that it stands alone.

        Raises:
            ModelUnavailable: the model failed, or its reply is no question.
        """
        recalled = turn.history[-RECALLED:]
        history = "\n".join(f"{m.role.capitalize()}: {_clip(m)}" for m in recalled)
        messages = load("condense").render(history=history, question=turn.question)
        lines = "".join(self._tokens(messages)).strip().splitlines()
        reply = lines[0].strip().strip('"“”«»') if lines else ""
        if not reply or len(reply) > LONGEST_QUESTION:
            log.info("the rewritten question is unusable: %r", reply[:80])
            return ""
        return reply

    def write(self, ranking: Ranking, title: str, reranker: Reranker) -> Iterator[Draft]:
        """Yield drafts that grow as the model writes; the last one is complete.

        Args:
            ranking: the evidence.
            title: title of the article, for the prompt.
            reranker: helps to find the sentence that carries a claim.

        Raises:
            ModelUnavailable: the model failed, or replied with nothing.
        """
        evidence = ranking.evidence
        numbered = "\n\n".join(f"[{i}] {p.searchable}" for i, p in enumerate(evidence, 1))
        messages = load("write").render(
            title=title, evidence=numbered, question=ranking.question, refusal=REFUSAL
        )
        resolve = Resolver(evidence, reranker)
        text = ""
        draft = Draft(ranking, model=self.name)
        for token in self._tokens(messages):
            text += token
            claims, dropped = parse(text, resolve, final=False)
            if claims != draft.claims and not _refuses(text, final=False):
                draft = replace(draft, claims=claims, dropped_markers=dropped)
                yield draft
        if not any(ch.isalnum() for ch in text):
            raise ModelUnavailable(f"{self.name} replied with nothing")
        claims, dropped = parse(text, resolve, final=True)
        draft = replace(draft, claims=claims, dropped_markers=dropped, written=text)
        if _refuses(text, final=True):
            draft = replace(draft, claims=(), refused=True)
        yield draft

    def _tokens(self, messages: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the model's words; a thread waits for them, so that a stuck model can be left."""
        words: queue.Queue[str | BaseException | None] = queue.Queue()
        stopped = threading.Event()

        def listen() -> None:
            try:
                stream = self.model.stream(list(messages))
                try:
                    for chunk in stream:
                        if stopped.is_set():
                            break
                        words.put(chunk.text)
                finally:
                    if hasattr(stream, "close"):
                        stream.close()
                words.put(None)
            except BaseException as error:
                words.put(error)

        threading.Thread(target=listen, name="chat-model", daemon=True).start()
        try:
            while True:
                try:
                    word = words.get(timeout=self.timeout)
                except queue.Empty:
                    raise ModelUnavailable(
                        f"{self.name} said nothing for {self.timeout:g} seconds"
                    ) from None
                if word is None:
                    return
                if isinstance(word, BaseException):
                    log.info("the chat model failed", exc_info=word)
                    raise ModelUnavailable(f"{self.name} failed: {_reason(word)}") from word
                yield word
        finally:
            stopped.set()


def open_writer(settings: Settings, model: BaseChatModel | None = None) -> Writer | None:
    """Return the writer that the settings name; None where no model is configured.

    Raises:
        ModelUnavailable: the model's name, package or key is missing or wrong.
    """
    if model is not None:
        name = getattr(model, "model_name", None) or getattr(model, "model", None)
        return Writer(model, str(name or type(model).__name__), settings.model_timeout)
    if not settings.model:
        return None
    provider, _, rest = settings.model.partition(":")
    if not rest:
        raise ModelUnavailable(
            f"The model {settings.model!r} names no provider; write it as provider:name, for "
            "example openai:gpt-4.1-mini or ollama:qwen3:4b"
        )
    provider = {"google": "google_genai"}.get(provider, provider)
    from langchain.chat_models import init_chat_model

    options: dict[str, Any] = {"temperature": settings.temperature}
    if provider != "ollama":
        options |= {"timeout": settings.model_timeout, "max_retries": 1}
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.api_key:
        options["api_key"] = settings.api_key.get_secret_value()
    elif settings.base_url and provider == "openai":
        options["api_key"] = "none"  # local servers need none, but the client insists on one
    try:
        chat = init_chat_model(f"{provider}:{rest}", **options)
    except ImportError as error:
        extra = EXTRAS.get(provider)
        how = f"pip install 'askarticle[{extra}]'" if extra else f"its package: {error}"
        raise ModelUnavailable(
            f"The package for {provider} models is not installed. Install {how}"
        ) from error
    except Exception as error:
        raise ModelUnavailable(
            f"The model {settings.model!r} cannot be set up: {_reason(error)}"
        ) from error
    return Writer(chat, settings.model, settings.model_timeout)


class Resolver:
    """Finds the sentences of the evidence that carry a claim; remembers what it found.

    Args:
        evidence: the passages, in the order of their numbers.
        reranker: scores a claim against a sentence.
    """

    def __init__(self, evidence: Sequence[Passage], reranker: Reranker) -> None:
        """Start with nothing found."""
        self.evidence = evidence
        self.reranker = reranker
        self._found: dict[tuple[str, tuple[int, ...]], tuple[Span, ...]] = {}

    def __call__(self, claim: str, numbers: tuple[int, ...]) -> tuple[Span, ...]:
        """Return the sentences that carry a claim, in the passages of these numbers if they do.

        Where none of them does, or the claim has no number, all of the evidence is looked
        through, and a sentence counts only if it supports the claim fully.
        """
        key = (claim, numbers)
        if key not in self._found:
            named = [self._carrier(claim, [self.evidence[n - 1]]) for n in numbers]
            spans = tuple(dict.fromkeys(span for carrier in named for span in carrier[0]))
            if not any(verdict != "unsupported" for _, verdict in named):
                other, verdict = self._carrier(claim, self.evidence)
                if verdict == "supported":
                    spans = other
            self._found[key] = spans
        return self._found[key]

    def _carrier(self, claim: str, passages: Sequence[Passage]) -> tuple[tuple[Span, ...], str]:
        """Return the sentence (or two of one passage) that best carries a claim, and how well."""
        options = [
            (passage, (start, end), passage.text[start - passage.start : end - passage.start])
            for passage in passages
            for start, end in passage.sentences
        ]
        if not options:
            return (), "unsupported"
        logits = self.reranker.score([(claim, text) for _, _, text in options])
        rated = [
            (support(claim, text).score + 0.5 * probability(logit), i)
            for i, ((_, _, text), logit) in enumerate(zip(options, logits, strict=True))
        ]
        rated.sort(key=lambda pair: (-pair[0], pair[1]))
        best = rated[0][1]
        chosen = [best]
        alone = support(claim, options[best][2])
        result = alone
        same = [i for _, i in rated[1:] if options[i][0] is options[best][0]]
        if alone.verdict != "supported" and same:
            pair = sorted([best, same[0]])
            both = support(claim, " ".join(options[i][2] for i in pair))
            if both.score > alone.score + 0.1:
                chosen, result = pair, both
        spans = tuple(
            Span(options[i][0].article_id, *options[i][1], probability(logits[i])) for i in chosen
        )
        return spans, result.verdict


def parse(text: str, resolve: Resolver, *, final: bool) -> tuple[tuple[Claim, ...], int]:
    """Split what a model has written so far into claims, and resolve their markers.

    Args:
        text: the reply so far, or the whole of it.
        resolve: finds the sentences that carry a claim.
        final: whether the reply is complete; if not, its last sentence is held back.

    Returns:
        The claims, and how many markers were dropped: unknown numbers, and ones never closed.
    """
    dropped = 0
    unfinished = _UNFINISHED.search(text)
    if unfinished:
        text = text[: unfinished.start()]
        dropped += final
    bare, marks = _lift_markers(text)
    spans = sentence_spans(bare)
    numbers: list[list[int]] = [[] for _ in spans]
    for position, number in marks:
        if not 1 <= number <= len(resolve.evidence):
            dropped += 1
            continue
        owner = _owner(bare, spans, position)
        if owner is not None and number not in numbers[owner]:
            numbers[owner].append(number)
    complete = len(spans) if final else len(spans) - 1
    claims = []
    for i, (start, end) in enumerate(spans[:complete]):
        item = _ITEM.match(bare[start:end])
        lead = item.end() if item else 0
        previous = spans[i - 1][1] if i else 0
        sentence = bare[start + lead : end]
        if not any(ch.isalnum() for ch in sentence):
            continue
        carried = resolve(strip_markdown(sentence), tuple(numbers[i]))
        safe = _DANGEROUS.sub(r"\\\1", sentence)
        before = bare[previous : start + lead]
        claims.append(Claim(safe, carried, before, quoted=False))
    return tuple(claims), dropped


def _lift_markers(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text without its markers, and each marker's position in it with its number."""
    bare, last = "", 0
    marks: list[tuple[int, int]] = []
    for match in _MARKER.finditer(text):
        bare += text[last : match.start()]
        marks += [(len(bare), int(n)) for n in re.findall(r"\d+", match[1])]
        last = match.end()
    return bare + text[last:], marks


def _owner(bare: str, spans: Sequence[tuple[int, int]], position: int) -> int | None:
    """Return which sentence a marker belongs to: the one before it on its line, else the next."""
    before = [i for i, (start, _) in enumerate(spans) if start < position]
    line = bare.rfind("\n", 0, position) + 1
    if before and (spans[before[-1]][1] > line):
        return before[-1]
    after = [i for i, (start, _) in enumerate(spans) if start >= position]
    return after[0] if after else (before[-1] if before else None)


def _refuses(text: str, *, final: bool) -> bool:
    """Whether a reply is the refusal phrase, or (not final) may still become it."""
    said, phrase = text.strip().lower().strip('"*'), REFUSAL.lower()
    if final:
        return said.startswith(phrase.rstrip("."))
    return phrase.startswith(said) or said.startswith(phrase.rstrip("."))


def _clip(message: Message) -> str:
    text = strip_markdown(message.content)
    return text if len(text) <= 600 else text[:600] + "…"


def _reason(error: BaseException) -> str:
    """Return the first line of an error, without secrets that providers echo."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    return re.sub(r"(sk-|key[=:\s]+)\S+", r"\1…", text)[:200]


__all__ = ["EXTRAS", "Resolver", "Writer", "open_writer", "parse"]
