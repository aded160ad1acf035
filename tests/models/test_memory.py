"""How many rows fit into the memory that is free, and what is free."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.models import memory
from if_circuits.models.memory import free_memory, rows_that_fit

USABLE = 0.8
BYTES, MOST = st.integers(1, 2**50), st.integers(1, 4096)


@given(free=BYTES, row=BYTES, most=MOST)
def test_as_many_rows_as_fit_of_the_most_and_its_halves(free: int, row: int, most: int) -> None:
    size = rows_that_fit(free, row, most=most)
    halves = [most >> n for n in range(13) if most >> n]
    assert size in halves
    assert size * row <= USABLE * free or size == 1
    assert all(larger * row > USABLE * free for larger in halves if larger > size)


@given(free=BYTES, row=BYTES, most=MOST, more=BYTES)
def test_more_memory_and_smaller_rows_never_give_fewer(free: int, row: int, most: int, more: int) -> None:
    size = rows_that_fit(free, row, most=most)
    assert rows_that_fit(free + more, row, most=most) >= size >= rows_that_fit(free, row + more, most=most)


@given(row=BYTES, most=MOST)
def test_the_most_where_nobody_knows_what_is_free(row: int, most: int) -> None:
    assert rows_that_fit(None, row, most=most) == most


@pytest.mark.parametrize(("limit", "left"), [("max", None), ("1000", 700)])
def test_files_that_a_container_has_cached_count_as_free(
    limit: str, left: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 300\nactive_file 200\ninactive_file 400\n")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    monkeypatch.setattr(memory, "_available", lambda: None)
    assert free_memory("cpu") == left
