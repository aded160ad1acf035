import json
from types import SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks.table import HEADER, Limit, Row, Spread, reached, timed_rows
from tests.benchmarks.timing import Seconds

TWO, FOUR = np.array([2.0, 2.0, 2.0]), np.array([4.0, 4.4, 6.0])


def test_less_time_is_better_and_more_a_second_is():
    quick = Row.of("ours", TWO, "theirs", FOUR, reach="> 1")
    assert quick.ratio == Spread(2.2, 2.0, 3.0)
    assert Row.of("ours", FOUR, "theirs", TWO, reach="> 1", unit="tokens/s").ratio == quick.ratio


def test_what_should_be_at_most_so_much_is_ours_over_theirs():
    assert Row.of("ours", FOUR, "theirs", TWO, reach="<= 2").ratio == Spread(2.2, 2.0, 3.0)


def test_the_median_decides():
    assert reached(Spread(1.1, 0.9, 5.0), "<= 1.1")
    assert not reached(Spread(1.2, 1.0, 1.3), "<= 1.1")
    assert not reached(Spread(1.0, 0.9, 1.1), "> 1")


def test_the_share_of_a_limit_is_one_at_the_limit():
    assert Limit.of("a copy", FOUR, FOUR).share == Spread(1.0, 1.0, 1.0)
    assert Limit.of("a copy", np.array([4.0]), np.array([1.0])).share.median == 0.25
    assert Limit.of("a copy", np.array([25.0]), np.array([100.0]), unit="tokens/s").share.median == 0.25


def test_a_row_tells_ours_the_alternative_the_limit_and_both_ratios():
    limit = Limit.of("Gram matrix", FOUR, TWO, reach=">= 0.333")
    (row,) = timed_rows("a cell", Seconds(FOUR, {"a loop": 10 * FOUR}), {"a loop": ">= 50"}, limit=limit)
    assert row.cells() == (
        "a cell", "4.4 s", "a loop: 44 s", "10", "≥ 50: no", "Gram matrix: 2 s", "0.455 (0.333 to 0.5)",
        "≥ 0.333: yes",
    )  # fmt: skip
    assert len(row.cells()) == len(HEADER)
    assert Row.read(json.loads(json.dumps(row.record()))) == row


def test_where_there_is_no_limit_a_dash_says_so():
    row = Row.of("a start", np.array([0.1]), "what was set", np.array([0.3]), reach="<= 1")
    assert row.cells()[-3:] == ("–", "–", "–")
    assert Row.read(row.record()) == row


def test_the_table_is_printed_and_written(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys):
    row = Row.of("probing", TWO, "a loop", FOUR, reach=">= 50", limit=Limit.of("a copy", TWO, TWO / 4))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(bench, "import_module", lambda _: SimpleNamespace(rows=lambda: [row]))
    bench.main(["probe_grid", "--out", str(tmp_path / "bench")])
    printed = capsys.readouterr().out
    assert "2.2 (2 to 3)" in printed
    assert "0.25" in printed
    (written,) = json.loads((tmp_path / "bench/summary.json").read_text())
    assert Row.read(written) == row


def test_more_threads_than_one_are_refused(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(SystemExit):
        bench.main(["probe_grid", "--out", str(tmp_path / "bench")])
    assert "OMP_NUM_THREADS=1" in capsys.readouterr().err
