"""What a task is: a constraint with parameters, its paraphrases, and a verifier of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any, Literal

from if_circuits.tasks.judges.base import Judge

Family = Literal["structural", "lexical", "semantic", "stylistic"]
Parameters = Mapping[str, Any]
"""The arguments of one constraint, such as `{"n": 8}`; JSON-serialisable."""

NOTE = "Write a short note about the {subject}."
COMPLAINT = "Write an angry complaint about the {subject}."


class Verdict(StrEnum):
    """What a verifier says of a response; the probe's label, unless undecided."""

    SATISFIED = "satisfied"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verification:
    """A verdict and, in a few words, what it rests on."""

    verdict: Verdict
    reason: str


Verifier = Callable[[Sequence[str], Sequence[Parameters], Mapping[str, Judge]], list[Verification]]
"""Verifies many responses at once, since a judge may be a model that works in batches."""


@dataclass(frozen=True)
class Task:
    """One kind of constraint."""

    name: str
    family: Family
    draw: Callable[[Random, str, Sequence[str]], Parameters]
    """Draws parameters from a random generator, the subject of the base query and the words at hand."""
    paraphrases: tuple[str, ...]
    """Wordings of the constraint; `{name}` stands for a parameter. The last `HELD_OUT_PARAPHRASES` are
    for testing.
    """
    verify: Verifier
    request: str = NOTE
    """Wording of the base query; `{subject}` stands for what to write about."""
    judge: str | None = None
    """Name of the judge that the verifier consults, if it consults one."""

    def base_query(self, subject: str) -> str:
        """The unconstrained request about `subject`."""
        return self.request.format(subject=subject)

    def constrained_prompt(self, subject: str, parameters: Parameters, *, paraphrase: int) -> str:
        """The request about `subject` followed by the constraint in one of its wordings."""
        constraint = self.paraphrases[paraphrase].format(**parameters)
        return f"{self.base_query(subject)} {constraint}"


HELD_OUT_PARAPHRASES = 3
"""How many wordings at the end of each task's list the embedded model never saw in training.

They are made of words that it did see: a model of controlled English cannot read others.
"""


def one_by_one(verify: Callable[[str, Parameters], tuple[bool, str]]) -> Verifier:
    """A verifier of many responses from an exact check of one, which returns (satisfied, reason)."""

    def verify_all(
        responses: Sequence[str], parameters: Sequence[Parameters], judges: Mapping[str, Judge]
    ) -> list[Verification]:
        del judges  # exact checks need none
        verifications: list[Verification] = []
        for response, arguments in zip(responses, parameters, strict=True):
            satisfied, reason = verify(response, arguments)
            verifications.append(Verification(Verdict.SATISFIED if satisfied else Verdict.VIOLATED, reason))
        return verifications

    return verify_all
