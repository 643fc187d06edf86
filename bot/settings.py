"""Every setting in one place: by keyword, environment variable or ``.env`` file."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import SettingsError

log = logging.getLogger(__name__)

PREFIX = "ASKARTICLE_"

THRESHOLD = 0.25
"""Answerability below which the bot refuses.

The highest, in steps of 0.05, that refuses no more than one in 25 of the answerable questions of
the question set's tuning half.
"""


class Settings(BaseSettings):
    """Settings of a bot and of its window; each can be given as ``ASKARTICLE_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    store: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("askarticle") / "store",
        description="Folder of the index; made where it is missing.",
    )
    model: str | None = Field(
        None,
        description="Chat model that writes the answers, as `provider:name` "
        "(`openai:…`, `anthropic:…`, `google_genai:…`, `ollama:…`); unset, answers are read from "
        "the article.",
    )
    base_url: str | None = Field(
        None, description="URL of an OpenAI-compatible server for an `openai:` model."
    )
    api_key: SecretStr | None = Field(
        None, description="Key for the chat model, where the provider's own variable is not used."
    )
    model_timeout: float = Field(
        60.0, gt=0, description="Seconds to wait for the chat model before reading instead."
    )
    temperature: float = Field(
        0.0, ge=0, le=2, description="Sampling temperature of the chat model."
    )
    embedder: str = Field(
        "bundled",
        description="Embedding model: `bundled`, or the name or folder of a sentence-transformers "
        "model.",
    )
    reranker: str = Field(
        "bundled",
        description="Cross-encoder: `bundled`, or the name or folder of a sentence-transformers "
        "cross-encoder.",
    )
    threshold: float = Field(
        THRESHOLD,
        ge=0,
        le=1,
        description="Answerability below which the bot refuses; 0 never refuses.",
    )
    host: str = Field("127.0.0.1", description="Address that the chat window is served on.")
    port: int = Field(
        7860, ge=0, le=65535, description="Port of the chat window; 0 takes a free one."
    )
    feedback: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("askarticle") / "feedback.jsonl",
        description="File that thumbs up and down are appended to.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "WARNING",
        description="Least severe level of log lines that are shown.",
    )

    @classmethod
    def read(cls, **given: object) -> Settings:
        """Return the settings: what is given, else the environment, else ``.env``, else defaults.

        Args:
            **given: settings by name; None stands for "not given".

        Raises:
            SettingsError: a value makes no sense; the message names it and where it came from.
        """
        known = {name: value for name, value in given.items() if value is not None}
        for name in sorted(n for n in os.environ if n.upper().startswith(PREFIX)):
            if name.upper().removeprefix(PREFIX).lower() not in cls.model_fields:
                _warn(name)
        return cls._checked(known, f", or to {PREFIX}{{}} in the environment or .env")

    def changed(self, **given: object) -> Settings:
        """Return these settings with some of them changed; nothing else is read from elsewhere.

        Raises:
            SettingsError: a value makes no sense; the message names it.
        """
        return self._checked({**self.model_dump(), **given})

    @classmethod
    def _checked(cls, known: dict[str, object], where: str = "") -> Settings:
        unknown = sorted(set(known) - set(cls.model_fields))
        if unknown:
            raise SettingsError(
                f"There is no setting {unknown[0]!r}; the settings are "
                f"{', '.join(cls.model_fields)}."
            )
        try:
            return cls(**known)  # type: ignore[arg-type]  # pydantic checks each value
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "?"
            message = first["msg"][:1].lower() + first["msg"][1:]
            raise SettingsError(
                f"Setting {name} is {first.get('input')!r}: {message}. Give another "
                f"value to {name}{where.format(name.upper())}."
            ) from error


@lru_cache
def _warn(variable: str) -> None:
    """Say once that a variable, perhaps a misspelt one, changes nothing."""
    log.warning("The variable %s names no setting and changes nothing.", variable)
