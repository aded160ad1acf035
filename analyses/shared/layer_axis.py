"""The axis of layers in figures: few whole numbers, `embed` first, for models of any depth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator

from if_circuits.models.layers import EMBED, layer_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = 16
"""Markers of one line at most; more would hide it."""


class LayerLocator(MaxNLocator):
    """Whole layers between the first and the last one drawn, as many as there is room for.

    `embed` stays where it was drawn, and the next tick leaves it the room of one step.
    """

    def __init__(self, first: int, last: int) -> None:
        super().__init__(nbins="auto", integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
        self._first, self._last = first, last

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The layers that get a tick, whatever margins the view has."""
        ticks = np.unique(np.round(super().tick_values(vmin, vmax)))
        step = float(np.diff(ticks).min(initial=self._last - self._first + 1))
        embed = [float(EMBED)] if self._first == EMBED else []
        lowest = EMBED + step if embed else self._first
        return [*embed, *ticks[(ticks >= lowest) & (ticks <= self._last)].tolist()]


def layer_axis(axes: Axes, layers: Iterable[float], *, fontsize: float | None = None) -> None:
    """Ticks of a horizontal axis of layers; none where there is no layer."""
    drawn = sorted({int(layer) for layer in layers})
    if not drawn:
        axes.set_xticks([])
        return
    if fontsize is not None:  # first, since the room for ticks follows from the size of their labels
        axes.tick_params(axis="x", labelsize=fontsize)
    axes.xaxis.set_major_locator(LayerLocator(drawn[0], drawn[-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda layer, _: layer_label(round(layer))))


def marker_step(n_layers: int) -> int:
    """Every how many layers a line has its marker (`markevery`), so that deep models keep their lines."""
    return -(-n_layers // _MARKERS) or 1
