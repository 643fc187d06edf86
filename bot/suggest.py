"""Questions to offer: made from an article's own sentences, so that it answers them."""

from __future__ import annotations

import re

from bot.words import names
from index import Article

_NAMED_VERB = re.compile(
    r"\b((?:[A-Z][\w’'\-]+ )?[A-Z][\w’'\-]+) "
    r"(?:has |have |also )*(den(?:ies|ied)|demand(?:s|ed)|seek(?:s)?|sought|insist(?:s|ed)|"
    r"maintain(?:s|ed)|claim(?:s|ed)|want(?:s|ed)|allege(?:s|d)|refute(?:s|d)|reject(?:s|ed)|"
    r"suggest(?:s|ed)|state(?:s|d)|said|says|warn(?:s|ed)|urge(?:s|d)|announce(?:s|d)|"
    r"propose(?:s|d)|declare(?:s|d)|plan(?:s|ned)|promise(?:s|d)|report(?:s|ed)|find(?:s)?|found|"
    r"show(?:s|ed)|argue(?:s|d)|believe(?:s|d)|expect(?:s|ed)|hope(?:s|d))\b"
)
_BASES = {"sought": "seek", "said": "say", "says": "say", "found": "find", "denies": "deny",
          "denied": "deny", "planned": "plan"}  # fmt: skip


def suggest(article: Article, limit: int) -> tuple[str, ...]:
    """Return questions that an article answers, made from its own sentences.

    A sentence in which a name is followed by a verb of saying or wanting gives "What does …?";
    the names that recur most fill up what is missing.
    """
    counts: dict[str, int] = {}
    for name in re.findall(r"(?<=[a-z,] )[A-Z][\w’\-]+", article.text):
        counts[name] = counts.get(name, 0) + 1
    found = ["What is this article about?"]
    seen: set[str] = set()
    for match in _NAMED_VERB.finditer(article.text):
        name, verb = match.group(1), match.group(2)
        last = name.split()[-1]
        if (
            name[-2:] in ("’s", "'s")
            or last in seen
            or last not in counts
            or name.split()[0] in _FUNCTION
        ):
            continue
        seen.add(last)
        past = verb.endswith("ed") or verb in ("sought", "said", "found")
        found.append(f"What {'did' if past else 'does'} {name} {_base(verb)}?")
    for name, _ in sorted(counts.items(), key=lambda item: -item[1]):
        if name not in seen and name in names(article.text) and len(found) < limit:
            found.append(f"What does the article say about {name}?")
    return tuple(dict.fromkeys(found))[:limit]


_FUNCTION = frozenset("The A An In On At But And For This That It He She They If When As".split())


def _base(verb: str) -> str:
    if verb in _BASES:
        return _BASES[verb]
    if verb.endswith("ed"):
        silent = {"state", "urge", "announce", "propose", "declare", "promise", "argue", "believe",
                  "allege", "refute"}  # fmt: skip
        return verb[:-1] if verb[:-1] in silent else verb[:-2]
    return verb.removesuffix("s")
