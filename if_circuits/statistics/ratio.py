"""Ratios of two noisy numbers, such as what a probe reads of another task over what it reads of its own.

Where the denominator may be zero the ratio may be anything: its estimate can lie outside of its own
percentile interval. So there is a ratio only where the denominator's interval lies above zero. Elsewhere it
is NaN, with the reason, and a verdict on it is inconclusive (`verdicts.decide`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from if_circuits.statistics.bootstrap import Interval, interval_of


@dataclass(frozen=True, eq=False)
class Resampled:
    """A number, and what it is on each resample of the groups."""

    estimate: float
    draws: Float[np.ndarray, " resamples"]
    """Numbers that belong together come from the same resamples, in the same order."""


def ratio_interval(
    numerator: Resampled, denominator: Resampled, *, n_groups: int, confidence: float = 0.95
) -> Interval:
    """Percentile interval of numerator / denominator, where the denominator is positive unless it is noise.

    NaN, with the reason, unless the denominator's own interval lies above zero. Of the few resamples on which
    it does not, the ratio is undefined; they are counted in `n_degenerate`.

    Example:
        >>> draws = np.linspace(-0.01, 0.03, 100)
        >>> ratio_interval(Resampled(0.1, 10 * draws), Resampled(0.01, draws), n_groups=30).reason
        'no ratio, since its denominator (0.01 [-0.009, 0.029]) is not above 0'
    """
    below = interval_of(denominator.estimate, denominator.draws, n_groups=n_groups, confidence=confidence)
    if not below.low > 0:
        nothing = float("nan")
        shown = f"{below.estimate:.3g} [{below.low:.3g}, {below.high:.3g}]"
        reason = f"no ratio, since its denominator ({shown}) is not above 0"
        return Interval(
            nothing, nothing, nothing, n_groups, confidence, len(denominator.draws), reason=reason
        )
    defined = np.where(denominator.draws > 0, denominator.draws, np.nan)
    return interval_of(
        numerator.estimate / denominator.estimate,
        numerator.draws / defined,
        n_groups=n_groups,
        confidence=confidence,
    )
