"""`make bench`: how fast, against what else could be used, as one table and one file.

    python -m tests.benchmarks [MODULE ...] [--out runs/bench]

Each module named here has `rows()`. They run one after the other with one thread each, and times are CPU
seconds, since other work on the cores changes those least. After each module `summary.json` is written, with
`machine.json` beside it; `tests.benchmarks.page` puts both into a page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from if_circuits.cli.console import new_console, print_table
from if_circuits.io.durable import write_text
from if_circuits.threads import one_thread_each
from tests.benchmarks.page import machine
from tests.benchmarks.table import Row

MODULES = (
    "probe_grid",
    "inlp",
    "capture",
    "interventions",
    "study_size",
    "workers",
    "forecast",
    "imports",
    "reproduce",
)
HEADER = ("what", "against", "ratio", "low to high", "reach", "reached")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(MODULES)}; default: all")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    given = parser.parse_args(arguments)
    console, rows = new_console(stderr=True), list[Row]()
    given.out.mkdir(parents=True, exist_ok=True)
    write_text(given.out / "machine.json", json.dumps(machine(), indent=2) + "\n")
    for name in given.modules or MODULES:
        console.print(name)
        module = import_module(f"tests.benchmarks.{name}")
        with one_thread_each():
            rows += module.rows()
        write_text(given.out / "summary.json", json.dumps([_record(row) for row in rows], indent=2) + "\n")
    print_table(HEADER, [_cells(row) for row in rows])


def _record(row: Row) -> dict[str, object]:
    return {**asdict(row), "reached": row.reached}


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{row.low:.3g} to {row.high:.3g}"
    return row.what, row.against, f"{row.ratio:.3g}", spread, row.reach, "yes" if row.reached else "no"


if __name__ == "__main__":
    main()
