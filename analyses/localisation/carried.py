"""The layer that carries a task: where one direction makes up the largest share of the prompt's effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.localisation.shifts import Shifts
from if_circuits.analyses.localisation.subspaces import ONE_DIRECTION
from if_circuits.models.layers import depth, layer_label
from if_circuits.statistics.bootstrap import bootstrap_draws

NOWHERE = "nowhere"
"""In place of a layer, where one direction moves a task at none beyond its placebo."""


def depths_carried(
    table: pd.DataFrame,
    measured: Mapping[str, Sequence[Shifts]],
    source: ActivationSource,
    settings: AnalysisSettings,
) -> tuple[Float[np.ndarray, " tasks"], Float[np.ndarray, "draws tasks"]]:
    """Depth of the layer of the largest share, by task, on the data and on each resample of base queries.

    `table` says at which layers one direction `survives`; others are no candidates.
    """
    queries = sorted({str(query) for found in measured.values() for query in found[0].queries})
    curves = {name: _candidates(found, _carriers(table, name)) for name, found in measured.items()}

    def depths(weights: Float[np.ndarray, "draws queries"]) -> Float[np.ndarray, "draws tasks"]:
        columns = [_depth_of_largest(curve, queries, weights, source) for curve in curves.values()]
        return np.stack(columns, axis=1)

    found = depths(np.ones((1, len(queries))))[0]
    draws = bootstrap_draws(
        np.arange(len(queries)), depths, n_resamples=settings.n_bootstrap, seed=settings.seed
    )
    return found, draws


def carried_table(
    table: pd.DataFrame,
    found: Float[np.ndarray, " tasks"],
    resampled: Float[np.ndarray, "draws tasks"],
    source: ActivationSource,
) -> pd.DataFrame:
    """The layer of each task of the table, with the interval of its depth and the share there."""
    records: list[dict[str, object]] = []
    by_task = table.groupby("task", sort=False)
    for (name, rows), at, draws in zip(by_task, found.tolist(), resampled.T, strict=True):
        layer, known = layer_at(at, source), draws[~np.isnan(draws)]
        one = rows[rows["subspace"] == ONE_DIRECTION]
        there = one.loc[one["layer"] == layer, "share"]
        low, high = (
            (np.nan, np.nan) if layer is None else np.quantile(known, [0.025, 0.975], method="inverted_cdf")
        )
        records.append(
            {
                "task": name,
                "family": rows["family"].iloc[0],
                "layer": NOWHERE if layer is None else layer_label(layer),
                "depth": at,
                "low": float(low),
                "high": float(high),
                "share": float(there.iloc[0]) if len(there) else np.nan,
                "share_of_resamples": np.nan if layer is None else float(np.mean(draws == at)),
                "full": float(rows["full"].iloc[0]),
                "n": int(rows["n"].iloc[0]),
            }
        )
    return pd.DataFrame(records)


def layer_at(at: float, source: ActivationSource) -> int | None:
    """The layer of a depth; None where there is none."""
    return None if np.isnan(at) else round(at * source.n_layers) - 1


def _carriers(table: pd.DataFrame, task: str) -> list[int]:
    """The layers at which one direction moves the task beyond its placebo."""
    rows = table[(table["task"] == task) & (table["subspace"] == ONE_DIRECTION) & table["survives"]]
    return [int(layer) for layer in rows.loc[rows["share"] > 0, "layer"]]


def _candidates(found: Sequence[Shifts], layers: Sequence[int]) -> list[Shifts]:
    return [each for each in found if each.place["subspace"] == ONE_DIRECTION and each.layer in layers]


def _depth_of_largest(
    curve: Sequence[Shifts],
    queries: Sequence[str],
    weights: Float[np.ndarray, "draws queries"],
    source: ActivationSource,
) -> Float[np.ndarray, " draws"]:
    if not curve:
        return np.full(len(weights), np.nan)
    own = weights[:, np.searchsorted(queries, curve[0].queries)]
    # The whole difference is the same at every layer, so the largest shift is the largest share.
    moved = own @ np.stack([each.towards for each in curve], axis=1)
    at = np.array([depth(each.layer, source.n_layers) for each in curve])
    return np.where(own.any(axis=1), at[moved.argmax(axis=1)], np.nan)
