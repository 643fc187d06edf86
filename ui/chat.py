"""The chat window: a conversation on one side, the article with its cited sentences on the other.

``serve`` runs it, ``launch`` runs it beside other work, ``build`` returns the Gradio page alone.
What is on the page is in ``ui/page.py``, how it looks and moves in ``assets/``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from bot import Bot, Settings
from index import AskArticleError, SettingsError

if TYPE_CHECKING:
    import gradio as gr

log = logging.getLogger(__name__)


class Opening:
    """A bot that is being opened in the background, so that the page need not wait for it.

    Attributes:
        bot: becomes the bot once its articles are known.
        ready: becomes the bot once its models are loaded as well.
    """

    def __init__(self, open_bot: Callable[[], Bot]) -> None:
        """Begin to open a bot.

        Args:
            open_bot: returns the bot; called once, in a thread of its own.
        """
        self.bot: Future[Bot] = Future()
        self.ready: Future[Bot] = Future()
        threading.Thread(target=self._open, args=(open_bot,), name="open-bot", daemon=True).start()

    def _open(self, open_bot: Callable[[], Bot]) -> None:
        try:
            bot = open_bot()
            self.bot.set_result(bot)
            bot.load()
            self.ready.set_result(bot)
        except Exception as error:  # whatever it is, the page has to show it
            if not isinstance(error, AskArticleError):
                log.exception("The bot cannot be opened")
            for future in (self.bot, self.ready):
                if not future.done():
                    future.set_exception(error)


class Window:
    """A chat window that is being served.

    Attributes:
        url: its address.
        opening: the bot behind it.
    """

    def __init__(self, page: gr.Blocks, opening: Opening) -> None:
        """Hold a page that has been launched."""
        self._page = page
        self.url = str(page.local_url)
        self.opening = opening

    def close(self) -> None:
        """Stop serving; the bot stays open."""
        self._page.close(verbose=False)


def serve(open_bot: Callable[[], Bot], settings: Settings, *, open_browser: bool = False) -> None:
    """Serve the chat window until Ctrl-C; then close it and the bot.

    Args:
        open_bot: opens the bot; called in the background, so the page appears at once.
        settings: host, port and feedback file.
        open_browser: whether to open the page in the browser of this computer.

    Raises:
        SettingsError: the host or port cannot be served on.
    """
    window = launch(open_bot, settings, open_browser=open_browser)
    print(f"Ask the article at {window.url} (Ctrl-C stops)", flush=True)  # noqa: T201  # the one line it prints
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    window.close()
    if window.opening.bot.done() and window.opening.bot.exception() is None:
        window.opening.bot.result().close()


def launch(
    open_bot: Callable[[], Bot], settings: Settings, *, open_browser: bool = False
) -> Window:
    """Serve the chat window in the background.

    Args:
        open_bot: opens the bot; called in the background, so the page appears at once.
        settings: host, port and feedback file.
        open_browser: whether to open the page in the browser of this computer.

    Returns:
        The window: its address and a way to close it.

    Raises:
        SettingsError: the host or port cannot be served on.
    """
    port = settings.port or _free_port(settings.host)
    opening = Opening(open_bot)
    _spare_loopback_the_proxy()

    async def start() -> gr.Blocks:
        page = build(opening, settings)
        from ui.page import look

        page.launch(
            server_name=settings.host,
            server_port=port,
            inbrowser=open_browser,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            run_history=False,
            enable_monitoring=False,
            footer_links=[],
            max_file_size="20mb",
            **look(),
        )
        return page

    try:
        # Without a running event loop, Gradio makes several and closes none of them.
        with ThreadPoolExecutor(1) as thread:
            page = thread.submit(asyncio.run, start()).result()
    except OSError as error:
        raise SettingsError(
            f"The chat window cannot be served on {settings.host}:{port} ({error}). Stop what "
            "uses that port, or give another one to ASKARTICLE_PORT or --port; 0 takes a free one."
        ) from error
    return Window(page, opening)


def build(opening: Opening, settings: Settings) -> gr.Blocks:
    """Return the page; its events are those of one tab, and nothing is shared between tabs.

    Args:
        opening: the bot that it talks to, ready or not.
        settings: where feedback is kept.
    """
    # Read when gradio is imported: no telemetry, and no statistics of its own after each event.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)
    from ui.page import build_page  # imports gradio, which takes seconds

    return build_page(opening, settings)


def _free_port(host: str) -> int:
    """Return a port that nothing listens on: Gradio cannot be told to take any."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _spare_loopback_the_proxy() -> None:
    """Let no proxy answer for the page: Gradio asks its own server whether it is up."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [h for h in os.environ.get(name, "").split(",") if h]
        os.environ[name] = ",".join(dict.fromkeys([*hosts, "localhost", "127.0.0.1"]))
