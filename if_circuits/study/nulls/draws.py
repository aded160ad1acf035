"""Draws of a null: the verdicts of a study's analyses on data made so that there is nothing to find.

Each is kept beside the study as soon as it is there, and made again only when the study or the code has
changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import ON_ACTIVATIONS, get_analysis
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.errors import InputError
from if_circuits.io.digest import file_sha256, value_sha256
from if_circuits.io.files import write_parquet
from if_circuits.progress import Report, Steps
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys
from if_circuits.study.order import inputs_of
from if_circuits.study.out_of_date import say_if_out_of_date

Drawn: TypeAlias = tuple[ActivationSource, Mapping[str, object]]
"""What an analysis reads, and what else it is given."""


@dataclass(frozen=True)
class Null:
    """A way to leave nothing to find."""

    name: str
    """`labels` or `untrained`."""
    draw: Callable[[int], Drawn]
    """What a draw has in place of the study's data."""
    discard: Callable[[int], None]
    """Remove what a draw has on disk."""
    code: str
    """Digest of the code that draws."""
    analyses: tuple[str, ...]
    """Those that it says something of."""


def table_of(root: Path, null: str) -> Path:
    """Where a study keeps its draws of a null."""
    return root / f"null-{null}.parquet"


def null_verdicts(
    directory: StudyDirectory,
    null: Null,
    names: Sequence[str] | None = None,
    *,
    draws: int,
    engine: Engine = IN_PROCESS,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The verdicts of the analyses in so many draws of a null.

    The `engine` carries out the units of each analysis.

    Returns:
        One row a draw and analysis: null, analysis, draw, verdict, effect, low, high, p, n, and made_from, a
        digest of what decides the row.

    Raises:
        InputError: For an analysis that the null says nothing of.
    """
    names = [name for name in directory.config.analyses if name in null.analyses] if names is None else names
    if wrong := [name for name in names if name not in null.analyses]:
        raise InputError(
            f"the null {null.name!r} says nothing of {wrong[0]}; it takes {', '.join(null.analyses)}"
        )
    say_if_out_of_date(directory)
    path = table_of(directory.root, null.name)
    known = pd.read_parquet(path) if path.is_file() else pd.DataFrame({"made_from": []})
    made_from = {name: made_from_of(directory, name) for name in names}
    digests = {
        (draw, name): digest_of(made_from[name], null.name, null.code, draw)
        for draw in range(draws)
        for name in names
    }
    steps = Steps(progress, len(digests))
    drawn = cache(null.draw)
    for (draw, name), digest in digests.items():
        if digest not in set(known["made_from"]):
            row = _row(directory, null, name, draw, drawn(draw), engine)
            known = pd.concat([known, pd.DataFrame([row | {"made_from": digest}])], ignore_index=True)
            write_parquet(path, known)
        if name == names[-1]:  # the next draw takes its place
            drawn.cache_clear()
            null.discard(draw)
        steps.done()
    return known.set_index("made_from").loc[list(digests.values())].reset_index()


def _row(
    directory: StudyDirectory, null: Null, name: str, draw: int, drawn: Drawn, engine: Engine
) -> dict[str, object]:
    source, given = drawn
    also = {} if name in ON_ACTIVATIONS else given
    found = get_analysis(name).run(source, directory.config.settings, engine=engine, **also).verdict
    low, high = found.interval
    row: dict[str, object] = {"null": null.name, "analysis": name, "draw": draw, "verdict": found.verdict}
    return row | {"effect": found.effect, "low": low, "high": high, "p": found.p, "n": found.n}


def digest_of(made_from: str, null: str, code: str, draw: int) -> str:
    """What names a row: everything that decides it."""
    return value_sha256((made_from, null, code, draw))


def made_from_of(directory: StudyDirectory, name: str) -> str:
    """A digest of the files that an analysis reads and of its code."""
    stage = f"analyses.{name}"
    files = {path.name: file_sha256(path) for path in inputs_of(stage, directory)}
    return value_sha256((sorted(files.items()), sorted(dict(StageKeys(directory).of(stage)).items())))
