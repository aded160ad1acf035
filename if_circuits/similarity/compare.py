"""Similarity between tasks, freed of its bias and put beside what noise allows.

Every comparison is between one half of the one task's rows and the other half of the other's (`halves`), so
all of them carry the same noise:

- raw: task A against task B, the mean of (A1, B2) and (B1, A2);
- null: the same with the groups of the second shuffled, which leaves each representation as it is;
- debiased: raw minus the mean of the null;
- ceiling: what A and B could reach: the geometric mean of debiased (A1, A2) and debiased (B1, B2), as in
  the correction for attenuation (Spearman 1904);
- ratio: debiased over ceiling, 1 for one representation seen twice through noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Int

from if_circuits.similarity.halves import PairedHalves
from if_circuits.similarity.measures import MEASURES, Measure, ReducedMeasure
from if_circuits.similarity.reduction import Reduced, default_components, reduce
from if_circuits.statistics.permutation import permutation_p
from if_circuits.threads import one_thread


@dataclass(frozen=True)
class Similarity:
    """How alike two tasks' representations are."""

    raw: float
    null_mean: float
    debiased: float
    """raw - null_mean."""
    null_low: float
    null_high: float
    """Where 95 % of `debiased` would lie if the pairing meant nothing."""
    p: float
    """Permutation p-value of the pairing, one-sided."""
    ceiling: float
    """NaN unless each task resembles itself, across its halves, beyond chance."""
    ratio: float
    """debiased / ceiling."""
    k: int
    """Principal components that were kept: as asked for, or the lower rank."""
    n: int
    """Groups (base queries) behind the comparison."""


@one_thread
def compare_all(
    halves: PairedHalves,
    *,
    measure: Measure,
    k: int | None = None,
    n_permutations: int = 200,
    seed: int,
) -> dict[tuple[str, str], Similarity]:
    """Similarity of every pair of tasks, in the order in which they were paired.

    `k` principal components are kept, by default a tenth of the groups (1 to 32). Raises ValueError on
    activations that are not finite.

    Example:
        >>> import numpy as np
        >>> import if_circuits as ifc
        >>> X = np.random.default_rng(0).standard_normal((40, 8)).repeat(4, axis=0)
        >>> groups = dict.fromkeys(("topic", "register"), np.arange(160) // 4)
        >>> halves = ifc.pair_halves({"topic": X, "register": 2 * X}, groups, seed=0)
        >>> found = ifc.compare_all(halves, measure="cka", n_permutations=50, seed=0)
        >>> round(found["topic", "register"].ratio, 6)
        1.0
    """
    n = len(halves.groups)
    components = default_components(n) if k is None else k
    reduced = {
        name: (reduce(one, k=components), reduce(other, k=components))
        for name, (one, other) in halves.activations.items()
    }
    orders = halves.shuffles(n_permutations, seed=seed)
    function = MEASURES[measure]
    reliability = {
        name: _ceiling(_debias(function, [(one, other), (other, one)], orders))
        for name, (one, other) in reduced.items()
    }
    similarities: dict[tuple[str, str], Similarity] = {}
    for a, b in combinations(reduced, 2):
        found = _debias(function, [(reduced[a][0], reduced[b][1]), (reduced[b][0], reduced[a][1])], orders)
        ceiling = float(np.sqrt(reliability[a] * reliability[b]))
        similarities[a, b] = Similarity(
            raw=found.raw,
            null_mean=found.null_mean,
            debiased=found.debiased,
            null_low=found.null_low,
            null_high=found.null_high,
            p=found.p,
            ceiling=ceiling,
            ratio=found.debiased / ceiling,
            k=min(len(half.scale) for half in (*reduced[a], *reduced[b])),
            n=n,
        )
    return similarities


@dataclass(frozen=True)
class _Debiased:
    raw: float
    null_mean: float
    null_low: float
    null_high: float
    p: float

    @property
    def debiased(self) -> float:
        return self.raw - self.null_mean


def _debias(
    measure: ReducedMeasure, pairs: Sequence[tuple[Reduced, Reduced]], orders: Int[np.ndarray, "orders n"]
) -> _Debiased:
    """The mean of a measure over pairs, against its permutation null."""
    as_they_are = np.arange(orders.shape[1])[None]
    with_null = np.concatenate([as_they_are, orders])
    values = np.mean([measure(x, y, with_null) for x, y in pairs], axis=0)
    raw, null = float(values[0]), values[1:]
    mean = float(null.mean())
    low, high = (float(bound) - mean for bound in np.quantile(null, [0.025, 0.975]))
    return _Debiased(raw, mean, low, high, permutation_p(raw, null))


def _ceiling(reliability: _Debiased) -> float:
    """A task's similarity with itself; NaN when that is within chance, where a ratio to it would be
    arbitrary.
    """
    return reliability.debiased if reliability.debiased > reliability.null_high else float("nan")
