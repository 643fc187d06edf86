"""The bot: ``Bot.ask`` reads as the pipeline, and each step of it is one name below."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from langchain_core.runnables import Runnable, RunnableConfig

from bot import turns
from bot.cite import cite, said_exactly
from bot.condense import condense
from bot.read import overview, read
from bot.reader import load_reader, load_support_model
from bot.records import Answer, Draft, Query, Ranking, Turn
from bot.rerank import load_reranker
from bot.retrieve import rerank, retrieve
from bot.settings import Settings
from bot.suggest import suggest
from bot.write import Writer, open_writer
from index import Article, ModelUnavailable, Store, bundled, load_embedder
from index.chunk import Chunking

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from bot.evaluate import Report

log = logging.getLogger(__name__)

In = TypeVar("In")
Out = TypeVar("Out")


class Bot:
    """Answers questions about the articles of a store; holds no conversation.

    One bot serves many users at once, from many threads. Open it with ``Bot.open``.

    Example::

        bot = Bot.open()
        answer = bot.ask("On which day is the summit?")
        citation = answer.citations[0]
        article = bot.article(citation.article_id)
        assert article.text[citation.start : citation.end] == citation.quote
    """

    def __init__(self, store: Store, settings: Settings, writer: Writer | None = None) -> None:
        """Put a bot together from its parts; ``open`` is the usual way."""
        self.store = store
        self.settings = settings
        self.reranker = load_reranker(settings.reranker)
        self.reader = load_reader()
        self.writer = writer
        self.notice: str | None = None
        self.chain: Runnable[Any, Answer] = (
            Step[Any, Turn]("understand", turns.understand)
            | Step[Turn, Query]("condense", self._condense)
            | Step[Query, Ranking]("retrieve", self._retrieve)
            | Step[Ranking, Ranking]("rerank", self._rerank)
            | Step[Ranking, Draft]("answer", self._answer)
            | Step[Draft, Answer]("cite", self._cite)
        )

    @classmethod
    def open(
        cls,
        store: str | Path | None = None,
        model: str | BaseChatModel | None = None,
        *,
        articles: Iterable[Article | str | Path] | None = None,
        settings: Settings | None = None,
        chunking: Chunking | None = None,
        **overrides: object,
    ) -> Bot:
        """Open a bot on a store; articles that are not indexed yet are indexed first.

        Args:
            store: folder of the index; by default the user's data folder.
            model: ``"provider:name"`` or a LangChain chat model that writes the answers; by
                default the answers are read from the article.
            articles: what to index at opening; by default the bundled article, ``[]`` for none.
            settings: where all other settings come from; by default the environment and ``.env``.
            chunking: how passages are cut; chosen by measurement by default.
            **overrides: single settings by name (see ``Settings``).

        Raises:
            StoreError: the store is in use, damaged, not writable, or built by another
                configuration.
            SettingsError: a setting makes no sense.
            ArticleError: an article cannot be read.
        """
        name = model if isinstance(model, str) else None
        given = {
            k: v for k, v in {"store": store, "model": name, **overrides}.items() if v is not None
        }
        if settings is None:
            settings = Settings.read(**given)
        elif given:
            settings = settings.changed(**given)
        opened = Store.open(settings.store, load_embedder(settings.embedder), chunking)
        try:
            bot = cls(opened, settings)
            bot._set_model(None if model is None or isinstance(model, str) else model)
            for source in [bundled()] if articles is None else articles:
                bot.add(source)
        except BaseException:
            opened.close()
            raise
        return bot

    @classmethod
    def rebuild(
        cls,
        store: str | Path | None = None,
        *,
        settings: Settings | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[Article]:
        """Build the index of a store again from the article texts kept in it.

        Args:
            store: folder of the index; by default as in the settings.
            settings: which embedder to use, among others.
            progress: called with passages done and passages in all, for each article.

        Returns:
            The articles indexed.

        Raises:
            StoreInUse: it is open, here or in another process.
            StoreNotWritable: its folder cannot be written.
        """
        settings = settings or Settings.read(store=store)
        path = settings.store if store is None else store
        rebuilt = Store.rebuild(path, load_embedder(settings.embedder), progress=progress)
        try:
            return rebuilt.articles()
        finally:
            rebuilt.close()

    # -- asking --

    def ask(
        self, question: str, history: Sequence[Any] = (), *, articles: Sequence[str] | None = None
    ) -> Answer:
        """Answer a question.

        Args:
            question: the question, at most 2,000 characters.
            history: the earlier messages, as role/content dicts or LangChain messages.
            articles: ids of the articles to search; all by default.

        Raises:
            QuestionError: the question or the history cannot be asked.
            UnknownArticle: there is no article with one of the ids.
        """
        return self.chain.invoke(_asked(question, history, articles))

    def stream(
        self, question: str, history: Sequence[Any] = (), *, articles: Sequence[str] | None = None
    ) -> Iterator[Answer]:
        """Answer a question in growing answers; the last one is complete (``done``) and verified.

        Closing the iterator stops the chat model. Arguments and errors are those of ``ask``.
        """
        yield from self.chain.stream(_asked(question, history, articles))

    def evaluate(self, questions: Any, **options: Any) -> Report:
        """Measure the bot on a question set; see ``bot.evaluate.evaluate``."""
        from bot.evaluate import evaluate

        return evaluate(self, questions, **options)

    # -- the steps of the pipeline --

    def _condense(self, turn: Turn) -> Query:
        asked = [self.article(a) for a in turn.articles] or self.articles()
        texts = [a.text for a in asked]
        rewrite = self.writer.rewrite if self.writer else None
        try:
            query = condense(turn, texts, rewrite)
        except ModelUnavailable as error:
            query = replace(condense(turn, texts), notice=_fallback(error))
        sources = {a.id: a for a in asked}
        return replace(query, notice=query.notice or self.notice, sources=sources)

    def _retrieve(self, query: Query) -> Ranking:
        if query.kind != "lookup":
            return Ranking(query, query.turn.question, ())
        return retrieve(query, self.store)

    def _rerank(self, ranking: Ranking) -> Ranking:
        return rerank(ranking, self.reranker)

    def _answer(self, ranking: Ranking) -> Iterator[Draft]:
        kind, notice = ranking.query.kind, ranking.query.notice
        if kind in ("chat", "empty"):
            yield turns.reply(ranking, self._titles(ranking), self._suggestions(ranking))
        elif kind == "overview":
            yield replace(overview(ranking, self.store), notice=notice)
        elif self.writer and not notice and ranking.evidence:
            yield from self._write(ranking, self.writer)
        else:
            yield replace(self._read(ranking), notice=notice)

    def _read(self, ranking: Ranking) -> Draft:
        return read(ranking, self.reranker, self.reader, self.settings.refuses_below)

    def _write(self, ranking: Ranking, writer: Writer) -> Iterator[Draft]:
        """Write with the chat model; read where it fails, or nothing that it says holds.

        That the article does not say something cannot be cited: where reading finds an answer
        that can, that is given. (A small model mostly refuses what the article does say.)
        """
        draft = Draft(ranking)
        try:
            for draft in writer.write(ranking, self._titles(ranking), self.reranker):
                if not draft.done:
                    yield draft
        except ModelUnavailable as error:
            yield replace(self._read(ranking), notice=_fallback(error))
            return
        read = self._read(ranking)
        checked = cite(draft).sentences
        if draft.refused and not read.refused:
            notice = f"{writer.name} finds no answer in the article; this is read from it instead."
        elif draft.refused or any(s.verdict == "supported" for s in checked):
            exact = () if draft.refused else said_exactly(read, checked)
            yield replace(
                draft, ranking=read.ranking, score=read.score, closest=read.closest, exact=exact,
                reason=read.reason,
            )  # fmt: skip
            return
        else:
            notice = (
                f"Nothing that {writer.name} wrote is supported by the article; this is read from "
                "the article instead."
            )
        yield replace(
            read, written=draft.written, dropped_markers=draft.dropped_markers, notice=notice
        )

    def _cite(self, draft: Draft) -> Answer:
        return cite(draft, drop=self.settings.unsupported == "drop")

    # -- articles --

    def add(
        self,
        source: Article | str | Path,
        *,
        title: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Article:
        """Index an article; the same text twice changes nothing.

        Args:
            source: an ``Article``, or the path of a text or Markdown file.
            title: title for a file; by default its first line or heading.
            progress: called with passages done and passages in all.

        Raises:
            ArticleError: the file cannot be read.
        """
        article = source if isinstance(source, Article) else Article.load(source, title=title)
        return self.store.add(article, progress)

    def articles(self) -> list[Article]:
        """Return the articles of the store in the order in which they were added."""
        return self.store.articles()

    def article(self, article_id: str) -> Article:
        """Return an article by its id.

        Raises:
            UnknownArticle: there is none with that id.
        """
        return self.store.article(article_id)

    def remove(self, article_id: str) -> Article:
        """Remove an article and its passages, and return it.

        Raises:
            UnknownArticle: there is none with that id.
        """
        return self.store.remove(article_id)

    def suggest(self, article_id: str | None = None, limit: int = 4) -> tuple[str, ...]:
        """Return questions that an article answers, made from its own sentences.

        Args:
            article_id: the article; by default the first of the store.
            limit: how many at most.
        """
        articles = [self.article(article_id)] if article_id else self.articles()[:1]
        return suggest(articles[0], limit) if articles else ()

    # -- the rest --

    @property
    def model(self) -> str | None:
        """Name of the chat model that writes the answers; None where they are read."""
        return self.writer.name if self.writer else None

    @property
    def loaded(self) -> bool:
        """Whether the models are in memory."""
        checks = not self.writer or load_support_model().loaded
        return self.store.embedder.loaded and self.reranker.loaded and self.reader.loaded and checks

    def load(self) -> None:
        """Load the models now, both at once; otherwise the first question does.

        Raises:
            WeightsError: their files are missing or differ.
        """
        failed: list[BaseException] = []

        def load_first() -> None:
            try:
                self.reranker.load()
                self.reader.load()
                if self.writer:
                    load_support_model().load()
            except BaseException as error:
                failed.append(error)

        other = threading.Thread(target=load_first, name="load-reranker")
        other.start()
        try:
            _ = self.store.embedder.model
        finally:
            other.join()
        if failed:
            raise failed[0]

    def close(self) -> None:
        """Give the store back, so that another process may open it."""
        self.store.close()

    def __enter__(self) -> Bot:
        """Return the bot; leaving the block closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bot."""
        self.close()

    def _set_model(self, model: BaseChatModel | None) -> None:
        """Set up the chat model; one that cannot be set up leaves a notice, and the bot reads."""
        try:
            self.writer = open_writer(self.settings, model)
        except ModelUnavailable as error:
            log.info("%s", error)
            self.notice = _fallback(error)

    def _titles(self, ranking: Ranking) -> str:
        scope = ranking.query.turn.articles
        titles = [a.title for a in self.articles() if not scope or a.id in scope]
        if not titles:
            return "an article, once one is added"
        return titles[0] if len(titles) == 1 else f"{len(titles)} articles"

    def _suggestions(self, ranking: Ranking) -> tuple[str, ...]:
        scope = ranking.query.turn.articles
        return self.suggest(scope[0] if scope else None)


class Step(Runnable[In, Out]):
    """One step of the pipeline: a function from a record to the next, or to growing ones.

    Adds the seconds that it took to the record's ``timings`` under its name.

    Args:
        name: the name of the step.
        function: takes a record; returns one, or an iterator of growing ones.
    """

    def __init__(
        self,
        name: str,
        function: Callable[[In], Out | Iterator[Out]] | Callable[[In], Iterator[Out]],
    ) -> None:
        """Keep the function."""
        self.name = name
        self._function = function

    def invoke(
        self,
        input: In,  # noqa: A002  # named by the interface
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> Out:
        """Return the record that the step makes, the last of them where it makes several."""

        def last(record: In) -> Out:
            *_, made = self._run(record)
            return made

        return self._call_with_config(last, input, config)

    def stream(
        self,
        input: In,  # noqa: A002  # named by the interface
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> Iterator[Out]:
        """Yield the records that the step makes."""
        yield from self.transform(iter([input]), config)

    def transform(
        self,
        input: Iterator[In],  # noqa: A002  # named by the interface
        config: RunnableConfig | None = None,  # noqa: ARG002  # named by the interface
        **_: Any,
    ) -> Iterator[Out]:
        """Yield the records that the step makes of each record that comes.

        A plain generator on purpose: LangChain's own wrapper drains its input when it is closed,
        so that stopping an answer would wait until the chat model has finished.
        """
        for record in input:
            yield from self._run(record)

    def _run(self, record: In) -> Iterator[Out]:
        before: dict[str, float] = dict(getattr(record, "timings", {}))
        spent, began = 0.0, time.perf_counter()
        made = self._function(record)
        for out in cast("Iterator[Out]", made if isinstance(made, Iterator) else iter([made])):
            spent += time.perf_counter() - began
            yield replace(cast("Any", out), timings=before | {str(self.name): spent})
            began = time.perf_counter()  # what the reader of a stream takes is not ours


def _asked(question: str, history: Sequence[Any], articles: Sequence[str] | None) -> dict[str, Any]:
    return {"question": question, "history": history, "articles": articles}


def _fallback(error: ModelUnavailable) -> str:
    return f"{error}; this is read from the article instead."
