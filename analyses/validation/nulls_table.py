"""The draws of a study's nulls as a table of a page: how often each claim is called supported.

    python -m if_circuits.analyses.validation.nulls_table STUDY [STUDY ...] docs/calibration.md

puts it between the markers `<!-- nulls: start -->` and `<!-- nulls: end -->` of that file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from if_circuits.analyses.shared.null_rates import null_rates
from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text

NAME = "nulls"
"""What stands in the markers of the table."""


def nulls_markdown(drawn: pd.DataFrame) -> str:
    """A Markdown table, one row a claim and null, from draws of several models, named in the column model."""
    lines = [
        "| model | null | claim | supported | 95 % interval | not supported | inconclusive | draws |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model, table in drawn.groupby("model", sort=False):
        lines += [
            f"| {model} | {row['null']} | `{row['analysis']}` | {row['supported']} "
            f"| [{row['low']:.2f}, {row['high']:.2f}] | {row['not_supported']} | {row['inconclusive']} "
            f"| {row['draws']} |"
            for row in null_rates(table).to_dict("records")
        ]
    return "\n".join(lines) + "\n"


def drawn_of(study: Path) -> pd.DataFrame:
    """The draws in a study's directory, the last where one was made anew. Raises InputError for none."""
    found = [pd.read_parquet(path) for path in sorted(study.glob("null-*.parquet"))]
    if not found:
        raise InputError(
            f"{study} has no draws of a null; if-circuits analyse {study} --null labels makes them"
        )
    drawn = pd.concat(found, ignore_index=True)
    return drawn.drop_duplicates(["null", "analysis", "draw"], keep="last").assign(model=study.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the table is written, 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.nulls_table",
        description="Write the draws of studies' nulls as a Markdown table.",
    )
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="directory named as its model")
    parser.add_argument("page", type=Path, help="file with the two markers")
    given = parser.parse_args(arguments)
    try:
        drawn = pd.concat([drawn_of(study) for study in given.studies], ignore_index=True)
        page = insert_table(given.page.read_text("utf-8"), nulls_markdown(drawn), name=NAME)
        write_text(given.page, page)
    except (InputError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
