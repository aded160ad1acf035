"""How a model is run: one explicit value, made once and passed down.

A preset says how a model is usually run; a study may say otherwise. What comes of the two is a `RunSettings`,
and presets stay as they were registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from if_circuits.models.presets import ModelPreset


@dataclass(frozen=True)
class RunSettings:
    """How a model answers, what is read of it, and who judges the answers."""

    max_new_tokens: int
    """A response that has no EOS among so many tokens is truncated."""
    temperature: float
    """Of sampled responses."""
    top_p: float
    """Sampled tokens are among the likeliest that together have this probability; 1 leaves all."""
    batch_size: int
    """Sequences side by side; changes time and memory only."""
    layers: tuple[int, ...] | None
    """Layers to capture, -1 for embed; None means all."""
    judges: tuple[tuple[str, str], ...]
    """Judges that take the place of the defaults, as (property, judge)."""

    @classmethod
    def of(
        cls,
        preset: ModelPreset,
        *,
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        batch_size: int | None = None,
        layers: tuple[int, ...] | None = None,
        judges: Iterable[tuple[str, str]] = (),
    ) -> RunSettings:
        """A preset's settings, with what is given in their place; judges are replaced one by one.

        Example:
            >>> from if_circuits.models.presets import IF_TINY
            >>> RunSettings.of(IF_TINY, max_new_tokens=12, judges=[("sentiment", "opinion-terms")])
            ... # doctest: +NORMALIZE_WHITESPACE
            RunSettings(max_new_tokens=12, temperature=1.0, top_p=1.0, batch_size=256, layers=None,
                judges=(('sentiment', 'opinion-terms'), ('toxicity', 'insult-lexicon')))
        """
        return cls(
            max_new_tokens=max_new_tokens or preset.max_new_tokens,
            temperature=_first(temperature, preset.temperature, 1.0),
            top_p=_first(top_p, preset.top_p, 1.0),
            batch_size=batch_size or preset.batch_size,
            layers=layers or preset.layers,
            judges=tuple({**dict(preset.judges), **dict(judges)}.items()),
        )

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunSettings:
        """The settings that `to_json` wrote."""
        layers = values["layers"]
        return cls(
            max_new_tokens=int(values["max_new_tokens"]),
            temperature=float(values["temperature"]),
            top_p=float(values["top_p"]),
            batch_size=int(values["batch_size"]),
            layers=None if layers is None else tuple(map(int, layers)),
            judges=tuple((str(name), str(judge)) for name, judge in values["judges"]),
        )


def _first(*values: float | None) -> float:
    """The first that is given."""
    return next(value for value in values if value is not None)
