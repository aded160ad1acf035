"""Grades of the structural tasks: how many words or characters, which keys.

A bound's counterfactual pairs are the nearest bounds on both sides of the length: a text breaks smaller upper
bounds, and larger lower ones. Ranges and exact numbers are exchanged between prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from if_circuits.tasks.families.structural import JSON_KEYS, count_words
from if_circuits.tasks.suites.suite import BaseQuery, Grade
from if_circuits.tasks.task import NearestBounds, Parameters


def bounds_around(count: int, *, step: int, relation: str) -> tuple[Parameters, Parameters] | None:
    """The multiples of `step` next to a count that satisfy and break the relation; None where one is 0."""
    below = count // step * step if relation == "at least" else (count - 1) // step * step
    if relation == "fewer than":  # a text of 20 characters breaks "fewer than 20"
        below = count // step * step
    small, large = (_bounded(n, relation) for n in (below, below + step))
    if not below:
        return None
    return (small, large) if relation == "at least" else (large, small)


def _bounded(n: int, relation: str) -> Parameters:
    """A bound's parameters; "fewer than" is what a number of characters means by itself."""
    return {"n": n} if relation == "fewer than" else {"n": n, "relation": relation}


def _bound(
    name: str,
    relation: str,
    sizes: Sequence[int],
    step: int,
    paraphrases: tuple[str, ...],
    length: Callable[[str], int],
) -> Grade:
    return Grade(
        name,
        draw=lambda rng, _: _bounded(rng.choice(sizes), relation),
        paraphrases=paraphrases,
        counterfactual=NearestBounds(
            lambda response: bounds_around(length(response), step=step, relation=relation)
        ),
    )


_AT_MOST_WORDS = (
    "Use at most {n} words.",
    "Write no more than {n} words.",
    "Your answer must not be longer than {n} words.",
    "Limit yourself to {n} words.",
    "Keep it to {n} words or fewer.",
    "It may have {n} words at most.",
)
_AT_LEAST_WORDS = (
    "Use at least {n} words.",
    "Write no fewer than {n} words.",
    "Your answer must have at least {n} words.",
    "It must be {n} words long or longer.",
    "Make it at least {n} words long.",
    "I need {n} words or more.",
)


def _between(rng: Random, query: BaseQuery) -> Parameters:
    del query
    lo = rng.choice((10, 20, 30, 40, 50))
    return {"relation": "between", "lo": lo, "hi": lo + 20}


WORD_COUNT = (
    _bound("at most 60", "at most", (50, 55, 60, 65, 70), 5, _AT_MOST_WORDS, count_words),
    _bound("at most 30", "at most", (25, 30, 35), 5, _AT_MOST_WORDS, count_words),
    _bound("at most 15", "at most", (12, 15, 18), 3, _AT_MOST_WORDS, count_words),
    _bound("at least 30", "at least", (25, 30, 35), 5, _AT_LEAST_WORDS, count_words),
    _bound("at least 50", "at least", (45, 50, 55), 5, _AT_LEAST_WORDS, count_words),
    Grade(
        "between",
        draw=_between,
        paraphrases=(
            "Use between {lo} and {hi} words.",
            "Write from {lo} to {hi} words.",
            "Your answer must have between {lo} and {hi} words.",
            "Make it at least {lo} and at most {hi} words long.",
            "It should be no shorter than {lo} and no longer than {hi} words.",
            "Keep it between {lo} and {hi} words.",
        ),
    ),
    Grade(
        "exactly",
        draw=lambda rng, _: {"n": rng.randint(5, 12)},
        paraphrases=(
            "Use exactly {n} words.",
            "Write exactly {n} words.",
            "Your answer must have exactly {n} words.",
            "Answer in exactly {n} words, no more and no fewer.",
            "It must be {n} words long.",
            "Keep it to exactly {n} words.",
        ),
    ),
)

_FEWER_CHARACTERS = (
    "Stay under {n} characters.",
    "Use fewer than {n} characters.",
    "Your answer must have fewer than {n} characters.",
    "Keep it below {n} characters, spaces included.",
    "It must be shorter than {n} characters.",
    "It has to fit into fewer than {n} characters.",
)


def _characters(text: str) -> int:
    return len(text.strip())


CHARACTER_COUNT = (
    _bound("under 300", "fewer than", (280, 300, 320), 20, _FEWER_CHARACTERS, _characters),
    _bound("under 200", "fewer than", (180, 200, 220), 10, _FEWER_CHARACTERS, _characters),
    _bound("under 120", "fewer than", (110, 120, 130), 10, _FEWER_CHARACTERS, _characters),
    _bound("under 80", "fewer than", (60, 80, 100), 10, _FEWER_CHARACTERS, _characters),
    _bound(
        "at least 300",
        "at least",
        (280, 300, 320),
        20,
        (
            "Use at least {n} characters.",
            "Write no fewer than {n} characters.",
            "Your answer must have at least {n} characters.",
            "It must be {n} characters long or longer.",
            "Make it at least {n} characters long.",
            "I need {n} characters or more, spaces included.",
        ),
        _characters,
    ),
)

_TWO_KEYS = (
    ("title", "text"),
    ("subject", "body"),
    ("author", "text"),
    ("heading", "content"),
    ("name", "message"),
    ("opening", "ending"),
)
_SEVERAL = (
    "Answer as a JSON object with the keys {keys}.",
    "Return a JSON object with the keys {keys}, and no other text.",
    "Your answer must be a JSON object with the keys {keys}.",
    "Give it as a JSON object, with the keys {keys}.",
    "Format the answer as a JSON object that has the keys {keys}.",
    "Write nothing but a JSON object with the keys {keys}.",
)


def _keys(sets: Sequence[Sequence[str]]) -> Callable[[Random, BaseQuery], Parameters]:
    return lambda rng, _: {"keys": list(rng.choice(sets))}


JSON_FORMAT = (
    Grade(
        "one key, anywhere",
        draw=lambda rng, _: {"key": rng.choice(JSON_KEYS), "anywhere": True},
        paraphrases=(
            'Somewhere in the answer there must be JSON of this form: {{"{key}": "..."}}',
            'Include JSON such as {{"{key}": "your text"}} in the answer.',
            'Give it as JSON that looks like this: {{"{key}": "..."}} Other words may stand around it.',
            'Put your text in place of the dots: {{"{key}": "..."}} You may explain it.',
            'Use this JSON format within your answer: {{"{key}": "your text here"}}',
            'Your answer must have JSON in it that looks like this: {{"{key}": "..."}}',
        ),
    ),
    Grade(
        "one key, shown",
        draw=lambda rng, _: {"key": rng.choice(JSON_KEYS)},
        paraphrases=(
            'Answer only with JSON of this form: {{"{key}": "..."}}',
            'Reply in exactly this JSON format: {{"{key}": "your text"}}',
            'Your answer must be JSON and look like this: {{"{key}": "..."}}',
            'Put your text in place of the dots: {{"{key}": "..."}}',
            'Return nothing but JSON such as {{"{key}": "your text here"}}',
            'Use this JSON format for the answer: {{"{key}": "..."}}',
        ),
    ),
    Grade(
        "one key",
        draw=lambda rng, _: {"key": rng.choice(JSON_KEYS)},
        paraphrases=(
            'Answer as a JSON object with the single key "{key}".',
            'Return a JSON object with the key "{key}", and no other text.',
            'Your answer must be a JSON object with the one key "{key}".',
            'Give it as a JSON object, under the key "{key}".',
            'Format the answer as a JSON object whose only key is "{key}".',
            'Write nothing but a JSON object with the key "{key}".',
        ),
    ),
    Grade("two keys", draw=_keys(_TWO_KEYS), paraphrases=_SEVERAL),
    Grade(
        "three keys",
        draw=_keys([(*keys, "date") for keys in _TWO_KEYS] + [(*keys, "language") for keys in _TWO_KEYS]),
        paraphrases=_SEVERAL,
    ),
)
