"""The stylistic task: a formal or an informal register. Verified by a judge."""

from __future__ import annotations

from if_circuits.tasks.families.judged import asked_for
from if_circuits.tasks.judges.base import Judgement
from if_circuits.tasks.registry import task


@task(
    "register",
    family="stylistic",
    judge="register",
    draw={"register": ("formal", "informal")},
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
)
def register(judgement: Judgement, *, register: str) -> tuple[bool, str]:
    return asked_for(judgement, register)
