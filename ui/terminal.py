"""How things look on the terminal: answers with their quotes, tables, errors, a spinner.

On a terminal Rich wraps and colours; into a pipe goes plain text, one line a quote and tabs between
the columns of a table, so that ``grep`` and ``cut`` find whole sentences and cells. Results go to
standard output, everything else to standard error.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import re
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console

    from bot import Answer, Citation
    from bot.compare import Comparison
    from bot.evaluate import Report, ThresholdPoint
    from bot.suites import SuiteReport

SPINNER_AFTER = 1.0
"""Seconds of waiting before a spinner shows: shorter waits need no explanation."""

# What a terminal would obey rather than show: all control characters but tab and line feed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Stand-ins for the characters that articles and messages use most, where a code page lacks them.
_ASCII = {
    "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "...",
    "–": "-", "—": "-", "•": "*", "−": "-", "\u00a0": " ",
}  # fmt: skip


def prepare_streams() -> None:
    """Let no character stop the output: what a stream cannot encode is written in its place."""
    codecs.register_error("askarticle", _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="askarticle")


def clean(text: object) -> str:
    """Return text that a terminal shows and does not obey: without control characters."""
    return _CONTROL.sub("", str(text)).encode("utf-8", "replace").decode()


def out() -> Console | None:
    """Return a console on standard output where that is a terminal, else None."""
    return _console(stderr=False) if sys.stdout.isatty() else None


def write(text: str = "") -> None:
    """Write lines of plain text to standard output."""
    sys.stdout.write(f"{clean(text)}\n")


def write_error(message: object) -> None:
    """Write a message to standard error as one paragraph that starts with ``Error:``."""
    write_note(f"Error: {' '.join(clean(message).split())}")


def write_note(text: str) -> None:
    """Write a remark that is no part of the result to standard error."""
    sys.stderr.write(f"{clean(text)}\n")


def write_json(values: object) -> None:
    """Write values as JSON; as pure ASCII where the stream is not Unicode, so nothing is lost."""
    encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
    text = json.dumps(values, indent=2, ensure_ascii=not encoding.startswith("utf"))
    sys.stdout.write(text.encode("utf-8", "replace").decode() + "\n")


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table: with headings on a terminal, as cells between tabs into a pipe.

    Args:
        columns: the headings; one that starts with ``>`` heads a column of numbers.
        rows: the cells of each row.
    """
    console = out()
    if console is None:
        for row in rows:
            write("\t".join(" ".join(clean(cell).split()) for cell in row))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        number = name.startswith(">")
        table.add_column(name.lstrip(">"), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def write_answer(answer: Answer) -> None:
    """Write an answer and, below it, the numbered quotes that it rests on."""
    console = out()
    if console is None:
        write(plain(answer.text))
        if answer.citations:
            write()
        for citation in answer.citations:
            write(
                f"[{citation.number}] {' '.join(citation.quote.split())}{_title(answer, citation)}"
            )
        for line in (*_doubts(answer), *_offers(answer)):
            write(line)
    else:
        _draw_answer(console, answer)
    if answer.notice:
        write_note(f"Note: {answer.notice}")


def write_trace(answer: Answer) -> None:
    """Write every passage that was considered, with its scores and why it was kept or dropped."""
    write()
    width = 100 if out() else len(max((c.passage.text for c in answer.trace), key=len, default=""))
    stages = sorted({stage for c in answer.trace for stage in c.scores})
    write_table(
        ("", *(f">{stage}" for stage in stages), "Why", "Passage"),
        (
            (
                "kept" if c.kept else "dropped",
                *(f"{c.scores[s]:.3f}" if s in c.scores else "" for s in stages),
                c.reason,
                textwrap.shorten(c.passage.text, width),
            )
            for c in answer.trace
        ),
    )


def write_report(report: Report, *, rows: bool, other: Report | None = None) -> None:
    """Write the metrics of an evaluation.

    Args:
        report: what was found.
        rows: whether to write a line for each question before them.
        other: what the second configuration found, to be written beside it.
    """
    from bot.evaluate import METRICS, noticed

    if rows:
        write_table(
            ("Id", "Outcome", ">Score", ">Seconds", "Question", "Answer"),
            (
                (
                    row.id,
                    row.verdict if row.answerable else f"{row.verdict} (unanswerable)",
                    f"{row.score:.3f}",
                    f"{row.seconds:.2f}",
                    row.question,
                    row.short or row.text,
                )
                for row in report.rows
            ),
        )
        write()

    def shown(found: Report | None, name: str) -> tuple[str, ...]:
        if found is None:
            return ()
        return _value(name, found.metrics[name], found.intervals.get(name))

    write_table(
        ("Metric", *_columns(against=other is not None), ">Of", "Meaning"),
        (
            (name, *shown(report, name), *shown(other, name), report.counts[name], METRICS[name])
            for name in METRICS
        ),
    )
    for which, found in (("", report), ("against, ", other)):
        for notice in noticed(found.rows if found else ()):
            write_note(f"Note: {which}{notice}")


def write_curve(points: Sequence[ThresholdPoint]) -> None:
    """Write what each threshold would do."""

    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    write_table(
        (">Threshold", ">Unanswerable refused", ">Answerable refused", ">Coverage", ">Risk"),
        (
            (
                f"{p.threshold:.2f}",
                *map(shown, (p.refusal_recall, p.false_refusals, p.coverage, p.risk)),
            )
            for p in points
        ),
    )


def write_suites(report: SuiteReport, other: SuiteReport | None = None) -> None:
    """Write the figures of suites, each under a line that says what was asked.

    Args:
        report: what was found.
        other: what the second configuration found, to be written beside it.
    """
    from bot.suites import describe

    for i, suite in enumerate(report.suites):
        if i:
            write()
        beside = other.suites[i] if other else None
        write(f"{suite.name}, {suite.task}: {describe(suite, report.seed, beside)}")
        second = {f.name: f for f in beside.figures} if beside else {}
        write_table(
            ("Figure", *_columns(against=other is not None), ">Of", "Meaning"),
            (
                (
                    f.name,
                    *_value(f.name, f.value, f.interval),
                    *(_value(f.name, o.value, o.interval) if (o := second.get(f.name)) else ()),
                    f.count,
                    f.meaning,
                )
                for f in suite.figures
            ),
        )


def write_changes(name: str, comparison: Comparison) -> None:
    """Write which rows went from wrong to right by the second configuration, and which back.

    Args:
        name: what was asked.
        comparison: how the two runs differ.
    """
    before, after = comparison.right
    write(
        f"{name}: {len(comparison.gained)} from wrong to right, {len(comparison.lost)} from right "
        f"to wrong; right are {before} and then {after} of {comparison.compared}"
    )
    changes = [*comparison.gained, *comparison.lost]
    if changes:
        write_table(
            ("", "Id", "Before", "After", "Question"),
            (("+" if c.right else "-", c.id, c.before, c.after, c.text) for c in changes),
        )


def _columns(*, against: bool) -> tuple[str, ...]:
    return (">Value", "95 % interval", *((">Against", "95 % interval") if against else ()))


def _value(name: str, value: float | None, interval: tuple[float, float] | None) -> tuple[str, str]:
    """Return a figure and its interval as they stand in a table."""
    if value is None:
        return "-", ""
    number = f"{value:.0f}" if name == "questions" else f"{value:.3f}"
    return number, f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def plain(markdown: str) -> str:
    """Return Markdown as it reads best without a renderer: no escapes, no bold."""
    from bot.cite import unescape

    return unescape(re.sub(r"(?<!\\)\*\*", "", markdown))


@contextlib.contextmanager
def waiting(text: str) -> Iterator[Wait]:
    """Show a spinner on standard error while a block runs, if it is a terminal and takes long.

    Args:
        text: what is being waited for.
    """
    wait = Wait(text)
    try:
        yield wait
    finally:
        wait.stop()


@contextlib.contextmanager
def drawing(console: Console | None) -> Iterator[Any]:
    """Give a function that draws a growing answer in place; the drawing goes when the block ends.

    Args:
        console: the terminal to draw on; None draws nothing.
    """
    if console is None:
        yield lambda _: None
        return
    from rich.live import Live
    from rich.markdown import Markdown

    with Live(console=console, transient=True, refresh_per_second=8) as live:
        yield lambda answer: live.update(Markdown(clean(answer.text)))


class Wait:
    """A spinner that appears late and can be told what is being waited for now."""

    def __init__(self, text: str) -> None:
        """Begin to wait."""
        self._text = text
        self._guard = threading.Lock()
        self._status: Any = None
        self._timer: threading.Timer | None = None
        if sys.stderr.isatty():
            self._timer = threading.Timer(SPINNER_AFTER, self._show)
            self._timer.daemon = True
            self._timer.start()

    def counting(self, text: str) -> Callable[[int, int], None]:
        """Return a function that says how many passages of how many are done."""
        self.say(f"{text}…")
        return lambda done, total: self.say(f"{text}: {done} of {total} passages…")

    def say(self, text: str) -> None:
        """Say what is being waited for now."""
        with self._guard:
            self._text = text
            if self._status is not None:
                self._status.update(text)

    def stop(self) -> None:
        """Take the spinner away, or let it never appear."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _show(self) -> None:
        with self._guard:
            if self._timer is None:  # stopped meanwhile
                return
            console = _console(stderr=True)
            spinner = "dots" if console.encoding.startswith("utf") else "line"
            self._status = console.status(self._text, spinner=spinner)
            self._status.start()


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def _draw_answer(console: Console, answer: Answer) -> None:
    from rich.markdown import Markdown
    from rich.table import Table
    from rich.text import Text

    console.print(Markdown(clean(answer.text)))
    if answer.citations:
        quotes = Table.grid(padding=(0, 1))
        for citation in answer.citations:
            quote = Text(clean(" ".join(citation.quote.split())))
            quote.append(clean(_title(answer, citation)), style="dim")
            quotes.add_row(Text(f"[{citation.number}]", style="bold cyan"), quote)
        console.print()
        console.print(quotes)
        console.print()
        source = f"written by {answer.model}" if answer.model else "the article's own words"
        console.print(Text(clean(source), style="dim"))
    for line in _doubts(answer):
        console.print(Text(clean(line), style="yellow"))
    for line in _offers(answer):
        console.print(Text(clean(line), style="cyan"))


def _title(answer: Answer, citation: Citation) -> str:
    """Return what tells a quote's article, where more than one was searched or is cited."""
    seen = {c.passage.article_id for c in answer.trace} | {c.article_id for c in answer.citations}
    several = len(seen) > 1
    return f" ({citation.title})" if several else ""


def _doubts(answer: Answer) -> list[str]:
    """Return a line for each written sentence that its quotes do not fully carry."""
    if answer.model is None:
        return []
    doubted = [s for s in answer.sentences if s.verdict != "supported"]
    return [
        f"{s.verdict.capitalize()}: {s.text} "
        f"({'; '.join(s.support.reasons) or 'no quote carries it'})"
        for s in doubted
    ]


def _offers(answer: Answer) -> list[str]:
    """Return a line for each question that the answer suggests, under a heading."""
    offers = [f"  {question}" for question in answer.suggestions]
    return ["", "Questions to ask:", *offers] if offers else []


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_ASCII.get(ch, "?") for ch in lost), error.end
