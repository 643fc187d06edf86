"""What every command starts from: its settings, where they come from, and the bot they make."""

from __future__ import annotations

import contextlib
import inspect
import logging
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot import Article, Bot, Settings
    from ui.terminal import Wait

PANEL = "Settings (also ASKARTICLE_… in the environment or .env)"

SHARED: dict[str, Any] = {
    "store": Annotated[
        Path | None,
        typer.Option(
            "--store", metavar="FOLDER", help="Folder of the index.", rich_help_panel=PANEL
        ),
    ],
    "model": Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="PROVIDER:NAME",
            help="Chat model that writes the answers; without one they are the article's words.",
            rich_help_panel=PANEL,
        ),
    ],
    "base_url": Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            help="OpenAI-compatible server of an openai: model.",
            rich_help_panel=PANEL,
        ),
    ],
    "threshold": Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="0..1",
            help="Refuse below this answerability; 0 never refuses.",
            rich_help_panel=PANEL,
        ),
    ],
    "risk": Annotated[
        float | None,
        typer.Option(
            "--risk",
            metavar="0..1",
            help="Tolerated share of answers to questions that the article does not answer; sets "
            "the threshold.",
            rich_help_panel=PANEL,
        ),
    ],
    "log_level": Annotated[
        str | None,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help="DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            rich_help_panel=PANEL,
        ),
    ],
}
"""The options that every command takes, by the setting that they give."""

OPTIONS = {name: f"--{name.replace('_', '-')}" for name in (*SHARED, "host", "port")}
"""The option of each setting that has one."""


class Session:
    """What a command works with: the settings in force and the bot that they make.

    Attributes:
        given: settings given as options, by name.
    """

    def __init__(self, given: Mapping[str, object]) -> None:
        self.given = {name: value for name, value in given.items() if value is not None}
        level = self.given.get("log_level")
        if isinstance(level, str):
            self.given["log_level"] = level.upper()

    @cached_property
    def settings(self) -> Settings:
        """The settings in force; reading them also sets which log lines are shown.

        Raises:
            SettingsError: one makes no sense, or the ``.env`` file cannot be read.
        """
        from bot.settings import Settings
        from index.errors import SettingsError

        try:
            settings = Settings.read(**self.given)
        except (OSError, UnicodeError) as error:
            raise SettingsError(
                f"The file {Path('.env').resolve()} cannot be read: {error}. Save it as UTF-8 "
                "text with a line NAME=value for each setting, or remove it."
            ) from error
        _configure_logging(settings.log_level)
        return settings

    def open(self, *, bundled: bool = False) -> Bot:
        """Open the bot on the store, which takes no model yet.

        Args:
            bundled: whether an empty store gets the article that comes with the project.
        """
        settings = self.settings
        from bot import Bot

        bot = Bot.open(articles=[], settings=settings)
        if bundled:
            try:
                furnish(bot)
            except BaseException:
                bot.close()
                raise
        return bot

    def source(self, name: str) -> str:
        """Tell where the value of a setting comes from."""
        if name in self.given:
            return OPTIONS[name]
        variable = f"ASKARTICLE_{name.upper()}"
        if any(key.upper() == variable for key in os.environ):
            return variable
        return ".env" if name in self.settings.model_fields_set else "default"


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every command takes, and hand it the session they make.

    Options given before a command reach it through the context; those after it win.
    """
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(parameter.replace(kind=keyword) for parameter in own),
        *(inspect.Parameter(n, keyword, default=None, annotation=a) for n, a in SHARED.items()),
    ]

    def run(ctx: typer.Context, **given: Any) -> None:
        here = {name: given.pop(name) for name in SHARED}
        ctx.obj = {**(ctx.obj or {}), **{k: v for k, v in here.items() if v is not None}}
        function(Session(ctx.obj), **given)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # for typer
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def settings_table() -> str:
    """Return the table of all settings in Markdown, as it stands in the README."""
    from pydantic_core import PydanticUndefined

    from bot.settings import PREFIX, Settings

    lines = ["| Setting | Variable | Option | Default | Meaning |", "|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if default is None or default is PydanticUndefined:
            shown = "–"
        elif isinstance(default, Path):  # differs from computer to computer
            shown = f"`{default.name}` in the user's data folder"
        else:
            shown = f"`{default}`"
        option = f"`{OPTIONS[name]}`" if name in OPTIONS else "–"
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | `{PREFIX}{name.upper()}` | {option} | {shown} | {meaning} |")
    return "\n".join(lines)


def show_value(value: object) -> str:
    """Return a setting's value for the eye, without the name and password that stand in a URL."""
    from bot.suites import masked

    return "-" if value is None else str(masked(str(value)))


# -- the articles that a command names --


def file_or_id(name: str) -> Article | str:
    """Return the article in a file, or the name where it can only be an id."""
    from index import Article

    path = Path(name)
    is_path = path.name != name or bool(path.suffix)
    with contextlib.suppress(OSError):  # a name too long for a file
        is_path = is_path or path.exists()
    return Article.load(name) if is_path else name


def choose_articles(bot: Bot, wanted: Sequence[Article | str], wait: Wait) -> list[str]:
    """Return the ids of the articles asked for, the files among them added to the store."""
    ids = []
    for one in wanted:
        if isinstance(one, str):
            ids.append(find_article(bot, one).id)
        else:
            ids.append(bot.add(one, progress=wait.counting(f"Indexing {one.title}")).id)
    return ids


def find_article(bot: Bot, article_id: str) -> Article:
    """Return the article whose id is given or begins so."""
    articles = bot.articles()
    found = [a for a in articles if article_id and a.id.startswith(article_id.lower())]
    if len(found) == 1:
        return found[0]
    from index import UnknownArticle

    if found:
        raise UnknownArticle(
            f"Several articles have an id that begins with {article_id!r}: "
            f"{', '.join(a.id for a in found)}. Give more of it."
        )
    known = ", ".join(a.id for a in articles) or "none"
    raise UnknownArticle(
        f"The store at {bot.store.path} has no article with the id {article_id!r}, and there is no "
        f"file of that name; the store has: {known}. See askarticle list, or add the article with "
        "askarticle add FILE."
    )


def furnish(bot: Bot) -> None:
    """Give a store without any article the one that comes with the project."""
    from index import bundled

    if not bot.articles():
        bot.add(bundled())


# -- log lines --


class _StderrHandler(logging.Handler):
    """Writes log lines to what standard error is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self.format(record)}\n")


def _configure_logging(level: str) -> None:
    """Show our own log lines from a level on, and those of libraries where something failed."""
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _StderrHandler)]:
        root.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.WARNING if level == "DEBUG" else logging.CRITICAL)
    for package in ("bot", "index", "prompts", "ui", "__main__"):
        logging.getLogger(package).setLevel(level)
