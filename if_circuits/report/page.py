"""The report: a study on one self-contained page, which needs no network and no other file."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from if_circuits.analyses.base import AnalysisResult
from if_circuits.report.examples import choose_examples
from if_circuits.report.style import task_label
from if_circuits.report.wording import wording

TOP_ROWS = 12
TOP_COLUMNS = 10


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of."""

    record: Mapping[str, Any]
    """study.json: configuration, model, versions, cost of each stage."""
    responses: pd.DataFrame
    """Verified responses."""
    compliance: pd.DataFrame
    """As `compliance.compliance_table` gives it."""
    results: Mapping[str, AnalysisResult]
    figures: Mapping[str, bytes]
    """PNG by name: one named after each analysis, and `compliance`."""


@dataclass(frozen=True)
class TableView:
    """The top of a table, as text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_rows: int
    n_columns: int
    path: str
    """Where the whole table lies, relative to the report."""


def render_report(content: ReportContent) -> str:
    """The report as HTML. Everything that a model or a user wrote is escaped."""
    environment = Environment(
        loader=PackageLoader("if_circuits.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=format_number, p_value=format_p, percent=_percent, label=task_label)
    figures = {name: b64encode(png).decode("ascii") for name, png in content.figures.items()}
    sections = [
        {
            "name": name,
            "wording": wording(name),
            "verdict": result.verdict,
            "figure": figures.get(name),
            "tables": [
                view_table(result.table, path=f"results/{name}.parquet"),
                *(
                    view_table(table, path=f"results/{name}.{extra}.parquet")
                    for extra, table in result.tables.items()
                ),
            ],
        }
        for name, result in content.results.items()
    ]
    return environment.get_template("report.html").render(
        record=content.record,
        compliance=content.compliance.to_dict("records"),
        compliance_figure=figures.get("compliance"),
        sections=sections,
        examples=choose_examples(content.responses).to_dict("records"),
        n_responses=len(content.responses),
        n_base_queries=content.responses["base_query"].nunique(),
    )


def view_table(table: pd.DataFrame, *, path: str) -> TableView:
    """The first rows and columns of a table as the report prints them."""
    top = table.iloc[:TOP_ROWS, :TOP_COLUMNS]
    cells = zip(*(top[name].tolist() for name in top.columns), strict=True)
    return TableView(
        tuple(str(name) for name in top.columns),
        tuple(tuple(_cell(value) for value in row) for row in cells),
        *table.shape,
        path,
    )


def format_number(value: float | None) -> str:
    """A number to three significant digits or decimals; a dash where it is undefined."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return text.replace("-", "−")


def format_p(value: float | None) -> str:
    """A p-value; a dash where it is undefined."""
    if value is None or not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.0f} %"


def _cell(value: object) -> str:
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | np.integer):
        return f"{value}"
    if isinstance(value, float | np.floating):
        return format_number(float(value))
    return str(value)
