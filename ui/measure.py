"""What ``askarticle eval`` measures: one configuration, or two beside each other."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from ui import terminal
from ui.session import choose_articles, show_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bot import Article, Bot, Settings
    from bot.compare import Comparison
    from bot.evaluate import Question, Report
    from bot.suites import SuiteReport
    from ui.session import Session

T = TypeVar("T")


def configurations(settings: Settings, against: Sequence[str]) -> list[Settings]:
    """Return the settings in force and, where others are to be run against them, these.

    An empty value stands for none: ``model=`` reads the answers where a chat model is set.
    """
    changed = _changes(against)
    if not changed:
        return [settings]
    return [settings, settings.changed(**{name: value or None for name, value in changed.items()})]


def in_words(settings: Settings, against: Sequence[str]) -> str:
    """Return the settings that make the second configuration, for the eye: secrets masked.

    Args:
        settings: that configuration.
        against: what was given for it.
    """
    from pydantic import SecretStr

    words = []
    for name, value in _changes(against).items():
        secret = isinstance(getattr(settings, name), SecretStr)
        words.append(f"{name}={'***' if secret else shown(value or None)}")
    return " ".join(words)


def shown(value: object) -> str:
    """Return the value of a setting that answers depend on for the eye."""
    from bot.suites import masked

    return show_value(masked(value))


def _changes(against: Sequence[str]) -> dict[str, str]:
    """Return the settings of ``KEY=VALUE`` by name, those that answers depend on."""
    from bot import Settings
    from bot.suites import MATTERS

    # A key changes no answer, but without the right one there is none.
    known = (*MATTERS, "api_key")
    changed: dict[str, str] = {}
    for one in against:
        name, equals, value = (part.strip() for part in one.partition("="))
        if not name or not equals:
            raise typer.BadParameter(
                f"{one!r} is not KEY=VALUE, for example threshold=0.7", param_hint="--against"
            )
        if name not in known:
            raise typer.BadParameter(
                f"no answer depends on {name!r}; the settings that they depend on are "
                f"{', '.join(known)}",
                param_hint="--against",
            )
        if not value and Settings.model_fields[name].default is not None:
            raise typer.BadParameter(
                f"{name} needs a value, for example threshold=0.7", param_hint="--against"
            )
        changed[name] = value
    return changed


def ask_all(
    session: Session,
    asked: list[Question],
    wanted: Sequence[Article | str],
    compared: Sequence[Settings],
) -> list[Report]:
    """Return a report of the questions for each configuration, on the same articles."""
    with contextlib.ExitStack() as stack:
        with terminal.waiting("Opening the store…") as wait:
            bot = stack.enter_context(session.open(bundled=not wanted))
            ids = choose_articles(bot, wanted, wait) or None
        # A configuration that cannot be used is told before minutes of asking.
        with terminal.waiting("Loading the models…"):
            others = [stack.enter_context(_same_articles(bot, one)) for one in compared[1:]]
            bots = [bot, *others]
            for one in bots:
                one.load()
        progress = sys.stderr.isatty()
        return [one.evaluate(asked, article_ids=ids, progress=progress) for one in bots]


def run_all(
    compared: Sequence[Settings], folder: Path, *, names: Sequence[str] | None, **options: Any
) -> list[SuiteReport]:
    """Return a report of the suites for each configuration; see ``bot.suites.run_suites``."""
    from bot.suites import run_suites

    for settings in compared[1:]:  # the first is loaded before anything is asked anyway
        _load(settings)
    progress = sys.stderr.isatty()
    return [
        run_suites(folder, names=names, settings=settings, progress=progress, **options)
        for settings in compared
    ]


def _load(settings: Settings) -> None:
    """Load the models of a configuration once, so that what is wrong with it is told."""
    from tempfile import TemporaryDirectory

    from bot import Bot

    with (
        terminal.waiting("Loading the models…"),
        TemporaryDirectory() as folder,
        Bot.open(articles=[], settings=settings.model_copy(update={"store": Path(folder)})) as bot,
    ):
        bot.load()


@contextlib.contextmanager
def _same_articles(bot: Bot, settings: Settings) -> Iterator[Bot]:
    """Open a bot with other settings on the articles of another one.

    It shares the store; another embedder, whose vectors differ, gets one of its own for the time.
    """
    from tempfile import TemporaryDirectory

    from bot import Bot

    with contextlib.ExitStack() as stack:
        folder, articles = bot.store.path, []
        if settings.embedder != bot.settings.embedder:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            articles = bot.articles()
        settings = settings.model_copy(update={"store": folder})
        yield stack.enter_context(Bot.open(articles=articles, settings=settings))


@dataclass
class Measured:
    """What ``eval`` found, for one configuration or for two.

    Attributes:
        against: the settings that make the second configuration, in words.
        name: name of the question set.
        reports: a report of it for each configuration.
        suites: a report of the suites for each configuration.
    """

    against: str
    name: str = ""
    reports: Sequence[Report] = ()
    suites: Sequence[SuiteReport] = ()

    def compared(self) -> tuple[Comparison | None, list[Comparison | None]]:
        """Return how the two configurations differ: on the question set, and on each suite.

        None stands for a suite that depends on no setting.
        """
        from bot.compare import compare

        own = compare(*(r.rows for r in self.reports)) if len(self.reports) == 2 else None
        pairs = zip(*(r.suites for r in self.suites), strict=True) if self.suites else []
        return own, [
            compare(*(s.rows for s in pair)) if pair[0].asks else None
            for pair in pairs
            if len(pair) == 2
        ]

    def write(self, *, rows: bool) -> None:
        """Write it to the terminal."""
        own, each = self.compared()
        if self.reports:
            terminal.write_report(self.reports[0], rows=rows, other=_second(self.reports))
        if self.suites:
            if self.reports:
                terminal.write()
            terminal.write_suites(self.suites[0], _second(self.suites))
        if own:
            terminal.write()
            terminal.write_changes(f"{self.name} ({self.against})", own)
        for suite, comparison in zip(self.suites[0].suites if each else (), each, strict=True):
            if comparison and comparison.compared:
                terminal.write()
                name = f"{suite.name}, {suite.task} ({self.against})"
                terminal.write_changes(name, comparison)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        values: dict[str, Any] = self.reports[0].to_dict() if self.reports else {}
        if self.suites:
            values["suites"] = self.suites[0].to_dict()
        if self.against:
            own, each = self.compared()
            second: dict[str, Any] = {"settings": self.against}
            if own:
                second |= {**self.reports[1].to_dict(), "changes": own.to_dict()}
            if each:
                second["suites"] = self.suites[1].to_dict()
                for suite, comparison in zip(second["suites"]["suites"], each, strict=True):
                    suite["changes"] = comparison.to_dict() if comparison else None
            values["against"] = second
        return values

    def write_page(self, file: Path, settings: Settings) -> None:
        """Write it as an HTML page."""
        from bot.suites import MATTERS
        from ui import report

        own, each = self.compared()
        sections = []
        if self.reports:
            first, other = self.reports[0], _second(self.reports)
            sections.append(
                report.of_questions(first, self.name, settings.refuses_below, other, own)
            )
        if self.suites:
            sections += report.of_suites(self.suites[0], _second(self.suites), each)
        values = {name: shown(value) for name in MATTERS
                  if (value := getattr(settings, name)) is not None}  # fmt: skip
        report.write_page(file, sections, values, self.against)


def _second(found: Sequence[T]) -> T | None:
    return found[1] if len(found) > 1 else None
