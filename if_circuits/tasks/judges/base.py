"""What a judge is, and the word lists that ours are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Judgement:
    """What a judge says of one text."""

    label: str | None
    """The class that the text belongs to; None when the judge cannot tell."""
    score: float
    """How strongly, on the judge's own scale; larger means more of its first class."""
    reason: str


class Judge(Protocol):
    """A classifier of texts. `name` says what it is, for the record."""

    @property
    def name(self) -> str: ...

    def judge(self, texts: Sequence[str]) -> list[Judgement]: ...


@runtime_checkable
class AskingJudge(Protocol):
    """A judge that is told what was asked for, as one of any topic must be. Verifiers ask it in this way."""

    def judge_asked(
        self, texts: Sequence[str], parameters: Sequence[Mapping[str, Any]]
    ) -> list[Judgement]: ...


@runtime_checkable
class JudgeWithFiles(Protocol):
    """A judge whose verdicts follow from files as well as from code, such as fitted weights."""

    def files_digest(self) -> str: ...


def load_lexicon(name: str) -> Any:
    """The lexicon `name` that ships with the package, as parsed JSON."""
    return json.loads(
        resources.files("if_circuits.tasks").joinpath("lexicons", f"{name}.json").read_text("utf-8")
    )
