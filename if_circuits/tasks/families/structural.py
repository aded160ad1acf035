"""Structural tasks: the number of words, the number of characters, a JSON object. Verified exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any, cast

from if_circuits.tasks.registry import task
from if_circuits.tasks.task import NearestBounds, Parameters

JSON_KEYS = ("text", "note", "message", "answer", "reply", "content", "body", "entry", "output", "summary")
_STEP = 10
"""Bounds on the number of characters are multiples of this."""


def count_words(text: str) -> int:
    """Number of whitespace-separated words, as a word processor counts them."""
    return len(text.split())


def _without_code_fence(response: str) -> str:
    """Chat models wrap JSON in a Markdown fence; the object inside is what was asked for."""
    text = response.strip()
    if text.startswith("```") and text.endswith("```") and len(text) > 6:
        text = text[3:-3]
        text = text[4:] if text[:4].lower() == "json" else text
    return text


def _draw_word_count(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"n": rng.randint(5, 12)}


def _draw_character_count(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"n": rng.randrange(40, 101, _STEP)}


def _bounds_around(response: str) -> tuple[Parameters, Parameters] | None:
    below = len(response.strip()) // _STEP * _STEP
    return ({"n": below + _STEP}, {"n": below}) if below else None


@task(
    "word_count",
    family="structural",
    draw=_draw_word_count,
    paraphrases=(
        "Use exactly {n} words.",
        "Write exactly {n} words.",
        "Your answer must have exactly {n} words.",
        "The text must be {n} words long.",
        "Answer with exactly {n} words.",
        "Limit yourself to exactly {n} words.",
        "I need exactly {n} words, no more and no less.",
        "Keep it to exactly {n} words.",
        "The answer must be exactly {n} words long.",
        "Write a text of exactly {n} words.",
    ),
)
def word_count(response: str, *, n: int, relation: str = "exactly") -> tuple[bool, str]:
    """Exactly `n` words, unless a relation says `at least` or `less than`, as IFEval's instructions do."""
    words = count_words(response)
    satisfied = {"exactly": words == n, "at least": words >= n, "less than": words < n}[relation]
    return satisfied, f"{words} words, asked for {'' if relation == 'exactly' else f'{relation} '}{n}"


@task(
    "character_count",
    family="structural",
    draw=_draw_character_count,
    counterfactual=NearestBounds(_bounds_around),
    paraphrases=(
        "Stay under {n} characters.",
        "Use fewer than {n} characters.",
        "Your answer must have fewer than {n} characters.",
        "The text must be shorter than {n} characters.",
        "Keep the text below {n} characters.",
        "Limit yourself to fewer than {n} characters.",
        "I need fewer than {n} characters in all.",
        "Keep it under {n} characters.",
        "The answer must be shorter than {n} characters.",
        "Write a text of fewer than {n} characters.",
    ),
)
def character_count(response: str, *, n: int) -> tuple[bool, str]:
    characters = len(response.strip())
    return characters < n, f"{characters} characters, asked for fewer than {n}"


@task(
    "json_format",
    family="structural",
    draw={"key": JSON_KEYS},
    paraphrases=(
        'Answer as a JSON object with the key "{key}".',
        'Return a JSON object with the single key "{key}".',
        'Format the answer as JSON with the key "{key}".',
        'Your answer must be a JSON object with the key "{key}".',
        'Give it as JSON, under the key "{key}".',
        'Put the text into a JSON object under the key "{key}".',
        'I need a JSON object whose only key is "{key}".',
        'Answer in JSON, with the single key "{key}".',
        'The answer must be JSON with the key "{key}".',
        'Return the text as a JSON object under the key "{key}".',
    ),
)
def json_format(response: str, *, key: str | None = None) -> tuple[bool, str]:
    """An object with the one key that was asked for; any JSON value where none was, as in IFEval."""
    try:
        value = json.loads(_without_code_fence(response))
    except (json.JSONDecodeError, RecursionError) as error:
        return False, f"not JSON: {error}"
    if key is None:
        return True, f"a JSON {type(value).__name__}"
    if not isinstance(value, dict):
        return False, f"a JSON {type(value).__name__}, not an object"
    keys = list(cast(dict[str, Any], value))
    return keys == [key], f"keys {keys}, asked for [{key!r}]"
