"""The report: a study on one self-contained page, which needs no network and no other file."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from if_circuits.analyses.base import AnalysisResult
from if_circuits.models.layers import layer_label
from if_circuits.plotting.numbers import format_number, format_p
from if_circuits.plotting.style import task_label
from if_circuits.report.checklist import checklist
from if_circuits.report.examples import choose_examples
from if_circuits.report.facts import StudyFacts
from if_circuits.report.judges import judged_tasks
from if_circuits.report.wording import wording

TOP_ROWS = 12
_KEYS = ("labels", "task", "position", "probe")
"""What tells the rows of one layer apart."""


@dataclass(frozen=True)
class ReportContent:
    """What a report is made of."""

    record: Mapping[str, Any]
    """study.json: configuration, model, versions, cost of each stage."""
    responses: pd.DataFrame
    """Verified responses."""
    compliance: pd.DataFrame
    """As `analyses.compliance.analysis.compliance_table` gives it."""
    results: Mapping[str, AnalysisResult]
    figures: Mapping[str, bytes]
    """PNG by name: one named after each analysis, and `compliance`."""
    calibration: Mapping[str, Any] | None = None
    """`summary.json` of a calibration (`make calibrate`), where there is one."""
    pilot: pd.DataFrame | None = None
    """What the pilot found of each grade (`study.pilot.pilot_table`), where there was one."""


@dataclass(frozen=True)
class TableView:
    """The top of a table, as text."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_rows: int
    path: str
    """Where the whole table lies, relative to the report."""
    n_layers: int = 1
    """Layers of which each row shown is the one with the highest AUROC."""


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
            "evidence": result.evidence,
            "figure": figures.get(name),
            "tables": [
                view_table(name, result.table, path=f"results/{name}.parquet"),
                *(
                    view_table(extra, table, path=f"results/{name}.{extra}.parquet")
                    for extra, table in result.tables.items()
                ),
            ],
        }
        for name, result in content.results.items()
    ]
    return environment.get_template("report.html").render(
        title=_title(content.record["model"]["name"]),
        record=content.record,
        configuration=_configuration(content.record["config"]),
        compliance=content.compliance.to_dict("records"),
        compliance_figure=figures.get("compliance"),
        pilot=[] if content.pilot is None else content.pilot.to_dict("records"),
        pilot_figure=figures.get("pilot"),
        judges=judged_tasks(content.responses, content.record.get("judges", {})),
        sections=sections,
        checklist=checklist(
            StudyFacts(
                content.record, content.responses, content.compliance, content.results, content.calibration
            )
        ),
        examples=choose_examples(content.responses).to_dict("records"),
        n_responses=len(content.responses),
        n_base_queries=content.responses["base_query"].nunique(),
    )


def shipped_calibration() -> Mapping[str, Any] | None:
    """The summary of a calibration (`make calibrate`) that ships with this version; None when none does."""
    path = files("if_circuits") / "assets" / "calibration.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def view_table(name: str, table: pd.DataFrame, *, path: str) -> TableView:
    """The first rows of a table as the report prints them; a long one by layers is folded first."""
    keys = [key for key in _KEYS if key in table]
    n_layers = 1
    shown = table
    if len(table) > TOP_ROWS and keys and {"layer", "auroc"} <= set(table):
        n_layers = int(table["layer"].nunique())
        best_first = table.sort_values("auroc", ascending=False, kind="stable", na_position="last")
        shown = best_first.drop_duplicates(keys).sort_index()
    top = shown.head(TOP_ROWS)
    columns = tuple(str(name) for name in top.columns)
    cells = [_column(column, top[column]) for column in columns]
    return TableView(name, columns, tuple(zip(*cells, strict=True)), len(table), path, n_layers)


def _percent(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.0f} %"


def _column(name: str, values: pd.Series) -> list[str]:
    """The cells of a column: whole numbers as such, even where a missing value has made them floats."""
    if name == "layer" and is_numeric_dtype(values):
        return ["–" if np.isnan(value) else layer_label(int(value)) for value in values]
    if is_bool_dtype(values) or not is_numeric_dtype(values):
        absent = values.isna().tolist()
        return ["–" if gone else str(value) for value, gone in zip(values.tolist(), absent, strict=True)]
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    if np.array_equal(known, np.round(known)):
        return [f"{value:.0f}".replace("-", "−") if np.isfinite(value) else "–" for value in numbers]
    return [format_number(value) for value in numbers]


def _title(model: str) -> str:
    """A model's name; of a directory only its own name."""
    return Path(model).name if model.startswith(("/", ".", "~")) else model


def _configuration(config: Mapping[str, Any]) -> dict[str, object]:
    """Configuration as a flat list of what was asked for."""
    flat = {**config, **config.get("settings", {})}
    flat.pop("settings", None)
    return {
        name: "default" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flat.items()
    }
