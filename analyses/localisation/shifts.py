"""How far interchanges move a task's log-odds towards the other run's, and the rows that say so.

A *share* is the mean shift over the mean difference between the two runs: 1 where the interchange makes the
one run prefer what the other does, 0 where it changes nothing. It is a ratio of means over base queries and
not a mean of ratios, which one pair with next to no difference would decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.statistics.bootstrap import bootstrap_draws, interval_of, weighted_mean
from if_circuits.statistics.permutation import paired_permutation
from if_circuits.statistics.ratio import Resampled, ratio_interval

PLACE = ("direction", "position", "layer", "subspace", "rank", "dose")
"""The columns that name an interchange."""


@dataclass(frozen=True, eq=False)
class Shifts:
    """One interchange of one task: its pairs, each of another base query."""

    task: str
    place: Mapping[str, object]
    """Values of `PLACE`."""
    queries: Shaped[np.ndarray, " pairs"]
    towards: Float[np.ndarray, " pairs"]
    """Shift of log-odds, counted towards the other run, in nats."""
    full: Float[np.ndarray, " pairs"]
    """Difference between the two runs, counted alike."""
    placebo: Float[np.ndarray, " pairs"] | None
    """The shift under displacements of the same length, mean over them; None where there was none."""
    damage: Float[np.ndarray, " pairs"]
    """By how much a token of both texts is less likely than in either run, in nats; 0 where it is not."""

    @property
    def layer(self) -> int:
        """Where it was exchanged."""
        return int(cast(int, self.place["layer"]))


def shifts_of(table: pd.DataFrame) -> list[Shifts]:
    """The interchanges of a table that `apply_interchanges` made, in its order."""
    found: list[Shifts] = []
    for (task, *place), rows in table.groupby(["task", *PLACE], sort=False, dropna=False):
        own = rows[rows["placebo"].isna()].set_index("pair")
        random = rows[rows["placebo"].notna()].groupby("pair")["shift"].mean().reindex(own.index)
        full = own["full"].to_numpy(dtype=np.float64)
        sign = 1.0 if full.mean() >= 0 else -1.0
        least = own[["log_prob_base", "log_prob_source"]].min(axis=1)
        found.append(
            Shifts(
                task=str(task),
                place=dict(zip(PLACE, place, strict=True)),
                queries=own["base_query"].to_numpy(dtype=str),
                towards=sign * own["shift"].to_numpy(dtype=np.float64),
                full=sign * full,
                placebo=sign * random.to_numpy(dtype=np.float64) if random.notna().all() else None,
                damage=(least - own["log_prob"]).clip(lower=0.0).to_numpy(dtype=np.float64),
            )
        )
    return found


def joined(parts: Sequence[Shifts]) -> Shifts:
    """One interchange whose pairs were measured in parts, as halves of the base queries are."""
    first = parts[0]
    placebos = [part.placebo for part in parts if part.placebo is not None]
    return Shifts(
        task=first.task,
        place=first.place,
        queries=np.concatenate([part.queries for part in parts]),
        towards=np.concatenate([part.towards for part in parts]),
        full=np.concatenate([part.full for part in parts]),
        placebo=np.concatenate(placebos) if len(placebos) == len(parts) else None,
        damage=np.concatenate([part.damage for part in parts]),
    )


def summarise(found: Iterable[Shifts], settings: AnalysisSettings) -> pd.DataFrame:
    """One row an interchange: task, the columns of `PLACE`, share with its interval and that of the placebo,
    p, full, damage, wrong_way and n.

    p (one-sided) flips the signs of base queries: is the shift larger than that of the placebo, or than
    nothing where there is no placebo? It is not adjusted.
    """
    return pd.DataFrame([_row(each, settings) for each in found])


def _row(shifts: Shifts, settings: AnalysisSettings) -> dict[str, object]:
    towards, full = (_resampled(values, shifts.queries, settings) for values in (shifts.towards, shifts.full))
    n = len(shifts.queries)
    share = ratio_interval(towards, full, n_groups=n, confidence=1 - settings.alpha)
    whole = interval_of(full.estimate, full.draws, n_groups=n, confidence=1 - settings.alpha)
    beyond = shifts.towards - (0.0 if shifts.placebo is None else shifts.placebo)
    test = paired_permutation(
        beyond,
        shifts.queries,
        n_permutations=settings.n_permutations,
        seed=settings.seed,
        alternative="greater",
    )
    random = np.nan if shifts.placebo is None else float(shifts.placebo.mean()) / full.estimate
    return {
        "task": shifts.task,
        **shifts.place,
        "share": share.estimate,
        "low": share.low,
        "high": share.high,
        "share_placebo": random if np.isfinite(share.estimate) else np.nan,
        "p": test.p,
        "full": full.estimate,
        "full_low": whole.low,
        "full_high": whole.high,
        "damage": float(shifts.damage.mean()),
        "wrong_way": float((shifts.towards < 0).mean()),
        "n": n,
        "reason": share.reason,
    }


def _resampled(
    values: Float[np.ndarray, " n"], queries: Shaped[np.ndarray, " n"], settings: AnalysisSettings
) -> Resampled:
    draws = bootstrap_draws(
        queries,
        lambda weights: weighted_mean(values, weights),
        n_resamples=settings.n_bootstrap,
        seed=settings.seed,
    )
    return Resampled(float(values.mean()), draws)
