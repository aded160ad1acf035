"""Durable files: whole or untouched."""

from pathlib import Path

import pytest

from if_circuits.io.durable import durable_file, write_text


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "table"
    with durable_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert [p.name for p in tmp_path.iterdir()] == ["table"]


def test_an_error_leaves_the_old_content_and_is_not_hidden(tmp_path: Path) -> None:
    path = tmp_path / "table"
    write_text(path, "old")
    with pytest.raises(KeyError, match="the reason"), durable_file(path) as partial:
        partial.write_text("new")
        raise KeyError("the reason")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table"]


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".table.partial").write_text("a much longer unfinished text")
    write_text(tmp_path / "table", "new")
    assert (tmp_path / "table").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["table"]
