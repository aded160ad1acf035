"""The top of each table, as text."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from if_circuits.models.layers import layer_label
from if_circuits.plotting.numbers import format_number

TOP_ROWS = 12
_KEYS = ("labels", "task", "position", "probe")
"""What tells the rows of one layer apart."""


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
