"""From an article to searchable passages: load, chunk, embed, store."""

import os

# onnxruntime, which the reranker and Chroma bring, reports its use unless told not to before it is
# imported; a call afterwards is too late.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from index.article import Article, bundled
from index.chunk import Chunking, Passage, chunk
from index.embed import Embedder, load_embedder
from index.errors import (
    ArticleError,
    ArticleNotFound,
    AskArticleError,
    EmptyArticle,
    ModelUnavailable,
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
from index.store import Store

__all__ = [
    "Article",
    "ArticleError",
    "ArticleNotFound",
    "AskArticleError",
    "Chunking",
    "Embedder",
    "EmptyArticle",
    "ModelUnavailable",
    "Passage",
    "QuestionError",
    "QuestionSetError",
    "SettingsError",
    "Store",
    "StoreDamaged",
    "StoreError",
    "StoreInUse",
    "StoreMismatch",
    "StoreNotWritable",
    "UnknownArticle",
    "UnreadableArticle",
    "WeightsError",
    "bundled",
    "chunk",
    "load_embedder",
]
