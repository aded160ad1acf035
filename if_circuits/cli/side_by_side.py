"""Two answers beside each other on the terminal, their tokens coloured by what a probe reads there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from if_circuits.cli.console import new_console
from if_circuits.tasks.labels import Label

if TYPE_CHECKING:
    from if_circuits.study.targets import FittedTarget, ReadResponse

_BANDS = ("#D55E00", "#E69F00", "default", "#56B4E9", "#0072B2")
"""From "violated" to "satisfied", out of the palette of `report.style`, which imports matplotlib."""
_COLOURS = {Label.SATISFIED: _BANDS[-1], Label.VIOLATED: _BANDS[0]}
_BARS = "▁▂▃▄▅▆▇█"


def print_side_by_side(
    baseline: ReadResponse, ablated: ReadResponse, fitted: Sequence[FittedTarget], *, task: str | None
) -> None:
    """Print both answers with verdicts and, for each target, the probe's reading along them."""
    responses = (baseline, ablated)
    removed = ", ".join(f"{one.target} ({one.method}, rank {one.subspace.rank})" for one in fitted)
    table = Table("", "baseline", "ablated", show_lines=True, title=escape(f"ablated: {removed}"))
    table.add_row("answer", *(Text(response.text) for response in responses))
    table.add_row(escape(task or "no task's wording"), *(_verdict(response) for response in responses))
    for number, one in enumerate(fitted):
        cells = (_reading(response, number) for response in responses)
        table.add_row(escape(f"probe of\n{one.target}"), *cells)
    console = new_console()
    console.print(table)
    legend = Text("The probe's probability that the constraint is satisfied: ")
    edges = [f"{i / len(_BANDS):.1f}" for i in range(len(_BANDS) + 1)]
    for low, high, colour in zip(edges, edges[1:], _BANDS, strict=False):
        legend.append(f"{low}-{high} ", style=colour)
    legend.append(f"and as bars, {_BARS[0]} 0 to {_BARS[-1]} 1.\n")
    fits = ", ".join(f"{one.target} on {one.n} responses" for one in fitted)
    legend.append(
        f"Fitted at the {fitted[0].position} token ({fits}); read at each token, at the probe's layer, "
        "after the removal where there is one.",
        style="dim",
    )
    console.print(legend)


def _verdict(response: ReadResponse) -> Text:
    if response.verdict is None:
        return Text("no verdict", style="dim")
    if response.verdict not in _COLOURS:
        return Text(f"{response.verdict}: {response.reason}", style="dim")
    return Text.assemble(
        (response.verdict, f"bold {_COLOURS[Label(response.verdict)]}"), f": {response.reason}"
    )


def _reading(response: ReadResponse, number: int) -> Text:
    """The tokens in colour; below them a bar for each, and the number at the last."""
    values = response.readings[number]
    if not len(values):
        return Text("(no token)", style="dim")
    cell = Text()
    for token, value in zip(response.tokens, values, strict=True):
        cell.append(token, style=_BANDS[min(int(value * len(_BANDS)), len(_BANDS) - 1)])
    cell.append("\n")
    for value in values:
        cell.append(_BARS[min(int(value * len(_BARS)), len(_BARS) - 1)])
    cell.append(f"  {values[-1]:.2f} at the last")
    return cell
