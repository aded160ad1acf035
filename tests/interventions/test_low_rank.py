import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.interventions.low_rank import UpdatesByRow
from if_circuits.interventions.operations import Add, Erase, MeanReplace, ProjectOut, Zero
from if_circuits.interventions.scope import Window
from if_circuits.interventions.subspace import AffineErasure, Subspace
from tests.precision import rounding

D = 10


@given(seed=st.integers(0, 2**32 - 1), ranks=st.lists(st.integers(1, 4), min_size=3, max_size=3))
def test_each_row_has_its_own_operation(seed: int, ranks: list[int]) -> None:
    rng = np.random.default_rng(seed)
    first, second, third = (
        Subspace.orthonormalise(rng.normal(size=(rank, D)), mean=rng.normal(size=D), name="s")
        for rank in ranks
    )
    operations = [
        ProjectOut(first, alpha=2.0),
        Zero(second),
        MeanReplace(third, mean=rng.normal(size=D)),
        Erase(
            AffineErasure(
                left=rng.normal(size=D), right=rng.normal(size=D), mean=rng.normal(size=D), name="e"
            )
        ),
        Add(rng.normal(size=D), 3.0),
    ]
    which = rng.integers(len(operations), size=8)
    x = torch.from_numpy(rng.normal(size=(8, 3, D))).float()
    window = Window(torch.arange(3).repeat(8, 1), torch.ones(8, dtype=torch.long), torch.arange(8))
    together = UpdatesByRow([each.update() for each in operations], torch.device("cpu"))(
        x, torch.from_numpy(which)
    )
    for row, number in enumerate(which):
        alone = operations[number].transform(0, torch.device("cpu"))(x, window)[row]
        size = max(float(x.abs().max()), float(alone.abs().max()), 1.0)
        assert float((together[row] - alone).abs().max()) <= rounding(3 * (D + 3), D * size, np.float32)
