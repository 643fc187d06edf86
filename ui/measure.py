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
    """Return the settings in force and, where others are to be run against them, these."""
    changed: dict[str, object] = {}
    for one in against:
        name, _, value = one.partition("=")
        if not name.strip() or not value.strip():
            raise typer.BadParameter(
                f"{one!r} is not KEY=VALUE, for example threshold=0.7", param_hint="--against"
            )
        changed[name.strip()] = value.strip()
    if not changed:
        return [settings]
    return [settings, settings.read(**{**settings.model_dump(), **changed})]


def ask_all(
    session: Session,
    asked: list[Question],
    wanted: Sequence[Article | str],
    compared: Sequence[Settings],
) -> list[Report]:
    """Return a report of the questions for each configuration, on the same articles."""
    reports = []
    with contextlib.ExitStack() as stack:
        with terminal.waiting("Opening the store…") as wait:
            bot = stack.enter_context(session.open(bundled=not wanted))
            ids = choose_articles(bot, wanted, wait) or None
        for settings in compared:
            with terminal.waiting("Loading the models…"):
                one = (
                    bot
                    if settings is compared[0]
                    else stack.enter_context(_same_articles(bot, settings))
                )
                one.load()
            reports.append(one.evaluate(asked, article_ids=ids, progress=sys.stderr.isatty()))
    return reports


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
        yield stack.enter_context(Bot.open(folder, articles=articles, settings=settings))


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

    def compared(self) -> tuple[Comparison | None, list[Comparison]]:
        """Return how the two configurations differ: on the question set, and on each suite."""
        from bot.compare import compare

        own = compare(*(r.rows for r in self.reports)) if len(self.reports) == 2 else None
        pairs = zip(*(r.suites for r in self.suites), strict=True) if self.suites else []
        return own, [compare(*(s.rows for s in pair)) for pair in pairs if len(pair) == 2]

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
            if comparison.compared:
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
                    suite["changes"] = comparison.to_dict()
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
            sections.append(report.of_questions(first, self.name, settings.threshold, other, own))
        if self.suites:
            sections += report.of_suites(self.suites[0], _second(self.suites), each)
        shown = {name: show_value(getattr(settings, name)) for name in MATTERS
                 if getattr(settings, name) is not None}  # fmt: skip
        report.write_page(file, sections, shown, self.against)


def _second(found: Sequence[T]) -> T | None:
    return found[1] if len(found) > 1 else None
