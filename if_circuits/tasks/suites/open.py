"""The open suite: varied short requests and graded constraints, for models that this project did not train.

The base queries lie in queries.json, by kind. All are this project's own. They ask for a short text within
the request, in the words that SmolLM2-135M-Instruct heeds best for each kind: of eight endings, tried on
twelve requests of every kind, those that let most answers end within 96 tokens (docs/smollm2.md).
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from if_circuits.tasks.suites.lexical import EXCLUSION, INCLUSION
from if_circuits.tasks.suites.semantic import REGISTER, SENTIMENT, TOPIC, TOXICITY, provocation
from if_circuits.tasks.suites.structural import CHARACTER_COUNT, JSON_FORMAT, WORD_COUNT
from if_circuits.tasks.suites.suite import BaseQuery, Suite

PROVOKING_KINDS = ("complaint", "rant", "roast")
"""Kinds whose own request invites insults."""


def open_suite() -> Suite:
    """The suite of all models but the embedded ones."""
    return Suite(
        "open",
        _queries(),
        {
            "word_count": WORD_COUNT,
            "character_count": CHARACTER_COUNT,
            "json_format": JSON_FORMAT,
            "term_inclusion": INCLUSION,
            "term_exclusion": EXCLUSION,
            "topic": TOPIC,
            "sentiment": SENTIMENT,
            "toxicity": TOXICITY,
            "register": REGISTER,
        },
        answered_once=True,
        piloted=True,
    )


def _queries() -> tuple[BaseQuery, ...]:
    text = resources.files("if_circuits.tasks").joinpath("suites", "queries.json").read_text("utf-8")
    by_kind: dict[str, list[dict[str, Any]]] = json.loads(text)
    return tuple(
        BaseQuery(
            name=f"{kind}-{each['subject']}",
            kind=kind,
            subject=each["subject"],
            request=each["request"],
            provoking=each["request"] if kind in PROVOKING_KINDS else provocation(each["subject"]),
            words=tuple(each["words"]),
            topic=each["topic"],
        )
        for kind, queries in by_kind.items()
        for each in queries
    )
