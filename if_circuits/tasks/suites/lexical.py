"""Grades of the lexical tasks: how many words to include, and which to leave out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from if_circuits.tasks.suites.suite import BaseQuery, Grade
from if_circuits.tasks.task import Exchange, Parameters

_WORD = (
    "Use the word {words}.",
    "Include the word {words}.",
    "The word {words} must appear in it.",
    "Make sure to mention the word {words}.",
    "Your answer must contain the word {words}.",
    "I want to read the word {words} in it.",
)
_WORDS = (
    "Use the words {words}.",
    "Include the words {words}.",
    "The words {words} must appear in it.",
    "Make sure to mention all of these words: {words}.",
    "Your answer must contain the words {words}.",
    "I want to read the words {words} in it.",
)
_NOT_WORD = (
    "Do not use the word {words}.",
    "Never use the word {words}.",
    "Avoid the word {words}.",
    "The word {words} must not appear in it.",
    "Your answer must not contain the word {words}.",
    "Write it without the word {words}.",
)
_NOT_WORDS = (
    "Do not use the words {words}.",
    "Use none of these words: {words}.",
    "Avoid the words {words}.",
    "The words {words} must not appear in it.",
    "Your answer must not contain the words {words}.",
    "Write it without the words {words}.",
)
_UNRELATED = (
    "lemon",
    "velvet",
    "thunder",
    "pencil",
    "copper",
    "tiger",
    "window",
    "mirror",
    "castle",
    "sugar",
)
EVERYWHERE = ("and", "the", "of", "to", "a", "in")
"""Words that hardly any text does without."""
FREQUENT = ("with", "for", "that", "is", "was", "it", "you", "I", "my", "on", "but", "this")
"""Words that about every other short text uses."""
_PLAIN = ("good", "new", "great", "time", "day", "just", "very", "like", "never", "first", "feel", "make")
"""Words of more content that short answers often use."""


def _fitting(n: int) -> Callable[[Random, BaseQuery], Parameters]:
    """So many of the words that would fit in."""
    return lambda rng, query: {"words": rng.sample(query.words, n)}


def _some(words: Sequence[str], n: int) -> Callable[[Random, BaseQuery], Parameters]:
    return lambda rng, query: {"words": rng.sample([word for word in words if word != query.subject], n)}


INCLUSION = (
    Grade("one word", draw=_fitting(1), paraphrases=_WORD),
    Grade("two words", draw=_fitting(2), paraphrases=_WORDS),
    Grade("three words", draw=_fitting(3), paraphrases=_WORDS),
    Grade("an unrelated word", draw=_some(_UNRELATED, 1), paraphrases=_WORD),
)


def _used_word(rng: Random, response: str, subject: str) -> Parameters | None:
    """A longer word that the response does use, and which is not its subject."""
    words = sorted({word for word in re.findall(r"[a-z]{4,}", response.lower()) if word != subject})
    return {"words": [rng.choice(words)]} if words else None


EXCLUSION = (
    Grade("a plain word", draw=_some(_PLAIN, 1), paraphrases=_NOT_WORD),
    Grade("a frequent word", draw=_some(FREQUENT, 1), paraphrases=_NOT_WORD),
    Grade("two frequent words", draw=_some(FREQUENT, 2), paraphrases=_NOT_WORDS),
    Grade("a word used everywhere", draw=_some(EVERYWHERE, 1), paraphrases=_NOT_WORD),
    Grade(
        "the subject",
        draw=lambda _, query: {"words": [query.subject]},
        paraphrases=_NOT_WORD,
        # Nearly every answer uses its own subject alone: what is exchanged are words that it does use.
        counterfactual=Exchange(first=_used_word),
    ),
)
