"""The figure of the calibration: false-positive rates beside the nominal 5 %, and power curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from if_circuits.plotting.style import CONTROL, EFFECT, OKABE_ITO, new_figure, task_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = (("sky", ":", "^"), ("orange", "--", "s"), ("blue", "-", "o"), ("purple", "-.", "D"))


def figure(rates: pd.DataFrame, *, nominal: float) -> Figure:
    """Draw rates with their intervals: the columns of `calibration.rates`. `nominal` is the tests' size."""
    analyses = list(dict.fromkeys(rates["analysis"]))
    columns = 4
    drawing, axes = new_figure(-(-(len(analyses) + 1) // columns), columns, width=11.5, height=6.4)
    nulls = rates[rates["kind"] == "null"].iloc[::-1].reset_index(drop=True)
    _draw_nulls(axes[0], nulls, nominal)
    for panel, name in zip(axes[1:], analyses, strict=False):
        power = rates[(rates["analysis"] == name) & (rates["kind"] == "power")]
        _draw_power(panel, power)
        panel.set_title(task_label(name), pad=18)
    for unused in axes[len(analyses) + 1 :]:
        unused.set_axis_off()
    drawing.suptitle(
        f"Share of runs whose verdict is “supported”, on planted truth (n = {_span(nulls['runs'])} runs per "
        f"null, {_span(rates.loc[rates['kind'] == 'power', 'runs'])} per point of a power curve; "
        "bars: 95 % Wilson intervals; signals in standard deviations)",
        fontsize=9,
    )
    return drawing


def _draw_nulls(axes: Axes, nulls: pd.DataFrame, nominal: float) -> None:
    _draw_bars(axes.errorbar, nulls["rate"], range(len(nulls)), nulls, along="xerr", color=EFFECT, fmt="o")
    axes.axvline(nominal, color=CONTROL, linestyle="--", linewidth=1)
    axes.set_yticks(
        range(len(nulls)),
        [f"{task_label(row['analysis'])}: {row['planted']}" for row in nulls.to_dict("records")],
        fontsize=6,
    )
    axes.set_xlim(-0.01, max(0.12, float(nulls["high"].max()) + 0.01))
    axes.set_xlabel(f"false positives (dashed: {nominal:.0%})")
    axes.set_title("Nulls")


def _draw_power(axes: Axes, power: pd.DataFrame) -> None:
    for i, (signal, rows) in enumerate(power.groupby("signal")):
        colour, line, mark = _LOOKS[i % len(_LOOKS)]
        # Points of different signals would hide each other's intervals.
        places = rows["n_over_d"] * (1 + 0.03 * (i - 1))
        style = {"color": OKABE_ITO[colour], "linestyle": line, "marker": mark}
        _draw_bars(axes.errorbar, places, rows["rate"], rows, along="yerr", label=f"{signal:g} sd", **style)
    axes.set_xscale("log")
    ticks = sorted(power["n_over_d"].unique())
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("n/d (responses per task / d)")
    axes.set_ylabel("power")
    # Above the curves: wherever inside it would lie on one of them.
    axes.legend(fontsize=7, ncols=len(_LOOKS), loc="lower center", bbox_to_anchor=(0.5, 1.0), borderpad=0)


def _draw_bars(errorbar: Any, x: Any, y: Any, rows: pd.DataFrame, *, along: str, **style: Any) -> None:
    # Rounding may put a bound of the interval a hair inside the rate, and a bar may not be negative.
    below, above = (rows["rate"] - rows["low"]).clip(lower=0), (rows["high"] - rows["rate"]).clip(lower=0)
    errorbar(x, y, **{along: [below, above]}, capsize=2, linewidth=1.2, **style)


def _span(counts: pd.Series) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
