"""PWCCA and linear CKA: are the base queries, which pair the rows, arranged alike under two tasks?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.families import families_of
from if_circuits.analyses.shared.labelled_tasks import query_codes
from if_circuits.similarity.compare import compare_all
from if_circuits.similarity.halves import PairedHalves, pair_halves
from if_circuits.similarity.measures import Measure
from if_circuits.statistics.correction import benjamini_hochberg

MAX_PERMUTATIONS = 200
"""The null of a paired similarity is narrow; more shuffles would not move its mean."""


def paired_activations(
    source: ActivationSource,
    features: Float[np.ndarray, "n d"],
    reporting: Bool[np.ndarray, " q"],
    *,
    seed: int,
) -> PairedHalves | None:
    """Every task's constrained activations, whatever the verdict, paired by base query; None if these are
    too few.
    """
    queries = query_codes(source)
    usable = (
        source.responses["constrained"].to_numpy(dtype=bool)
        & reporting[queries]
        & np.isfinite(features).all(axis=1)
    )
    names = source.responses["task"].to_numpy()
    rows = {task: np.flatnonzero(usable & (names == task)) for task in families_of(source.responses)}
    try:
        return pair_halves(
            {task: features[chosen] for task, chosen in rows.items()},
            {task: queries[chosen] for task, chosen in rows.items()},
            seed=seed,
        )
    except ValueError:
        return None


def similarity_of(
    paired: PairedHalves | None, measure: Measure, *, settings: AnalysisSettings
) -> pd.DataFrame:
    """A paired similarity of every pair of tasks; p adjusted over the pairs (Benjamini-Hochberg)."""
    columns = [
        "task_a",
        "task_b",
        *(f"{measure}{name}" for name in ("", "_ceiling", "_ratio", "_p", "_p_adjusted")),
    ]
    if paired is None:
        return pd.DataFrame(columns=columns)
    n_permutations = min(settings.n_permutations, MAX_PERMUTATIONS)
    found = compare_all(paired, measure=measure, n_permutations=n_permutations, seed=settings.seed)
    rows = [(*pair, value.debiased, value.ceiling, value.ratio, value.p) for pair, value in found.items()]
    return pd.DataFrame(rows, columns=columns[:-1]).assign(
        **{columns[-1]: benjamini_hochberg(np.array([row[-1] for row in rows]))}
    )
