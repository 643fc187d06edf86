"""Questions to offer: made from an article's own sentences, so that it answers them."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from bot.words import dates, names
from index import Article

READ = 20_000
"""Characters of an article that are looked through for questions to offer."""

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


@lru_cache(maxsize=64)
def suggest(article: Article, limit: int) -> tuple[str, ...]:
    """Return questions to offer about an article, made from its own sentences.

    A sentence in which a name is followed by a verb of saying or wanting gives "What does …?";
    the names that recur most fill up what is missing.

    Args:
        article: the article.
        limit: how many questions at most.
    """
    text = article.text[:READ]
    counts = Counter(re.findall(r"(?<=[a-z,] )[A-Z][\w’\-]+", text))
    called = set(names(text))
    found = ["What is this article about?"]
    seen: set[str] = set()
    for match in _NAMED_VERB.finditer(text):
        name, verb = match.group(1), match.group(2)
        last = name.split()[-1]
        if name not in called or last in seen or last not in counts or dates(name):
            continue
        seen.add(last)
        past = verb.endswith("ed") or verb in ("sought", "said", "found")
        found.append(f"What {'did' if past else 'does'} {name} {_base(verb)}?")
    for name, count in counts.most_common():
        if len(found) >= limit or count < 2:
            break
        if name not in seen and name in called and not dates(name):
            found.append(f"What does the article say about {name}?")
    return tuple(dict.fromkeys(found))[:limit]


def _base(verb: str) -> str:
    if verb in _BASES:
        return _BASES[verb]
    if verb.endswith("ed"):
        silent = {"state", "urge", "announce", "propose", "declare", "promise", "argue", "believe",
                  "allege", "refute"}  # fmt: skip
        return verb[:-1] if verb[:-1] in silent else verb[:-2]
    return verb.removesuffix("s")
