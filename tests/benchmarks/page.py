"""The measured table of the speed page: `python -m tests.benchmarks.page runs/bench docs/speed.md`."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.io.durable import write_text
from tests.benchmarks.table import HEADER, Row

NAME = "speed"
LEGEND = """\
Ours, the alternative and the limit were timed in turns, in one run. A ratio that should be above a number
says how many times as good ours is; one that should be at most a number, how many times as much it takes.
The share of the limit is 1 where ours is as fast as the limit, and a dash stands where there is none. Spreads
are from the least to the greatest of the repeats."""
LIBRARIES = ("numpy", "scikit-learn", "torch", "transformer-lens")


def machine() -> dict[str, Any]:
    """What `make bench` ran on."""
    names = [line for line in _cpu_lines() if line.startswith("model name")]
    cpu = names[0].split(":", 1)[1].strip() if names else platform.machine()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []


def table(rows: Sequence[Row], ran_on: Mapping[str, Any]) -> str:
    """Rows, how to read them and what they ran on, as Markdown."""
    lines = [LEGEND, "", line(HEADER), f"|{'---|' * len(HEADER)}"]
    lines += [line(row.cells()).replace(": no |", ": **no** |") for row in rows]
    versions = ", ".join(f"{name} {ran_on[name]}" for name in ("python", *LIBRARIES))
    return "\n".join([*lines, "", f"Ran on {ran_on['cores']} cores of {ran_on['cpu']}; {versions}.", ""])


def line(cells: Sequence[str]) -> str:
    """Cells as a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Put the table of one run into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bench", type=Path, help="the directory that make bench wrote")
    parser.add_argument("page", type=Path)
    given = parser.parse_args(arguments)
    records, ran_on = (
        json.loads((given.bench / name).read_text("utf-8")) for name in ("summary.json", "machine.json")
    )
    text, rows = given.page.read_text("utf-8"), [Row.read(record) for record in records]
    write_text(given.page, insert_table(text, table(rows, ran_on), name=NAME))


if __name__ == "__main__":
    main()
