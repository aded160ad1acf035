"""Permutation tests that keep groups (base queries) whole.

A p-value from random permutations is (1 + hits) / (1 + permutations): the observed arrangement is one of
those that chance could have given, so p is never 0 (Phipson and Smyth 2010). A two-sided p is twice the
smaller one-sided p, at most 1.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped
from scipy import stats

from if_circuits.threads import one_thread

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True)
class PermutationTest:
    """A statistic and where it lies in its permutation distribution."""

    statistic: float
    p: float
    """NaN where no test was possible."""
    n_groups: int
    n_permutations: int


@one_thread
def permutation_p(
    observed: float, null: Float[np.ndarray, " permutations"], *, alternative: Alternative = "greater"
) -> float:
    """p-value of `observed` among the values of a permutation distribution.

    Null values equal to the observed one up to rounding count as hits, and so do undefined (NaN) ones,
    which errs on the cautious side. NaN when `observed` is NaN.
    """
    if len(null) == 0:
        raise ValueError("a permutation test needs at least one permuted value")
    if np.isnan(observed):
        return float("nan")
    slack = 1e-12 * max(1.0, abs(observed))
    # Negated so that NaN counts as a hit.
    greater = (1 + int((~(null < observed - slack)).sum())) / (1 + len(null))
    less = (1 + int((~(null > observed + slack)).sum())) / (1 + len(null))
    match alternative:
        case "greater":
            return greater
        case "less":
            return less
        case "two-sided":
            return min(1.0, 2 * min(greater, less))


@one_thread
def paired_permutation(
    differences: Float[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"],
    *,
    n_permutations: int = 1000,
    seed: int,
    alternative: Alternative = "two-sided",
) -> PermutationTest:
    """Is the mean of paired differences zero? All differences of a group change sign together.

    Null: within a group, which of the two conditions is which is exchangeable. The statistic is the mean
    over rows. With g groups there are only 2**g arrangements: they are enumerated where that takes at most
    `n_permutations`. Raises ValueError on NaN. Source: Fisher 1935, section 21; for clusters, Winkler et
    al. 2015.
    """
    if not len(differences) == len(groups) > 0:
        raise ValueError(
            f"each difference needs a group, got {len(differences)} differences and {len(groups)} groups"
        )
    if np.isnan(differences).any():
        raise ValueError(
            f"{int(np.isnan(differences).sum())} of {len(differences)} differences are NaN: drop those first"
        )
    codes = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(codes, weights=differences)
    if len(sums) == 1:  # Two arrangements; SciPy refuses a single observation.
        return PermutationTest(float(differences.mean()), 1.0 if alternative == "two-sided" else 0.5, 1, 2)

    def mean(
        group_sums: Float[np.ndarray, "*permutations g"], axis: int
    ) -> Float[np.ndarray, "*permutations"]:
        return group_sums.sum(axis=axis) / len(differences)

    test = stats.permutation_test(
        (sums,),
        mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=n_permutations,
        alternative=alternative,
        rng=np.random.default_rng(seed),
    )
    return PermutationTest(float(test.statistic), float(test.pvalue), len(sums), len(test.null_distribution))
