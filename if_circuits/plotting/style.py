"""One look for every figure, in the colour-blind-safe palette of Okabe and Ito (2008).

Figures are `matplotlib.figure.Figure` objects drawn with Agg. Nothing here touches pyplot's global state.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#767676",
}

EFFECT = OKABE_ITO["blue"]
"""Colour of the quantity that a figure is about."""
CONTROL = OKABE_ITO["grey"]
"""Colour of its control, baseline or null."""
CONTRAST = OKABE_ITO["vermilion"]
"""Colour of a second quantity set against the first."""

SEQUENTIAL = "cividis"
"""Colour map of values with a floor, such as AUROC."""
DIVERGING = "PuOr_r"
"""Colour map of signed values; centre it at their null."""

_RC: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "lines.markersize": 4,
}


def task_label(task: str) -> str:
    """A task's name as figures and tables print it."""
    return task.replace("_", " ")


def position_label(position: str) -> str:
    """A position's name as figures and tables print it."""
    return position.replace("_", " ")


class ShownFigure(Figure):
    """A figure that a notebook shows as it is, without pyplot."""

    def _repr_png_(self) -> bytes:
        return png_bytes(self)


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.6, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure in the common style and its axes, row by row. Sizes in inches, for the whole figure."""
    with rc_context(_RC):
        figure = ShownFigure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    return figure, list(axes.ravel())


def new_mosaic(
    layout: Sequence[Sequence[str]], *, width: float, height: float, height_ratios: Sequence[float]
) -> tuple[Figure, dict[str, Axes]]:
    """A figure in the common style whose axes lie as their names do in `layout`; "." is left empty."""
    with rc_context(_RC):
        figure = ShownFigure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        rows: Any = [list(row) for row in layout]
        axes: dict[str, Axes] = figure.subplot_mosaic(rows, height_ratios=list(height_ratios))
    return figure, axes


def draw_matrix(
    axes: Axes,
    values: Sequence[Sequence[float]] | Float[np.ndarray, "rows columns"],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    low: float,
    high: float,
    colours: str = SEQUENTIAL,
    label: str = "",
    marked: Sequence[Sequence[bool]] | Bool[np.ndarray, "rows columns"] | None = None,
) -> None:
    """Draw a labelled matrix with its values written in the cells, and * after those that are `marked`.

    NaN cells stay empty. Without a `label` there is no colour bar.
    """
    cells = np.asarray(values, dtype=float)
    image = axes.imshow(cells, vmin=low, vmax=high, cmap=colours, aspect="auto")
    shades = np.asarray(image.to_rgba(cells))
    stars = np.zeros(cells.shape, dtype=bool) if marked is None else np.asarray(marked, dtype=bool)
    axes.grid(visible=False)
    axes.set_xticks(range(len(columns)), [task_label(name) for name in columns], rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), [task_label(name) for name in rows])
    for i, row in enumerate(cells):
        for j, value in enumerate(row):
            if np.isfinite(value):
                red, green, blue = shades[i, j, :3]
                ink = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
                # Adding 0.0 turns a rounded -0.0 into 0.0.
                text = f"{round(float(value), 2) + 0.0:.2f}".replace("-", "\u2212")
                axes.text(
                    j, i, text + "*" if stars[i, j] else text, ha="center", va="center", fontsize=7, color=ink
                )
    if label:
        axes.figure.colorbar(image, ax=axes, label=label)


def legend_below(axes: Axes, *, columns: int = 3, size: float = 7, lines: int = 1) -> None:
    """A legend under the label of the horizontal axis, whose ticks have so many lines: it covers no data."""
    # The distance is in units of the text, so that it is the same under panels of any height.
    pad = (26 + 10 * lines) / size
    axes.legend(fontsize=size, ncol=columns, loc="upper center", bbox_to_anchor=(0.5, 0.0), borderaxespad=pad)


def log_axis(axes: Axes) -> None:
    """A logarithmic horizontal axis with a few plain numbers; call it when everything is drawn."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = np.log10(high / low)
    subs = (1.0,) if decades > 3 else (1.0, 3.0) if decades > 1.5 else (1.0, 2.0, 5.0)
    # Within a factor of four, evenly spaced numbers are the plain ones.
    axes.xaxis.set_major_locator(MaxNLocator(5) if decades < 0.6 else LogLocator(subs=subs))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def say_why(axes: Axes, reason: str) -> None:
    """In a panel that stays empty, the reason why."""
    axes.text(0.5, 0.5, reason, transform=axes.transAxes, ha="center", va="center", fontsize=7)


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG, 160 dots an inch, without metadata that changes from run to run."""
    for legend in figure.findobj(Legend):
        legend.set_frame_on(False)
    buffer = BytesIO()
    with rc_context(_RC):
        figure.savefig(buffer, format="png", dpi=160, metadata={"Software": None})
    return buffer.getvalue()


def save_png(figure: Figure, path: Path) -> None:
    """Write the figure to `path` as PNG."""
    path.write_bytes(png_bytes(figure))
