"""The calibration's summary as the tables of a page: false positives by claim, and power.

    python -m if_circuits.analyses.validation.calibration.table SUMMARY.json docs/calibration.md

puts them between the markers `<!-- calibration: start -->` and `<!-- calibration: end -->` of that file;
without a file it prints them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text

NAME = "calibration"
"""What stands in the markers of the table."""


def calibration_markdown(summary: Mapping[str, Any]) -> str:
    """Markdown tables from the content of `summary.json`: every number in them is measured.

    One table of false positives, and one of power for all claims that were measured at the same n/d.
    """
    claims: Mapping[str, Any] = summary["claims"]
    worst = [(name, claim["false_positive"]) for name, claim in claims.items()]
    lines = [
        f"| claim | false positives (nominal {summary['nominal']:g}) | 95 % interval | planted | runs |",
        "|---|---|---|---|---|",
        *(
            f"| `{name}` | {found['rate']:.3f} | [{found['low']:.3f}, {found['high']:.3f}] "
            f"| {found['planted']} | {found['runs']} |"
            for name, found in worst
        ),
        "",
        "A false positive is a run that calls a claim supported where it is planted to be false; of several "
        "such truths the one with the highest rate stands here. Power is the share of runs that call it "
        "supported where it holds: one number a signal, from weak to strong (the distance between the "
        "classes in standard deviations), by n/d (responses of a task per dimension).",
    ]
    grids: dict[tuple[float, ...], list[str]] = {}
    for name, claim in claims.items():
        grid = tuple(sorted({point["n_over_d"] for point in claim["power"]}))
        grids.setdefault(grid, []).append(name)
    for grid, names in grids.items():
        lines += [
            "",
            f"| claim | signals | {' | '.join(f'power at n/d {at:.3g}' for at in grid)} | runs each |",
            "|---|---|" + "---|" * (len(grid) + 1),
            *(_power_row(name, claims[name]["power"], grid) for name in names),
        ]
    return "\n".join(lines) + "\n"


def _power_row(name: str, points: Sequence[Mapping[str, Any]], grid: Sequence[float]) -> str:
    rates = {(point["signal"], point["n_over_d"]): point["rate"] for point in points}
    signals = sorted({signal for signal, _ in rates})
    cells = [
        " / ".join(f"{rates[signal, at]:.2f}" if (signal, at) in rates else "–" for signal in signals)
        for at in grid
    ]
    strengths = " / ".join(f"{signal:g}" for signal in signals)
    return f"| `{name}` | {strengths} | {' | '.join(cells)} | {min(point['runs'] for point in points)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the tables are written, 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.calibration.table",
        description="Write the tables of a calibration as Markdown.",
    )
    parser.add_argument("summary", type=Path, help="summary.json of a calibration")
    parser.add_argument("page", type=Path, nargs="?", help="file with the two markers; else it is printed")
    given = parser.parse_args(arguments)
    try:
        table = calibration_markdown(json.loads(given.summary.read_text()))
        if given.page is None:
            sys.stdout.write(table)
        else:
            write_text(given.page, insert_table(given.page.read_text(), table, name=NAME))
    except (InputError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
