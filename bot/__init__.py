"""From a question to a cited answer.

>>> from bot import Bot
>>> bot = Bot.open()
>>> answer = bot.ask("On which day is the summit?")
"""

from bot.bot import Bot
from bot.records import (
    REFUSAL,
    Answer,
    Candidate,
    Citation,
    Message,
    Sentence,
    Support,
    Trace,
)
from bot.settings import Settings
from index import (
    Article,
    ArticleError,
    ArticleNotFound,
    AskArticleError,
    EmptyArticle,
    ModelUnavailable,
    Passage,
    QuestionError,
    QuestionSetError,
    SettingsError,
    StoreDamaged,
    StoreError,
    StoreInUse,
    StoreMismatch,
    StoreNotWritable,
    UnknownArticle,
    UnreadableArticle,
    WeightsError,
)

__all__ = [
    "REFUSAL",
    "Answer",
    "Article",
    "ArticleError",
    "ArticleNotFound",
    "AskArticleError",
    "Bot",
    "Candidate",
    "Citation",
    "EmptyArticle",
    "Message",
    "ModelUnavailable",
    "Passage",
    "QuestionError",
    "QuestionSetError",
    "Sentence",
    "Settings",
    "SettingsError",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreMismatch",
    "StoreNotWritable",
    "Support",
    "Trace",
    "UnknownArticle",
    "UnreadableArticle",
    "WeightsError",
]
