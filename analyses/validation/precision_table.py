"""What the precision of stored activations does to AUROC, as the table of a page.

    python -m if_circuits.analyses.validation.precision_table STUDY [STUDY ...] docs/cached_activations.md

puts it between the markers `<!-- precision: start -->` and `<!-- precision: end -->` of that file. The probes
of a study are fitted to its activations as they were stored, in float32, and again to the same activations as
each other type would have stored them. Rows, labels and folds are the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from if_circuits.activations.captured import CapturedActivations, Store
from if_circuits.activations.dtypes import StoredDtype
from if_circuits.activations.manifest import CaptureKey
from if_circuits.activations.precision import from_stored, held_as, to_stored
from if_circuits.analyses.decodability.analysis import probe
from if_circuits.analyses.validation.marked_table import insert_table
from if_circuits.errors import InputError
from if_circuits.io.durable import write_text
from if_circuits.study import Study

NAME = "precision"
"""What stands in the markers of the table."""
HALVES: tuple[StoredDtype, ...] = ("float16", "bfloat16")
_CELL = ["task", "layer", "position"]


@dataclass(frozen=True)
class StoredAs:
    """A store as it would read if its numbers had been stored in another type."""

    store: Store
    dtype: StoredDtype

    @property
    def key(self) -> CaptureKey:
        return self.store.key

    @property
    def response_ids(self) -> tuple[str, ...]:
        return self.store.response_ids

    @property
    def not_finite(self) -> tuple[str, ...]:
        return self.store.not_finite

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """The store's activations, rounded. Raises InputError where the type cannot hold one."""
        exact = self.store.read(layer, position)
        return from_stored(to_stored(exact, self.dtype, layer=layer), self.dtype)

    def token_indices(self, position: str) -> Int[np.ndarray, " n"]:
        return self.store.token_indices(position)


def auroc_differences(acts: CapturedActivations, dtypes: Sequence[StoredDtype] = HALVES) -> pd.DataFrame:
    """What each type does to each task, layer and position that can be probed.

    Args:
        acts: Activations that were stored as float32.
        dtypes: The other types.

    Returns:
        One row a type and cell: stored_as, task, layer, position, n, n_base_queries, auroc (out of fold, on
        float32), stored_auroc (the same on the type), difference (absolute).

    Raises:
        InputError: Where the activations were stored otherwise, and where a type cannot hold them.
    """
    held = acts.store.key.dtype
    if held != "float32":
        raise InputError(
            f"these activations were stored as {held}, and what that did to them cannot be seen in them: "
            "capture them as float32"
        )
    exact = _aurocs(acts, acts.store)
    parts = [
        exact.assign(stored_as=dtype, stored_auroc=_aurocs(acts, StoredAs(acts.store, dtype))["auroc"])
        for dtype in dtypes
    ]
    found = pd.concat(parts).reset_index()
    return found.assign(difference=(found["stored_auroc"] - found["auroc"]).abs())


def _aurocs(acts: CapturedActivations, store: Store) -> pd.DataFrame:
    source = CapturedActivations(acts.responses, store)
    table = probe(source, baselines=False, n_bootstrap=1, progress=False).table
    return table.dropna(subset=["auroc"]).set_index(_CELL)[["n", "n_base_queries", "auroc"]]


def precision_markdown(studies: Sequence[tuple[str, CapturedActivations]]) -> str:
    """A Markdown table, one row a model and type."""
    lines = [
        "| model | stored as | bytes a number | largest difference of AUROC | where | mean difference "
        "| cells | rows a cell | base queries |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for model, acts in studies:
        lines += [_row(model, found) for _, found in auroc_differences(acts).groupby("stored_as", sort=False)]
    return "\n".join(lines) + "\n"


def _row(model: str, found: pd.DataFrame) -> str:
    worst, n = found.iloc[int(found["difference"].argmax())], found["n"]
    dtype = worst["stored_as"]
    rows = str(n.min()) if n.min() == n.max() else f"{n.min()} to {n.max()}"
    return (
        f"| {model} | {dtype} | {held_as(dtype).itemsize} | {worst['difference']:.4f} "
        f"| `{worst['task']}`, layer {worst['layer']}, {worst['position']} ({worst['auroc']:.3f} on float32) "
        f"| {found['difference'].mean():.5f} | {len(found)} | {rows} "
        f"| {found['n_base_queries'].max()} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when the table is written, 2 for unusable input."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.precision_table",
        description="Measure what the precision of stored activations does to AUROC.",
    )
    parser.add_argument("studies", type=Path, nargs="+", metavar="STUDY", help="directory of a study")
    parser.add_argument("page", type=Path, help="file with the two markers")
    given = parser.parse_args(arguments)
    try:
        studies = [(study.config.model, _captured(study)) for study in map(Study.open, given.studies)]
        table = precision_markdown(studies)
        write_text(given.page, insert_table(given.page.read_text("utf-8"), table, name=NAME))
    except (InputError, OSError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _captured(study: Study) -> CapturedActivations:
    acts = study.activations
    assert isinstance(acts, CapturedActivations)
    return acts


if __name__ == "__main__":
    sys.exit(main())
