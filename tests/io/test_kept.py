"""What an interruption of long work leaves, and what it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from if_circuits.io.kept import Kept


class Work:
    """Makes tables, and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> pd.DataFrame:
        self.made += 1
        return pd.DataFrame({"text": ["a", "b"], "number": [1.5, np.nan]})


def test_a_part_is_made_once_and_another_one_anew(tmp_path: Path) -> None:
    work, kept = Work(), Kept(tmp_path / "parts")
    first = kept.table(("topic", np.arange(3.0)), work)
    pd.testing.assert_frame_equal(first, Kept(tmp_path / "parts").table(("topic", np.arange(3.0)), work))
    assert work.made == 1
    kept.table(("topic", np.arange(3.0) + 1e-9), work)
    assert work.made == 2


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:-9]), Path.unlink])
@pytest.mark.parametrize("kind", ["*.parquet", "*.sha256"])
def test_a_damaged_part_is_made_again(tmp_path: Path, kind: str, damage) -> None:
    work, kept = Work(), Kept(tmp_path)
    kept.table("part", work)
    damage(next(tmp_path.glob(kind)))
    assert kept.table("part", work)["text"].tolist() == ["a", "b"]
    assert work.made == 2


def test_what_fails_leaves_nothing_and_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    def fails() -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Kept(tmp_path / "parts").table("part", fails)
    assert not list(tmp_path.rglob("*.parquet"))
    work = Work()
    for _ in range(2):
        Kept().table("part", work)
    assert work.made == 2


def test_discarding_leaves_what_belongs_to_others(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "parts")
    kept.discard()
    kept.table("part", Work())
    kept.discard()
    assert not kept.folder.exists()
    kept.table("part", Work())
    (kept.folder / "notes.txt").write_text("mine")
    kept.discard()
    assert [path.name for path in kept.folder.iterdir()] == ["notes.txt"]
