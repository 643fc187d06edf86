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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.cite import declines, strip_markdown
from bot.read import probability
from bot.records import REFUSAL, Claim, Draft, Message, Ranking, Span, Support, Turn
from bot.rerank import Reranker
from bot.settings import Settings
from bot.verify import support
from index import Passage
from index.article import normalise
from index.chunk import leans
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

PLACES = {"ollama": "http://127.0.0.1:11434"}
"""Where the server of a provider is unless a setting says otherwise; others know it themselves."""

LONGEST_QUESTION = 400
"""Characters of a rewritten question; a longer reply is an answer or a ramble, not a question."""

RECALLED = 6
"""Earlier messages that the condense prompt is shown."""

MOST_CLAIMS = 30
"""Sentences of a reply after which the model is stopped; small ones may never stop themselves."""

MOST_REPEATS = 3
"""Sentences said once more after which the model is stopped: it goes round in a circle."""

LONGEST_SENTENCE = 2_000
"""Characters without the end of a sentence after which the model is stopped."""

LONGEST_REPLY = 60_000
"""Characters of a reply, its thoughts included, after which the model is stopped."""

PART = 0.1
"""Support that a further sentence must add to count as carrying a part of the claim."""

_FAULTS = (
    ({"ModelTimeoutError", "TimeoutError", "TimeoutException"}, 408, "no answer in {wait:g} s"),
    (
        {"ModelConnectionError", "ConnectionError", "ConnectError"},
        0,
        "no server answers at {place}; start it, or set base_url to where it is",
    ),
    ({"ModelAuthenticationError"}, 401, "{place} refuses the key; set api_key to a valid one"),
    ({"ModelPermissionDeniedError"}, 403, "{place} does not let this key use the model"),
    ({"ModelNotFoundError"}, 404, "{place} has no such model; check its name and base_url"),
    ({"ModelRateLimitError"}, 429, "{place} takes no more requests now; wait, or check the quota"),
    ({"ContextOverflowError"}, 413, "the passages are more than the model can read"),
)
"""Class names in an error's ancestry, its HTTP status, and what to say of it."""

_NUMBERS = r"\d{1,4}(?:\s*(?:[,;&–-]|and)\s*\d{1,4})*"
_MARKER = re.compile(
    r"(?:\baccording to (?:the )?(?:passages? )?)?[ \t]*\\?(?:\[\[|[\[【])\s*\^?"
    rf"(?:(?:passage|source)s?\s+)?(?P<numbers>{_NUMBERS})\s*"
    r"\\?(?:\]\]|[\]】])(?:\([^()\s]*\))?"
    # Never closed: "[1 and so on", or "[" at the very end.
    r"|[ \t]*\[(?:\d{1,2}(?:\s*,\s*\d{1,2})*(?=[\s.,;:!?]|$)(?![^\[\]\n]*\])|$)",
    re.IGNORECASE,
)
_OPEN = re.compile(r"\\?[\[【][^\]】\n]{0,30}$")
_RANGE = re.compile(r"(\d+)\s*[–-]\s*(\d+)")
_THINKS = re.compile(r"\s*<think(?:ing)?>")
_THOUGHT = re.compile(r"</think(?:ing)?>")
_SPACE = re.compile(r"\s")
_ITEM = re.compile(r"\s*(?P<mark>[-*+•]|\d{1,3}[.)])\s")
_HEADING = re.compile(r"\s*#{1,6}\s")
_LINE_START = re.compile(r"\s*(?:(?:[-*+•>]|\d{1,2}[.)])\s*)?[*_\"“(]*")
# What markers leave behind: "(see )", a leading ":".
_LITTER = re.compile(r"\s*\((?:\s*(?:see|sources?:?|passages?|cf\.|[,;&]|and))*\s*\)|^[\s:;,–—]+")
_SOURCES = re.compile(
    r"\W*(?:(?:sources?|references?|citations?|passages?|and)\W*)+", re.IGNORECASE
)
_LABEL = re.compile(r"(?:right|rewritten|user|(?:\w+ )?question)\s*:\s*", re.IGNORECASE)


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
        """Return the question of a turn so that it stands alone; "" where the reply is no question.

        Raises:
            ModelUnavailable: the model failed.
        """
        recalled = turn.history[-RECALLED:]
        history = "\n".join(f"{m.role.capitalize()}: {_clip(m)}" for m in recalled)
        messages = load("condense").render(history=history, question=turn.question)
        reply = ""
        for words in self._tokens(messages):
            reply += words
            if len(reply) > LONGEST_REPLY or "\n" in _spoken(reply).strip():
                break
        first = next(iter(_spoken(reply).strip().splitlines()), "")
        question = _LABEL.sub("", strip_markdown(first), count=1).strip(' "“”«»')
        answers = turn.question.endswith("?") and not question.endswith("?")
        if answers or not 0 < len(question) <= LONGEST_QUESTION:
            log.info("the rewritten question is unusable: %r", question[:80])
            return ""
        return question

    def write(self, ranking: Ranking, title: str, reranker: Reranker) -> Iterator[Draft]:
        """Yield drafts that grow as the model writes; the last one is complete (``done``).

        None is shown before a first sentence is found to hold.

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
        reply = Reply(Resolver(evidence, reranker), len(evidence))
        draft = Draft(ranking, model=self.name, done=False)
        for words in self._tokens(messages):
            if reply.add(words) and reply.holds and not reply.refused:
                draft = replace(draft, claims=reply.claims, dropped_markers=reply.dropped)
                yield draft
            if reply.full or reply.refused:
                break
        reply.close()
        if not reply.claims:
            raise ModelUnavailable(f"{self.name} replied with nothing")
        yield replace(
            draft,
            claims=() if reply.refused else reply.claims,
            refused=reply.refused,
            dropped_markers=reply.dropped,
            written=reply.text,
            done=True,
        )

    def _tokens(self, messages: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the model's words; a thread waits for them, so that a stuck model can be left."""
        words: queue.Queue[str | BaseException | None] = queue.Queue()
        stopped = threading.Event()

        def listen() -> None:
            try:
                with closing(cast("Any", self.model.stream(list(messages)))) as stream:
                    for chunk in stream:
                        if stopped.is_set():
                            return
                        words.put(str(chunk.text))
                words.put(None)
            except BaseException as error:
                words.put(error)

        # In a copy of this context, so that LangChain's callbacks see the model's run as a part.
        run = copy_context().run
        threading.Thread(target=run, args=(listen,), name="chat-model", daemon=True).start()
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
                    why = self._explain(word)
                    log.info("%s failed: %s", self.name, why)
                    raise ModelUnavailable(f"{self.name} failed: {why}") from word
                yield word
        finally:
            stopped.set()

    def _explain(self, error: BaseException) -> str:
        """Return in plain words, without secrets, what went wrong."""
        if "No generation chunks" in str(error):
            return "it replied with nothing"
        ancestry = {cls.__name__ for cls in type(error).__mro__}
        status = getattr(error, "status_code", None)
        for kinds, code, words in _FAULTS:
            if kinds & ancestry or status == code:
                return words.format(wait=self.timeout, place=self._place())
        held = vars(self.model).values()
        return _reason(error, [v.get_secret_value() for v in held if isinstance(v, SecretStr)])

    def _place(self) -> str:
        """Return the address of the model's server, without a password that it may hold."""
        known = (getattr(self.model, name, None) for name in ("openai_api_base", "base_url"))
        usual = PLACES.get(self.name.partition(":")[0], "the provider's address")
        return re.sub(r"//[^/@]*@", "//", str(next(filter(None, known), usual)))


def open_writer(settings: Settings, model: BaseChatModel | None = None) -> Writer | None:
    """Return the writer that the settings name; None where no model is configured.

    Raises:
        ModelUnavailable: the model's name, package or key is missing or wrong.
    """
    if model is not None:
        name = getattr(model, "model_name", None) or getattr(model, "model", None)
        return Writer(model, str(name or type(model).__name__), settings.model_timeout)
    name = (settings.model or "").strip()
    if not name:
        return None
    provider, _, rest = name.partition(":")
    if not provider or not rest:
        lack = "gives no name of a model" if provider and ":" in name else "names no provider"
        raise ModelUnavailable(
            f"The model {name!r} {lack}; write it as provider:name, for example "
            "openai:gpt-4.1-mini or ollama:qwen3:4b"
        )
    provider = {"google": "google_genai"}.get(provider, provider)
    from langchain.chat_models import init_chat_model

    try:
        chat = init_chat_model(rest, model_provider=provider, **_options(settings, provider))
    except ImportError as error:
        extra = EXTRAS.get(provider)
        how = f"pip install 'askarticle[{extra}]'" if extra else _reason(error)
        raise ModelUnavailable(
            f"The package for {provider} models is not installed. Install it: {how}"
        ) from error
    except Exception as error:
        said = str(error).lower()
        if "unsupported" in said and "provider" in said:
            why = f"there is no provider {provider!r}; the usual ones are {', '.join(EXTRAS)}"
        elif "credential" in said or "api_key" in said or "api key" in said:
            why = "no key is given; set ASKARTICLE_API_KEY or the provider's own variable"
        else:
            key = settings.api_key.get_secret_value() if settings.api_key else ""
            why = _reason(error, [key])
        raise ModelUnavailable(f"The model {name!r} cannot be set up: {why}") from error
    return Writer(chat, name, settings.model_timeout)


def _options(settings: Settings, provider: str) -> dict[str, Any]:
    """Return the arguments for a provider's chat model."""
    options: dict[str, Any] = {"temperature": settings.temperature}
    host = urlsplit(settings.base_url or PLACES.get(provider, "")).hostname
    near = host in ("localhost", "127.0.0.1", "::1")
    client = {"timeout": settings.model_timeout, "trust_env": not near}  # no proxy knows this host
    if provider == "ollama":
        options["client_kwargs"] = client
    else:
        options |= {"timeout": settings.model_timeout, "max_retries": 0 if near else 1}
    if settings.base_url:
        options["base_url"] = settings.base_url
    if settings.api_key:
        options["api_key"] = settings.api_key.get_secret_value()
    elif settings.base_url and provider == "openai":
        options["api_key"] = "none"  # local servers need none, but the client insists on one
    if near and provider == "openai":
        import httpx

        options["http_client"] = httpx.Client(**cast("Any", client))
        options["http_async_client"] = httpx.AsyncClient(**cast("Any", client))
    return options


class Resolver:
    """Finds the sentences of the evidence that carry a claim.

    Args:
        evidence: the passages, in the order of their numbers.
        reranker: scores a claim against a sentence.
    """

    def __init__(self, evidence: Sequence[Passage], reranker: Reranker) -> None:
        """Keep the evidence."""
        self.evidence = evidence
        self.reranker = reranker

    def __call__(self, claim: str, numbers: Sequence[int]) -> tuple[tuple[Span, ...], bool]:
        """Return the sentences that carry a claim, and whether they do carry it.

        The passages of these numbers come first. Where none of them carries it, or the claim has
        no number, all of the evidence is looked through, and a sentence counts only if it supports
        the claim fully.
        """
        named = [self._carrier(claim, [self.evidence[n - 1]]) for n in numbers]
        found = _together(claim, [c for c in named if c.support.verdict != "unsupported"])
        every = _together(claim, named)
        if every.support.score > found.support.score + PART:
            found = every  # each of them carries a part
        if found.support.verdict == "unsupported":
            other = self._carrier(claim, self.evidence)
            if other.support.verdict == "supported":
                return other.spans, True
            return every.spans, False
        return found.spans, True

    def _carrier(self, claim: str, passages: Sequence[Passage]) -> _Carrier:
        """Return the sentence (or two of one passage) that best carries a claim."""
        options = [(p, *sentence) for p in passages for sentence in _sentences(p)]
        logits = self.reranker.score([(claim, text) for _, _, text, _ in options])
        rated: list[tuple[float, Passage, _Carrier]] = []
        for (passage, where, text, context), logit in zip(options, logits, strict=True):
            span = Span(passage.article_id, *where, probability(logit))
            carrier = _Carrier((span,), text, context, support(claim, text, context))
            rated.append((carrier.support.score + 0.5 * span.score, passage, carrier))
        if not rated:
            return _together(claim, [])
        rated.sort(key=lambda entry: -entry[0])
        _, home, best = rated[0]
        second = next((c for _, passage, c in rated[1:] if passage is home), None)
        if best.support.verdict != "supported" and second:
            both = _together(claim, sorted([best, second], key=lambda c: c.spans[0].start))
            if both.support.score > best.support.score + PART:
                return both
        return best


@dataclass(frozen=True, slots=True)
class _Carrier:
    """Sentences of the evidence, their text and what they lean on, and how well they carry it."""

    spans: tuple[Span, ...]
    text: str
    context: str
    support: Support


def _together(claim: str, carriers: Sequence[_Carrier]) -> _Carrier:
    text = " ".join(c.text for c in carriers)
    context = " ".join(c.context for c in carriers)
    spans = tuple(dict.fromkeys(span for c in carriers for span in c.spans))
    return _Carrier(spans, text, context, support(claim, text, context))


def _sentences(passage: Passage) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Yield each sentence of a passage: where, its text, and the one before if it leans on it."""
    before = passage.context
    for start, end in passage.sentences:
        text = passage.text[start - passage.start : end - passage.start]
        yield (start, end), text, before if leans(text) else ""
        before = text


class Reply:
    """What a chat model has written so far, as claims; claims once made stay as they are.

    A sentence becomes a claim when the first word of the next one is complete, and with it the
    markers between them. In which pieces the words came makes no difference.

    Args:
        resolve: returns the sentences that carry a claim with these passage numbers, and whether
            they do carry it.
        passages: how many passages there are.

    Attributes:
        text: the reply, word for word.
        claims: its sentences so far.
        dropped: how many markers were dropped: unknown numbers, and ones never closed.
        holds: whether the evidence carries any of the claims.
    """

    def __init__(
        self,
        resolve: Callable[[str, Sequence[int]], tuple[tuple[Span, ...], bool]],
        passages: int,
    ) -> None:
        """Start empty."""
        self.text = ""
        self.claims: tuple[Claim, ...] = ()
        self.dropped = 0
        self.holds = False
        self._resolve = resolve
        self._passages = passages
        self._thinking = True  # until it is known that it is not
        self._repeats = 0
        self._read = 0  # claims were made of the text up to here
        self._seen = 0  # and were looked for up to here

    @property
    def full(self) -> bool:
        """Whether no more of it is wanted."""
        rambles = not self._thinking and self._seen - self._read > LONGEST_SENTENCE
        many = len(self.claims) >= MOST_CLAIMS or self._repeats >= MOST_REPEATS
        return rambles or many or len(self.text) > LONGEST_REPLY

    @property
    def refused(self) -> bool:
        """Whether it says that the article does not say it, and nothing that holds besides."""
        said = [declines(claim.text) and not claim.spans for claim in self.claims]
        return bool(said) and (said[0] or (any(said) and not self.holds))

    def add(self, words: str) -> bool:
        """Add the words that came next; return whether there are new claims."""
        had = len(self.claims)
        self.text += words
        for space in _SPACE.finditer(self.text, self._seen):
            if self._thinking and not self._skip_thoughts():
                break
            self._seen = space.end()
            if space.start() > self._read:
                self._take(space.start(), final=False)
            if self.full:
                break
        return len(self.claims) > had

    def close(self) -> None:
        """Make claims of what is left."""
        if not self._thinking or self._skip_thoughts():
            self._take(self._seen if self.full else len(self.text), final=True)

    def _skip_thoughts(self) -> bool:
        """Pass over the thoughts that some models put before a reply; return whether they ended."""
        if self._thinking and _THINKS.match(self.text):
            end = _THOUGHT.search(self.text)
            if not end:
                return False
            self._read = self._seen = end.end()
        self._thinking = False
        return True

    def _take(self, end: int, *, final: bool) -> None:
        """Make claims of the sentences before ``end`` that are complete."""
        part = self.text[self._read : end]
        if not final and _OPEN.search(part):
            return
        bare, marks = _lift_markers(part)
        spans = sentence_spans(bare)
        complete = len(spans) if final else len(spans) - 1
        if complete < 1 and not final:
            return
        owners = _owners(bare, spans, [mark.position for mark in marks])
        read = len(part)
        if not final:
            edge = spans[complete - 1][1]
            own = [m for m, owner in zip(marks, owners, strict=True) if owner < complete]
            taken = sum(m.end - m.start for m in own if m.position <= edge)
            read = max([edge + taken, *(m.end for m in own)])
        numbers: list[list[int]] = [[] for _ in spans]
        for mark, owner in zip(marks, owners, strict=True):
            if mark.start >= read:
                continue
            known = [n for n in mark.numbers if 1 <= n <= self._passages]
            self.dropped += (len(mark.numbers) or 1) - len(known)
            if spans:
                numbers[owner] += known
        for i, (start, stop) in enumerate(spans[:complete]):
            gap = bare[spans[i - 1][1] if i else 0 : start]
            self._claim(gap, bare[start:stop], dict.fromkeys(numbers[i]))
        self._read += read

    def _claim(self, gap: str, sentence: str, numbers: Iterable[int]) -> None:
        """Make a claim of a sentence, unless it is a heading, a list of sources or a repetition."""
        plain = normalise(" ".join(_LITTER.sub("", strip_markdown(sentence)).split()))
        if not any(ch.isalnum() for ch in plain):
            return
        if _HEADING.match(sentence) or _SOURCES.fullmatch(plain):
            return
        if any(plain == claim.text for claim in self.claims):
            self._repeats += 1
            return
        cited = tuple(numbers)
        declined = declines(plain) and (not cited or declines(plain, exactly=True))
        spans, holds = ((), False) if declined else self._resolve(plain, cited)
        item = _ITEM.match(sentence)
        mark = f"{item['mark'].rstrip(').')}. " if item and item["mark"][0].isdigit() else "- "
        lines = gap.count("\n") if self.claims else -1
        before = ("", " ", "\n", "\n\n")[min(lines, 2) + 1] + (mark if item else "")
        self.claims += (Claim(plain, spans, before, quoted=False),)
        self.holds |= holds


@dataclass(frozen=True, slots=True)
class _Mark:
    """A marker: where it was among the words without markers, its place in the text, its numbers.

    One that was never closed has no numbers.
    """

    position: int
    start: int
    end: int
    numbers: tuple[int, ...]


def _lift_markers(text: str) -> tuple[str, list[_Mark]]:
    """Return the text without its markers, and the markers."""
    bare, last = "", 0
    marks: list[_Mark] = []
    for match in _MARKER.finditer(text):
        bare += text[last : match.start()]
        listed = _RANGE.sub(_spread, match["numbers"] or "")
        numbers = tuple(int(n) for n in re.findall(r"\d+", listed))
        marks.append(_Mark(len(bare), *match.span(), numbers))
        last = match.end()
    return bare + text[last:], marks


def _spread(match: re.Match[str]) -> str:
    """Return a range of numbers one by one, if it is short: "1-3" means 1, 2 and 3."""
    first, last = int(match[1]), int(match[2])
    spread = range(first, last + 1) if 0 <= last - first < 10 else (first, last)
    return " ".join(map(str, spread))


def _owners(bare: str, spans: Sequence[tuple[int, int]], positions: Sequence[int]) -> list[int]:
    """Return which sentence each marker belongs to: the one before it.

    On a line that begins with a marker they belong to the sentence after; a marker alone on its
    line belongs to the one before nevertheless.
    """
    owners: list[int] = []
    leading = -1  # start of the last line that began with a marker
    for position in positions:
        line = bare.rfind("\n", 0, position) + 1
        if _LINE_START.fullmatch(bare, line, position):
            leading = line
        rest = bare[position:].partition("\n")[0]
        if leading == line and any(ch.isalnum() for ch in rest):
            owners.append(next((i for i, (_, end) in enumerate(spans) if end > position), 0))
        else:
            before = [i for i, (start, _) in enumerate(spans) if start < position]
            owners.append(before[-1] if before else 0)
    return owners


def _spoken(reply: str) -> str:
    """Return a reply without the thoughts that some models put before it."""
    if not _THINKS.match(reply):
        return reply
    end = _THOUGHT.search(reply)
    return reply[end.end() :] if end else ""


def _clip(message: Message) -> str:
    """Return a message for the condense prompt: plain, without markers, not too long."""
    text = strip_markdown(_lift_markers(message.content)[0])
    return text if len(text) <= 600 else text[:600] + "…"


def _reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the first line of an error, without secrets that providers echo."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return re.sub(r"(sk-|AIza|Bearer |key[=:\s]+)[^\s,'\"]+", r"\1…", text)[:200].rstrip(" .")


__all__ = ["EXTRAS", "Reply", "Resolver", "Writer", "open_writer"]
