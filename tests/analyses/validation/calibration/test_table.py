import json
from pathlib import Path

import pytest

from if_circuits.analyses.validation.calibration.table import NAME, calibration_markdown, main
from if_circuits.analyses.validation.marked_table import insert_table, markers
from if_circuits.errors import InputError

START, END = markers(NAME)

POWER = [
    {"signal": signal, "n_over_d": n_over_d, "rate": signal * n_over_d / 100, "runs": 12}
    for signal in (2.0, 1.0)
    for n_over_d in (15.0, 0.9375)
]
SUMMARY = {
    "nominal": 0.05,
    "claims": {
        "specificity": {
            "false_positive": {"planted": "twins", "rate": 0.035, "low": 0.017, "high": 0.07, "runs": 200},
            "power": POWER,
        }
    },
}


def test_the_tables_hold_what_was_measured():
    table = calibration_markdown(SUMMARY)
    assert "| `specificity` | 0.035 | [0.017, 0.070] | twins | 200 |" in table
    assert "| claim | signals | power at n/d 0.938 | power at n/d 15 | runs each |" in table
    assert "| `specificity` | 1 / 2 | 0.01 / 0.02 | 0.15 / 0.30 | 12 |" in table


def test_claims_measured_at_other_sizes_have_a_table_of_their_own():
    other = {**SUMMARY["claims"]["specificity"], "power": [point | {"n_over_d": 30.0} for point in POWER[:1]]}
    table = calibration_markdown({**SUMMARY, "claims": {**SUMMARY["claims"], "causal_ablation": other}})
    assert "| claim | signals | power at n/d 30 | runs each |" in table
    assert "| `causal_ablation` | 2 | 0.30 | 12 |" in table


def test_only_what_lies_between_the_markers_changes(tmp_path: Path):
    page, summary = tmp_path / "page.md", tmp_path / "summary.json"
    summary.write_text(json.dumps(SUMMARY))
    page.write_text(f"before\n{START}\nlast time\n{END}\nafter\n")
    assert main([str(summary), str(page)]) == 0
    once = page.read_text()
    assert once.startswith(f"before\n{START}\n| claim") and once.endswith(f"{END}\nafter\n")
    assert "last time" not in once
    assert main([str(summary), str(page)]) == 0
    assert page.read_text() == once


@pytest.mark.parametrize("text", ["", START, f"{END}\n{START}", f"{START}{START}{END}"])
def test_a_file_without_markers_is_refused_and_kept(text: str, tmp_path: Path):
    with pytest.raises(InputError, match="calibration: start"):
        insert_table(text, "table", name=NAME)
    summary, page = tmp_path / "summary.json", tmp_path / "page.md"
    summary.write_text(json.dumps(SUMMARY))
    page.write_text(text)
    assert main([str(summary), str(page)]) == 2
    assert page.read_text() == text


def test_without_a_file_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    summary = tmp_path / "summary.json"
    summary.write_text(json.dumps(SUMMARY))
    assert main([str(summary)]) == 0
    assert capsys.readouterr().out == calibration_markdown(SUMMARY)
    assert main([str(tmp_path / "none.json")]) == 2
