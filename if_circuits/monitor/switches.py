"""What a reader of the monitor asks for: a prompt, and what is switched on for the second answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from if_circuits.errors import InputError

CONTROLS = ("gaussian", "variance_matched")
LONGEST_STEER = 10.0


@dataclass(frozen=True)
class Switches:
    """What is done to the model in the second answer; nothing is the intact model alone."""

    ablate: tuple[str, ...] = ()
    """Tasks whose directions are projected out."""
    control: str = ""
    """A random removal of the same ranks, of this kind, instead."""
    steer: str = ""
    """The task along whose difference in means is steered."""
    strength: float = 0.0
    """Multiples of that difference."""

    @property
    def anything(self) -> bool:
        """Whether there is a second answer."""
        return bool(self.ablate or self.control or (self.steer and self.strength))


@dataclass(frozen=True)
class Asked:
    """One question to the monitor."""

    prompt: str
    switches: Switches = Switches()
    temperature: float = 0.0
    seed: int = 0
    max_new_tokens: int | None = None
    """The study's own length where none is given."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: object, *, tasks: Sequence[str]) -> Asked:
        """Read what the page sent. Raises InputError that says what is wrong with it."""
        if not isinstance(given, dict):
            raise InputError("a question is a JSON object with the key prompt")
        fields = cast("dict[str, Any]", given)
        prompt = fields.get("prompt")
        if not isinstance(prompt, str) or not prompt.strip():
            raise InputError("the prompt is empty; write what the model is to answer")
        switches = fields.get("switches") or {}
        if not isinstance(switches, dict):
            raise InputError("switches are a JSON object with ablate, control, steer and strength")
        chosen = cast("dict[str, Any]", switches)
        ablate = tuple(str(each) for each in chosen.get("ablate") or ())
        steer, control = str(chosen.get("steer") or ""), str(chosen.get("control") or "")
        if unknown := [each for each in (*ablate, steer) if each and each not in tasks]:
            raise InputError(
                f"nothing was fitted for {unknown[0]!r}; the study has {', '.join(tasks) or 'none'}"
            )
        if control and control not in CONTROLS:
            raise InputError(f"control is {control!r}; expected one of {', '.join(CONTROLS)}")
        if control and not tasks:
            raise InputError("there is no study to match a control to; give one with --study")
        limit = fields.get("max_new_tokens")
        return cls(
            prompt,
            Switches(ablate, control, steer, _number(chosen, "strength", 0.0, -LONGEST_STEER, LONGEST_STEER)),
            temperature=_number(fields, "temperature", 0.0, 0.0, 10.0),
            seed=int(_number(fields, "seed", 0.0, 0.0, 2**32 - 1)),
            max_new_tokens=None
            if limit is None
            else int(_number(fields, "max_new_tokens", 1.0, 1.0, 4096.0)),
        )


def _number(given: dict[str, Any], name: str, usual: float, low: float, high: float) -> float:
    value = given.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; give a number from {low:g} to {high:g}")
    return float(value)
