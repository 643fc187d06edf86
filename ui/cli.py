"""The command line: ``askarticle chat``, ``ask``, ``add``, ``list`` and the rest.

Exit codes: 0 done or answered, 1 an error, 2 a command line or settings that make no sense,
3 refused (the article does not say), 4 an evaluation below a ``--min``, 130 stopped with Ctrl-C,
141 the reader of the output went away.

Nothing of ours is imported here until a command needs it: help, version and mistakes come at once,
and a store that is in use is noticed before the libraries are loaded.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ui import terminal
from ui.measure import Measured, ask_all, configurations, in_words, run_all
from ui.ports import free_port, has_desktop
from ui.session import (
    PANEL,
    Session,
    choose_articles,
    command,
    file_or_id,
    find_article,
    furnish,
    settings_table,
    show_value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bot import Answer, Bot
    from bot.evaluate import Question

log = logging.getLogger(__name__)

REFUSED = 3
BELOW_MINIMUM = 4
INTERRUPTED = 130  # as shells report a program that SIGINT or SIGPIPE ended
BROKEN_PIPE = 141

MAX_STDIN = 1_000_000
"""Characters read of a question on standard input: enough to tell that it is too long."""


class _Commands(TyperGroup):
    """The commands, with one place that turns what goes wrong into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; see the module's docstring for the exit codes."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader that went away is noticed here, not after the end
        except KeyboardInterrupt:
            terminal.write_note("Stopped.")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(BROKEN_PIPE) from None
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            raise typer.Exit(_explain(error)) from None
        return result


app = typer.Typer(
    name="askarticle",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, keys among them
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Ask questions about an article; every sentence of an answer cites the article.",
    epilog="Exit codes: 0 done or answered, 1 error, 2 wrong usage or settings, 3 refused (the "
    "article does not say), 4 evaluation below a --min, 130 Ctrl-C.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            terminal.write(f"askarticle {version('askarticle')}")
        except PackageNotFoundError:
            terminal.write("askarticle (run from its folder, not installed)")
        raise typer.Exit


@app.callback()
@command
def _main_options(
    session: Session,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
@command
def chat(
    session: Session,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to serve on.", rich_help_panel=PANEL),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Port; 0 takes a free one.", rich_help_panel=PANEL),
    ] = None,
    open_browser: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Open the page in the browser; by default where a desktop is there.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Open the chat window: the conversation beside the article, cited sentences marked."""
    session = Session({**session.given, "host": host, "port": port})
    settings = session.settings
    free = free_port(settings.host, settings.port, asked_for=session.source("port") != "default")
    settings = settings.model_copy(update={"port": free})
    # Opened here and not behind the page, so that a store that is in use or damaged is told on the
    # terminal; what takes long, indexing and loading the models, happens behind the page.
    with session.open() as bot:

        def furnished() -> Bot:
            furnish(bot)
            return bot

        from ui.chat import serve

        serve(
            furnished,
            settings,
            open_browser=has_desktop() if open_browser is None else open_browser,
        )


@app.command()
@command
def ask(
    session: Session,
    question: Annotated[
        list[str], typer.Argument(help="The question; - reads it from standard input.")
    ],
    article: Annotated[
        list[str] | None,
        typer.Option(
            "--article",
            metavar="ID|PATH",
            help="Ask this article only: the id of one in the store (or how it begins), or a file, "
            "which is added. Repeat for several.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer as JSON, nothing else.")
    ] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Show every passage considered, and why it was dropped.")
    ] = False,
) -> None:
    """Answer a question, with the quotes that the answer rests on below it.

    Exits with 0 where it is answered, 3 where the article does not say.
    """
    text = _question(question)
    from bot.turns import understand

    understand(text)  # too long? told before the store is opened
    wanted = [file_or_id(name) for name in article or ()]
    with terminal.waiting("Opening the store…") as wait, session.open(bundled=not wanted) as bot:
        ids = choose_articles(bot, wanted, wait)
        wait.say("Answering…" if bot.loaded else "Loading the models…")
        answer = _answer(bot, text, ids, wait.stop, draw=not as_json)
    if as_json:
        terminal.write_json(answer.to_dict(trace=trace))
    else:
        terminal.write_answer(answer)
        if trace:
            terminal.write_trace(answer)
    if answer.refused:
        raise typer.Exit(REFUSED)


@app.command()
@command
def add(
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Text or Markdown files.")],
) -> None:
    """Add articles to the store; what is there already stays as it is.

    One that cannot be read does not stop the others; the exit code is then 1.
    """
    from index import Article, ArticleError

    failed = False
    bot: Bot | None = None
    with terminal.waiting("Opening the store…") as wait, contextlib.ExitStack() as stack:
        for path in paths:
            try:
                loaded = Article.load(path)
            except ArticleError as error:
                terminal.write_error(error)
                failed = True
                continue
            bot = bot or stack.enter_context(session.open())
            known = {a.id for a in bot.articles()}
            stored = bot.add(loaded, progress=wait.counting(f"Indexing {loaded.title}"))
            state = ", was there already" if stored.id in known else ""
            count = bot.store.count([stored.id])
            passages = "1 passage" if count == 1 else f"{count} passages"
            terminal.write(f"{stored.id}  {stored.title}  ({passages}{state})")
    if failed:
        raise typer.Exit(1)


@app.command("list")
@command
def list_articles(
    session: Session,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the articles of the store: id, title, source, characters, passages."""
    settings = session.settings
    # Read beside the store, not through it: works while a chat has the store open, and at once.
    from index.folder import stored_articles

    kept = stored_articles(settings.store.expanduser().resolve()).values()
    found = [(k.article, k.passages) for k in kept]
    if as_json:
        terminal.write_json(
            [
                {
                    "id": a.id,
                    "title": a.title,
                    "source": a.source,
                    "date": a.date,
                    "length": len(a.text),
                    "passages": passages,
                }
                for a, passages in found
            ]
        )
    elif found:
        terminal.write_table(
            ("Id", "Title", "Source", ">Characters", ">Passages"),
            ((a.id, a.title, a.source or "-", len(a.text), n) for a, n in found),
        )
    else:
        terminal.write_note(
            f"The store at {settings.store} has no article. Add one: askarticle add FILE; the "
            "first question or chat adds the one that comes with askarticle."
        )


@app.command()
@command
def remove(
    session: Session,
    article_id: Annotated[
        str, typer.Argument(metavar="ID", help="The article's id, or how it begins.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an article and its passages from the store; its file is not touched."""
    with session.open() as bot:
        found = find_article(bot, article_id)
        if not yes:
            try:
                agreed = typer.confirm(
                    f"Remove {found.id}  {terminal.clean(found.title)}?", err=True
                )
            except typer.Abort:  # nobody there to answer
                terminal.write_note("")
                agreed = False
            if not agreed:
                terminal.write_error(
                    "Nothing was removed. To remove without a question, give --yes."
                )
                raise typer.Exit(1)
        bot.remove(found.id)
        terminal.write(f"Removed {found.id}  {found.title}")


@app.command()
@command
def rebuild(session: Session) -> None:
    """Build the index of a store again from the article texts kept in it.

    For a store that is damaged, or that another configuration built.
    """
    settings = session.settings
    from bot import Bot

    with terminal.waiting("Building the index again…") as wait:
        articles = Bot.rebuild(
            settings=settings, progress=wait.counting("Building the index again")
        )
    for found in articles:
        terminal.write(f"{found.id}  {found.title}")
    terminal.write_note(f"Built again from {len(articles)} article(s) in {settings.store}.")


@app.command("eval")
@command
def evaluate_questions(
    session: Session,
    questions: Annotated[
        str | None,
        typer.Argument(
            help="A question set, a JSON object a line; or a file of a published set, such as "
            "FOLDER/NAME.questions.jsonl.gz, which is --suite FOLDER --only NAME.",
            show_default=False,
        ),
    ] = None,
    suite: Annotated[
        Path | None,
        typer.Option(
            "--suite",
            metavar="FOLDER",
            help="Run the published sets in this folder; with or without QUESTIONS.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this set of the suite. Repeatable."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="Draw so many of each set; else all."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="What they are drawn with.")] = 0,
    cache: Annotated[
        Path | None,
        typer.Option(
            "--cache",
            metavar="FOLDER",
            help="Where results of the suite are kept; by default in the user's cache folder.",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="KEY=VALUE",
            help="Run again with this setting and show what came right and what went wrong; "
            "model= stands for none. Repeat for several.",
        ),
    ] = None,
    minimum: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="NAME=VALUE",
            help="Exit with 4 where this metric is below the value. Repeat for several.",
        ),
    ] = None,
    article: Annotated[
        list[str] | None,
        typer.Option("--article", metavar="ID|PATH", help="Ask this article only; as in ask."),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Only questions of this split.")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Show a line for each question.")] = False,
    curve: Annotated[
        bool,
        typer.Option(
            "--curve",
            help="Show what each threshold would do, as a Markdown table; with --threshold 0 also "
            "how often the answers would be wrong.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with charts and every question."),
    ] = None,
) -> None:
    """Measure the bot on a question set: retrieval, answers, citations, refusals, speed.

    With --suite, on the published sets in a folder.
    """
    if questions is not None and (found := _published(questions)):
        if suite is not None or only:
            raise typer.BadParameter(
                f"{questions} is a file of the published set {found[1]}; give it alone, or its "
                "folder with --suite and its name with --only",
                param_hint="QUESTIONS",
            )
        questions, suite, only = None, found[0], [found[1]]
    own = {"--min": minimum, "--article": article, "--split": split, "--rows": rows,
           "--curve": curve}  # fmt: skip
    drawn = {"--only": only, "--sample": sample, "--seed": seed, "--cache": cache}
    _check_goes_with(questions, "QUESTIONS of your own", own)
    _check_goes_with(suite, "--suite FOLDER", drawn)
    if questions is None and suite is None:
        raise typer.BadParameter(
            "nothing to measure is given. Name a question set, or a folder with --suite",
            param_hint="QUESTIONS",
        )
    from bot import evaluate

    minimums = _minimums(minimum or (), evaluate.METRICS)
    compared = configurations(session.settings, against or ())
    measured = Measured(in_words(compared[-1], against or ()))
    # What cannot work is told before minutes of asking.
    if html is not None:
        from ui.report import check_file

        check_file(html)
    if suite is not None:
        from bot.suites import find_sets, open_cache

        find_sets(suite, only)
        open_cache(cache)
    if questions is not None:
        asked = _of_split(evaluate.load_questions(questions), split)
        wanted = [file_or_id(name) for name in article or ()]
        measured.name = Path(questions).stem
        measured.reports = ask_all(session, asked, wanted, compared)
    if suite is not None:
        measured.suites = run_all(
            compared, suite, names=only, sample=sample, seed=seed, cache=cache
        )
    # What took minutes is on the terminal before a page may fail to be written.
    points = evaluate.threshold_curve(measured.reports[0]) if curve else []
    if as_json:
        values = measured.to_dict()
        if curve:
            values["curve"] = [asdict(point) for point in points]
        terminal.write_json(values)
    else:
        measured.write(rows=rows)
        if curve:
            terminal.write()
            terminal.write_curve(points)
    if html is not None:
        measured.write_page(html, session.settings)
    below = measured.reports[0].below(minimums) if measured.reports else []
    for line in below:
        terminal.write_note(line)
    if below:
        raise typer.Exit(BELOW_MINIMUM)


@app.command("settings")
@command
def show_settings(
    session: Session,
    markdown: Annotated[
        bool, typer.Option("--markdown", hidden=True, help="Print the table of the README.")
    ] = False,
) -> None:
    """Show the settings in force and where each comes from; secrets are masked."""
    if markdown:
        terminal.write(settings_table())
        return
    settings = session.settings
    terminal.write_table(
        ("Setting", "Value", "From"),
        (
            (name, show_value(getattr(settings, name)), session.source(name))
            for name in type(settings).model_fields
        ),
    )


def main() -> None:
    """Run the command line; the entry point of ``askarticle``."""
    # Libraries announce themselves on the terminal unless told not to before they are imported.
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "ANONYMIZED_TELEMETRY": "False",
        "GRADIO_ANALYTICS_ENABLED": "False",
    }.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # they speak to programmers; python -W shows them
    terminal.prepare_streams()
    app(prog_name="askarticle")


# -- what went wrong --


def _explain(error: Exception) -> int:
    """Write what went wrong as one paragraph and return the exit code."""
    errors = sys.modules.get("index.errors")  # where it is not loaded, it cannot be one of ours
    log.debug("where it happened", exc_info=error)
    if errors is not None and isinstance(error, errors.AskArticleError):
        terminal.write_error(error)
        return 2 if isinstance(error, errors.SettingsError | errors.QuestionError) else 1
    lines = str(error).strip().splitlines() or ["no message"]
    terminal.write_error(
        f"Something unexpected went wrong ({type(error).__name__}: {lines[0][:300]}). To see "
        "where, run the command again with --log-level DEBUG."
    )
    return 1


def _discard_output() -> None:
    """Point standard output nowhere, so that the interpreter's last flush does not fail as well."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# -- questions and articles --


def _question(words: Sequence[str]) -> str:
    """Return the question from the command line or standard input."""
    text = " ".join(words)
    if text == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        text = sys.stdin.read(MAX_STDIN)
    text = terminal.clean(text).strip()
    if not any(ch.isalnum() for ch in text):
        raise typer.BadParameter(
            "it holds no letter or digit. Ask something, for example: askarticle ask "
            '"What is this article about?"',
            param_hint="QUESTION",
        )
    return text


def _answer(
    bot: Bot, question: str, ids: Sequence[str], first: Callable[[], None], *, draw: bool
) -> Answer:
    """Return the final answer; draw it as it grows where it is shown on a terminal."""
    articles = ids or None
    console = terminal.out() if draw else None
    if console is None or bot.model is None:  # read from the article, it is there all at once
        return bot.ask(question, articles=articles)
    stream: Iterator[Answer] = bot.stream(question, articles=articles)
    answer = next(stream)
    first()
    with terminal.drawing(console) as show:
        show(answer)
        for answer in stream:
            show(answer)
    return answer


# -- evaluation --


def _published(questions: str) -> tuple[Path, str] | None:
    """Return the folder and the name of the published set that a file is of, if it is of one."""
    if ".jsonl" not in questions:
        return None
    from bot.suites import set_of

    return set_of(questions)


def _check_goes_with(given: object, needed: str, options: Mapping[str, object]) -> None:
    """Refuse options that say something about what is not measured."""
    for name, value in options.items():
        if value and given is None:
            raise typer.BadParameter(f"it goes with {needed}, which is not given", param_hint=name)


def _minimums(given: Sequence[str], known: Mapping[str, str]) -> dict[str, float]:
    """Return the minimums of metrics from ``name=value``."""
    minimums: dict[str, float] = {}
    for one in given:
        name, _, value = one.partition("=")
        try:
            minimums[name.strip()] = float(value)
        except ValueError:
            raise typer.BadParameter(
                f"{one!r} is not NAME=VALUE with a number, for example answer=0.9",
                param_hint="--min",
            ) from None
        if name.strip() not in known:
            raise typer.BadParameter(
                f"there is no metric {name.strip()!r}; the metrics are {', '.join(known)}",
                param_hint="--min",
            )
    return minimums


def _of_split(questions: list[Question], split: str | None) -> list[Question]:
    """Return the questions of a split, or all."""
    if split is None:
        return questions
    kept = [q for q in questions if q.extra.get("split") == split]
    if not kept:
        known = sorted({str(q.extra["split"]) for q in questions if "split" in q.extra})
        raise typer.BadParameter(
            f"no question is of the split {split!r}; the splits are {', '.join(known) or 'none'}",
            param_hint="--split",
        )
    return kept


if __name__ == "__main__":
    main()
