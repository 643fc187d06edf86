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
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.cite import strip_markdown
from bot.records import REFUSAL, Draft, Message, Ranking, Turn
from bot.reply import LONGEST_REPLY, Reply, Resolver, lift_markers, spoken
from bot.rerank import Reranker
from bot.settings import Settings
from index.errors import ModelUnavailable, SettingsError
from prompts import load

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

log = logging.getLogger(__name__)

PACKAGES = {
    "openai": "langchain-openai",
    "anthropic": "langchain-anthropic",
    "google_genai": "langchain-google-genai",
    "ollama": "langchain-ollama",
}
"""The package of each provider, which an extra of this one installs."""

PLACES = {"ollama": "http://127.0.0.1:11434"}
"""Where the server of a provider is unless a setting says otherwise; others know it themselves."""

LONGEST_QUESTION = 400
"""Characters of a rewritten question; a longer reply is an answer or a ramble, not a question."""

RECALLED = 6
"""Earlier messages that the condense prompt is shown."""

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
            if len(reply) > LONGEST_REPLY or "\n" in spoken(reply).strip():
                break
        first = next(iter(spoken(reply).strip().splitlines()), "")
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
        SettingsError: the model's name names none that there could be.
        ModelUnavailable: its package or key is missing or wrong.
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
        raise SettingsError(
            f"The model {name!r} {lack}; write it as provider:name, for example "
            "openai:gpt-4.1-mini or ollama:qwen3:4b."
        )
    provider = {"google": "google_genai"}.get(provider, provider)
    from langchain.chat_models import init_chat_model

    try:
        chat = init_chat_model(rest, model_provider=provider, **_options(settings, provider))
    except ImportError as error:
        how = f"pip install {PACKAGES[provider]}" if provider in PACKAGES else _reason(error)
        raise ModelUnavailable(
            f"The package for {provider} models is not installed. Install it: {how}"
        ) from error
    except Exception as error:
        said = str(error).lower()
        if "unsupported" in said and "provider" in said:
            raise SettingsError(
                f"The model {name!r} cannot be set up: there is no provider {provider!r}; the "
                f"usual ones are {', '.join(PACKAGES)}."
            ) from error
        if "credential" in said or "api_key" in said or "api key" in said:
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


def _clip(message: Message) -> str:
    """Return a message for the condense prompt: plain, without markers, not too long."""
    text = strip_markdown(lift_markers(message.content)[0])
    return text if len(text) <= 600 else text[:600] + "…"


def _reason(error: BaseException, secrets: Iterable[str] = ()) -> str:
    """Return the first line of an error, without secrets that providers echo."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return re.sub(r"(sk-|AIza|Bearer |key[=:\s]+)[^\s,'\"]+", r"\1…", text)[:200].rstrip(" .")
