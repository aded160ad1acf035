"""The verdict on an answer while it grows: at every token where it is exact, now and then where a judge is
asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from if_circuits.tasks.verification import judges_for

if TYPE_CHECKING:
    from if_circuits.tasks.judges.base import Judge
    from if_circuits.tasks.task import Parameters, Task

Told = dict[str, str]
_JUDGE_EVERY = 16
"""Tokens between two calls of a judge."""


class RunningVerdict:
    """Label and reason of one answer so far; None where the prompt has no constraint that a task words."""

    def __init__(self, constraint: tuple[Task, Parameters] | None, judges: Sequence[tuple[str, str]]) -> None:
        self._constraint = constraint
        self._judges: Mapping[str, Judge] = (
            {} if constraint is None else judges_for([constraint[0].name], judges)
        )
        self._n = 0
        self.so_far: Told | None = None

    def add(self, text: str) -> None:
        """The answer has grown to this text."""
        self._n += 1
        judged = self._constraint is not None and self._constraint[0].judge is not None
        if not judged or self._n % _JUDGE_EVERY == 0:
            self.so_far = self._told(text)

    def at_end(self, text: str) -> Told | None:
        """The verdict on the whole answer."""
        self.so_far = self._told(text)
        return self.so_far

    def _told(self, text: str) -> Told | None:
        if self._constraint is None:
            return None
        task, parameters = self._constraint
        if not text.strip():
            return {"label": "violated", "reason": "empty response"}
        try:
            found = task.verify([text], [parameters], self._judges)[0]
        except Exception as error:  # a half-written answer may break a verifier, and must not stop the model
            return {"label": "undecided", "reason": f"verifier failed: {type(error).__name__}: {error}"}
        return {"label": found.label.value, "reason": found.reason}
