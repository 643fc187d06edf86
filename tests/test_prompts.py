"""Prompt files declare their variables; what does not agree fails by name."""

from __future__ import annotations

from importlib import resources

import pytest

import prompts
from bot import REFUSAL
from prompts import PromptError, load
from prompts import parse as parse_prompt

NAMES = sorted(
    f.name.removesuffix(".txt")
    for f in resources.files("prompts").iterdir()
    if f.name.endswith(".txt")
)


def test_the_files_are_those_in_use() -> None:
    assert NAMES == ["condense", "write"]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_renders_what_it_declares(name: str) -> None:
    prompt = load(name)
    values = {v: f"<<{v} $1 {{x}}>>" for v in prompt.variables}
    messages = prompt.render(**values)
    assert [role for role, _ in messages] == ["system", "user"]
    shown = "\n".join(text for _, text in messages)
    for value in values.values():
        assert value in shown
    assert all(f"${v}" not in shown for v in prompt.variables)


def test_the_refusal_phrase_comes_from_the_code() -> None:
    text = resources.files("prompts").joinpath("write.txt").read_text(encoding="utf-8")
    assert REFUSAL not in text
    assert "$refusal" in text
    system = load("write").render(title="t", evidence="e", question="q", refusal=REFUSAL)[0][1]
    assert f"reply with exactly: {REFUSAL}" in system


def test_the_prompt_shows_a_right_and_a_wrong_citation() -> None:
    system = load("write").messages[0][1].template
    assert "Right:" in system
    assert "Wrong" in system
    assert "[2]" in system


def test_missing_and_foreign_variables_are_named() -> None:
    with pytest.raises(PromptError, match=r"write\.txt.*missing: evidence.*not declared: passages"):
        load("write").render(title="t", passages="e", question="q", refusal="r")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[user]\n$a", "must begin with a line 'variables"),
        ("variables: a\nno message", "has no message|before its first message"),
        ("variables: a\n[user]\n$b", "declares a and uses b"),
        ("variables:\n[user]\n$b", "declares nothing and uses b"),
        ("variables: a b\n[user]\n$a", "declares a, b and uses a"),
        ("variables: a\nstray\n[user]\n$a", "text before its first message"),
        ("variables: a\n[user]\n$a costs $5", r"a \$ that names no variable"),
    ],
)
def test_files_that_do_not_agree_fail_by_name(text: str, message: str) -> None:
    with pytest.raises(PromptError, match=message) as caught:
        parse_prompt("mine", text)
    assert "mine.txt" in str(caught.value)


def test_unknown_prompt_is_named() -> None:
    with pytest.raises(PromptError, match=r"no prompt nothing\.txt"):
        load("nothing")


def test_exported_names_exist() -> None:
    assert all(hasattr(prompts, name) for name in prompts.__all__)
