"""The registry of judges: this library's own, and those that others add.

A judge is kept as a factory: it may be costly to make, and a study makes only those that its tasks consult.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from if_circuits.errors import InputError
from if_circuits.registry import Arguments, Registry, calling_module
from if_circuits.tasks.judges.base import Judge, Judgement

JudgeLike = TypeVar("JudgeLike", bound=Callable[..., object])


@dataclass(frozen=True)
class FunctionJudge:
    """A judge that asks a function about each text."""

    name: str
    function: Callable[[str], object]

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        """What the function says of each text; raises InputError for what it may not say."""
        return [self._judgement(self.function(text)) for text in texts]

    def _judgement(self, said: object) -> Judgement:
        match said:
            case Judgement():
                return said
            case str() | None:
                return Judgement(said, float("nan"), f"{self.name} says {said or 'nothing'}")
            case ((str() | None) as label, (int() | float()) as score):
                return Judgement(label, float(score), f"{self.name} says {label or 'nothing'}, {score:.3g}")
            case _:
                raise InputError(
                    f"judge {self.name!r} said {said!r} of a text; expected a label, None where it cannot "
                    "tell, (label, score), or a Judgement"
                )


def _factory(name: str, source: object) -> Callable[[], Judge] | None:
    if isinstance(source, type):
        if not (callable(getattr(source, "judge", None)) and hasattr(source, "name")):
            raise InputError(
                "a class of judges has a `name` and a method `judge(texts)`; this one has not both"
            )
        return cast(type[Judge], source)
    if not callable(source):
        return None
    Arguments.of(source, positional=["text"]).check_required(())
    return lambda: FunctionJudge(name, cast(Callable[[str], Any], source))


judges: Registry[Callable[[], Judge]] = Registry(
    "judge",
    group="if_circuits.judges",
    modules=[
        "if_circuits.tasks.judges.lexicons",
        "if_circuits.tasks.judges.weighted",
        "if_circuits.tasks.judges.encoded",
        "if_circuits.tasks.judges.topics",
    ],
    expects="a function of a text, or a class with `name` and `judge(texts)`",
    adapt=_factory,
)


def judge(name: str) -> Callable[[JudgeLike], JudgeLike]:
    """Make a judge of the function or class below.

    A function gets one text, and returns its label, None where it cannot tell, `(label, score)`, or a
    `Judgement`. A class has a `name` and a method `judge(texts)` that returns a `Judgement` for each text; it
    is made without arguments when a study first needs it.

    Raises:
        InputError: The name is taken, or what is decorated is neither.

    Example:
        >>> @judge("word-length")
        ... def word_length(text: str) -> str:
        ...     words = text.split()
        ...     return "formal" if sum(map(len, words)) > 5 * len(words) else "informal"
        >>> judges.get("word-length")().judge(["Considerable uncertainty remains."])[0].label
        'formal'
    """
    return judges.register(name, origin=calling_module())
