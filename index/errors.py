"""Every error that a caller may want to catch, drawn as one family.

::

    AskArticleError
    ├── ArticleError          an article that cannot be read
    │   ├── ArticleNotFound       no file at that path
    │   ├── EmptyArticle          nothing to read in it
    │   └── UnreadableArticle     binary, too large, or of a format that is not read
    ├── UnknownArticle        no article with that id in the store
    ├── StoreError            a store that cannot be used
    │   ├── StoreInUse            another process has it open
    │   ├── StoreMismatch         another configuration built it
    │   ├── StoreDamaged          its files cannot be read
    │   └── StoreNotWritable      its folder cannot be written
    ├── WeightsError          the files of an embedded model are missing or differ
    ├── ModelUnavailable      a chat model that cannot be set up or does not answer
    ├── QuestionError         a question or a history that cannot be asked
    ├── SettingsError         a setting with a value that makes no sense
    ├── QuestionSetError      a question set that cannot be read
    ├── SuiteError            a published set that cannot be read (bot/sets.py)
    └── TrainingDataError     a folder of training data that cannot be used (bot/reader/examples.py)

Every message names the value, what was expected, and the next step.
"""

from __future__ import annotations


class AskArticleError(Exception):
    """The root of the family: catch it to catch all that this project raises on purpose."""


class ArticleError(AskArticleError):
    """An article that cannot be read."""


class ArticleNotFound(ArticleError):
    """There is no file at the path given for an article."""


class EmptyArticle(ArticleError):
    """The article holds no text."""


class UnreadableArticle(ArticleError):
    """The article is binary, too large, or of a format that is not read."""


class UnknownArticle(AskArticleError):
    """The store has no article with the id asked for."""


class StoreError(AskArticleError):
    """A store that cannot be used."""


class StoreInUse(StoreError):
    """Another process has the store open."""


class StoreMismatch(StoreError):
    """The store was built with another embedding model, chunker or schema."""


class StoreDamaged(StoreError):
    """The files of the store cannot be read."""


class StoreNotWritable(StoreError):
    """The folder of the store cannot be created or written."""


class WeightsError(AskArticleError):
    """The files of an embedded model are missing or are not the ones that were measured."""


class ModelUnavailable(AskArticleError):
    """A chat model cannot be set up, or does not answer."""


class QuestionError(AskArticleError):
    """A question or a history that cannot be asked."""


class SettingsError(AskArticleError):
    """A setting has a value that makes no sense."""


class QuestionSetError(AskArticleError):
    """A question set that cannot be read."""
