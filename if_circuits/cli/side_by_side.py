"""Two answers beside each other on the terminal, their tokens coloured by what a probe reads there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from if_circuits.cli.console import new_console

if TYPE_CHECKING:
    from if_circuits.cli.ablation import Answer, Fitted

_BANDS = ("#D55E00", "#E69F00", "default", "#56B4E9", "#0072B2")
"""From "violated" to "satisfied", out of the palette of `report.style`, which imports matplotlib."""
_BARS = "▁▂▃▄▅▆▇█"


def print_side_by_side(
    baseline: Answer, ablated: Answer, fitted: Sequence[Fitted], *, task: str | None
) -> None:
    """Print both answers with verdicts and, for each target, the probe's reading along them."""
    answers = (baseline, ablated)
    removed = ", ".join(f"{one.target} (rank {one.subspace.rank})" for one in fitted)
    table = Table("", "baseline", "ablated", show_lines=True, title=escape(f"ablated: {removed}"))
    table.add_row("answer", *(Text(answer.text) for answer in answers))
    table.add_row(escape(task or "no task's wording"), *(_verdict(answer) for answer in answers))
    for number, one in enumerate(fitted):
        cells = (_reading(answer, number) for answer in answers)
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
        f"Fitted at the last token ({fits}); read at each token, at the probe's layer, "
        "after the removal where there is one.",
        style="dim",
    )
    console.print(legend)


def _verdict(answer: Answer) -> Text:
    if answer.satisfied is None:
        return Text(f"undecided: {answer.reason}" if answer.reason else "no verdict", style="dim")
    word, colour = ("satisfied", _BANDS[-1]) if answer.satisfied else ("violated", _BANDS[0])
    return Text.assemble((word, f"bold {colour}"), f": {answer.reason}")


def _reading(answer: Answer, number: int) -> Text:
    """The tokens in colour; below them a bar for each, and the number at the last."""
    values = answer.readings[number]
    if not len(values):
        return Text("(no token)", style="dim")
    cell = Text()
    for token, value in zip(answer.tokens, values, strict=True):
        cell.append(token, style=_BANDS[min(int(value * len(_BANDS)), len(_BANDS) - 1)])
    cell.append("\n")
    for value in values:
        cell.append(_BARS[min(int(value * len(_BARS)), len(_BARS) - 1)])
    cell.append(f"  {values[-1]:.2f} at the last")
    return cell
