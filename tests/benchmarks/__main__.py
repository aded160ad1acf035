"""`make bench`: how fast, against what else could be used, as one table and one file.

    OMP_NUM_THREADS=1 python -m tests.benchmarks [MODULE ...] [--out runs/bench]

Each module named here has `rows()`. They run one after the other with one thread each, and times are CPU
seconds, since other work on the cores changes those least. After each module `summary.json` is written, with
`machine.json` beside it; `tests.benchmarks.page` puts both into a page.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from if_circuits.cli.console import new_console, print_table
from if_circuits.io.durable import write_text
from if_circuits.threads import one_thread_each
from tests.benchmarks.page import machine
from tests.benchmarks.table import HEADER, Row

MODULES = (
    "probe_grid",
    "inlp",
    "capture",
    "generation",
    "interventions",
    "study_size",
    "workers",
    "forecast",
    "imports",
    "reproduce",
)
ONLY_NAMED = ("study_of_31_layers",)
"""These take long, and run when they are named."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that are named, all by default."""
    names = ", ".join((*MODULES, *ONLY_NAMED))
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help=f"of {names}; by default all before the last"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    given = parser.parse_args(arguments)
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: a wide model takes more threads wherever they are configured")
    console, rows = new_console(stderr=True), list[Row]()
    given.out.mkdir(parents=True, exist_ok=True)
    write_text(given.out / "machine.json", json.dumps(machine(), indent=2) + "\n")
    for name in given.modules or MODULES:
        console.print(name)
        module = import_module(f"tests.benchmarks.{name}")
        with one_thread_each():
            rows += module.rows()
        write_text(given.out / "summary.json", json.dumps([row.record() for row in rows], indent=2) + "\n")
    print_table(HEADER, [row.cells() for row in rows])


if __name__ == "__main__":
    main()
