"""From a turn of the conversation to what is searched for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.cite import unescape
from bot.kinds import kind, without_pleasantries
from bot.records import REFUSAL, Query, Turn
from bot.spell import correct
from bot.words import content, dates, names, words

FORMS = 5
"""Most wordings tried for a follow-up; each costs a pass of the reranker."""

JOINED = 3.0
"""Logits by which the earlier question joined with this one must beat a form that stands alone.

It also finds what answered the earlier question, and so looks better than it is.
"""

REWRITTEN = 1.0
"""Logits by which a wording by rule must beat the one of a chat model, which may be a bad one."""

EARLIER = 1.0
"""Logits by which a name must beat one that was named later: pronouns mostly mean the latest."""

SUBJECT_WORDS = 3
"""Content words, a name among them, with which a question that opens with "and" is taken to be
whole: "And did Putin?" is not, "And what does Putin demand of Ukraine?" is."""

CARRIED = 200
"""Characters of an earlier question that are carried over to a follow-up."""

_OPENER = re.compile(
    r"^\W*(?:and|but|or|so|also|then|what about|how about|why not|how come|how so|what else|"
    r"who else|where else|when else|which else|anything else|anyone else|any other|which other|"
    r"what other|more|tell me more|go on|continue|elaborate|for example|such as|like what|"
    r"really|are you sure|same for|not even|even|"
    r"(?:is|are|was|were) there (?:any |some )?(?:\w+ )?(?:else|other))\b",
    re.IGNORECASE,
)
_ELSE = re.compile(r"\b(?:else|others?|another|besides|further|additional)\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
_THINGS = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|themselves|these|those)\b", re.IGNORECASE
)
_POINTING = re.compile(
    r"\b(?:this|that)\b(?! (?:article|text|story|year|week|month|piece))|\b(?:there|then|the same|"
    r"the others?|the former|the latter|the (?:first|second|two|idea|proposal|plan)(?=\W*$))\b",
    re.IGNORECASE,
)
# "Did Trump meet him?", "Does Russia admit it?": an object is not the subject named before it.
_OBJECT = re.compile(
    r"(?:him|them|it|these|those)\W*(?:$|(?:so far|yet|now|too|again|from|to|with|in|on|at|for|"
    r"about)\b)",
    re.IGNORECASE,
)
# "Is it true that", "is there any", "says that he": words that point at nothing before the turn.
_IDLE = re.compile(
    r"\b(?:is|was|does|did|will|would|has|had|are|were|be)\s+(?:it|there)\s+(?:true|a|an|any|the|"
    r"possible|likely|clear|known|said|be|that|been|going|some|no|not|really|also|since|to)\b|"
    r"\b(?:that|so) (?:the|a|an|he|she|it|they|his|her|its|their|(?-i:[A-Z]\w*))\b|"
    r"\bthis (?-i:[A-Z]\w*)|\b(?:say|says|said|claims?|claimed|think|thinks|believes?|states?|"
    r"stated|insists?|demands?|mentions?|suggests?|suggested|argues?|warn(?:s|ed)?|"
    r"den(?:y|ies|ied)|conced(?:e|es|ed)|admit(?:s|ted)?|agreed?|"
    r"knows?|knew|shows?|showed|reports?|reported|true|fact|anything|something|"
    r"everything|things?|countries|leaders|people|those|one) that\b|\bthere (?:is|are|was|were)\b|"
    r"\b(?:is|are|was|were) there\b|"
    r"\b(?:does|will|would|is) it (?:cost|take|snow|rain|snowing|raining|matter|safe|best|hard|"
    r"easy|legal|illegal)\b",
    re.IGNORECASE,
)
# "How did the company raise its prices": whose they are is said before.
_OWN = re.compile(
    r"\b(?:the|an?) (?:[a-z-]+ ){0,2}?[a-z-]+(?<!s) [^,;]*?\b(?P<its>its|itself)\b|"
    r"\b(?:the|many|some|most) (?:[a-z-]+ ){0,2}?[a-z-]+s [^,;]*?\b(?P<their>their|themselves)\b",
    re.IGNORECASE,
)
# "the members that left": what stands before it is what it means.
_RELATIVE = re.compile(
    r"\b(?!(?:is|are|was|were|be|do|does|did|has|have|had|will|would|can|could|should|may|might|"
    r"must|of|in|on|at|by|for|with|from|to|about|after|before|since|until|during|like|and|but|or|"
    r"so|if|when|where|why|how|what|who|whom|which|not)\b)[a-z]\w+,? that (?:is|are|was|were|has|"
    r"have|had|do|does|did|will|would|can|could|should|may|might|must|came|made|won|led|took|gave|"
    r"went|got|left|lost|held|\w+ed)\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"^\W*(?:and |but |so |then |since |until )?(?P<word>who|what|when|where|why|how|"
    r"how many|how much|how long|since when|which one|what for)"
    r"(?: (?:is|was|were|are) (?:that|it|this|they)"
    r"(?: (?:happening|exactly))?| exactly| not| so)?\W*$",
    re.IGNORECASE,
)
# What these ask for can be left out of the question; "what did he say" without "what" cannot.
_CIRCUMSTANCE = re.compile(r"\W*(?:when|where|why|how(?: (?:often|soon|long))?)\b", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should|may|might|must)\b",
    re.I,
)
_NAMEABLE = re.compile(r"he|she|him|her|his|hers|himself|herself|they|them|their|theirs", re.I)
_CONJUNCTION = re.compile(r"\W*(?:and|but|so|or|then|also)\b\W*", re.IGNORECASE)
_MORE_ABOUT = re.compile(
    r"\W*(?:(?:please |can you |could you )*tell me )?more about\b\W*", re.IGNORECASE
)
_ASKING = re.compile(
    rf"(?:who|whom|whose|what|which|when|where|why|how)\b|{_AUXILIARY.pattern}", re.IGNORECASE
)
_SECOND_CLAUSE = re.compile(r"\w+ \w+,? (?:and|but|or) ")
_PREPOSITION = re.compile(
    r"^\W*(?:in|on|at|by|with|from|for|to|of|about|under|after|before|since|until)\b", re.I
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|been|am|do|does|did|has|have|had|can|could|will|would|should|may|"
    r"might|must|say|says|said|want|wants|happen|happens|happened)\b|\w+(?:ed|ing)\b",
    re.IGNORECASE,
)


def stands_alone(question: str) -> bool:
    """Whether a question can be understood without the turns before it.

    It cannot where it opens with "and", "what about" and their like, is a bare question word or
    phrase, or holds a pronoun whose antecedent is not in the question itself. An "and" or "tell me
    more about" before words that name their subject says nothing of that.
    """
    more = _MORE_ABOUT.match(question)
    lead = more or _CONJUNCTION.match(question)
    rest = question[lead.end() :] if lead else ""
    if (more or _ASKING.match(rest)) and names(rest) and len(content(rest)) >= SUBJECT_WORDS:
        question = rest
    if _OPENER.match(question) or _BARE.match(question):
        return False
    if _PREPOSITION.match(question) and len(words(question)) <= 4:
        return False
    if len(words(question)) <= 3 and not _VERB.search(question) and not question.istitle():
        return False
    return not _dangling(question)


def _dangling(question: str) -> list[re.Match[str]]:
    """Return the words of a question that point to something said before it."""
    idle = [m.span() for pattern in (_IDLE, _RELATIVE) for m in pattern.finditer(question)]
    idle += [m.span(m.lastgroup or 0) for m in _OWN.finditer(question)]
    found = []
    for pattern in (_PERSON, _THINGS, _POINTING):
        for match in pattern.finditer(question):
            if any(a <= match.start() < b for a, b in idle):
                continue
            if _SECOND_CLAUSE.search(question[: match.start()]):
                continue  # "Who wants peacekeepers, and what does Russia think of them?"
            named = names(question[: match.start()])
            if pattern is not _POINTING and named and not _OBJECT.match(question, match.start()):
                continue  # "When Putin spoke, did he …" names him itself
            found.append(match)
    return sorted(found, key=lambda m: m.start())


def condense(
    turn: Turn, texts: Sequence[str] = (), rewrite: Callable[[Turn], str] | None = None
) -> Query:
    """Decide what to search for.

    Args:
        turn: the turn.
        texts: the articles searched, by whose words misspellings are set right.
        rewrite: makes a follow-up stand alone with a chat model; what it returns, if it does, is
            preferred to the wordings by rule where the reranker does not judge one of them clearly
            better. A question that stands alone is never rewritten, so that it cannot drift.
    """
    what = kind(turn.question)
    if what != "lookup":
        return Query(turn, what, (turn.question,))
    turn = replace(turn, question=without_pleasantries(turn.question))
    asked = [m.content for m in turn.history if m.role == "user"]
    forms, joined, leaning = {turn.question: 0.0}, "", False
    if asked and not stands_alone(turn.question):
        leaning = True
        forms, joined = _forms(turn, asked)
        if rewrite and (rewritten := rewrite(turn)) and stands_alone(rewritten):
            by_rule = {form: handicap + REWRITTEN for form, handicap in forms.items()}
            forms = {rewritten: 0.0, **{f: h for f, h in by_rule.items() if f != rewritten}}
    corrected = {correct(form, texts): handicap for form, handicap in forms.items()}
    forms = {**corrected, **forms}
    answers = [unescape(m.content) for m in turn.history if m.role == "assistant"]
    said = [a for a in answers if not a.startswith(REFUSAL)]  # what a refusal offers is not given
    return Query(
        turn,
        what,
        tuple(forms),
        joined=joined,
        handicaps=forms,
        given=" ".join(" ".join(said).split()),
        exclude=leaning and bool(_ELSE.search(turn.question)),
    )


def _forms(turn: Turn, asked: list[str]) -> tuple[dict[str, float], str]:
    """Return the wordings to try for a follow-up with their handicaps, and the joined one."""
    question, last = turn.question, asked[-1][:CARRIED].strip()
    anchor = next((a for a in reversed(asked) if kind(a) == "lookup" and stands_alone(a)), last)
    anchor = anchor[:CARRIED].strip()
    earlier = [last] if anchor == last else [anchor, last]
    forms: dict[str, float] = {}
    rest = _OPENER.sub("", question).strip(" ,?!.…")
    if anchor == last and (reworded := _reworded(anchor, question)):
        forms[reworded] = 0.0
    elif not _VERB.search(rest) and not _ELSE.search(question):
        forms |= dict.fromkeys(_swapped(anchor, rest), 0.0)
    # "It" and "that" mostly stand for a whole matter, which only the earlier question can name.
    dangling = [m for m in _dangling(question) if _NAMEABLE.fullmatch(m.group())]
    if dangling:
        first = dangling[0]
        begin = lead.end() if (lead := _CONJUNCTION.match(question)) else 0
        subjects = [n for n in _subjects(turn, earlier) if n not in question]
        for rank, name in enumerate(subjects[: FORMS - 2]):
            possessive = first.group().lower() in {"his", "her", "their", "hers", "theirs"}
            put = name + "’s" if possessive else name
            form = question[begin : first.start()] + put + question[first.end() :]
            forms[form[:1].upper() + form[1:]] = EARLIER * rank
    joined = " ".join([*earlier, question])
    forms[joined] = JOINED
    if not _dangling(question) and not _OPENER.match(question) and not _BARE.match(question):
        forms[question] = 0.0  # a bare phrase may be a search of its own
    elif len(content(question)) >= SUBJECT_WORDS:
        forms[question] = JOINED  # what seems to lean may not
    return forms, joined


def _reworded(anchor: str, question: str) -> str | None:
    """Return the earlier question asked with a bare question word: "When?" after "Where is it?"."""
    bare = _BARE.match(question)
    if not bare:
        return None
    word = bare["word"].capitalize()
    if asked := _CIRCUMSTANCE.match(anchor):
        return f"{word} {anchor[asked.end() :].lstrip()}"
    if _AUXILIARY.match(anchor):
        return f"{word} {anchor[0].lower()}{anchor[1:]}"
    return None


def _swapped(anchor: str, phrase: str) -> list[str]:
    """Return the earlier question about something else: "And in Riyadh?" after "… in Oslo?"."""
    new = names(phrase)
    if len(new) != 1:
        return []
    return [anchor.replace(old, new[0]) for old in names(anchor) if old != new[0]]


def _subjects(turn: Turn, earlier: list[str]) -> list[str]:
    """Return the names that a pronoun may stand for, the most likely first.

    The last question's names come before the answer's, and a name that hangs on a preposition
    ("the president of Ukraine") after all others.
    """
    answers = [m.content for m in turn.history if m.role == "assistant"]
    ranked: dict[str, bool] = {}
    for text in [*reversed(earlier), *answers[-1:]]:
        for name in names(text):
            hangs = re.search(rf"\b(?:of|in|to|from|at|for|with|by) {re.escape(name)}", text)
            ranked.setdefault(name, bool(hangs))
    return sorted((n for n in ranked if not dates(n)), key=lambda n: ranked[n])
