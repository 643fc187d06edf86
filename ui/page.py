"""What is on the page and what its events do; import it late, since gradio takes seconds.

The conversation is a list of ``Exchange`` in a ``gr.State``: every handler takes it and returns
the next one, and the chat and the pane are drawn from it, so marks and markers cannot part.
"""

from __future__ import annotations

import asyncio
import dataclasses
import html
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gradio as gr

from bot import Answer, Bot, Settings
from index import Article, AskArticleError, UnknownArticle
from ui import conversation, feedback, render
from ui.conversation import Exchange

if TYPE_CHECKING:
    from ui.chat import Opening

log = logging.getLogger(__name__)

USERS = 8
"""Questions that are worked on at once; further ones wait their turn."""

IDEAS = 4
"""Example questions that are offered at once."""

LOADING = "Loading the models…"
SEARCHING = "Reading the article…"
READ = "Answers are the article’s own words, with the sentence that says so."
WRITTEN = "Written by {model}, each sentence checked against the article."
FILE_TYPES = [".txt", ".text", ".md", ".markdown"]
ONLY_ONE = "This is the only article. Add another one before you remove it."

_TITLE = '<h1><span aria-hidden="true">1</span>askarticle</h1>'
_TOOLS = """
<button type="button" data-sheet="add" aria-controls="add" aria-expanded="false"
  >Add an article</button>
<button type="button" data-sheet="remove" aria-controls="remove" aria-expanded="false"
  >Remove</button>
<button type="button" data-pane="close" aria-label="Close the article">×</button>
"""
_WELCOME = """<div class="welcome"><h2>{title}</h2>
<p>Ask about it. Every claim in an answer carries a number
that leads to the exact sentence.</p></div>"""

Updates = list[Any]
"""New values of a handler's outputs, in their order."""


def look() -> dict[str, Any]:
    """Return the arguments of ``launch`` that make the page look and move as it does."""
    theme = gr.themes.Base(
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )
    head = f"<style>{_asset('page.css')}</style><script>{_asset('page.js')}</script>"
    return {"theme": theme, "head": head}


def build_page(opening: Opening, settings: Settings) -> gr.Blocks:
    """Return the page with its events.

    Args:
        opening: the bot that it talks to, ready or not.
        settings: where feedback is kept.
    """
    desk = _Desk(opening, settings)
    with gr.Blocks(
        title="askarticle", fill_width=True, fill_height=True, analytics_enabled=False
    ) as page:
        exchanges, stopped = gr.State([]), gr.State(0)
        kept = gr.Textbox(visible=False)
        with gr.Row(elem_id="page"):
            with gr.Column(elem_id="talk"):
                with gr.Row(elem_id="top"):
                    gr.HTML(_TITLE, elem_id="brand")
                    status = gr.HTML(_status(LOADING, "busy"), elem_id="status")
                    clear = gr.Button("Clear", elem_id="clear", size="sm", visible=False)
                    gr.HTML(
                        '<button type="button" data-pane="open" aria-controls="source">'
                        "Article</button>",
                        elem_id="opener",
                    )
                chat = gr.Chatbot(
                    elem_id="chat",
                    label="Conversation",
                    show_label=False,
                    container=False,
                    height="100%",
                    buttons=["copy"],
                    editable="user",
                    latex_delimiters=[],
                    allow_tags=False,
                    layout="bubble",
                )
                with gr.Row(elem_id="ideas"):
                    ideas = [
                        gr.Button(visible=False, elem_classes="idea", size="sm")
                        for _ in range(IDEAS)
                    ]
                box = gr.Textbox(
                    elem_id="box",
                    label="Question",
                    show_label=False,
                    container=False,
                    placeholder="Ask the article…",
                    max_lines=6,
                    autofocus=True,
                    submit_btn=True,
                )
            with gr.Column(elem_id="source"):
                with gr.Row(elem_id="shelf"):
                    shelf = gr.Dropdown(
                        [],
                        elem_id="articles",
                        label="Article",
                        show_label=False,
                        container=False,
                        interactive=True,
                        visible=False,
                    )
                    gr.HTML(_TOOLS, elem_id="tools")
                with gr.Column(elem_id="add", elem_classes="sheet"):
                    paste = gr.Textbox(
                        elem_id="paste",
                        label="Paste the text of an article; its first line becomes the title",
                        lines=6,
                        max_lines=12,
                    )
                    with gr.Row(elem_classes="actions"):
                        add = gr.Button("Add", variant="primary", elem_id="add-text", size="sm")
                        upload = gr.UploadButton(
                            "Choose a file…", file_types=FILE_TYPES, elem_id="upload", size="sm"
                        )
                    problem = gr.HTML(elem_id="problem")
                with gr.Column(elem_id="remove", elem_classes="sheet"):
                    doomed = gr.HTML(elem_id="doomed")
                    with gr.Row(elem_classes="actions"):
                        remove = gr.Button(
                            "Remove", variant="stop", elem_id="remove-article", size="sm"
                        )
                        gr.HTML('<button type="button" data-sheet="">Keep it</button>')
                pane = gr.HTML(
                    elem_id="pane",
                    js_on_load="window.askarticle.pane(element, "
                    "(article) => trigger('locate', {article}), watch)",
                )

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        at_once = quiet | {"queue": False}
        talk = [exchanges, chat, clear, box]
        shown = [shelf, pane, doomed, remove, chat, *ideas]
        close_sheet = "(problem) => problem || window.askarticle.sheet('')"

        page.load(
            desk.arrive,
            kept,
            [status, exchanges, clear, *shown],
            js="() => [window.askarticle.kept()]",
            concurrency_limit=None,
            **quiet,
        )

        def keep(event: Any) -> None:
            event.then(conversation.dump, exchanges, kept, **at_once).then(
                None, kept, None, js="(kept) => window.askarticle.keep(kept)", **quiet
            )

        # However a question is put, it becomes the last exchange, and `answer` answers that one.
        running = []
        for trigger, put, inputs in [
            (box.submit, desk.put, [box]),
            (chat.retry, desk.retry, []),
            (chat.edit, desk.edit, []),
            (chat.option_select, desk.choose, []),
            *[(idea.click, desk.put, [idea]) for idea in ideas],
        ]:
            answered = trigger(
                put, [exchanges, shelf, *inputs], [stopped, *talk, *ideas], **quiet
            ).success(
                desk.answer,
                exchanges,
                [*talk, pane],
                concurrency_limit=USERS,
                concurrency_id="answer",
                **quiet,
            )
            running.append(answered)
            keep(answered.then(desk.finish, [stopped, exchanges, shelf], [*talk, pane], **at_once))
        # `finish` follows both, since either may come last.
        halted = box.stop(len, exchanges, stopped, cancels=running, **at_once)
        keep(halted.then(desk.finish, [stopped, exchanges, shelf], [*talk, pane], **at_once))
        keep(clear.click(desk.clear, shelf, [*talk, pane, *ideas], **at_once))
        chat.like(desk.like, exchanges, None, **quiet)

        shelf.input(desk.select, [shelf, exchanges], shown, **at_once)
        pane.locate(desk.locate, exchanges, shown, **quiet)
        for event, source, value in [
            (add.click, desk.add_text, paste),
            (upload.upload, desk.add_file, upload),
        ]:
            event(
                source, [value, exchanges], [problem, paste, *shown], concurrency_limit=2, **quiet
            ).then(None, problem, None, js=close_sheet, **quiet)
        remove.click(desk.remove, [shelf, exchanges], shown, **quiet).then(
            None, None, None, js="() => window.askarticle.sheet('')", **quiet
        )
        gr.api(desk.ask, api_name="ask", concurrency_limit=USERS, concurrency_id="answer")
    queued: gr.Blocks = page.queue(default_concurrency_limit=USERS)
    return queued


class _Desk:
    """The handlers of the page's events; it holds the bot and no conversation."""

    def __init__(self, opening: Opening, settings: Settings) -> None:
        self._opening = opening
        self._settings = settings

    @property
    def _bot(self) -> Bot:
        """The bot, once it is open; waits until it is."""
        return self._opening.bot.result()

    # ── arriving ─────────────────────────────────────────────────────────────────────────────

    async def arrive(self, kept: str | None) -> AsyncIterator[Updates]:
        """Show what there is: that models load, then the articles and the kept conversation."""
        nothing = [gr.skip()] * (7 + IDEAS)
        try:
            bot = await asyncio.shield(asyncio.wrap_future(self._opening.bot))
            ready = self._opening.ready.done()
            exchanges = conversation.load(kept, bot.article)
            first = next((e.article_id for e in reversed(exchanges)), None)
            shown = self._show(first, exchanges)
            yield [
                _mode(bot) if ready else _status(LOADING, "busy"),
                exchanges,
                _clear(exchanges),
                *shown,
            ]
            await asyncio.shield(asyncio.wrap_future(self._opening.ready))
            yield [_mode(bot), *nothing]
        except Exception as error:  # shown by the page, and logged where it was caught first
            yield [_status(_say(error), "error"), *nothing]

    def _show(self, article_id: str | None, exchanges: list[Exchange]) -> Updates:
        """Return updates that put one article on show, with questions to ask of it."""
        bot = self._bot
        articles = bot.articles()
        chosen = next(
            (a for a in articles if a.id == article_id), articles[0] if articles else None
        )
        if chosen is None:
            empty = "<p class='empty'>There is no article yet. Add one to ask about.</p>"
            return [
                gr.update(choices=[], value=None, visible=False),
                empty,
                "",
                gr.update(visible=False),
                self._messages(exchanges),
                *_no_ideas(),
            ]
        alone = len(articles) == 1
        name = html.escape(chosen.title)
        doomed = (
            ONLY_ONE if alone else (f"Remove “{name}”? Answers about it stay, but lead nowhere.")
        )
        return [
            gr.update(
                choices=[(a.title, a.id) for a in articles], value=chosen.id, visible=not alone
            ),
            _marked(chosen, exchanges),
            f"<p>{doomed}</p>",
            gr.update(visible=not alone),
            gr.update(value=self._messages(exchanges), placeholder=_WELCOME.format(title=name)),
            *self._ideas(chosen),
        ]

    def _ideas(self, article: Article) -> Updates:
        """Return updates of the buttons that offer example questions."""
        questions = self._bot.suggest(article.id, IDEAS)
        return [gr.update(value=q, visible=True) for q in questions] + _no_ideas()[len(questions) :]

    # ── asking ───────────────────────────────────────────────────────────────────────────────

    def put(self, exchanges: list[Exchange], article_id: str | None, typed: str) -> Updates:
        """Put a question: it is shown at once, and answered by the event that follows."""
        if not (typed or "").strip():
            raise _refusal("Type a question first.")
        if exchanges and exchanges[-1].running:
            raise _refusal("An answer is on its way. Wait for it, or stop it.")
        exchanges = [*exchanges, Exchange(typed.strip(), article_id or "")]
        return [0, *self._talk(exchanges, box=""), *_no_ideas()]

    def retry(
        self, exchanges: list[Exchange], article_id: str | None, event: gr.RetryData
    ) -> Updates:
        """Ask a question again; what came after it goes."""
        place = _place(event.index)
        return self.put(exchanges[:place], article_id, exchanges[place].typed)

    def edit(
        self, exchanges: list[Exchange], article_id: str | None, event: gr.EditData
    ) -> Updates:
        """Ask an edited question in the place of the old one; what came after it goes."""
        return self.put(exchanges[: _place(event.index)], article_id, str(event.value))

    def choose(
        self, exchanges: list[Exchange], article_id: str | None, event: gr.SelectData
    ) -> Updates:
        """Ask a question that an answer suggested."""
        return self.put(exchanges, article_id, str(event.value))

    def answer(self, exchanges: list[Exchange]) -> Iterator[Updates]:
        """Answer the last exchange, growing; closing this generator stops the bot."""
        *before, last = exchanges
        pane: Any = gr.skip()
        cited: Any = None
        try:
            if not self._opening.ready.done():
                yield [*self._talk(exchanges, wait=LOADING), pane]
                self._opening.ready.result()
            bot = self._bot
            history = conversation.history(before, last.article_id)
            chosen = [last.article_id] if last.article_id else None
            stream = cast("Generator[Answer]", bot.stream(last.typed, history, articles=chosen))
            try:
                for answer in stream:
                    last = dataclasses.replace(last, answer=answer)
                    pane = gr.skip()
                    if (answer.citations, answer.closest) != cited and last.article_id:
                        cited = (answer.citations, answer.closest)
                        pane = self._pane(last.article_id, [*before, last])
                    yield [*self._talk([*before, last]), pane]
            finally:
                # Gradio closes this generator on its event loop, and a chat model may be slow to
                # let go: everybody else's page would wait for it.
                threading.Thread(target=stream.close, name="stop-answer", daemon=True).start()
        except Exception as error:  # the conversation goes on, whatever failed
            if not isinstance(error, AskArticleError):
                log.exception("A question cannot be answered")
            last = dataclasses.replace(last, error=_say(error))
            yield [*self._talk([*before, last]), gr.skip()]

    def finish(self, stopped: int, exchanges: list[Exchange], article_id: str | None) -> Updates:
        """Draw the article with all its marks; an answer that was stopped is marked as such.

        Args:
            stopped: how long the conversation was when the reader stopped an answer, else 0.
            exchanges: the conversation, in which the next question may have been put already.
            article_id: the article on show.
        """
        talk: Updates = [gr.skip()] * 4
        if exchanges and stopped == len(exchanges) and exchanges[-1].running:
            exchanges = conversation.settle(exchanges)
            talk = self._talk(exchanges)
        return [*talk, self._pane(article_id, exchanges) if article_id else gr.skip()]

    def clear(self, article_id: str | None) -> Updates:
        """Begin anew."""
        _, pane, _, _, _, *ideas = self._show(article_id, [])
        return [*self._talk([]), pane, *ideas]

    def like(self, exchanges: list[Exchange], event: gr.LikeData) -> None:
        """Keep a thumb up or down, with what it is about."""
        place = _place(event.index)
        exchange = exchanges[place]
        liked = event.liked if isinstance(event.liked, bool) else None
        if exchange.answer is not None:
            try:
                feedback.record(
                    self._settings.feedback,
                    liked=liked,
                    question=exchange.typed,
                    answer=exchange.answer,
                    article_id=exchange.article_id,
                    history=conversation.history(exchanges[:place], exchange.article_id),
                )
            except OSError as error:
                log.warning("Feedback cannot be written to %s: %s", self._settings.feedback, error)
                gr.Warning(
                    f"Your thumb was not kept: {html.escape(str(error.strerror or error))}. "
                    "Set ASKARTICLE_FEEDBACK to a file that can be written."
                )

    def _talk(
        self, exchanges: list[Exchange], *, wait: str = SEARCHING, box: str | None = None
    ) -> Updates:
        """Return updates that draw the conversation and its controls."""
        busy = bool(exchanges) and exchanges[-1].running
        controls: dict[str, Any] = {"submit_btn": not busy, "stop_btn": busy}
        if box is not None:
            controls["value"] = box
        return [
            exchanges,
            self._messages(exchanges, wait),
            _clear(exchanges),
            gr.update(**controls),
        ]

    def _messages(
        self, exchanges: Sequence[Exchange], wait: str = SEARCHING
    ) -> list[dict[str, Any]]:
        """Return the conversation as the chat shows it: two messages for each exchange."""
        ids = {c.article_id for a in conversation.answers(exchanges) for c in a.citations}
        titles = None
        if len(ids) > 1:
            titles = {a.id: a.title for a in self._bot.articles()}
        messages: list[dict[str, Any]] = []
        for exchange in exchanges:
            messages.append({"role": "user", "content": render.plain_markdown(exchange.typed)})
            parts = []
            if exchange.answer is not None:
                parts.append(
                    render.answer_markdown(
                        exchange.answer,
                        typed=exchange.typed,
                        stopped=exchange.stopped,
                        titles=titles,
                    )
                )
            elif exchange.running:
                parts.append(f'<p class="note busy">{html.escape(wait)}</p>')
            elif exchange.stopped:
                parts.append('<p class="note">Stopped.</p>')
            if exchange.error:
                parts.append(f'<p class="note error">{html.escape(exchange.error)}</p>')
            messages.append({"role": "assistant", "content": "\n\n".join(parts)})
        if exchanges and (last := exchanges[-1].answer) and last.done:
            messages[-1]["options"] = [{"value": q, "label": q} for q in last.suggestions]
        return messages

    def _pane(self, article_id: str, exchanges: Sequence[Exchange]) -> str:
        try:
            article = self._bot.article(article_id)
        except UnknownArticle as error:
            return f"<p class='empty'>{html.escape(str(error))}</p>"
        return _marked(article, exchanges)

    # ── articles ─────────────────────────────────────────────────────────────────────────────

    def select(self, article_id: str, exchanges: list[Exchange]) -> Updates:
        """Put the article on show that was chosen; the next question goes to it."""
        return self._show(article_id, exchanges)

    def locate(self, exchanges: list[Exchange], event: gr.EventData) -> Updates:
        """Put the article on show that a marker leads to."""
        wanted = str(event.article)
        try:
            self._bot.article(wanted)
        except UnknownArticle:
            raise _refusal("That article has been removed.") from None
        return self._show(wanted, exchanges)

    def add_text(self, text: str, exchanges: list[Exchange]) -> Iterator[Updates]:
        """Add an article that was pasted."""
        yield from self._add(lambda: Article.from_text(text or ""), exchanges)

    def add_file(self, path: str, exchanges: list[Exchange]) -> Iterator[Updates]:
        """Add an article that was uploaded; the server's copy of the file goes."""
        name = Path(path).name

        def read() -> Article:
            try:
                return dataclasses.replace(Article.load(path), source=name)
            except AskArticleError as error:  # the reader knows the file by its name
                raise type(error)(str(error).replace(str(Path(path)), name)) from error
            finally:
                Path(path).unlink(missing_ok=True)

        yield from self._add(read, exchanges)

    def _add(self, read: Callable[[], Article], exchanges: list[Exchange]) -> Iterator[Updates]:
        """Add an article and put it on show; where that fails, say why and change nothing."""
        rest = [gr.skip()] * (1 + 5 + IDEAS)
        try:
            article = read()
            busy = "Adding…" if self._opening.ready.done() else LOADING
            yield [_status(busy, "busy"), *rest]
            added = self._opening.ready.result().add(article)
            yield ["", "", *self._show(added.id, exchanges)]
        except Exception as error:  # the page stays, whatever failed
            if not isinstance(error, AskArticleError):
                log.exception("An article cannot be added")
            yield [_status(_say(error), "error"), *rest]

    def remove(self, article_id: str, exchanges: list[Exchange]) -> Updates:
        """Remove the article on show, unless it is the only one; another one takes its place."""
        try:
            if len(self._bot.articles()) > 1:
                self._bot.remove(article_id)
        except UnknownArticle:
            pass  # removed in another tab meanwhile
        except AskArticleError as error:
            gr.Warning(html.escape(str(error)))
        return self._show(None, exchanges)

    # ── the API ──────────────────────────────────────────────────────────────────────────────

    def ask(self, question: str, history: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer a question about the articles.

        Parameters:
            question: the question.
            history: the earlier messages, as role/content dicts; may be empty.

        Returns:
            The answer: text, short, refused, citations with their quotes and offsets, and more.
        """
        try:
            return self._opening.ready.result().ask(question, history or []).to_dict()
        except AskArticleError as error:
            raise gr.Error(str(error), print_exception=False) from error


def _refusal(message: str) -> gr.Error:
    """Show a short message, and return what to raise so that the events that follow do not run."""
    gr.Info(message, duration=4, title="")
    return gr.Error(message, visible=False, print_exception=False)


def _place(index: int | Sequence[int]) -> int:
    """Return which exchange a message belongs to: each has two messages."""
    return (index if isinstance(index, int) else index[0]) // 2


def _no_ideas() -> Updates:
    return [gr.update(visible=False)] * IDEAS


def _clear(exchanges: Sequence[Exchange]) -> Any:
    return gr.update(visible=bool(exchanges) and not exchanges[-1].running)


def _say(error: BaseException) -> str:
    """Return what to tell a reader: our own messages as they are, others with their kind."""
    if isinstance(error, AskArticleError):
        return str(error)
    return f"Something went wrong ({type(error).__name__}: {error}). The log has the details."


def _mode(bot: Bot) -> str:
    return _status(WRITTEN.format(model=bot.model) if bot.model else READ, "ready")


def _status(text: str, kind: str) -> str:
    role = "alert" if kind == "error" else "status"
    return f'<p class="{kind}" role="{role}">{html.escape(text)}</p>'


def _asset(name: str) -> str:
    return resources.files("ui").joinpath("assets", name).read_text(encoding="utf-8")


def _marked(article: Article, exchanges: Sequence[Exchange]) -> str:
    """Return an article as HTML with what the answers of a conversation point to."""
    answers = conversation.answers(exchanges)
    return render.article_html(
        article, render.marks(answers, article.id), render.exact_places(answers, article.id)
    )
