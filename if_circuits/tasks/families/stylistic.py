"""The stylistic task: a formal or an informal register. Verified by a judge."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from if_circuits.tasks.families.judged import judged_by
from if_circuits.tasks.registry import register_task
from if_circuits.tasks.task import Parameters, Task


def _draw_register(rng: Random, subject: str, words: Sequence[str]) -> Parameters:
    del subject, words
    return {"register": rng.choice(("formal", "informal"))}


REGISTER = register_task(
    Task(
        name="register",
        family="stylistic",
        draw=_draw_register,
        paraphrases=(
            "Use {register} language.",
            "Write in {register} style.",
            "Your answer must be {register}.",
            "The text must be {register}.",
            "Make the language {register}.",
            "Choose {register} words.",
            "I want the style to be {register}.",
            "Keep the language {register}.",
            "The answer must use {register} language.",
            "Write a text in {register} style.",
        ),
        verify=judged_by("register", lambda parameters: parameters["register"]),
        judge="register",
    )
)
