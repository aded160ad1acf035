"""Cluster bootstrap: confidence intervals that resample whole groups (base queries), never single rows.

Responses to the same base query resemble each other, so resampling rows would give intervals that are too
narrow. The interval is the percentile interval. It respects the range of the statistic (an AUROC never
leaves [0, 1]), it needs no variance formula for differences and ratios, and it stays defined for statistics
that jump, such as an emergence layer; BCa would need a jackknife over groups for each statistic and is
erratic with few groups. Its price is that it is a little narrow below some twenty groups. The scores are
taken as given: the variation that comes from fitting the probes again is not part of the interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from if_circuits.threads import one_thread

_MAX_WEIGHTS = 2_000_000
"""Row weights held at a time (16 MB): memory does not grow with the number of resamples."""


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval over groups."""

    estimate: float
    """The statistic on the data as they are."""
    low: float
    high: float
    """NaN, as is `low`, where there is too little data for an interval."""
    n_groups: int
    confidence: float = 0.95
    n_resamples: int = 0
    n_degenerate: int = 0
    """Resamples on which the statistic was undefined, such as an AUROC of a single class."""
    reason: str = ""
    """Why there is no estimate, where that is known."""

    @property
    def bounds(self) -> tuple[float, float]:
        """(low, high)."""
        return self.low, self.high


Statistic = Callable[[Float[np.ndarray, "resamples n"]], Float[np.ndarray, "resamples *shape"]]
"""Row weights of several resamples in, one value (or one array of values) per resample out."""


@one_thread
def cluster_bootstrap(
    groups: Shaped[np.ndarray, " n"],
    statistic: Statistic,
    *,
    n_resamples: int = 1000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Percentile interval of `statistic` over resampled groups.

    `groups` names the group of each row. `statistic` maps row weights [resamples, n] (how often each row
    was drawn) to one value per resample, NaN where it is undefined: see `weighted_auroc` and
    `weighted_mean`. Undefined resamples are counted in `n_degenerate`; see `interval_of` for what becomes
    of them. Source: Field and Welsh 2007 (randomised cluster bootstrap); Efron and Tibshirani 1993, chapter
    13.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> satisfied, queries = np.arange(60) % 3 > 0, np.arange(60) // 4
        >>> mean = lambda weights: weights @ satisfied / weights.sum(axis=1)
        >>> found = ifc.cluster_bootstrap(queries, mean, n_resamples=200, seed=0)
        >>> bool(found.low < found.estimate < found.high), found.n_groups
        (True, 15)
    """
    estimate = statistic(np.ones((1, len(groups))))
    draws = bootstrap_draws(groups, statistic, n_resamples=n_resamples, seed=seed)
    if draws.ndim != 1:
        raise ValueError(
            f"cluster_bootstrap needs one value per resample, the statistic gave {draws.shape[1:]}: "
            "use bootstrap_draws for arrays"
        )
    return interval_of(float(estimate[0]), draws, n_groups=len(np.unique(groups)), confidence=confidence)


@one_thread
def bootstrap_draws(
    groups: Shaped[np.ndarray, " n"], statistic: Statistic, *, n_resamples: int = 1000, seed: int
) -> Float[np.ndarray, "resamples *shape"]:
    """The statistic on each resample: for arrays of values (one per layer, say) resampled together.

    The same groups and seed give the same resamples whatever the statistic, so draws of several statistics
    pair up.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1 if len(codes) else 0
    if n_groups == 0:
        raise ValueError("the bootstrap needs at least one row")
    if n_resamples < 1:
        raise ValueError(f"n_resamples must be at least 1, got {n_resamples}")
    counts = np.random.default_rng(seed).multinomial(
        n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples
    )
    chunk = max(1, _MAX_WEIGHTS // len(codes))
    return np.concatenate(
        [
            statistic(counts[start : start + chunk, codes].astype(np.float64))
            for start in range(0, n_resamples, chunk)
        ]
    )


def interval_of(
    estimate: float, draws: Float[np.ndarray, " resamples"], *, n_groups: int, confidence: float = 0.95
) -> Interval:
    """Percentile interval of bootstrap draws, leaving NaN draws out and counting them.

    An undefined draw could have been anything. Once they outnumber the tails (a share above 1 -
    confidence), the percentiles say nothing about the data as a whole and both bounds are NaN. So they are
    with a single group.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    defined = draws[~np.isnan(draws)]
    n_degenerate = len(draws) - len(defined)
    low = high = float("nan")
    if n_groups > 1 and not np.isnan(estimate) and n_degenerate <= (1 - confidence) * len(draws):
        tail = (1 - confidence) / 2
        low, high = (float(bound) for bound in np.quantile(defined, [tail, 1 - tail]))
    return Interval(estimate, low, high, n_groups, confidence, len(draws), n_degenerate)


def weighted_mean(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "resamples n"]
) -> Float[np.ndarray, " resamples"]:
    """Mean of `values` under each row of weights; NaN where the weights are all zero."""
    total = weights.sum(axis=1)
    return np.divide(weights @ values, total, out=np.full(len(weights), np.nan), where=total > 0)
