from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.models.padding import pad


@pytest.mark.parametrize("side", ["left", "right"])
@given(rows=st.lists(st.lists(st.integers(0, 9)), min_size=1))
def test_every_row_is_whole_on_its_side_and_the_rest_is_masked(
    side: Literal["left", "right"], rows: list[list[int]]
) -> None:
    ids, mask = pad(rows, pad_id=7, side=side)
    for row, padded, real in zip(rows, ids.tolist(), mask.tolist(), strict=True):
        rest = len(padded) - len(row)
        assert padded == ([7] * rest + row if side == "left" else row + [7] * rest)
        assert real == ([0] * rest + [1] * len(row) if side == "left" else [1] * len(row) + [0] * rest)
