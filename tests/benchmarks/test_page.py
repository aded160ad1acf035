import json
from pathlib import Path

import pytest

from if_circuits.errors import InputError
from tests.benchmarks.page import machine, main

ROW = {
    "what": "a",
    "against": "b",
    "ratio": 2.6789,
    "low": 2.0,
    "high": 3.0,
    "reach": ">= 4",
    "reached": False,
}


def test_a_run_lands_between_the_markers_with_what_it_missed_and_its_machine(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps([ROW, {**ROW, "reach": "<= 3", "reached": True}]))
    (tmp_path / "machine.json").write_text(json.dumps(machine()))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- speed: start -->\nold\n<!-- speed: end -->\nafter\n")
    main([str(tmp_path), str(page)])
    text = page.read_text()
    assert "| a | b | 2.68 | 2 to 3 | ≥ 4 | **no** |" in text
    assert "| a | b | 2.68 | 2 to 3 | ≤ 3 | yes |" in text
    assert f"{machine()['cores']} cores" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")


def test_a_page_without_the_markers_is_refused(tmp_path: Path) -> None:
    for name, content in (("summary.json", [ROW]), ("machine.json", machine())):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "page.md").write_text("nothing\n")
    with pytest.raises(InputError, match="speed: start"):
        main([str(tmp_path), str(tmp_path / "page.md")])
