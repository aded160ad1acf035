"""What a task is: a constraint with parameters, its paraphrases, and a verifier of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.labels import Label

Parameters = Mapping[str, Any]
"""The arguments of one constraint, such as `{"n": 8}`; JSON-serialisable."""

Draw = Callable[[Random, str, Sequence[str]], Parameters]
"""Draws parameters from a random generator, the subject of the base query and the words at hand."""

NOTE = "Write a short note about the {subject}."
COMPLAINT = "Write an angry complaint about the {subject}."


@dataclass(frozen=True)
class Verification:
    """A label and, in a few words, what it rests on."""

    label: Label
    reason: str


Verifier = Callable[[Sequence[str], Sequence[Parameters], Mapping[str, Judge]], list[Verification]]
"""Verifies many responses at once, since a judge may be a model that works in batches."""


@dataclass(frozen=True)
class Exchange:
    """A counterfactual by other parameters: a response is put under those of another base query's prompt.

    A task without parameters has nothing to exchange, and no counterfactual.
    """

    first: Callable[[Random, str, str], Parameters | None] | None = None
    """Parameters that a response is put under first, from a random generator, the response and its subject;
    None leaves the response out. By default they are its own.
    """
    never_subject: str | None = None
    """Name of a parameter that is never the subject of its own prompt."""


@dataclass(frozen=True)
class NearestBounds:
    """A counterfactual by bounds, which cannot be exchanged: a text breaks smaller ones only."""

    around: Callable[[str], tuple[Parameters, Parameters] | None]
    """The tightest parameters that a response satisfies and the widest that it violates; None where it has
    not both.
    """


@dataclass(frozen=True)
class Opposite:
    """A counterfactual by the opposite constraint, for a task without parameters.

    Satisfied and violated responses take part in equal numbers, each under its own prompt and under the
    opposite one, which turns its label around: so neither the prompt nor the response tells the label.
    """

    paraphrases: tuple[str, ...]
    """Wordings of the opposite, one for each wording of the task."""
    parameters: Parameters | None = None
    """Parameters of the opposite; None where they are the constraint's own."""


@dataclass(frozen=True)
class Task:
    """One kind of constraint."""

    name: str
    family: str
    draw: Draw
    paraphrases: tuple[str, ...]
    """Wordings of the constraint; `{name}` stands for a parameter. The last `HELD_OUT_PARAPHRASES` are
    for testing.
    """
    verify: Verifier
    request: str = NOTE
    """Wording of the base query; `{subject}` stands for what to write about."""
    judge: str | None = None
    """Name of the judge that the verifier consults, if it consults one."""
    counterfactual: Exchange | NearestBounds | Opposite = Exchange()
    """How one response comes to stand under a prompt that it satisfies and under one that it violates."""

    def base_query(self, subject: str) -> str:
        """The unconstrained request about `subject`."""
        return self.request.format(subject=subject)

    def constrained_prompt(self, subject: str, parameters: Parameters, *, paraphrase: int) -> str:
        """The request about `subject` followed by the constraint in one of its wordings."""
        return f"{self.base_query(subject)} {constraint(self.paraphrases[paraphrase], parameters)}"


def constraint(wording: str, parameters: Parameters) -> str:
    """A wording with its parameters put in; of a list its items, in quotes.

    Example:
        >>> constraint("Use the keys {keys}.", {"keys": ["title", "text"]})
        'Use the keys "title" and "text".'
    """
    return wording.format(**{name: _said(value) for name, value in parameters.items()})


def _said(value: object) -> object:
    if not isinstance(value, list | tuple):
        return value
    items = [f'"{item}"' for item in cast("Sequence[object]", value)]
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


HELD_OUT_PARAPHRASES = 3
"""How many wordings at the end of each task's list the embedded model never saw in training.

They are made of words that it did see: a model of controlled English cannot read others.
"""
