"""Evaluation on published sets: how their files are read, and how each of them is asked.

>>> report = run_suites("data", names=["xquad_en"], sample=150)
>>> report.suites[0].figures

To add a set, write a loader in ``bot.sets`` and name it in ``SETS`` with the tasks that it is for.
What the rows of a task come to is in ``bot.figures``.
"""

from __future__ import annotations

import contextlib
import logging
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter

from bot import figures, sets
from bot.bot import Bot
from bot.cache import Cache, file_digest, key_of, model_state, source_digest
from bot.condense import condense
from bot.evaluate import INTERVALS, TOP, Row, failure, judge, noticed, progress_bar
from bot.figures import Figure, Item
from bot.metrics import Place, mean, normalise_answer, unigram_recall
from bot.questions import locate
from bot.records import Answer, Query, Turn
from bot.sets import PLAIN, SUFFIX, Case, Document, Loaded, SuiteError, find_file
from bot.settings import Settings
from bot.turns import LONGEST
from bot.verify import support
from bot.words import canonical, names
from index import Article, StoreDamaged, StoreInUse, StoreMismatch
from index.sentences import sentence_spans

log = logging.getLogger(__name__)

MATTERS = (
    "model",
    "base_url",
    "model_timeout",
    "temperature",
    "embedder",
    "reranker",
    "threshold",
    "unsupported",
)
"""Settings that answers depend on; a key only decides whether there are any."""


# -- tasks: how a set is asked --


class _Bench:
    """What the tasks of one set share: its documents indexed, once, and a bot on them."""

    def __init__(
        self, name: str, loaded: Loaded, settings: Settings, cache: Cache, *, progress: bool
    ) -> None:
        self.name = name
        self.loaded = loaded
        self.progress = progress
        self._settings = settings
        self._cache = cache
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Bench:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @cached_property
    def documents(self) -> dict[str, Document]:
        """The documents by their id in the set."""
        return {d.id: d for d in self.loaded.documents}

    @cached_property
    def articles(self) -> dict[str, Article]:
        """The documents as articles, by their id in the set; equal texts are one article."""
        made: dict[str, Article] = {}
        found = {}
        for name, document in self.documents.items():
            article = Article.from_text(document.text, title=document.title or None)
            found[name] = made.setdefault(article.id, article)
        return found

    @cached_property
    def bot(self) -> Bot:
        """A bot on all documents of the set; their index is kept for the next run."""
        articles = {a.id: a for a in self.articles.values()}
        key = key_of({"articles": sorted(articles), "titles": [a.title for a in articles.values()],
                      "index": source_digest(("index",))})  # fmt: skip
        model = self._settings.embedder
        embedder = key_of({"embedder": model, "files": model_state(model)})[:8]
        bot = self._stack.enter_context(
            self._open(self._cache.store(f"{self.name}-{embedder}", key))
        )
        known = {a.id for a in bot.articles()}
        new = [a for a in articles.values() if a.id not in known]
        with self.advancing(len(new), "indexing") as advance:
            for article in new:
                bot.add(article)
                advance()
        bot.load()
        return bot

    def _open(self, folder: Path) -> Bot:
        def opened() -> Bot:
            # Settings named one by one would bring in those of the environment that are not set.
            settings = self._settings.model_copy(update={"store": folder})
            return Bot.open(articles=[], settings=settings)

        try:
            return opened()
        except (StoreDamaged, StoreMismatch) as error:
            log.warning("the kept index of %s is made again: %s", self.name, error)
            shutil.rmtree(folder)
            return opened()
        except StoreInUse:
            log.info("the kept index of %s is in use; another one is made", self.name)
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            return opened()

    def advancing(
        self, total: int, what: str
    ) -> contextlib.AbstractContextManager[Callable[[], None]]:
        """Return a progress bar."""
        return progress_bar(total, f"{self.name}: {what}", shown=self.progress)

    def asking(self, units: Sequence[Any], what: str) -> Iterator[Any]:
        """Yield each unit and move a progress bar, once the bot is there to be asked."""
        _ = self.bot  # its own bar comes before ours
        yield from self.each(units, what)

    def each(self, units: Sequence[Any], what: str) -> Iterator[Any]:
        """Yield each unit and move a progress bar."""
        with self.advancing(len(units), what) as advance:
            for unit in units:
                yield unit
                advance()


def _found(units: Sequence[Any], bench: _Bench) -> list[Row]:
    """Ask each question of all documents."""
    return [_asked(case, bench, alone=False) for case in bench.asking(units, "found")]


def _given(units: Sequence[Any], bench: _Bench) -> list[Row]:
    """Ask each question of its own document."""
    return [_asked(case, bench, alone=True) for case in bench.asking(units, "given")]


def _facts(units: Sequence[Any], bench: _Bench) -> list[Row]:
    """Ask each question of all documents; it is right where the answer cites a gold one."""
    rows = []
    for case in bench.asking(units, "facts"):
        row = _asked(case, bench, alone=False)
        gold = {bench.articles[d].id for d in case.documents}
        rows.append(replace(row, extra={**row.extra, "gold": len(gold)}))
    return rows


def _asked(case: Case, bench: _Bench, *, alone: bool) -> Row:
    """Ask a question and judge the answer.

    Evidence is, of the gold documents, the sentences that the annotators name or that hold an
    accepted answer; all of them where the set tells neither. Where there are no accepted strings,
    an answer is right that cites evidence.
    """
    question, bot = case.question, bench.bot
    gold = [bench.articles[d] for d in case.documents] if question.answerable else []
    asked = [bench.articles[d].id for d in case.documents] if alone else None
    began = time.perf_counter()
    answer = bot.ask(question.question, articles=asked)
    seconds = time.perf_counter() - began
    named = _evidence(case, bench) if gold else []
    # Of the sentences that hold an accepted answer one is enough.
    pieces = [[place] for places in named for place in places] if case.evidence else named
    whole = [[(a.id, 0, len(a.text))] for a in gold]
    row = judge(question, answer, pieces or whole, list(bench.articles.values()), seconds)
    if gold:
        dense, reranked = rank_documents(answer, {a.id for a in gold})
        row = replace(row, dense=dense, reranked=reranked, evidence=_texts(named, bench))
    if case.evidence and named:
        row = _cited_evidence(row, named, answer)
    elif not question.answers and question.answerable and not answer.refused:
        row = replace(row, verdict="right" if any(row.right_citations) else "wrong")
    return row


def _evidence(case: Case, bench: _Bench) -> list[list[Place]]:
    """Return for each annotator where the evidence is; empty where the set does not tell.

    Where it gives the places of accepted answers, these count as one annotator's.
    """
    if not case.evidence and not case.spans:
        return []
    (name,) = case.documents
    document, article = bench.documents[name], bench.articles[name]
    if case.evidence:
        named = [[document.sentences[n] for n in numbers if n < len(document.sentences)]
                 for numbers in case.evidence]  # fmt: skip
    else:
        held = [(start, end) for start, end in sentence_spans(document.text)
                if any(start < after and at < end for at, after in case.spans)]  # fmt: skip
        named = [[document.text[start:end] for start, end in held]]
    # The article's text is normalised: offsets into the document's are not offsets into it.
    places = [[found[0] for text in one if (found := locate(text, [article]))] for one in named]
    return [one for one in places if one]


def _texts(named: Sequence[Sequence[Place]], bench: _Bench) -> tuple[str, ...]:
    """Return the texts of places, each once."""
    texts = {a.id: a.text for a in bench.articles.values()}
    unique = dict.fromkeys(place for places in named for place in places)
    return tuple(texts[name][start:end] for name, start, end in unique)


def rank_documents(answer: Answer, gold: set[str]) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Return, for each document in the order found and in reranked order, whether it is gold.

    A document stands where its best passage does.
    """
    dense = dict.fromkeys(c.passage.article_id for c in answer.trace.as_found())
    reranked = dict.fromkeys(c.passage.article_id for c in answer.trace)
    return tuple(d in gold for d in dense), tuple(d in gold for d in reranked)


def _cited_evidence(row: Row, named: Sequence[Sequence[Place]], answer: Answer) -> Row:
    """Judge an answer by the characters it cites, against the annotator it agrees with most."""
    cited = _characters([(c.article_id, c.start, c.end) for c in answer.citations])
    best = (0.0, 0.0, 0.0)
    for places in named:
        held = _characters(places)
        shared = len(cited & held)
        precision = shared / len(cited) if cited else 0.0
        recall = shared / len(held) if held else 0.0
        both = precision + recall
        best = max(best, (2 * precision * recall / both if both else 0.0, precision, recall))
    agreement, precision, recall = best
    extra = {**row.extra, "cited_precision": precision, "cited_recall": recall}
    verdict = row.verdict if row.refused else "right" if agreement else "wrong"
    return replace(row, verdict=verdict, extra=extra)


def _characters(places: Iterable[Place]) -> set[tuple[str, int]]:
    return {(name, at) for name, start, end in places for at in range(start, end)}


def _rewritten(units: Sequence[Any], bench: _Bench) -> list[Item]:
    """Make each turn stand alone by rule and compare its forms with a human's.

    Three wordings are scored: the turn copied; ``resolved``, the form with the least handicap,
    which puts a name for a pronoun where one is at hand; and ``longest``, the form with the most
    characters, which is the one that joins the earlier question wherever there is one.

    The reranker chooses among the forms when an article is searched. Where a human left the turn
    as it is, it is searched with and without its history, in the document of its conversation or,
    where there is none, in all documents.
    """
    items = []
    for name, history, turn, human in bench.each(units, "rewrites"):
        query = condense(Turn(turn, history))
        item = _compared(name, turn, human, query)
        if history and "drift_forms" in item.values and bench.documents:
            own = name.rpartition(":")[0]
            scope = [bench.articles[own].id] if own in bench.documents else None
            item = _moved(item, turn, history, scope, bench)
        items.append(item)
    return items


def _moved(item: Item, turn: str, history: Any, scope: list[str] | None, bench: _Bench) -> Item:
    """Add whether a turn's history changes the passage that is found first."""
    answers = [bench.bot.ask(turn, before, articles=scope) for before in ((), history)]
    first = [a.trace[0].passage if a.trace else None for a in answers]
    failed = next(filter(None, map(failure, answers)), None)
    return replace(
        item, values={**item.values, "drift": float(first[0] != first[1])}, notice=failed
    )


def _compared(name: str, turn: str, human: str, query: Query) -> Item:
    forms = query.forms or (turn,)
    resolved = min(forms, key=lambda f: query.handicaps.get(f, 0.0))
    wordings = {"copied": turn, "resolved": resolved, "longest": max(forms, key=len)}
    values = {f"unigram_recall_{k}": unigram_recall(text, human) for k, text in wordings.items()}
    wanted = [w for one in names(human) if (w := canonical(one))]
    if wanted:
        for k, text in wordings.items():
            held = canonical(text)
            values[f"entity_recall_{k}"] = mean([w <= held for w in wanted]) or 0.0
    if normalise_answer(human) == normalise_answer(turn):
        alike = {normalise_answer(f) for f in forms} == {normalise_answer(turn)}
        values["drift_forms"] = float(not alike)
    return Item(name, turn, values, {"human": human, **wordings})


def _conversation(units: Sequence[Any], bench: _Bench) -> list[Item]:
    """Search for the last turn of each conversation, in four wordings.

    All go through the bot, so that they are reranked alike; of all turns in one, the newest
    characters that it takes.
    """
    rewrites = bench.loaded.more or {}
    items = []
    for task in bench.asking(units, "conversation"):
        turns = [(t["speaker"], t["text"]) for t in task["conversation"]]
        last = turns[-1][1]
        history = [
            {"role": "user" if speaker == "user" else "assistant", "content": text}
            for speaker, text in turns[:-1]
        ]
        wordings: dict[str, tuple[str, list[dict[str, str]]]] = {
            "last": (last, []),
            "history": (" ".join(text for _, text in turns)[-LONGEST:], []),
            "ours": (last, history),
        }
        if task["qid"] in rewrites:
            wordings["rewrite"] = (rewrites[task["qid"]]["rewrite"], [])
        gold = {bench.articles[d].id for d in task["gold_docs"]}
        values, searched, failed = {}, "", None
        for wording, (question, before) in wordings.items():
            answer = bench.bot.ask(question, before)
            failed = failed or failure(answer)
            if wording == "ours":
                searched = answer.question
            for stage, marks in zip(("dense_", ""), rank_documents(answer, gold), strict=True):
                share = sum(marks[:TOP]) / len(gold)
                values[f"{stage}recall@10_{wording}"] = share
        shown = {"searched": searched}
        if "rewrite" in wordings:
            shown["human"] = wordings["rewrite"][0]
        right = values["recall@10_ours"] == 1.0
        items.append(Item(task["qid"], last, values, shown, right, failed))
    return items


def _faithful(units: Sequence[Any], bench: _Bench) -> list[Item]:
    """Judge each system's answer sentence by sentence against the gold documents."""
    items = []
    for task in bench.each(units, "faithfulness"):
        evidence = "\n\n".join(bench.documents[d].text for d in task["gold_docs"])
        for system, response in task["responses"].items():
            text = response["text"]
            sentences = [text[start:end] for start, end in sentence_spans(text)]
            human = mean(response["faithfulness"])
            if not sentences or human is None:
                continue
            found = mean([support(s, evidence).score for s in sentences]) or 0.0
            name = f"{task['qid']}:{system}"
            items.append(Item(name, text, {"support": found, "human": human}))
    return items


def _supported(units: Sequence[Any], bench: _Bench) -> list[Item]:
    """Judge each claim against its evidence."""
    items = []
    for name, claim, evidence, label in bench.each(units, "support"):
        found = support(claim, evidence)
        right = (found.verdict == "supported") is label
        shown = {"evidence": evidence, "reasons": "; ".join(found.reasons)}
        items.append(Item(name, claim, {"score": found.score, "label": float(label)}, shown, right))
    return items


@dataclass(frozen=True, slots=True)
class Task:
    """One way to ask a set.

    Attributes:
        ask: asks the sampled units and returns rows.
        figures: what these come to.
        kind: the type of the rows, to keep and read them.
        meaning: what is asked, in one line.
        asks: whether it asks the bot, so that settings matter.
    """

    ask: Callable[[Sequence[Any], _Bench], Sequence[Row] | Sequence[Item]]
    figures: Callable[[Any], list[Figure]]
    kind: TypeAdapter[Any]
    meaning: str
    asks: bool = True


_ROWS: TypeAdapter[Any] = TypeAdapter(tuple[Row, ...])
_ITEMS: TypeAdapter[Any] = TypeAdapter(tuple[Item, ...])

TASKS: dict[str, Task] = {
    "found": Task(_found, figures.found, _ROWS, "each question asked of all documents"),
    "given": Task(_given, figures.given, _ROWS, "each question asked of its own document"),
    "facts": Task(_facts, figures.facts, _ROWS, "each question asked of all facts"),
    "rewrites": Task(
        _rewritten, figures.rewrites, _ITEMS, "follow-ups made to stand alone by rule"
    ),
    "conversation": Task(
        _conversation, figures.conversation, _ITEMS, "documents found for the last turn"
    ),
    "faithfulness": Task(
        _faithful,
        figures.faithfulness,
        _ITEMS,
        "support of answers and how people judge them",
        asks=False,
    ),
    "support": Task(
        _supported, figures.support, _ITEMS, "claims judged against evidence", asks=False
    ),
}
"""Every way of asking a set."""


@dataclass(frozen=True, slots=True)
class Set:
    """A published set.

    Attributes:
        files: its files, without their suffix.
        load: reads them.
        tasks: names of the tasks that it is for.
        others: files of other sets that are used where they are there.
    """

    files: tuple[str, ...]
    load: Callable[[Path, str], Loaded]
    tasks: tuple[str, ...]
    others: tuple[str, ...] = ()


def _with(stem: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{stem}.{part}" for part in parts)


SETS: dict[str, Set] = {
    "xquad_en": Set(_with("xquad_en", "docs", "questions"), sets.questions, ("found", "given")),
    "squad2_dev_eval": Set(
        _with("squad2_dev_eval", "docs", "questions"), sets.questions, ("found", "given")
    ),
    "nq_oracle": Set(_with("nq_oracle", "docs", "questions"), sets.questions, ("found", "given")),
    "clapnq_dev": Set(
        _with("clapnq_dev", "docs", "questions"), sets.long_answers, ("found", "given")
    ),
    "multihop_rag_500": Set(
        _with("multihop_rag_500", "facts", "questions"), sets.several_facts, ("facts",)
    ),
    "canard_dev": Set(("canard_dev",), sets.canard, ("rewrites",)),
    "mtrag_rewrites": Set(
        ("mtrag_rewrites",), sets.turn_rewrites, ("rewrites",), ("mtrag_humaneval.docs",)
    ),
    "mtrag_humaneval": Set(
        _with("mtrag_humaneval", "docs", "tasks"),
        sets.conversations,
        ("conversation", "faithfulness"),
        ("mtrag_rewrites",),
    ),
    "wice_dev": Set(("wice_dev.oracle_chunks",), sets.claims, ("support",)),
    "fever_symmetric": Set(("fever_symmetric",), sets.pairs, ("support",)),
    "summedits_news_podcast": Set(("summedits_news_podcast",), sets.pairs, ("support",)),
}
"""Every set that is known, by the name that its files begin with."""


def _set(name: str) -> Set:
    """Return the set of a name; one that is not known has documents and questions on them."""
    plain = Set(_with(name, "docs", "questions"), sets.questions, ("found", "given"))
    return SETS.get(name, plain)


def set_of(file: str | Path) -> tuple[Path, str] | None:
    """Return the folder and the name of the set that a file is of; None where it is of none.

    Those are the files of the sets that are known, and ``NAME.questions.jsonl.gz``; unpacked
    questions only where their documents are beside them.
    """
    path = Path(file).expanduser()
    stem = path.name.removesuffix(".gz").removesuffix(PLAIN)
    if path.name not in (f"{stem}{SUFFIX}", f"{stem}{PLAIN}"):
        return None
    for name, one in SETS.items():
        if stem in one.files:
            return path.parent, name
    name = stem.removesuffix(".questions")
    packed = path.name.endswith(SUFFIX)
    if name in ("", stem) or not (packed or find_file(path.parent, f"{name}.docs").exists()):
        return None
    return path.parent, name


# -- running --


@dataclass(frozen=True, slots=True)
class Suite:
    """What one task on one set found.

    Attributes:
        name: the set.
        task: how it was asked.
        rows: a row for each question, turn, answer or claim.
        of: how many units the set has; the sample may be fewer.
        asked: how many units were asked.
        cached: whether the rows were kept from an earlier run.
    """

    name: str
    task: str
    rows: tuple[Row, ...] | tuple[Item, ...]
    of: int
    asked: int
    cached: bool = False

    @property
    def questions(self) -> tuple[Row, ...]:
        """The rows that are questions to the bot; empty for other tasks."""
        return tuple(r for r in self.rows if isinstance(r, Row))

    @property
    def figures(self) -> list[Figure]:
        """What the rows come to; counted anew each time."""
        return TASKS[self.task].figures(self.rows)

    @property
    def asks(self) -> bool:
        """Whether the bot was asked, so that the rows depend on its settings."""
        return TASKS[self.task].asks

    def to_dict(self) -> dict[str, Any]:
        """Return the suite as plain values for JSON."""
        rows = [r.to_dict() if isinstance(r, Row) else asdict(r) for r in self.rows]
        return {
            "name": self.name,
            "task": self.task,
            "asked": self.asked,
            "of": self.of,
            "cached": self.cached,
            "notices": noticed(self.rows),
            "figures": {f.name: asdict(f) for f in self.figures},
            "rows": rows,
        }


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """What a run of suites found.

    Attributes:
        suites: a suite for each task of each set.
        sample: how many units of each set were drawn; None for all.
        seed: what they were drawn with.
        settings: the settings that answers depend on.
    """

    suites: tuple[Suite, ...]
    sample: int | None
    seed: int
    settings: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON, without passwords."""
        return {
            "sample": self.sample,
            "seed": self.seed,
            "intervals_by": INTERVALS,
            "settings": {name: masked(value) for name, value in self.settings.items()},
            "suites": [suite.to_dict() for suite in self.suites],
        }


def masked(value: object) -> object:
    """Return the value of a setting without the name and password that stand in a URL."""
    return re.sub(r"(?<=://)[^/?#\s]*@", "***@", value) if isinstance(value, str) else value


def find_sets(folder: str | Path, wanted: Sequence[str] | None = None) -> tuple[Path, list[str]]:
    """Return the folder that the files are in, and the names of the sets to run.

    Args:
        folder: that folder, or one with a folder ``evaluate`` in it.
        wanted: names of sets; by default those that are known and of which a file is there. A
            name that is not known must have documents and questions there.

    Raises:
        SuiteError: there is no such folder or set, or a file of a set is missing.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise SuiteError(
            f"There is no folder {root}. Name the folder that holds the sets, or the one that has "
            "it as evaluate."
        )
    inner = root / "evaluate"
    root = inner if inner.is_dir() and not any(root.glob(f"*{PLAIN}*")) else root

    def there(stem: str) -> bool:
        return find_file(root, stem).exists()

    for name in wanted or ():
        if name not in SETS and not any(map(there, _set(name).files)):
            raise SuiteError(
                f"There is no set {name!r}; the sets are {', '.join(SETS)}, and any with files "
                f"NAME.docs{SUFFIX} and NAME.questions{SUFFIX} in {root}."
            )

    chosen = list(dict.fromkeys(wanted or [n for n, s in SETS.items() if any(map(there, s.files))]))
    if not chosen:
        files = ", ".join(f"{stem}{SUFFIX}" for s in SETS.values() for stem in s.files)
        raise SuiteError(f"No set is in {root}: expected are some of {files}. Name another folder.")
    for name in chosen:
        missing = [f"{stem}{SUFFIX}" for stem in _set(name).files if not there(stem)]
        if missing:
            raise SuiteError(
                f"The set {name} in {root} lacks the file {missing[0]}; it consists of "
                f"{', '.join(f'{stem}{SUFFIX}' for stem in _set(name).files)}. Put it there, or "
                "name the sets to run with --only."
            )
    return root, chosen


def open_cache(folder: str | Path | None = None) -> Cache:
    """Return the cache in a folder, by default in the user's; the folder is made.

    Raises:
        SuiteError: it is no folder that can be written to.
    """
    cache = Cache(Path(folder) if folder is not None else None)
    try:
        cache.make()
    except OSError as error:
        raise SuiteError(
            f"Results cannot be kept in {cache.folder}: {error}. Name another folder with --cache."
        ) from error
    return cache


def run_suites(
    folder: str | Path,
    *,
    names: Sequence[str] | None = None,
    settings: Settings | None = None,
    sample: int | None = None,
    seed: int = 0,
    progress: bool = False,
    cache: str | Path | None = None,
) -> SuiteReport:
    """Run the tasks of the sets in a folder; what was run before is read from the cache.

    Args:
        folder: see ``find_sets``.
        names: which sets; by default all that are there.
        settings: of the bot; by default from the environment.
        sample: how many questions, turns or claims of each set are drawn; by default all.
        seed: what they are drawn with.
        progress: whether to draw bars on standard error.
        cache: folder where rows and indexes are kept; by default in the user's cache folder.

    Raises:
        SuiteError: a set is missing or cannot be read, the sample is not positive, or the cache
            is no folder that can be written to.
    """
    if sample is not None and sample < 1:
        raise SuiteError(f"The sample is {sample}; give at least 1, or leave it out to ask all.")
    root, chosen = find_sets(folder, names)
    settings = settings or Settings.read()
    matters = {name: getattr(settings, name) for name in MATTERS}
    matters["threshold"] = settings.refuses_below
    asking = {
        "settings": matters,
        "models": {name: model_state(matters[name]) for name in ("embedder", "reranker")},
    }
    kept = open_cache(cache)
    suites = []
    for name in chosen:
        which = _set(name)
        files = [find_file(root, stem) for stem in (*which.files, *which.others)]
        loaded = _loaded(root, name)
        units = _drawn(loaded.units, sample, seed)
        drawn = len(units) < len(loaded.units)
        depends = {
            "set": name,
            "files": {f.name: file_digest(f) for f in files if f.exists()},
            "sample": len(units) if drawn else None,
            "seed": seed if drawn else None,
            "source": source_digest(),
        }
        with _Bench(name, loaded, settings, kept, progress=progress) as bench:
            for task in which.tasks:
                how, kind = TASKS[task], TASKS[task].kind
                key = key_of({**depends, "task": task, "asking": asking if how.asks else {}})
                rows = kept.read(f"{name}-{task}", key, kind)
                cached = rows is not None
                if rows is None:
                    rows = tuple(how.ask(units, bench))
                    # A chat model that fails today may answer tomorrow.
                    if not any(row.failed for row in rows):
                        kept.write(f"{name}-{task}", key, kind, rows)
                suites.append(Suite(name, task, rows, len(loaded.units), len(units), cached))
    return SuiteReport(tuple(suites), sample, seed, matters)


def _loaded(root: Path, name: str) -> Loaded:
    """Read the files of a set."""
    try:
        return _set(name).load(root, name)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise SuiteError(
            f"The set {name} in {root} is not as it was published: a line has other fields than "
            f"it should ({type(error).__name__}: {error}). Fetch its files again."
        ) from error


def describe(suite: Suite, seed: int, other: Suite | None = None) -> str:
    """Return in one line what a suite asked, of how many, with which seed, and its notices.

    Args:
        suite: the suite.
        seed: what its sample was drawn with.
        other: the same of the second configuration, for its notices.
    """
    whole = suite.asked == suite.of
    drawn = "all" if whole else f"{suite.asked:,}"
    seeded = "" if whole else f", seed {seed}"
    kept = " (cached)" if suite.cached else ""
    parts = [TASKS[suite.task].meaning, f"{drawn} of {suite.of:,}{seeded}{kept}"]
    if not suite.asks:
        parts.append("no setting matters here")
    parts += noticed(suite.rows)
    parts += [f"against, {notice}" for notice in noticed(other.rows if other else ())]
    return "; ".join(parts)


def _drawn(units: Sequence[Any], sample: int | None, seed: int) -> list[Any]:
    """Return a sample in the order of the set."""
    if sample is None or sample >= len(units):
        return list(units)
    drawn = random.Random(seed).sample(range(len(units)), sample)  # noqa: S311  # no secret
    return [units[i] for i in sorted(drawn)]
