"""Delete-a-block jackknife over groups: intervals for statistics that resampling with replacement would
distort.

A bootstrap draws groups twice. For similarities of paired representations that is a bias, since a row that
occurs twice in both makes them look alike. Leaving blocks of groups out has no such fault.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Shaped
from scipy import stats

from if_circuits.statistics.bootstrap import Interval
from if_circuits.threads import one_thread


@one_thread
def group_jackknife(
    groups: Shaped[np.ndarray, " n"],
    statistic: Callable[[Bool[np.ndarray, " n"]], float],
    *,
    n_blocks: int = 20,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of a smooth statistic from leaving out one random block of groups at a time.

    `statistic` gets the mask of the rows that are kept. The interval is estimate +- t * standard error, with
    blocks - 1 degrees of freedom; its bounds are NaN where the statistic was undefined on any block, or with
    fewer than two groups. Smooth statistics only: not for medians or an emergence layer.
    Source: Shao and Tu 1995, section 2.3 (grouped jackknife).
    """
    names, codes = np.unique(groups, return_inverse=True)
    n_blocks = min(n_blocks, len(names))
    estimate = statistic(np.ones(len(codes), dtype=bool))
    block = np.random.default_rng(seed).permutation(len(names)) % max(n_blocks, 1)
    partial = np.array([statistic(block[codes] != left_out) for left_out in range(n_blocks)])
    low = high = float("nan")
    n_undefined = int(np.isnan(partial).sum())
    if n_blocks > 1 and not n_undefined:
        error = np.sqrt((n_blocks - 1) / n_blocks * np.square(partial - partial.mean()).sum())
        margin = float(stats.t.ppf((1 + confidence) / 2, n_blocks - 1) * error)
        low, high = estimate - margin, estimate + margin
    return Interval(estimate, low, high, len(names), confidence, n_blocks, n_undefined)
