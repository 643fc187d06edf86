"""An evaluation as one HTML page that needs no network: figures, charts, and every question.

The page holds plotly's script once, the charts as plain data, and the rows as JSON from which a
row's details are drawn when it is opened, so that thousands of rows stay light. Everything that
comes from questions, answers and articles is escaped, by Jinja or as text by the page's script.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from bot.compare import Change, Comparison
from bot.evaluate import (
    INTERVALS,
    METRICS,
    Considered,
    MarkedPassage,
    Report,
    Row,
    noticed,
    threshold_curve,
)
from bot.figures import Figure, Item
from bot.metrics import hit_at, mean, percentile
from bot.suites import SuiteReport, describe
from index import SettingsError

DEPTHS = (1, 2, 3, 5, 10, 20)
"""Depths of the chart of recall."""

POINTS = 100
"""Thresholds tried for the curve of risk and coverage."""

BINS = 20
"""Bars of a histogram of scores."""

LINES = 2_000
"""Rows of published sets on a page, which its runs share; all sets then come to less than 10 MB,
half of which is plotly."""

WHOLE = 500
"""Rows on a page up to which each is shown whole, with every passage considered."""

BEST = 3
"""Passages at the top of a trace that stay where it is cut, beside those kept and those of
evidence."""

CUT = 80
"""Characters of a passage that stay where it is cut."""

CUT_TEXT = 400
"""Characters of an answer or a premise that stay where it is cut."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what it shows, and plotly's traces and layout as plain values."""

    title: str
    note: str
    figure: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A row as it stands in the list.

    Attributes:
        text: the question, turn or claim.
        verdict: how it came out, in a word; empty where there is no right and wrong.
        kind: ``"right"``, ``"wrong"`` or ``"refused"``, which is refused without need.
        flags: what the filters look for.
        score: the score, to three places; empty where there is none.
        details: what is shown when it is opened.
    """

    text: str
    verdict: str
    kind: str
    flags: tuple[str, ...]
    score: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """One run on the page.

    Attributes:
        title: its name.
        subtitle: what was asked, of how many, with which seed.
        figures: its figures.
        others: those of the second configuration, by name; empty where there is none.
        charts: its charts.
        lines: its rows.
        comparison: what came right and what went wrong by the second configuration.
        filters: what the rows can be filtered by: flag, label and how many have it.
        note: which rows are left out; empty where none is.
    """

    title: str
    subtitle: str
    figures: Sequence[Figure]
    others: Mapping[str, Figure]
    charts: Sequence[Chart]
    lines: Sequence[Line]
    comparison: Comparison | None = None
    filters: Sequence[tuple[str, str, int]] = field(default=())
    note: str = ""


def write_page(file: str | Path, sections: Sequence[Section], settings: Mapping[str, Any],
               against: str = "") -> None:  # fmt: skip
    """Write the page.

    Args:
        file: where to.
        sections: what is on it.
        settings: the settings in force.
        against: the settings of the second configuration, in words.

    Raises:
        SettingsError: the file cannot be written.
    """
    path = check_file(file)
    try:
        text = render(sections, settings, against)
        # Half of a surrogate pair, which JSON may hold, is no character and cannot be written.
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


def check_file(file: str | Path) -> Path:
    """Return the path of a page; nothing is written.

    Raises:
        SettingsError: it is plain that it cannot be written there.
    """
    path = Path(file).expanduser()
    if path.is_dir():
        raise _unwritable(path, "it is a folder")
    if not path.parent.is_dir():
        raise _unwritable(path, f"there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _unwritable(path, "this account may not write there")
    return path


def _unwritable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"The report cannot be written to {path}: {why}. Give another file to --html, in a "
        "folder that is there."
    )


def render(sections: Sequence[Section], settings: Mapping[str, Any], against: str = "") -> str:
    """Return the page as HTML; see ``write_page``."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    source = resources.files("ui.assets").joinpath("report.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    return environment.from_string(source).render(
        sections=sections,
        settings={name: value for name, value in settings.items() if value is not None},
        against=against,
        intervals=INTERVALS,
        # Plotly's own code; a closing tag in one of its strings would end the element.
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),  # noqa: S704
    )


# -- sections --


def of_questions(
    report: Report, name: str, threshold: float, other: Report | None = None,
    comparison: Comparison | None = None,
) -> Section:  # fmt: skip
    """Return the section of a run on a question set.

    Args:
        report: the run.
        name: the question set's name.
        threshold: the threshold of the run.
        other: the run of the second configuration.
        comparison: how the two differ.
    """
    parts = [f"{len(report.rows):,} questions", *noticed(report.rows)]
    parts += [f"against, {notice}" for notice in noticed(other.rows if other else ())]
    subtitle = "; ".join(parts)
    return _section(
        name, subtitle, _metrics(report), _metrics(other) if other else (),
        question_charts(report.rows, threshold), report.rows, other.rows if other else (),
        comparison, limit=LINES, cut=len(report.rows) > WHOLE,
    )  # fmt: skip


def of_suites(
    report: SuiteReport, other: SuiteReport | None = None,
    comparisons: Sequence[Comparison | None] = (),
) -> list[Section]:  # fmt: skip
    """Return a section for each suite of a report.

    Args:
        report: the run.
        other: the run of the second configuration.
        comparisons: how the two differ, for each suite; None for one without settings.
    """
    limit = LINES // max(1, len(report.suites))
    cut = sum(min(len(suite.rows), limit) for suite in report.suites) > WHOLE
    sections = []
    for i, suite in enumerate(report.suites):
        beside = other.suites[i] if other else None
        if suite.questions:
            charts = question_charts(
                suite.questions,
                float(report.settings["threshold"]),
                depths=suite.task != "given",  # there is one document to find
            )
        else:
            charts = item_charts([r for r in suite.rows if isinstance(r, Item)])
        sections.append(
            _section(
                f"{suite.name} · {suite.task}",
                describe(suite, report.seed, beside),
                suite.figures,
                beside.figures if beside else (),
                charts,
                suite.rows,
                beside.rows if beside else (),
                comparisons[i] if comparisons else None,
                limit=limit,
                cut=cut,
            )
        )
    return sections


def _section(
    title: str,
    subtitle: str,
    figures: Sequence[Figure],
    others: Sequence[Figure],
    charts: Sequence[Chart],
    rows: Sequence[Row | Item],
    seconds: Sequence[Row | Item],
    comparison: Comparison | None,
    *,
    limit: int,
    cut: bool,
) -> Section:
    """Return a section.

    Args:
        title: its name.
        subtitle: what was asked.
        figures: its figures.
        others: those of the second configuration.
        charts: its charts.
        rows: its rows.
        seconds: those of the second configuration.
        comparison: how the two differ.
        limit: how many rows are shown.
        cut: whether what is shown of each is cut.
    """
    changes = {c.id: c for c in comparison.changes} if comparison else {}
    second = {row.id: row for row in seconds}
    shown, note = _shown(rows, changes, limit)
    lines = [_line(row, second.get(row.id), changes.get(row.id), cut=cut) for row in shown]
    filters = [("all", "All", len(lines))]
    for flag in ("wrong", "refused", "right", "gained", "lost"):
        count = sum(flag in line.flags for line in lines)
        if count:
            filters.append((flag, flag.capitalize(), count))
    return Section(
        title, subtitle, figures, {f.name: f for f in others}, charts, lines, comparison, filters,
        note,
    )  # fmt: skip


def _shown(
    rows: Sequence[Row | Item], changes: Mapping[str, Change], limit: int
) -> tuple[Sequence[Row | Item], str]:
    """Return the rows to show, and which they are where that is not all."""
    if len(rows) <= limit:
        return rows, ""
    first = sorted(rows, key=lambda row: (row.id not in changes, row.right is not False))[:limit]
    order = "those that changed and the wrong ones" if changes else "the wrong ones"
    order = "" if all(row.right is None for row in rows) else f", {order} first"
    return first, f"{limit:,} of {len(rows):,} shown{order}; all are in the JSON (--json)."


def _metrics(report: Report) -> list[Figure]:
    return [
        Figure(name, report.metrics[name], report.counts[name], report.intervals.get(name), meaning)
        for name, meaning in METRICS.items()
    ]


def _line(row: Row | Item, second: Row | Item | None, change: Change | None, *, cut: bool) -> Line:
    flags = [] if change is None else ["gained" if change.right else "lost"]
    kind = "" if row.right is None else "right" if row.right else "wrong"
    flags += [kind] if kind else []
    if isinstance(row, Item):
        verdict, score = kind, f"{row.values['score']:.3f}" if "score" in row.values else ""
        values = {name: round(value, 4) for name, value in row.values.items()}
        texts = {name: _cut(text, CUT_TEXT) if cut else text for name, text in row.shown.items()}
        details = {"id": row.id, "shown": texts, "values": values}
    else:
        verdict, score = row.verdict, f"{row.score:.3f}"
        if row.refused:
            flags.append("refused")
            kind = "refused" if row.answerable else "right"
        if not row.answerable:
            verdict = "refused, rightly" if row.refused else "wrong: not answerable"
        details = _details(row, second if isinstance(second, Row) else None, cut=cut)
    if change is not None:
        verdict = f"{change.before} → {change.after}"
        kind = "right" if change.right else "wrong"
    text = row.text if isinstance(row, Item) else row.question
    return Line(text, verdict, kind, tuple(flags), score, details)


def _cut(text: str, length: int) -> str:
    """Return a text, or the whole words of its beginning and its end where it is longer."""
    half = length // 2
    if len(text) <= length:
        return text
    start, end = text[:half], text[-half:]
    return f"{start.rpartition(' ')[0] or start} … {end.partition(' ')[2] or end}"


def _cut_passage(passage: MarkedPassage) -> MarkedPassage:
    """Return a passage with what is not cited of it cut."""
    pieces = ((text if cited else _cut(text, CUT), cited) for text, cited in passage.pieces)
    return replace(passage, pieces=tuple(pieces))


def _cut_trace(trace: Sequence[Considered]) -> list[Considered]:
    """Return the passages of a trace that tell the most: the best, those kept, those of evidence.

    Their texts are cut.
    """
    return [
        replace(c, text=_cut(c.text, CUT))
        for rank, c in enumerate(trace)
        if rank < BEST or c.kept or c.gold
    ]


def _details(row: Row, second: Row | None, *, cut: bool) -> dict[str, Any]:
    trace = _cut_trace(row.trace) if cut else row.trace
    passages = [_cut_passage(p) for p in row.passages] if cut else row.passages
    stages = list(dict.fromkeys(stage for c in trace for stage in c.scores))
    expected = row.answers or tuple(row.extra.get("expected") or ())
    return {
        "id": row.id,
        "kind": row.kind,
        "searched": row.searched if row.searched != row.question else "",
        "answer": row.text,
        "short": row.short or "",
        # What the second configuration answers, where that is something else.
        "against": {
            "answer": second.text if second and second.text != row.text else "",
            "short": (second.short or "–") if second and second.short != row.short else "",
        },
        "gold": list(dict.fromkeys(str(e) for e in expected)),
        "exact": list(row.exact),
        "evidence": list(row.evidence),
        "answerable": row.answerable,
        "seconds": round(row.seconds, 3),
        "notice": row.notice or "",
        "passages": [{"title": p.title, "pieces": p.pieces} for p in passages],
        "stages": stages,
        "considered": len(row.trace),
        "trace": [
            {
                "kept": c.kept,
                "gold": c.gold,
                "scores": [c.scores.get(stage) for stage in stages],
                "reason": c.reason,
                "title": c.title,
                "text": c.text,
            }
            for c in trace
        ],
    }


# -- charts --


def question_charts(rows: Sequence[Row], threshold: float, *, depths: bool = True) -> list[Chart]:
    """Return the charts of questions: risk, scores, recall, time; those that have anything to show.

    Args:
        rows: the questions.
        threshold: the threshold of the run.
        depths: whether there is anything to find, and so a recall by depth.
    """
    recall = _recall(rows) if depths else None
    charts = [_risk(rows, threshold), _scores(rows, threshold), recall, _times(rows)]
    return [chart for chart in charts if chart is not None]


def item_charts(items: Sequence[Item]) -> list[Chart]:
    """Return the charts of a task without questions, where it has scores to show."""
    if items and all({"score", "label"} <= set(i.values) for i in items):
        groups = {
            "supported": [i.values["score"] for i in items if i.values["label"]],
            "not supported": [i.values["score"] for i in items if not i.values["label"]],
        }
        return [Chart("Scores", "Support of claims that are supported and of the others.",
                      _histogram(groups, "support", "claims"))]  # fmt: skip
    if items and all({"support", "human"} <= set(i.values) for i in items):
        figure = _figure(
            [_trace("scatter", [i.values["human"] for i in items],
                    [i.values["support"] for i in items], "an answer", "first", mode="markers",
                    opacity=0.5)],
            "human faithfulness", "mean support",
        )  # fmt: skip
        return [Chart("Support and people", "Each answer once.", figure)]
    return []


def _risk(rows: Sequence[Row], threshold: float) -> Chart | None:
    """Return the share of wrong answers over the share of questions answered."""
    scores = sorted(r.score for r in rows)
    if not scores:
        return None
    step = max(1, len(scores) // POINTS)
    tried = sorted({0.0, threshold, *scores[::step], scores[-1]})
    points = threshold_curve(Report(tuple(rows), {}, {}), tried)
    known = [p for p in points if p.risk is not None and p.coverage is not None]
    if not known:
        return None
    traces = [
        _trace("scatter", [p.coverage for p in known], [p.risk for p in known], "risk", "first",
               mode="lines", text=[f"threshold {p.threshold:.3f}" for p in known]),
    ]  # fmt: skip
    here = [p for p in known if p.threshold == threshold]
    if here:
        traces.append(
            _trace("scatter", [here[0].coverage], [here[0].risk], f"threshold {threshold:g}",
                   "second", mode="markers", marker={"size": 11})
        )  # fmt: skip
    figure = _figure(traces, "coverage", "risk")
    figure["layout"]["xaxis"]["range"] = [0, 1.02]
    note = (
        "Share of answers that are wrong over the share of questions answered, by threshold; lower "
        "is better."
    )
    if any(p.risk is None and p.coverage for p in points):
        note += " Answers below the threshold of the run are not known; --threshold 0 shows all."
    return Chart("Risk and coverage", note, figure)


def _scores(rows: Sequence[Row], threshold: float) -> Chart | None:
    groups = {
        name: [r.score for r in rows if r.answerable is answerable]
        for name, answerable in (("answerable", True), ("unanswerable", False))
    }
    if not rows:
        return None
    figure = _histogram(groups, "answerability score", "questions")
    figure["layout"]["shapes"] = [
        {"type": "line", "x0": threshold, "x1": threshold, "y0": 0, "y1": 1, "yref": "paper",
         "line": {"width": 2, "dash": "dash"}}
    ]  # fmt: skip
    note = f"What scores below the threshold of {threshold:g}, left of the line, is refused."
    return Chart("Scores", note, figure)


def _recall(rows: Sequence[Row]) -> Chart | None:
    stages = {
        "before reranking": [r.dense for r in rows if r.dense is not None],
        "after reranking": [r.reranked for r in rows if r.reranked is not None],
    }
    traces = [
        _trace("scatter", list(map(str, DEPTHS)),
               [mean([hit_at(marks, k) for marks in ranks]) for k in DEPTHS], name, role,
               mode="lines+markers")
        for (name, ranks), role in zip(stages.items(), ("second", "first"), strict=True)
        if ranks
    ]  # fmt: skip
    if not traces:
        return None
    figure = _figure(traces, "depth", "recall")
    figure["layout"]["xaxis"]["type"] = "category"
    note = "Share of questions with evidence among the first results."
    return Chart("Recall by depth", note, figure)


def _times(rows: Sequence[Row]) -> Chart | None:
    spent: dict[str, list[float]] = {}
    for row in rows:
        for stage, seconds in row.timings.items():
            spent.setdefault(stage, []).append(1000 * seconds)
    if not spent:
        return None
    stages = list(reversed(spent))
    traces = [
        _trace("bar", [percentile(spent[s], 50) for s in stages], stages, "median", "first",
               orientation="h"),
        _trace("scatter", [percentile(spent[s], 95) for s in stages], stages, "95th percentile",
               "second", mode="markers", marker={"size": 9}, cliponaxis=False),
    ]  # fmt: skip
    figure = _figure(traces, "ms", "")
    figure["layout"]["xaxis"]["rangemode"] = "tozero"
    return Chart("Time by stage", "Milliseconds for a question.", figure)


def _histogram(groups: Mapping[str, Iterable[float]], x: str, y: str) -> dict[str, Any]:
    # A bar holds its left edge and not its right one: 1.0 would come after the last.
    last = 1 - 1 / (2 * BINS)
    traces = [
        _trace("histogram", [min(round(v, 4), last) for v in values], None, name, role,
               xbins={"start": 0, "end": 1, "size": 1 / BINS})
        for (name, values), role in zip(groups.items(), ("first", "second"), strict=True)
    ]  # fmt: skip
    figure = _figure([t for t in traces if t["x"]], x, y)
    figure["layout"] |= {"barmode": "group", "bargap": 0.15}
    figure["layout"]["xaxis"]["range"] = [0, 1]
    return figure


def _trace(
    kind: str, x: Sequence[Any], y: Sequence[Any] | None, name: str, role: str, **more: Any
) -> dict[str, Any]:
    """Return a trace; the page gives it the colour of its role."""
    return {"type": kind, "x": x, "name": name, "meta": role, **({"y": y} if y else {}), **more}


def _figure(traces: Sequence[Mapping[str, Any]], x: str, y: str) -> dict[str, Any]:
    """Return a figure as plain values, its parts checked by plotly."""
    import plotly.graph_objects as go

    figure = go.Figure(list(traces))
    figure.update_layout(
        template="none",
        margin={"l": 56, "r": 16, "t": 46, "b": 48},
        height=300,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={"title": {"text": x}, "zeroline": False},
        yaxis={"title": {"text": y}, "zeroline": False, "automargin": True},
    )
    values: dict[str, Any] = json.loads(figure.to_json())
    values["layout"].pop("template", None)
    return values


def _number(figure: Figure | None) -> str:
    """Return a figure's value as it stands in a table."""
    if figure is None or figure.value is None:
        return "–"
    return f"{figure.value:.0f}" if figure.name == "questions" else f"{figure.value:.3f}"
