"""The reference of the tables' columns: complete for a study, and current on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.base import ANALYSES, AnalysisResult, AnalysisSettings, get_analysis
from if_circuits.analyses.shared.columns import COLUMNS, describe, page
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.errors import InputError
from if_circuits.plotting import html
from tests.pictures import small_png

PAGE = Path(__file__).parents[3] / "docs" / "columns.md"


@pytest.fixture(scope="module")
def results() -> dict[str, AnalysisResult]:
    """Every analysis on a small planted study; without a model, so without behaviour."""
    source = simulate(PlantedTruth(signal=3.0, n_base_queries=26))
    settings = AnalysisSettings(n_folds=3, n_bootstrap=50, n_permutations=20, n_random_subspaces=3)
    analyses = [get_analysis(name) for name in ANALYSES]
    no_model = {"model": None, "run_settings": None}
    return {
        each.name: each.run(source, settings, **(no_model if each.uses_model else {})) for each in analyses
    }


def tables(results: dict[str, AnalysisResult]) -> dict[str, pd.DataFrame]:
    found = {name: result.table for name, result in results.items()}
    return found | {
        f"{name}.{part}": table for name, result in results.items() for part, table in result.tables.items()
    }


def listed() -> dict[str, tuple[str, str, set[str]]]:
    """What the page says: meaning, unit and tables by column."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text(), flags=re.MULTILINE)
    return {name: (meaning, unit, set(where.split(", "))) for name, meaning, unit, where in rows}


@pytest.mark.slow
def test_every_column_of_every_table_is_described_and_listed(results: dict[str, AnalysisResult]):
    on_page = listed()
    for table, frame in tables(results).items():
        for name in map(str, frame.columns):
            describe(name)
            assert table in on_page[name][2], f"docs/columns.md does not list {table} at {name}"


@pytest.mark.slow
def test_a_result_shows_itself(results: dict[str, AnalysisResult], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(html, "png_bytes", small_png)
    for name, result in results.items():
        assert repr(result).startswith(f"{name}: {result.verdict.verdict}")
        shown = result._repr_html_()
        assert "data:image/png;base64," in shown
        assert result.verdict.verdict in shown
        assert "<table" in shown
        assert result.figure().get_axes()


def test_the_page_is_current():
    on_page = listed()
    for name, (meaning, unit, _) in on_page.items():
        column = describe(name)
        assert (meaning, unit.strip()) == (column.meaning, column.unit), f"make docs/columns.md again: {name}"
    unused = set(COLUMNS) - set(on_page)
    assert not unused, f"described, but in no table: {unused}"
    where: dict[str, list[str]] = {}
    for name, (_, _, tables) in on_page.items():
        for table in tables:
            where.setdefault(table, []).append(name)
    head = PAGE.read_text().partition("| column |")[0]
    assert page(where).startswith(head)


def test_an_unknown_column_is_refused():
    with pytest.raises(InputError, match="no table has a column 'magic'"):
        describe("magic")
