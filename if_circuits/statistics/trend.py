"""Does a quantity rise over ordered families? Kendall's tau-b, with a permutation test.

For ordered groups the numerator of tau is the Jonckheere-Terpstra statistic, and its denominator does not
change when values are permuted, so this permutation test is that of Jonckheere-Terpstra; SciPy's tau-b
p-value is a normal approximation under ties and poor for nine tasks in four families.
"""

import numpy as np
from jaxtyping import Float

from if_circuits.statistics.permutation import Alternative, PermutationTest, permutation_p
from if_circuits.threads import one_thread


def kendall_tau(
    values: Float[np.ndarray, "draws n"], order: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " draws"]:
    """Kendall's tau-b between each row of `values` and `order`.

    NaN values (a task that never emerged) are left out of their row. NaN where a row has no spread.
    Source: Kendall 1945.
    """
    first, second = np.triu_indices(len(order), k=1)
    rise = np.sign(values[:, second] - values[:, first])
    valid = ~np.isnan(rise)
    rise = np.where(valid, rise, 0.0)
    step = np.sign(order[second] - order[first])
    untied = np.sqrt((rise != 0).sum(axis=1) * (valid & (step != 0)).sum(axis=1))
    return np.divide(rise @ step, untied, out=np.full(len(values), np.nan), where=untied > 0)


@one_thread
def trend_test(
    values: Float[np.ndarray, " n"],
    order: Float[np.ndarray, " n"],
    *,
    n_permutations: int = 10_000,
    seed: int,
    alternative: Alternative = "greater",
) -> PermutationTest:
    """Do `values` rise with `order`? Permutes the values; "greater" is a rising trend.

    NaN values are left out. `n_groups` of the result is the number of values that remain.
    Source: Jonckheere 1954; Terpstra 1952.
    """
    known = ~np.isnan(values)
    kept, ranks = values[known], order[known]
    observed = float(kendall_tau(kept[None], ranks)[0]) if len(kept) else float("nan")
    if np.isnan(observed):
        return PermutationTest(observed, float("nan"), len(kept), 0)
    shuffles = np.random.default_rng(seed).permuted(np.tile(kept, (n_permutations, 1)), axis=1)
    p = permutation_p(observed, kendall_tau(shuffles, ranks), alternative=alternative)
    return PermutationTest(observed, p, len(kept), n_permutations)
