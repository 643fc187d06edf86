"""The words that a chat model is given; text files, no code of ours.

A prompt file declares its variables in its first line (``variables: question evidence``), then
holds messages, each under a line ``[system]`` or ``[user]``, with ``$question`` where a variable
goes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Template

__all__ = ["Prompt", "PromptError", "load"]

_ROLE = re.compile(r"^\[(system|user|assistant)\]$", re.MULTILINE)


class PromptError(ValueError):
    """A prompt file, or the values given to it, do not agree with what it declares."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with its declared variables.

    Attributes:
        name: the file's name without suffix.
        variables: the variables that must be given, all of them.
        messages: role and template of each message.
    """

    name: str
    variables: frozenset[str]
    messages: tuple[tuple[str, Template], ...]

    def render(self, **values: str) -> list[tuple[str, str]]:
        """Return the messages as (role, text), the variables filled in.

        Raises:
            PromptError: a variable is missing, or one is given that the prompt does not declare.
        """
        given = frozenset(values)
        if given != self.variables:
            missing = ", ".join(sorted(self.variables - given)) or "none"
            foreign = ", ".join(sorted(given - self.variables)) or "none"
            raise PromptError(
                f"Prompt {self.name}.txt declares {', '.join(sorted(self.variables))}; "
                f"missing: {missing}; not declared: {foreign}."
            )
        return [(role, template.substitute(values)) for role, template in self.messages]


@cache
def load(name: str) -> Prompt:
    """Read a prompt of this package by its name.

    Raises:
        PromptError: there is no such file, or it uses variables that it does not declare.
    """
    file = resources.files(__name__).joinpath(f"{name}.txt")
    if not file.is_file():
        raise PromptError(f"There is no prompt {name}.txt in the package {__name__}.")
    return parse(name, file.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Prompt:
    """Make a prompt from the text of its file.

    Raises:
        PromptError: the declaration is missing, or differs from the variables used.
    """
    first, _, body = text.partition("\n")
    head, _, declared = first.partition(":")
    if head.strip() != "variables":
        raise PromptError(f"Prompt {name}.txt must begin with a line 'variables: …'.")
    parts = _ROLE.split(body)
    messages = tuple(
        (role, Template(message.strip()))
        for role, message in zip(parts[1::2], parts[2::2], strict=True)
    )
    if not messages:
        raise PromptError(f"Prompt {name}.txt has no message: put one under a line [user].")
    if parts[0].strip():
        raise PromptError(
            f"Prompt {name}.txt has text before its first message: put it under [system] or [user]."
        )
    if not all(template.is_valid() for _, template in messages):
        raise PromptError(f"Prompt {name}.txt has a $ that names no variable: write it as $$.")
    variables = frozenset(declared.split())
    used = frozenset(v for _, template in messages for v in template.get_identifiers())
    if used != variables:
        raise PromptError(
            f"Prompt {name}.txt declares {', '.join(sorted(variables)) or 'nothing'} and uses "
            f"{', '.join(sorted(used)) or 'nothing'}: make them agree."
        )
    return Prompt(name, variables, messages)
