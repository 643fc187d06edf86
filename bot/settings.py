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

RISKS: tuple[tuple[float, float], ...] = (
    (0.0, 0.5),
    (0.15, 0.382), (0.20, 0.353), (0.25, 0.324), (0.30, 0.295), (0.35, 0.268), (0.40, 0.254),
    (0.45, 0.230), (0.50, 0.204), (0.55, 0.176), (0.60, 0.149), (0.65, 0.126), (0.70, 0.111),
    (0.75, 0.091), (0.80, 0.067), (0.85, 0.022), (0.90, 0.008),
)  # fmt: skip
"""Thresholds, and the share of the questions answered at them that have no answer in what is
searched, on questions about documents kept out of training, of which half have none
(``python -m tests.measure fit --data FOLDER``)."""


def threshold_of(risk: float) -> float:
    """Return the lowest threshold at which no more than this share of answers is without cause.

    Args:
        risk: the tolerated share, from 0 to 1. Below what any threshold gives, all is refused.
    """
    return next((threshold for threshold, found in RISKS if found <= risk), 1.0)


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
    risk: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Tolerated risk: the share of answered questions that may have no answer in "
        "the article, as measured where half have none. It takes the place of `threshold`.",
    )
    unsupported: Literal["strike", "drop"] = Field(
        "strike",
        description="What becomes of a written sentence that the article does not support: "
        "`strike` shows it struck out with the reason, `drop` leaves it out and says how many.",
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

    @property
    def refuses_below(self) -> float:
        """The threshold in force: that of the tolerated risk, where one is set."""
        return self.threshold if self.risk is None else threshold_of(self.risk)

    @classmethod
    def read(cls, **given: object) -> Settings:
        """Return the settings: what is given, else the environment, else ``.env``, else defaults.

        Args:
            **given: settings by name; None stands for "not given".

        Raises:
            SettingsError: a value makes no sense; the message names it and where it came from.
        """
        known = _said_last({name: value for name, value in given.items() if value is not None})
        for name in sorted(n for n in os.environ if n.upper().startswith(PREFIX)):
            if name.upper().removeprefix(PREFIX).lower() not in cls.model_fields:
                _warn(name)
        return cls._checked(known, f", or to {PREFIX}{{}} in the environment or .env")

    def changed(self, **given: object) -> Settings:
        """Return these settings with some of them changed; nothing else is read from elsewhere.

        Raises:
            SettingsError: a value makes no sense; the message names it.
        """
        return self._checked({**self.model_dump(), **_said_last(given)})

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


def _said_last(given: dict[str, object]) -> dict[str, object]:
    """Return settings that are given now; a threshold among them unsets a risk set elsewhere."""
    return {"risk": None, **given} if "threshold" in given else given


@lru_cache
def _warn(variable: str) -> None:
    """Say once that a variable, perhaps a misspelt one, changes nothing."""
    log.warning("The variable %s names no setting and changes nothing.", variable)
