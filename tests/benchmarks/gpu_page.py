"""The table of a GPU on the speed page: `python -m tests.benchmarks.gpu_page runs/gpu docs/speed.md`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.io.durable import write_text
from tests.benchmarks.gpu import Limits, Measured
from tests.benchmarks.page import line

NAME = "gpu"
HEADER = (
    "model",
    "rows",
    "stage",
    "tokens/s",
    "TFLOP/s",
    "of the matrix rate",
    "GB/s read",
    "of the bandwidth",
    "peak memory, GB",
)


def table(written: Mapping[str, Any]) -> str:
    """Stages with their shares of both limits, as Markdown."""
    limits = {(row["model"], row["rows"]): Limits(**row) for row in written["limits"]}
    stages = [Measured(**row) for row in written["stages"]]
    lines = [line(HEADER), f"|{'---|' * len(HEADER)}"]
    lines += [line(cells(stage, limits[stage.model, stage.rows])) for stage in stages]
    return "\n".join([*lines, "", f"Ran on one {written['device']}, torch {written['torch']}.", ""])


def cells(stage: Measured, limit: Limits) -> list[str]:
    """One row of the table."""
    took = float(np.median(stage.seconds))
    rate, at_best = stage.tflop / took, limit.tflop_of_products / limit.seconds_of_products
    read = stage.read_gb / took
    return [
        f"{stage.model}, {stage.dtype}",
        str(stage.rows),
        stage.stage,
        f"{stage.tokens / took:,.0f}",
        f"{rate:.3g}",
        # Whole texts are more rows than were measured.
        f"{rate / at_best:.3f} of {at_best:.3g} TFLOP/s" if read else "–",
        f"{read:.3g}" if read else "–",
        f"{read / limit.copy_gb_s:.3f}" if read else "–",
        f"{stage.peak_gb:.1f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Put the table of one run into a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gpu", type=Path, help="the directory that tests.benchmarks.gpu wrote")
    parser.add_argument("page", type=Path)
    given = parser.parse_args(arguments)
    written = json.loads((given.gpu / "gpu.json").read_text("utf-8"))
    write_text(given.page, insert_table(given.page.read_text("utf-8"), table(written), name=NAME))


if __name__ == "__main__":
    main()
