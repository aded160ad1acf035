import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.io.files import write_json, write_parquet


def test_json_is_strict_and_undefined_numbers_are_null(tmp_path: Path):
    path = tmp_path / "new" / "x.json"
    write_json(path, {"a": float("nan"), "b": [1.5, float("inf")], "c": (np.float64(2.0), None), "d": "ä"})
    assert json.loads(path.read_text("utf-8"), parse_constant=pytest.fail) == {
        "a": None,
        "b": [1.5, None],
        "c": [2.0, None],
        "d": "ä",
    }


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "table.parquet"
    write_parquet(path, pd.DataFrame({"a": [1]}))
    with pytest.raises(Exception, match="Could not convert|Expected"):
        write_parquet(path, pd.DataFrame({"a": [1, "text", object()]}))
    assert pd.read_parquet(path)["a"].tolist() == [1]
    assert [each.name for each in tmp_path.iterdir()] == ["table.parquet"]


def test_lists_of_tokens_survive_parquet(tmp_path: Path):
    path = tmp_path / "table.parquet"
    write_parquet(path, pd.DataFrame({"tokens": [[1, 2], []]}, index=[5, 3]))
    table = pd.read_parquet(path)
    assert [list(row) for row in table["tokens"]] == [[1, 2], []]
    assert table.index.tolist() == [0, 1]
