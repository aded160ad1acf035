"""The calibration's summary as the tables of the README: false positives by claim, and power.

    python -m if_circuits.analyses.calibration_table runs/calibration/summary.json README.md

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

from if_circuits.durable import write_text
from if_circuits.errors import InputError

START, END = "<!-- calibration: start -->", "<!-- calibration: end -->"


def calibration_markdown(summary: Mapping[str, Any]) -> str:
    """Two Markdown tables from the content of `summary.json`: every number in them is measured."""
    claims: Mapping[str, Any] = summary["claims"]
    worst = [(name, claim["false_positive"]) for name, claim in claims.items()]
    lines = [
        "| claim | false positives | 95 % interval | runs |",
        "|---|---|---|---|",
        *(
            f"| `{name}` | {found['rate']:.3f} | [{found['low']:.3f}, {found['high']:.3f}] "
            f"| {found['runs']} |"
            for name, found in worst
        ),
        "",
        f"Share of runs that call the claim supported under its null (nominal: {summary['nominal']:g}); of "
        "several nulls the one with the highest rate. Power is that share where the claim holds, by signal "
        "(distance between the classes in standard deviations) and n/d (responses of a task per dimension):",
        "",
        "| claim | signal | power at n/d | runs each |",
        "|---|---|---|---|",
    ]
    for name, claim in claims.items():
        for signal in sorted({point["signal"] for point in claim["power"]}):
            points = sorted(
                (point["n_over_d"], point["rate"], point["runs"])
                for point in claim["power"]
                if point["signal"] == signal
            )
            rates = ", ".join(f"{rate:.2f} at {n_over_d:.3g}" for n_over_d, rate, _ in points)
            lines.append(f"| `{name}` | {signal:g} | {rates} | {min(runs for *_, runs in points)} |")
    return "\n".join(lines) + "\n"


def insert_table(text: str, table: str) -> str:
    """`text` with the table between its markers. InputError without one of each, in order."""
    if text.count(START) != 1 or text.count(END) != 1 or text.index(START) > text.index(END):
        raise InputError(f"the text needs one line {START!r} and one line {END!r} after it")
    return text[: text.index(START) + len(START)] + "\n" + table + text[text.index(END) :]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the tables are written, 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.calibration_table",
        description="Write the tables of a calibration as Markdown.",
    )
    parser.add_argument("summary", type=Path, help="summary.json of a calibration")
    parser.add_argument("readme", type=Path, nargs="?", help="file with the two markers; else it is printed")
    given = parser.parse_args(arguments)
    try:
        table = calibration_markdown(json.loads(given.summary.read_text()))
        if given.readme is None:
            sys.stdout.write(table)
        else:
            write_text(given.readme, insert_table(given.readme.read_text(), table))
    except (InputError, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
