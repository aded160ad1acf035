import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.table import Row, interleaved


def test_the_median_decides_and_the_spread_is_kept():
    row = Row.of("ours", "theirs", np.array([1.0, 1.2, 5.0]), reach="<= 1.1")
    assert (row.ratio, row.low, row.high, row.reached) == (1.2, 1.0, 5.0, False)
    assert Row.of("ours", "theirs", np.array([60.0]), reach=">= 50").reached
    assert not Row.of("ours", "theirs", np.array([1.0]), reach="> 1").reached


def test_both_sides_are_warmed_up_and_then_timed_in_turns():
    order: list[str] = []
    ours, theirs = interleaved(lambda: order.append("a"), lambda: order.append("b"), repeats=2)
    assert order == ["a", "b", "a", "b", "a", "b"]
    assert ours.shape == theirs.shape == (2,)


def test_the_table_is_printed_and_written(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys):
    row = Row("probing", "a loop", 61.0, 50.5, 70.0, ">= 50")
    monkeypatch.setattr(bench, "import_module", lambda _: SimpleNamespace(rows=lambda: [row]))
    bench.main(["probe_grid", "--out", str(tmp_path / "bench")])
    assert "50.5 to 70" in capsys.readouterr().out
    assert json.loads((tmp_path / "bench/summary.json").read_text()) == [
        {"what": "probing", "against": "a loop", "ratio": 61.0, "low": 50.5, "high": 70.0, "reach": ">= 50",
         "reached": True}
    ]  # fmt: skip
