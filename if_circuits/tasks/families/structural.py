"""Structural tasks: the number of words, the number of characters, a JSON object. Verified exactly."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, cast

from if_circuits.errors import InputError
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


def _objects_in(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand in a text, not those inside others."""
    start = text.find("{")
    while start >= 0:
        end = start + 1
        try:
            value, end = json.JSONDecoder().raw_decode(text, start)
            yield cast(dict[str, Any], value)
        except (json.JSONDecodeError, RecursionError):
            pass
        start = text.find("{", end)


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
def word_count(
    response: str, *, n: int | None = None, relation: str = "exactly", lo: int = 0, hi: int = 0
) -> tuple[bool, str]:
    """Exactly `n` words, unless a relation says otherwise; `between` counts `lo` and `hi` in."""
    words = count_words(response)
    satisfied, wanted = _holds(words, n=n, relation=relation, lo=lo, hi=hi)
    return satisfied, f"{words} words, asked for {wanted}"


def _holds(count: int, *, n: int | None, relation: str, lo: int, hi: int) -> tuple[bool, str]:
    """Whether a count stands in the relation, and the relation in words."""
    if relation == "between":
        return lo <= count <= hi, f"between {lo} and {hi}"
    if n is None or relation not in _RELATIONS:
        raise InputError(
            f"a count is asked for with n = {n!r} and relation = {relation!r}; expected a number, and "
            f"{', '.join(_RELATIONS)} or between"
        )
    return _RELATIONS[relation](count, n), str(n) if relation == "exactly" else f"{relation} {n}"


_RELATIONS: Mapping[str, Callable[[int, int], bool]] = {
    "exactly": operator.eq,
    "at least": operator.ge,
    "at most": operator.le,
    "less than": operator.lt,
    "fewer than": operator.lt,
}


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
def character_count(response: str, *, n: int, relation: str = "fewer than") -> tuple[bool, str]:
    """Fewer than `n` characters, unless a relation says otherwise."""
    characters = len(response.strip())
    satisfied, wanted = _holds(characters, n=n, relation=relation, lo=0, hi=0)
    return satisfied, f"{characters} characters, asked for {wanted}"


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
def json_format(
    response: str, *, key: str | None = None, keys: Sequence[str] | None = None, anywhere: bool = False
) -> tuple[bool, str]:
    """An object with the one key that was asked for, or with those of `keys` in any order; any JSON value
    where neither was, as in IFEval. `anywhere` lets other text stand around the object.
    """
    if anywhere:
        asked = sorted([key] if key is not None else keys or ())
        found_in_text = [sorted(each) for each in _objects_in(response)]
        return asked in found_in_text, f"objects with keys {found_in_text}, asked for {asked}"
    try:
        value = json.loads(_without_code_fence(response))
    except (json.JSONDecodeError, RecursionError) as error:
        return False, f"not JSON: {error}"
    wanted = [key] if key is not None else keys
    if wanted is None:
        return True, f"a JSON {type(value).__name__}"
    if not isinstance(value, dict):
        return False, f"a JSON {type(value).__name__}, not an object"
    found = list(cast(dict[str, Any], value))
    return sorted(found) == sorted(wanted), f"keys {found}, asked for {list(wanted)}"
