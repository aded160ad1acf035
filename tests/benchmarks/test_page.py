import json
from pathlib import Path

import numpy as np
import pytest

from if_circuits.errors import InputError
from tests.benchmarks.page import machine, main
from tests.benchmarks.table import HEADER, Limit, Row

TAKEN = np.array([2.0])
MISSED = Row.of("a", TAKEN, "b", 2.6789 * TAKEN, reach=">= 4")
NEAR = Row.of(
    "c", TAKEN, "d", 3 * TAKEN, reach="> 1", limit=Limit.of("copy", TAKEN, TAKEN / 2, reach=">= 0.8")
)


def write(folder: Path, *rows: Row) -> None:
    """What a run of `make bench` leaves."""
    (folder / "summary.json").write_text(json.dumps([row.record() for row in rows]))
    (folder / "machine.json").write_text(json.dumps(machine()))


def test_a_run_lands_between_the_markers_with_what_it_missed_and_its_machine(tmp_path: Path) -> None:
    write(tmp_path, MISSED, NEAR)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- speed: start -->\nold\n<!-- speed: end -->\nafter\n")
    main([str(tmp_path), str(page)])
    text = page.read_text()
    assert f"| {' | '.join(HEADER)} |\n|---|---|---|---|---|---|---|---|\n" in text
    assert "| a | 2 s | b: 5.36 s | 2.68 | ≥ 4: **no** | – | – | – |" in text
    assert "| c | 2 s | d: 6 s | 3 | > 1: yes | copy: 1 s | 0.5 | ≥ 0.8: **no** |" in text
    assert f"{machine()['cores']} cores" in text
    assert "old" not in text
    assert "The share of the limit is 1 where" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_a_page_without_the_markers_is_refused(tmp_path: Path) -> None:
    write(tmp_path, MISSED)
    (tmp_path / "page.md").write_text("nothing\n")
    with pytest.raises(InputError, match="speed: start"):
        main([str(tmp_path), str(tmp_path / "page.md")])
