"""One question to a study of a planted model: what was planted, what was found, and whether that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Right = Literal["right", "wrong", "undecided"]


@dataclass(frozen=True)
class Answer:
    """One question, what was planted and what was found."""

    question: str
    planted: str
    found: str
    right: Right
    effect: float
    low: float
    high: float
    n: int
    """What the interval counts: base queries, pairs of tasks or tasks."""
