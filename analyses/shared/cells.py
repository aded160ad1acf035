"""A layer at a position: the unit of work of the probing analyses, which any process can carry out.

A cell says where activations lie and which rows are probed; whoever works on it reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource, FeatureReader
from if_circuits.analyses.shared.probing import ProbingRows, fit_specialists
from if_circuits.probes.across_folds import AcrossFolds


@dataclass(frozen=True, eq=False)
class Cell:
    """The rows of one position at one layer."""

    reader: FeatureReader
    rows: ProbingRows
    layer: int

    def features(self) -> Float[np.ndarray, "n d"]:
        """Activations of the stack, each task's mean subtracted."""
        return self.rows.features(self.reader, self.layer)

    def __str__(self) -> str:
        return f"layer {self.layer} at {self.rows.position}"


def cells_of(source: ActivationSource, rows: ProbingRows, layers: Sequence[int]) -> list[Cell]:
    """A cell for each layer, in their order."""
    reader = source.reader
    return [Cell(reader, rows, layer) for layer in layers]


def specialists_of(cell: Cell) -> AcrossFolds:
    """The task probes of a cell."""
    return fit_specialists(cell.features(), cell.rows)
