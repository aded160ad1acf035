"""Lexical tasks: a word that the response must, or must not, contain. Verified exactly, on whole words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from if_circuits.tasks.registry import register_task
from if_circuits.tasks.task import Parameters, Task, one_by_one


def contains_word(text: str, word: str) -> bool:
    """Whether `word` stands in `text` as a whole word, in any case; `riverbank` does not contain `river`."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, flags=re.IGNORECASE) is not None


def _words(parameters: Parameters) -> list[str]:
    """The one word of this library's own prompts, or the several of an IFEval instruction."""
    return parameters["words"] if "words" in parameters else [parameters["word"]]


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(map(repr, words))


def _verify_inclusion(response: str, parameters: Parameters) -> tuple[bool, str]:
    missing = [word for word in _words(parameters) if not contains_word(response, word)]
    return not missing, f"{_quoted(missing)} missing" if missing else f"{_quoted(_words(parameters))} found"


def _verify_exclusion(response: str, parameters: Parameters) -> tuple[bool, str]:
    found = [word for word in _words(parameters) if contains_word(response, word)]
    return not found, f"{_quoted(found)} found" if found else f"{_quoted(_words(parameters))} absent"


def _draw_included_word(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    """Any word at hand but the subject, which a response would contain unasked."""
    return {"word": rng.choice([word for word in words if word != subject])}


def _draw_excluded_word(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    """The subject itself: forbidding a word that nobody would use tests nothing."""
    del rng, words
    return {"word": subject}


TERM_INCLUSION = register_task(
    Task(
        name="term_inclusion",
        family="lexical",
        draw=_draw_included_word,
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
        verify=one_by_one(_verify_inclusion),
    )
)

TERM_EXCLUSION = register_task(
    Task(
        name="term_exclusion",
        family="lexical",
        draw=_draw_excluded_word,
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
        verify=one_by_one(_verify_exclusion),
    )
)
