"""Where a judge does not decide: the narrowest zone of scores outside of which it is right often enough."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from if_circuits.tasks.judges.heads import Zone

RIGHT = 0.92
"""Share right of the decided texts where the zone is chosen, so that on others nine in ten are."""

_STEPS = 101


def narrowest_zone(
    scores: Float[np.ndarray, " texts"],
    truth: Bool[np.ndarray, " texts"],
    *,
    right: float = RIGHT,
) -> Zone:
    """The zone that leaves fewest texts undecided, with a share `right` of the decided ones right.

    Both labels count equally, however many texts have them. Where no zone is wide enough for `right`, it is
    the zone of the largest share right among those that decide half of the texts.
    """
    weight = np.where(truth, 0.5 / truth.mean(), 0.5 / (~truth).mean()) / len(truth)
    bounds = np.unique(np.quantile(scores, np.linspace(0, 1, _STEPS)))
    best: tuple[tuple[bool, float], Zone] | None = None
    for index, low in enumerate(bounds):
        for high in bounds[index:]:
            above, below = scores > high, scores < low
            decided = float(weight[above | below].sum())
            if decided < 0.5:
                continue
            share = float(weight[(above & truth) | (below & ~truth)].sum()) / decided
            key = (share >= right, decided if share >= right else share)
            if best is None or key > best[0]:
                best = key, Zone(float(low), float(high))
    assert best is not None
    return best[1]
