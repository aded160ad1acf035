"""Edges between tasks, from how far one task's direction moves another's log-odds.

An *edge* A -> B is a cell off the diagonal whose shift exceeds that of a random displacement of the same
length (p adjusted by Benjamini and Hochberg over the cells of a way <= alpha), and makes up at least
`LEAST_SHARE` of B's whole difference. It points *one way* where the reverse cell is no edge and the
difference of the two shares has an interval above 0. On planted models interchange found the edges and no
others; removal found false ones, since one displacement is a weak control of it (docs/known-answers.md).

Cause and isolation make one score, as in RAVEL (arXiv 2402.17700): a direction of one task alone moves it,
and no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.localisation.shifts import Shifts, summarise
from if_circuits.statistics.bootstrap import bootstrap_draws, interval_of, weighted_mean
from if_circuits.statistics.correction import benjamini_hochberg

LEAST_SHARE = 0.1
"""Of a task's whole difference, for an edge: log-odds show shifts that no answer would."""
Cell: TypeAlias = tuple[str, str, str]
"""The way, the task whose direction is changed, and the task that is measured."""
_SHOWN = ["layer", "share", "low", "high", "share_placebo", "p", "damage", "wrong_way", "n"]


def edge_table(
    cells: Mapping[Cell, Shifts], families: Mapping[str, str], settings: AnalysisSettings
) -> pd.DataFrame:
    """One row a cell.

    Columns: way, changed, measured, family (of the changed task), layer, share with low and high,
    share_placebo, p (one-sided), p_adjusted (missing on the diagonal), survives, stability (share of
    resamples of base queries in which the shift exceeds the placebo's and `LEAST_SHARE`), beyond_reverse
    (the share less that of the reverse cell) with beyond_reverse_low and beyond_reverse_high, one_way,
    damage, wrong_way, n.
    """
    if not cells:
        return pd.DataFrame({name: [] for name in ("way", "changed", "measured", "share", "survives")})
    names = pd.DataFrame(list(cells), columns=["way", "changed", "measured"])
    names["family"] = names["changed"].map(families)
    table = pd.concat([names, summarise(cells.values(), settings)[_SHOWN]], axis=1)
    tested = (table["changed"] != table["measured"]) & table["share"].notna()
    table["p_adjusted"] = np.nan
    for _, rows in table[tested].groupby("way"):
        table.loc[rows.index, "p_adjusted"] = benjamini_hochberg(rows["p"].to_numpy())
    table["survives"] = (table["p_adjusted"] <= settings.alpha) & (table["share"] >= LEAST_SHARE)
    queries = sorted({str(query) for shifts in cells.values() for query in shifts.queries})
    drawn = {cell: _resampled(shifts, queries, settings) for cell, shifts in cells.items()}
    table["stability"] = [float(np.mean(beyond & (share >= LEAST_SHARE))) for share, beyond in drawn.values()]
    return pd.concat([table, _beyond_reverse(table, list(cells), drawn, settings)], axis=1)


_Drawn: TypeAlias = tuple[Float[np.ndarray, " draws"], Bool[np.ndarray, " draws"]]


def _resampled(shifts: Shifts, queries: Sequence[str], settings: AnalysisSettings) -> _Drawn:
    """The share on each resample of all base queries, and whether the shift exceeds the placebo's."""
    own = np.searchsorted(queries, shifts.queries.astype(str))
    placebo = np.zeros(len(own)) if shifts.placebo is None else shifts.placebo

    def means(weights: Float[np.ndarray, "draws queries"]) -> Float[np.ndarray, "draws 3"]:
        columns = (shifts.towards, shifts.full, placebo)
        return np.stack([weighted_mean(values, weights[:, own]) for values in columns], axis=1)

    towards, full, random = bootstrap_draws(
        np.arange(len(queries)), means, n_resamples=settings.n_bootstrap, seed=settings.seed
    ).T
    return towards / np.where(full > 0, full, np.nan), towards > random


def _beyond_reverse(
    table: pd.DataFrame, cells: Sequence[Cell], drawn: Mapping[Cell, _Drawn], settings: AnalysisSettings
) -> pd.DataFrame:
    """Each share less that of the reverse cell, on the same resamples."""
    share = dict(zip(cells, table["share"].astype(float), strict=True))
    survives = dict(zip(cells, table["survives"].astype(bool), strict=True))
    n = dict(zip(cells, table["n"].astype(int), strict=True))
    rows: list[dict[str, object]] = []
    for way, changed, measured in cells:
        cell, reverse = (way, changed, measured), (way, measured, changed)
        if changed == measured or reverse not in drawn:
            nothing = dict.fromkeys(("beyond_reverse", "beyond_reverse_low", "beyond_reverse_high"), np.nan)
            rows.append({**nothing, "one_way": False})
            continue
        found = interval_of(
            share[cell] - share[reverse],
            drawn[cell][0] - drawn[reverse][0],
            n_groups=min(n[cell], n[reverse]),
            confidence=1 - settings.alpha,
        )
        rows.append(
            {
                "beyond_reverse": found.estimate,
                "beyond_reverse_low": found.low,
                "beyond_reverse_high": found.high,
                "one_way": survives[cell] and not survives[reverse] and found.low > 0,
            }
        )
    return pd.DataFrame(rows)


def isolation_table(edges: pd.DataFrame) -> pd.DataFrame:
    """How far each direction moves its own task and no other; one row per way and changed task.

    Columns: way, changed, family, layer, cause (share of the own task, at most 1), isolation (1 less the mean
    share of the others, each between 0 and 1), cause_and_isolation (the mean of both), n (other tasks).
    """
    rows: list[dict[str, object]] = []
    for (way, changed), of_task in edges.groupby(["way", "changed"], sort=False):
        own = of_task["measured"] == changed
        cause = float(of_task.loc[own, "share"].clip(0.0, 1.0).mean())
        others = of_task.loc[~own, "share"].dropna().clip(0.0, 1.0)
        isolation = 1 - float(others.mean())
        first = of_task.iloc[0]
        rows.append(
            {
                "way": way,
                "changed": changed,
                "family": first["family"],
                "layer": first["layer"],
                "cause": cause,
                "isolation": isolation,
                "cause_and_isolation": (cause + isolation) / 2,
                "n": len(others),
            }
        )
    return pd.DataFrame(rows)
