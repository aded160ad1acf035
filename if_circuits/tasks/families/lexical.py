"""Lexical tasks: a word that the response must, or must not, contain. Verified exactly, on whole words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from if_circuits.errors import InputError
from if_circuits.tasks.queries import subjects
from if_circuits.tasks.registry import task
from if_circuits.tasks.task import Exchange, Parameters


def contains_word(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as a whole word, in any case; `riverbank` does not contain `river`."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE) is not None


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))


def _draw_included_word(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    """Any word at hand but the subject, which a response would contain unasked."""
    return {"word": rng.choice([word for word in words if word != subject])}


def _draw_excluded_word(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    """The subject itself: forbidding a word that nobody would use tests nothing."""
    del rng, words
    return {"word": subject}


def _used_word(rng: Random, response: str, subject: str) -> Parameters | None:
    """A word that the response does use, and which is not its subject.

    The word that a prompt excludes is always its subject; were that kept on one side of a pair only, the
    prompt alone would tell the two labels apart.
    """
    known = set(subjects(held_out_only=False))
    words = sorted((set(re.findall(r"\w+", response.lower())) & known) - {subject})
    return {"word": rng.choice(words)} if words else None


@task(
    "term_inclusion",
    family="lexical",
    draw=_draw_included_word,
    counterfactual=Exchange(never_subject="word"),
    paraphrases=(
        "Use the word {word}.",
        "Include the word {word}.",
        "Your answer must contain the word {word}.",
        "The word {word} must appear in the text.",
        "Make sure to use the word {word}.",
        "Mention the word {word} in the text.",
        "I need the word {word} somewhere in it.",
        "I want the word {word} in it.",
        "The answer must use the word {word}.",
        "Write a text with the word {word} in it.",
    ),
)
def term_inclusion(
    response: str, *, word: str | None = None, words: Sequence[str] | None = None
) -> tuple[bool, str]:
    """The one word of this library's own prompts, or the several of an IFEval instruction."""
    wanted = _wanted(word, words)
    missing = [each for each in wanted if not contains_word(response, each)]
    return not missing, f"{_quoted(missing)} missing" if missing else f"{_quoted(wanted)} found"


@task(
    "term_exclusion",
    family="lexical",
    draw=_draw_excluded_word,
    counterfactual=Exchange(first=_used_word, never_subject="word"),
    paraphrases=(
        "Never use the word {word}.",
        "Do not use the word {word}.",
        "Your answer must not contain the word {word}.",
        "The word {word} must not appear in the text.",
        "Avoid the word {word}.",
        "Leave out the word {word}.",
        "I do not want the word {word} anywhere in it.",
        "Your answer must not use the word {word}.",
        "The answer must not contain the word {word}.",
        "The word {word} must not appear anywhere in it.",
    ),
)
def term_exclusion(
    response: str, *, word: str | None = None, words: Sequence[str] | None = None
) -> tuple[bool, str]:
    unwanted = _wanted(word, words)
    found = [each for each in unwanted if contains_word(response, each)]
    return not found, f"{_quoted(found)} found" if found else f"{_quoted(unwanted)} absent"


def _wanted(word: str | None, words: Sequence[str] | None) -> Sequence[str]:
    if words is not None:
        return words
    if word is None:
        raise InputError("a lexical constraint has neither `word` nor `words`; expected one of them")
    return [word]
