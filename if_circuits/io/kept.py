"""Parts of long work, kept while it goes on: an interruption costs the part that was being made.

Whoever owns the folder sees to it that nothing in it is older than what decides its content, and discards it
when the whole is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from if_circuits.io.digest import file_sha256, value_sha256
from if_circuits.io.durable import write_text
from if_circuits.io.files import write_parquet


@dataclass(frozen=True)
class Kept:
    """The finished parts of one piece of work.

    Args:
        folder: Where they lie; without one nothing is kept.

    Example:
        >>> import pandas as pd
        >>> int(Kept().table(("a part", 1), lambda: pd.DataFrame({"n": [3]}))["n"].sum())
        3
    """

    folder: Path | None = None

    def table(self, what: object, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table that was kept under `what`, a value for `io.digest`; else, or damaged, it is made and
        kept.
        """
        (table,) = self.tables([what], lambda _: [make()])
        return table

    def tables(
        self, parts: Sequence[object], make: Callable[[Sequence[int]], Iterable[pd.DataFrame]]
    ) -> list[pd.DataFrame]:
        """The tables of several parts, each kept as soon as it is there.

        Args:
            parts: What each is kept under, as of `table`.
            make: Given the places of those that are not kept, gives them in that order.
        """
        found = {place: self._read(part) for place, part in enumerate(parts)}
        lacking = [place for place, table in found.items() if table is None]
        for place, table in zip(lacking, make(lacking) if lacking else (), strict=True):
            found[place] = self._keep(parts[place], table)
        return [table for table in found.values() if table is not None]

    def _read(self, part: object) -> pd.DataFrame | None:
        if self.folder is None:
            return None
        path = self.folder / f"{value_sha256(part)}.parquet"
        content = path.with_suffix(".sha256")
        intact = path.is_file() and content.is_file() and content.read_text("utf-8") == file_sha256(path)
        return pd.read_parquet(path) if intact else None

    def _keep(self, part: object, table: pd.DataFrame) -> pd.DataFrame:
        if self.folder is None:
            return table
        path = self.folder / f"{value_sha256(part)}.parquet"
        write_parquet(path, table)
        write_text(path.with_suffix(".sha256"), file_sha256(path))
        return pd.read_parquet(path)

    def discard(self) -> None:
        """Remove all that was kept, and the folder where nothing else lies in it."""
        if self.folder is None or not self.folder.is_dir():
            return
        for path in (*self.folder.glob("*.parquet"), *self.folder.glob("*.sha256")):
            path.unlink()
        with suppress(OSError):
            self.folder.rmdir()
