"""Training of the reader: its examples, its first weights, and that a run can be taken up again."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from bot.metrics import contains_answer
from bot.reader import examples as made
from bot.reader import load_reader, load_support_model
from bot.reader.claims import claim_of, make_claims
from bot.reader.corrupt import WAYS, Pool, corrupt
from bot.reader.examples import Example, TrainingDataError
from bot.reader.model import INPUTS, SpanReader, export, from_reranker, from_shipped
from bot.reader.spans import best_spans
from bot.reader.train import RECIPE, _optimiser, app, batches, encode, loss, tokenizer, train
from bot.rerank import Reranker
from index.embed import load_embedder
from index.weights import SUPPORT

PLACES = ["Oslo", "Bergen", "Turku", "Malmo", "Aarhus", "Tartu", "Gdansk", "Vilnius"]


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a few documents of each set."""
    folder = tmp_path_factory.mktemp("data") / "train"
    folder.mkdir()
    for source in ("squadshifts_new_wiki", "squadshifts_amazon_reviews", "squadshifts_reddit",
                   "squad2_dev_train"):  # fmt: skip
        documents, questions = [], []
        for i, place in enumerate(PLACES * 3):
            opening = f"The harbour of {place} was opened in {1800 + i}. "
            opening += f"So it is told in {source}. "
            text = opening + f"Its mayor, Anna Berg {i}, lives in {place}. It has 12 cranes. "
            text += "Many ships call there. The largest of them carries grain."
            documents.append(
                {"doc_id": f"{source}-{i}", "title": f"Harbours {i % 2}", "text": text}
            )
            at = text.index(str(1800 + i))
            questions.append(
                {"doc_id": f"{source}-{i}",
                 "question": f"When was harbour {i} of {place} opened?",
                 "answers": [str(1800 + i)], "spans": [[at, at + 4], [at - 3, at + 4]],
                 "answerable": True}
            )  # fmt: skip
            if source == "squad2_dev_train":
                questions.append(
                    {"doc_id": f"{source}-{i}", "question": f"When did {place} close it?",
                     "answers": [], "spans": [], "answerable": False}
                )  # fmt: skip
        write(folder, f"{source}.docs", documents)
        write(folder, f"{source}.questions", questions)
    write(folder, "fairytaleqa.qas", [
        {"question": "Who ran?", "answers": ["the fox"], "gold_docs": [f"Fox#{i}"],
         "context": f"Once, in year {i}, the fox ran home. It slept.", "span": [17, 24]}
        for i in range(9)
    ])  # fmt: skip
    write(folder, "qamr", [
        {"sentence": f"Bob ate {i} plums .", "question": "Who ate?", "answers": ["Bob"],
         "contiguous": True}
        for i in range(9)
    ])  # fmt: skip
    write(folder, "squad_sentence_pairs", [
        {"sentence": f"the town of {p.lower()} is old . ", "question": f"what town is {i} ?"}
        for i, p in enumerate(PLACES * 2)
    ])  # fmt: skip
    write(folder, "support_pairs", [
        {"source": source, "premise": f"The ferry to {p} sails at {i}. It is blue.",
         "hypothesis": f"The ferry to {p} is {'blue' if i % 2 else 'red'}.", "support": i % 2}
        for source in ("conjnli", "wice_train_partial") for i, p in enumerate(PLACES * 5)
    ])  # fmt: skip
    return folder.parent


@pytest.fixture(scope="module")
def examples(data: Path) -> list[Example]:
    training, _ = made.make(data, load_embedder())
    return training


def test_every_span_is_within_its_passage_and_says_an_answer(examples: list[Example]) -> None:
    years = [e for e in examples if e.source == "new_wiki"]
    assert len(years) > 30
    for example in examples:
        for start, end in example.spans:
            assert 0 <= start < end <= len(example.text)
    for example in years:
        assert all(example.text[s:e].strip("in ").isdigit() for s, e in example.spans)


def test_what_does_not_answer_holds_no_answer(examples: list[Example]) -> None:
    kinds = {e.source.rpartition("-")[2] for e in examples if not e.answerable}
    assert kinds >= {"edited", "deleted", "near", "without", "squad2"}
    originals = {f"When was harbour {i} of {p} opened" for i, p in enumerate(PLACES * 3)}
    seen = set()
    for example in examples:
        if example.source.endswith(("-deleted", "-near")) and example.question.startswith("When"):
            number = int(example.question.removeprefix("When was harbour ").split()[0])
            assert not contains_answer(example.text, [str(1800 + number)])
            seen.add(example.source.rpartition("-")[2])
        if example.source.endswith("-edited"):
            assert example.question.rstrip("?") not in originals
    assert seen == {"deleted", "near"}


def test_the_same_seed_gives_the_same_examples(data: Path, tmp_path: Path) -> None:
    first, watched = made.make(data, load_embedder(), seed=3)
    again, _ = made.make(data, load_embedder(), seed=3)
    other, _ = made.make(data, load_embedder(), seed=4)
    assert first == again
    assert first != other
    made.save(first, tmp_path / "examples.gz")
    assert made.load(tmp_path / "examples.gz") == first
    assert not {e.text for e in watched if e.answerable} & {e.text for e in first}


def test_a_missing_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"squadshifts_new_wiki\.docs"):
        made.make(tmp_path, load_embedder())


# -- claims --


@pytest.fixture(scope="module")
def claims(data: Path) -> list[Example]:
    training, _ = make_claims(data)
    return training


def test_claims_come_of_pairs_questions_and_sentences(claims: list[Example]) -> None:
    kinds = {e.source for e in claims}
    assert kinds >= {"conjnli", "wice_train_partial", "fairytaleqa-claim", "new_wiki-sentence"}
    assert all(e.supported is not None and not e.spans for e in claims)
    for example in claims:
        _, made, way = example.source.partition("-sentence")
        if made:
            assert example.supported is not bool(way), example
    for example in claims:
        if example.source == "fairytaleqa-claim" and example.supported:
            assert example.question == "The fox ran."
        if "-sentence-" in example.source:
            assert example.question not in example.text
    lengths = [len(e.text.split()) for e in claims if e.source == "wice_train_partial"]
    assert max(lengths) > 50 > min(lengths)  # some stand among others


def test_claims_are_the_same_with_a_seed_and_others_are_watched(data: Path) -> None:
    first, watched = make_claims(data, seed=3)
    assert (first, watched) == make_claims(data, seed=3)
    assert first != make_claims(data, seed=4)[0]
    assert 0 < len(watched) < len(first) / 5


@pytest.mark.parametrize(
    ("question", "answer", "claim"),
    [
        ("Who wrote the report?", "Ada", "Ada wrote the report."),
        ("What was opened in 1887", "the harbour", "The harbour was opened in 1887."),
        ("How many ships were opened?", "12", "12 were opened."),
        ("Which town has won the prize?", "Oslo.", "Oslo has won the prize."),
        ("When was it opened?", "1887", None),
        ("What did she want to go to?", "a fair", None),
    ],
)
def test_a_question_and_its_answer_are_said_as_a_claim(
    question: str, answer: str, claim: str | None
) -> None:
    assert claim_of(question, answer) == claim


SENTENCE = "On Friday, Anna Berg told the council that 12 ships of Oslo have not left the harbour."
OTHERS = Pool.of(
    [SENTENCE, "Peter Lund sold the old bridge to Turku.", "It snowed all night in the hills."]
)


@pytest.mark.parametrize("way", WAYS)
def test_a_changed_sentence_says_something_else(way: str) -> None:
    changed = {corrupt(SENTENCE, way, OTHERS, random.Random(seed)) for seed in range(8)}
    changed.discard(None)
    assert changed, way
    for other in changed:
        assert other
        assert other != SENTENCE
        assert set(other.split()) - set(SENTENCE.split()) or way in ("actors", "negation")
    assert corrupt("It rained.", way, Pool.of([]), random.Random(0)) is None


def test_what_is_changed_is_what_was_to_be_changed() -> None:
    rng = random.Random(1)
    denied = corrupt(SENTENCE, "negation", OTHERS, rng)
    assert denied == SENTENCE.replace("have not", "have")
    swapped = corrupt("Anna Berg told Peter Lund.", "actors", OTHERS, rng)
    assert swapped == "Peter Lund told Anna Berg."
    named = corrupt(SENTENCE, "name", OTHERS, rng)
    assert named
    assert ("Anna Berg" not in named) or ("Oslo" not in named)
    month = corrupt("It opened in May 2020 and was sold.", "negation", OTHERS, rng)
    assert month == "It opened in May 2020 and was not sold."
    assert corrupt("Theresa May can't swim.", "negation", OTHERS, rng) is None
    assert corrupt("The twenty-four men left.", "number", OTHERS, rng) is None
    longer = corrupt(SENTENCE, "clause", OTHERS, rng)
    assert longer
    assert longer.startswith(SENTENCE[:-1])


# -- the network --


@pytest.fixture(scope="module")
def reader() -> SpanReader:
    return from_reranker().eval()


def test_its_trunk_ranks_as_the_reranker_does(reader: SpanReader) -> None:
    pairs = [
        ("When is the summit?", "The summit takes place on Friday."),
        ("When is the summit?", "Bananas are yellow."),
        ("Who won the race?", "It was won by Anna."),
    ]
    ranker = Reranker()
    ranker.load()
    model: Any = ranker._model
    for encoding in tokenizer().encode_batch(pairs):
        values = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        with torch.no_grad():
            _, _, here, support = reader(*(torch.tensor([v]) for v in values))
        assert float(here) == pytest.approx(model._cross_score(encoding), abs=0.5)
        assert float(support) == float(here)  # both start from the reranker's own head


def test_answers_are_marked_at_their_tokens() -> None:
    text = "It was opened in 1887 by Anna."
    here = Example("When?", text, ((17, 21), (14, 21)), "x")
    nowhere = replace(here, spans=())
    somewhere = replace(here, spans=((0, 13),), weak=True)
    rows = [here, nowhere, somewhere]
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in rows])
    batch = encode(list(zip(rows, encodings, strict=True)), "cpu")
    words = [encodings[0].offsets[i] for i in batch.starts[0].nonzero().flatten()]
    assert [text[s:e] for s, e in words] == ["in", "1887"]
    assert [text[slice(*encodings[0].offsets[i])] for i in batch.ends[0].nonzero()] == ["1887"]
    assert batch.starts[1].nonzero().flatten().tolist() == [0]
    assert int(batch.starts[2].sum()) == int(batch.ends[2].sum()) == 3  # It, was, opened
    assert batch.here.tolist() == [1, 0, 1]
    assert not batch.claims.any()
    assert batch.allowed[0].sum() == sum(s == 1 for s in encodings[0].sequence_ids) + 1


def test_a_claim_teaches_the_support_head_alone(reader: SpanReader) -> None:
    held = Example("It was opened.", "It was opened in 1887.", (), "x", supported=True)
    rows = [held, replace(held, supported=False), replace(held, supported=None)]
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in rows])
    batch = encode(list(zip(rows, encodings, strict=True)), "cpu")
    assert batch.claims.tolist() == [True, True, False]
    assert batch.supported.tolist() == [1, 0, 0]
    for row, others in ((slice(0, 2), ("span", "here")), (slice(2, 3), ("support",))):
        one = encode(list(zip(rows[row], encodings[row], strict=True)), "cpu")
        reader.zero_grad(set_to_none=True)
        loss(reader, one).backward()
        for name in others:
            weight = getattr(reader, name).weight
            assert weight.grad is None or not weight.grad.any(), name
    reader.zero_grad(set_to_none=True)


def test_batches_hold_each_example_once_and_fit(examples: list[Example]) -> None:
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in examples])
    recipe = replace(RECIPE, tokens=600)
    steps = batches(examples, encodings, recipe)
    assert sorted(i for step in steps for i in step) == list(range(len(examples)))
    for step in steps:
        longest = max(len(encodings[i].ids) for i in step)
        assert len(step) == 1 or longest * len(step) <= 600
    assert steps == batches(examples, encodings, recipe)


def test_learning_lowers_the_loss(reader: SpanReader, examples: list[Example]) -> None:
    learner = from_reranker()
    learner.freeze(11)
    rows = [e for e in examples if e.source.startswith("new_wiki")][:8]
    encodings = tokenizer().encode_batch([(e.question, e.text) for e in rows])
    batch = encode(list(zip(rows, encodings, strict=True)), "cpu")
    optimiser = torch.optim.AdamW((p for p in learner.parameters() if p.requires_grad), lr=1e-3)
    before = float(loss(learner, batch).detach())
    for _ in range(16):
        optimiser.zero_grad()
        lost = loss(learner, batch)
        lost.backward()
        optimiser.step()
    assert float(loss(learner, batch).detach()) < before / 2
    assert torch.equal(
        learner.trunk.embeddings.word_embeddings.weight,
        reader.trunk.embeddings.word_embeddings.weight,
    )


def test_every_head_is_trained(reader: SpanReader) -> None:
    learner = from_reranker()
    learner.freeze(11)
    optimiser, _ = _optimiser(learner, RECIPE, 10)
    given = {id(p) for group in optimiser.param_groups for p in group["params"]}
    left = [n for n, p in learner.named_parameters() if p.requires_grad and id(p) not in given]
    assert left == []


def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, tokens=6000, frozen=11)
    whole = train(data, tmp_path / "whole", recipe, "cpu", most=4)
    train(data, tmp_path / "parts", recipe, "cpu", most=2)
    parts = train(data, tmp_path / "parts", recipe, "cpu", most=4)
    for (name, one), other in zip(
        whole.state_dict().items(), parts.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    journal = [*map(json.loads, (tmp_path / "parts" / "log.jsonl").read_text("utf-8").splitlines())]
    assert journal[0]["examples"] > 100
    assert set(journal[-1]["watched"]) <= {"exact", "f1", "auroc", "support"}


def test_shares_of_questions_and_claims_are_trained_on(data: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, tokens=6000, frozen=11, questions=0.0, claims=0.5)
    train(data, tmp_path / "run", recipe, "cpu", most=1)
    journal = [*map(json.loads, (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines())]
    assert set(journal[-1]["watched"]) == {"support"}
    assert journal[0]["examples"] == round(0.5 * len(make_claims(data)[0]))


def test_another_recipe_does_not_go_on_from_a_checkpoint(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = replace(RECIPE, tokens=6000, frozen=11)
    train(data, tmp_path / "run", recipe, "cpu", most=1)
    result = CliRunner().invoke(
        app, [str(data), "--output", str(tmp_path / "run"), "--rate", "0.5"]
    )
    assert result.exit_code == 2
    assert "these differ: rate, frozen, tokens" in " ".join(caplog.text.split())


def test_other_data_or_first_weights_do_not_go_on_from_a_checkpoint(
    data: Path, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, tokens=6000, frozen=11)
    reader = train(data, tmp_path / "run", recipe, "cpu", most=1)
    one, other = tmp_path / "one.pt", tmp_path / "other.pt"
    torch.save(reader.state_dict(), one)
    torch.save({**reader.state_dict(), "here.bias": torch.ones(1)}, other)
    started = tmp_path / "started"
    train(data, started, recipe, "cpu", start=one, most=1)
    train(data, started, recipe, "cpu", start=one, most=2)
    journal = (started / "log.jsonl").read_text("utf-8").splitlines()
    steps = [json.loads(line).get("step") for line in journal]
    assert steps[-1] == 2
    for start in (None, other):
        with pytest.raises(TrainingDataError, match="these differ: start"):
            train(data, started, recipe, "cpu", start=start, most=2)
    elsewhere = tmp_path / "data"
    shutil.copytree(data, elsewhere)
    rows = (elsewhere / "train" / "qamr.jsonl.gz").read_bytes()
    (elsewhere / "train" / "qamr.jsonl.gz").write_bytes(gzip.compress(gzip.decompress(rows) * 2))
    with pytest.raises(TrainingDataError, match="these differ: data"):
        train(elsewhere, tmp_path / "run", recipe, "cpu", most=2)


def test_examples_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    example = Example("Who?", "Ann did.", ((0, 3),), "a")
    file = tmp_path / "examples.jsonl.gz"
    made.save([example], file)

    def stopped() -> Iterator[Example]:
        yield example
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made.save(stopped(), file)
    assert made.load(file) == [example]


def test_what_is_exported_says_what_the_network_says(tmp_path: Path) -> None:
    small = from_reranker().eval()
    del small.trunk.encoder.layer[2:]
    small.trunk.config.num_hidden_layers = 2
    export(small, tmp_path / "small.onnx", quantised=False)
    export(small, tmp_path / "small.int8.onnx")
    encoding = tokenizer().encode("When was it opened?", "It was opened in 1887 by Anna Berg.")
    values = [[encoding.ids], [encoding.attention_mask], [encoding.type_ids]]
    with torch.no_grad():
        expected = [x.numpy() for x in small(*map(torch.tensor, values))]
    for file, near in (("small.onnx", 1e-3), ("small.int8.onnx", 0.6)):
        assert b".py" not in (tmp_path / file).read_bytes()  # no traces of where it was made
        session = onnxruntime.InferenceSession(os.fspath(tmp_path / file))
        given = {k: np.array(v) for k, v in zip(INPUTS, values, strict=True)}
        for got, want in zip(session.run(None, given), expected, strict=True):
            assert np.abs(got - want).max() < near
    assert (tmp_path / "small.int8.onnx").stat().st_size < (
        tmp_path / "small.onnx"
    ).stat().st_size / 3


def test_the_shipped_weights_can_be_trained_further() -> None:
    question, passage = "When does it open?", "The harbour of Bergen opens on 4 May at noon."
    encoding = tokenizer().encode(question, passage)
    inputs = {
        "input_ids": torch.tensor([encoding.ids]),
        "attention_mask": torch.tensor([encoding.attention_mask]),
        "token_type_ids": torch.tensor([encoding.type_ids]),
    }
    with torch.no_grad():
        starts, ends, here, _ = (x.numpy()[0] for x in from_shipped().eval()(**inputs))
        *_, support = (x.numpy()[0] for x in from_shipped(SUPPORT).eval()(**inputs))
    (span, *_) = best_spans(encoding, starts, ends)
    (reading,) = load_reader().read(question, [passage])
    (first, *_) = reading.spans
    assert passage[span.start : span.end] == passage[first.start : first.end] == "4 May at noon"
    assert float(here) == pytest.approx(reading.here, abs=1.0)
    assert span.logit == pytest.approx(first.logit, abs=1.5)
    (odds,) = load_support_model().support(question, [passage])
    assert float(support) == pytest.approx(odds, abs=1.0)
