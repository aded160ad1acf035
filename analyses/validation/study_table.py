"""What a study found, as Markdown tables: its verdicts, and the compliance of every task.

    python -m if_circuits.analyses.validation.study_table runs/if-tiny README.md docs/results.md

puts them into each file, between the markers named `verdicts` and `compliance`. A file may have one or both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.analyses.validation.marked_table import insert_table, markers
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text
from if_circuits.plotting.numbers import format_number, format_p
from if_circuits.study import Study


def verdicts_markdown(results: Mapping[str, AnalysisResult]) -> str:
    """One row a claim: its verdict with its rung, and the effect, interval and p-value behind it."""
    lines = ["| claim | verdict | rung | effect | 95 % interval | p | n |", "|---|---|---|---|---|---|---|"]
    for name, result in results.items():
        verdict = result.verdict
        low, high = map(format_number, verdict.interval)
        interval = "–" if "–" in (low, high) else f"[{low}, {high}]"
        cells = (
            f"{verdict.claim} (`{name}`)",
            verdict.verdict,
            result.evidence.rung,
            format_number(verdict.effect),
            interval,
            format_p(verdict.p),
            str(verdict.n or "–"),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def compliance_markdown(compliance: pd.DataFrame) -> str:
    """One row a task: the share of responses that satisfy the constraint, asked for and not."""
    lines = ["| task | constrained | unconstrained | n |", "|---|---|---|---|"]
    for row in compliance.to_dict("records"):
        shares = f"{row['constrained']:.2f} | {row['unconstrained']:.2f}"
        lines.append(f"| `{row['task']}` | {shares} | {row['n']} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when every file has its tables, 2 for unusable input; then no file is changed."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.study_table",
        description="Write the tables of a study into Markdown files.",
    )
    parser.add_argument("study", type=Path, help="directory of a finished study")
    parser.add_argument("files", type=Path, nargs="+", help="files with the markers")
    given = parser.parse_args(arguments)
    try:
        study = Study.open(given.study)
        tables = {
            "verdicts": verdicts_markdown(study.results),
            "compliance": compliance_markdown(study.compliance),
        }
        written = {path: _filled(path.read_text("utf-8"), tables) for path in given.files}
        for path, text in written.items():
            write_text(path, text)
    except (InputError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _filled(text: str, tables: Mapping[str, str]) -> str:
    """`text` with each table that it has a marker for. InputError when it has none."""
    wanted = [name for name in tables if any(marker in text for marker in markers(name))]
    if not wanted:
        raise InputError(f"the text has none of the markers {', '.join(markers(name)[0] for name in tables)}")
    for name in wanted:
        text = insert_table(text, tables[name], name=name)
    return text


if __name__ == "__main__":
    sys.exit(main())
