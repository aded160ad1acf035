"""The table of nulls on a page: counted from the draws that lie in a study."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from if_circuits.analyses.validation.nulls_table import main


def test_the_page_gets_one_row_a_claim_and_null(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study, page = tmp_path / "small-model", tmp_path / "page.md"
    study.mkdir()
    page.write_text("before\n<!-- nulls: start -->\nold\n<!-- nulls: end -->\nafter\n")
    assert main([str(study), str(page)]) == 2
    assert "--null labels" in capsys.readouterr().err
    verdicts = ["supported", "inconclusive", "inconclusive", "not supported"]
    for null, first in (("labels", verdicts), ("untrained", verdicts[1:])):
        draws = {"analysis": "specificity", "draw": range(len(first)), "verdict": first}
        older = {"analysis": "specificity", "draw": [0, 1], "verdict": "supported"}  # made anew since
        table = pd.concat([pd.DataFrame(older), pd.DataFrame(draws)]).assign(null=null)
        table.to_parquet(study / f"null-{null}.parquet")
    assert main([str(study), str(page)]) == 0
    text = page.read_text()
    assert "| small-model | labels | `specificity` | 1 | [0.05, 0.70] | 1 | 2 | 4 |" in text
    assert "| small-model | untrained | `specificity` | 0 | [0.00, 0.56] | 1 | 2 | 3 |" in text
    assert "old" not in text and text.startswith("before") and text.endswith("after\n")
