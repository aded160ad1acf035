"""What a diagnosis is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """What one look at the model found."""

    name: str
    status: Status
    """`fail`: a study would not run, or would mean nothing. `warn`: it runs, but something is to be known."""
    detail: str
    """What was found and, unless it passed, what to do."""


@dataclass(frozen=True)
class Diagnosis:
    """All that was found of a model."""

    model: str
    checks: tuple[Check, ...]

    @property
    def fit(self) -> bool:
        """Whether the study runs on the model and can mean something: no check failed."""
        return all(check.status != "fail" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as JSON values."""
        return {
            "model": self.model,
            "fit": self.fit,
            "checks": [asdict(check) for check in self.checks],
        }
