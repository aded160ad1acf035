"""One line of tokens as HTML, each in the colour of its reading, in the colours of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float

from if_circuits.models.layers import layer_label
from if_circuits.plotting.style import task_label

_BELOW, _MIDDLE, _ABOVE = (179, 88, 6), (247, 247, 247), (33, 102, 172)


def token_line(
    tokens: Sequence[str],
    readings: Float[np.ndarray, " tokens"],
    words: Float[np.ndarray, " tokens"],
    *,
    task: str,
    layer: int,
    bins: Sequence[Mapping[str, Any]],
) -> str:
    """The tokens of one answer under one probe; pointing at one shows the numbers."""
    pieces: list[str] = []
    for place, (text, reading, word) in enumerate(
        zip(tokens, readings.tolist(), words.tolist(), strict=True)
    ):
        shown = "▸" if place == 0 else _visible(text)
        told = f"probe {reading:.2f}{_worth(bins, reading)}, words {word:.2f}"
        background, ink = colour(reading), "#fff" if abs(reading - 0.5) > 0.38 else "#000"
        pieces.append(
            f'<span title="{escape(told)}" style="display: inline-block; white-space: pre; '
            f"unicode-bidi: isolate; background: {background}; color: {ink}; "
            f"border-bottom: 4px solid {colour(word)}; "
            f'padding: 0 2px; margin: 1px 0">{escape(shown)}</span>'
        )
    name = f"probe of {task_label(task)}, layer {layer_label(layer)}"
    return f'<div style="line-height: 2"><small>{escape(name)}</small><br>{"".join(pieces)}</div>'


def colour(value: float) -> str:
    """From orange (0) over white (0.5) to blue (1); grey where there is no number."""
    if not np.isfinite(value):
        return "#bbb"
    share, end = min(1.0, abs(value - 0.5) * 2), _ABOVE if value >= 0.5 else _BELOW
    mixed = [round(middle + (side - middle) * share) for middle, side in zip(_MIDDLE, end, strict=True)]
    return f"rgb({', '.join(map(str, mixed))})"


def _worth(bins: Sequence[Mapping[str, Any]], reading: float) -> str:
    """What such a reading was worth on held-out responses."""
    found = [each for each in bins if reading >= (each["bin"] or 0.0)]
    if not found or not found[-1]["n"]:
        return ""
    last = found[-1]
    bounds = "" if last["low"] is None else f" [{last['low']:.2f}, {last['high']:.2f}]"
    return f" (of held-out ones {last['share']:.2f}{bounds} satisfied)"


def _visible(text: str) -> str:
    """A token with its line breaks and control characters drawn as symbols."""
    drawn = text.replace("\n", "⏎").replace("\t", "⇥")
    return "".join(chr(0x2400 + ord(each)) if ord(each) < 32 else each for each in drawn) or "∅"
