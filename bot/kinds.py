"""What kind of turn a question is: a look-up, an overview, small talk, or nothing."""

from __future__ import annotations

import re

from bot.records import Kind

LONGEST_CHAT = 80
"""Characters of small talk at most: a longer text holds a question."""

LONGEST_OVERVIEW = 160
"""Characters of a request for an overview at most."""

_POLITE = (
    r"(?:(?:please|can you|could you|would you|will you|i want|i need|give me|show me|tell me|"
    r"let me have|provide|write|make)\W+)*"
)
_TEXT = r"(?:article|text|story|piece|news|document|page|thing)"
_THING = rf"(?:it|this|that|everything|(?:the|this|that) (?:whole |entire )?{_TEXT})"
_OF = rf"(?: (?:of|in|from|for) {_THING})?"
_MAIN = r"(?:main|key|most important|major|central)"
_POINTS = r"(?:points|ideas|takeaways|topics|facts|messages|claims|arguments)"
_ABOUT = r"(?:gist|main point|main idea|main topic|topic|subject|message|takeaway|summary|overview)"
_SUMMARY = r"(?:summary|overview|synopsis|outline|recap|gist|abstract)"
_LENGTH = (
    r"(?:,? (?:in (?:a |one |two |three |a few |\d+ )?(?:words?|sentences?|bullet points|points|"
    r"short|brief|lines?)|briefly|shortly|quickly|please|for me|then))*"
)
_ASKS_OVERVIEW = [
    rf"what(?:['’]?s| is| was)? {_THING}(?: all)? (?:all )?about",
    rf"what(?:['’]?s| is) (?:the |its )?{_ABOUT}{_OF}",
    rf"what does {_THING} (?:say|talk about|cover|discuss|deal with|tell us)",
    rf"what (?:are|were) (?:the |its )?{_MAIN} {_POINTS}{_OF}",
    rf"(?:the |its )?{_MAIN} {_POINTS}{_OF}",
    rf"(?:a |an |the )?(?:short |brief |quick |concise )?{_SUMMARY}{_OF}",
    rf"(?:briefly )?(?:summari[sz]e|sum up|recap|outline)(?: {_THING})?(?: up)?",
    r"tl\W?dr|in a nutshell|in short",
]
_OVERVIEW = re.compile(rf"^\W*{_POLITE}(?:{'|'.join(_ASKS_OVERVIEW)}){_LENGTH}\W*$", re.IGNORECASE)
_PLEASANTRIES = [
    r"hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)",
    r"thanks?|thank you|thx|ty|cheers|many thanks|much appreciated",
    r"ok|okay|great|nice|cool|perfect|awesome|excellent|got it|i see|bye|goodbye|see you",
    r"how are you|what['’]?s up|who are you|what are you|what can you do|help",
    r"what can i ask(?: you)?|how do(?:es)? (?:this|it|you) work",
]
_TAIL = (
    r"(?: (?:so much|very much|a lot|then|bot|there|again|for that|for (?:your|the) help|"
    r"everyone|today|doing))*"
)
_CHAT = re.compile(rf"^\W*(?:(?:{'|'.join(_PLEASANTRIES)}){_TAIL}\b\W*)+$", re.IGNORECASE)

_OPENING = re.compile(
    rf"^\W*(?:(?:{'|'.join(_PLEASANTRIES[:3])}){_TAIL}(?:\s*[,.!:;–—-]+\s*|\s*\n))+(?=\S+ \S)",
    re.IGNORECASE,
)


def without_pleasantries(question: str) -> str:
    """Return a question without the greeting or thanks that opens it."""
    return _OPENING.sub("", question[:LONGEST_CHAT]) + question[LONGEST_CHAT:]


def kind(question: str) -> Kind:
    """Tell what a question asks for.

    Returns:
        ``"empty"`` where it holds no letter or digit, ``"chat"`` for greetings and thanks,
        ``"overview"`` where it asks for the whole article in short, else ``"lookup"``.
    """
    if not any(ch.isalnum() for ch in question):
        return "empty"
    if len(question) <= LONGEST_CHAT and _CHAT.match(question):
        return "chat"
    if len(question) <= LONGEST_OVERVIEW and _OVERVIEW.match(question):
        return "overview"
    return "lookup"
