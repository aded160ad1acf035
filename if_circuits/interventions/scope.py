"""Which tokens an intervention touches.

Positions are absolute: a token keeps its number whether it is read with its whole sequence, in a padded
batch, or alone on top of a cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Int
from torch import Tensor

from if_circuits.errors import InputError

PADDING = -1
"""Stands for the position of a padding token."""


@dataclass(frozen=True, eq=False)
class Window:
    """The tokens that one forward pass reads: all of the prompt, or one position on top of the cache."""

    positions: Int[Tensor, "batch length"]
    """Position of each token in its sequence, counted from 0 without padding; PADDING for padding."""
    prompt_lengths: Int[Tensor, " batch"]
    """Tokens of each row's prompt."""
    prompts: Int[Tensor, " batch"]
    """Number of the prompt that each row continues: with several conditions or samples, rows share one."""

    def take(self, rows: Int[Tensor, " taken"]) -> Window:
        """The same for some rows of the batch."""
        return Window(self.positions[rows], self.prompt_lengths[rows], self.prompts[rows])


@dataclass(frozen=True)
class Scope:
    """The tokens to touch. By default those that decide the response: the prompt's last one and all after
    it.

    Keys and values that were cached before an untouched position stay as they are: with the default scope,
    the response attends to an unaltered prompt except for its last position. Padding is never touched.

    Raises:
        InputError: For a scope that touches no token.

    Example:
        >>> import if_circuits as ifc
        >>> print(ifc.Scope(), "|", ifc.Scope(prompt=True, positions=(1, 20)))
        generated | prompt and generated in [1, 20)
        >>> print(ifc.Scope(offsets=(0, 1)), "|", ifc.Scope(offsets=(1, None)))
        generated, prompt's end + [0, 1) | generated, prompt's end + [1, ...)
    """

    prompt: bool = False
    """Every token of the prompt, its last one included."""
    generated: bool = True
    """From the prompt's last token on, because that is where the first token of the response is decided."""
    positions: tuple[int, int] | None = None
    """Of these, only positions start <= p < stop; 0 is the prompt's first token (the BOS)."""
    offsets: tuple[int, int | None] | None = None
    """Of these, only tokens start <= t < stop counted from the prompt's last token, which is 0; without a
    stop, all from the start on. (0, 1) is the prompt's end, (1, None) the response, however long they are."""

    def __post_init__(self) -> None:
        if not (self.prompt or self.generated):
            raise InputError("this scope touches no token: set prompt, generated or both")
        if self.positions is not None and not 0 <= self.positions[0] < self.positions[1]:
            raise InputError(f"positions are a range start < stop from 0 on, got {self.positions}")
        if self.offsets is not None and self.offsets[1] is not None and self.offsets[0] >= self.offsets[1]:
            raise InputError(f"offsets are a range start < stop, got {self.offsets}; 0 is the prompt's end")

    def mask(self, window: Window) -> Bool[Tensor, "batch length"]:
        """Which tokens of the window to touch."""
        positions, prompt_lengths = window.positions, window.prompt_lengths[:, None]
        touched = positions >= 0
        if not self.generated:
            touched &= positions < prompt_lengths
        elif not self.prompt:
            touched &= positions >= prompt_lengths - 1
        if self.positions is not None:
            touched &= (positions >= self.positions[0]) & (positions < self.positions[1])
        if self.offsets is not None:
            start, stop = self.offsets
            offset = positions - (prompt_lengths - 1)
            touched &= offset >= start
            if stop is not None:
                touched &= offset < stop
        return touched

    def __str__(self) -> str:
        where = " and ".join(name for name in ("prompt", "generated") if getattr(self, name))
        if self.positions is not None:
            where += f" in [{self.positions[0]}, {self.positions[1]})"
        if self.offsets is not None:
            stop = "..." if self.offsets[1] is None else self.offsets[1]
            where += f", prompt's end + [{self.offsets[0]}, {stop})"
        return where
