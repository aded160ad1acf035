"""What a report may say of a study: its configuration and tables, read by the names of their columns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from if_circuits.analyses.base import AnalysisResult
from if_circuits.plotting.style import task_label

NOT_DONE = "not done in this study"


@dataclass(frozen=True)
class StudyFacts:
    """What the answers are taken from."""

    record: Mapping[str, Any]
    """study.json."""
    responses: pd.DataFrame
    compliance: pd.DataFrame
    results: Mapping[str, AnalysisResult]
    calibration: Mapping[str, Any] | None = None
    """`summary.json` of a calibration of this version, if there is one."""
    nulls: pd.DataFrame | None = None
    """Verdicts of this study where there is nothing to find, one row a draw, if any were drawn."""

    def setting(self, name: str) -> Any:
        """One of the analyses' settings; "?" where the record has none."""
        return self.record["config"].get("settings", {}).get(name, "?")

    def table(self, analysis: str, name: str = "", *, needs: Sequence[str] = ()) -> pd.DataFrame | None:
        """A table's rows on natural labels; None where it, a column that is needed or every row is absent."""
        result = self.results.get(analysis)
        table = None if result is None else result.table if not name else result.tables.get(name)
        if table is None or not set(needs) <= set(table.columns):
            return None
        table = table[table["labels"] == "natural"] if "labels" in table else table
        return table if len(table) else None

    def tables(self, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """Every table with a column, by the name of its file."""
        for analysis, result in self.results.items():
            for name in ("", *result.tables):
                table = self.table(analysis, name, needs=[column])
                if table is not None:
                    yield (f"{analysis}.{name}" if name else analysis), table

    def missing(self, what: str, analysis: str) -> str:
        """The sentence for something that the study lacks."""
        why = "has no such table" if analysis in self.results else "was not asked for"
        return f"{what}: {NOT_DONE} ({task_label(analysis)} {why})."
