"""The twelve positions: their definition, for every length."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from if_circuits.activations.positions import ABSENT, POSITIONS, prefix_lengths, token_indices

LENGTHS = st.integers(0, 3000)


def test_there_are_twelve_in_the_order_of_the_sequence() -> None:
    assert POSITIONS == (
        "prompt_end", "10%", "20%", "30%", "40%", "50%", "60%", "70%", "80%", "90%", "last", "eos",
    )  # fmt: skip


def test_a_response_of_ten_tokens() -> None:
    indices = token_indices(5, 10, truncated=False)
    assert list(indices.values()) == [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]


@given(LENGTHS, st.booleans())
def test_every_position_follows_its_definition(n_tokens: int, truncated: bool) -> None:
    lengths = prefix_lengths(n_tokens, truncated=truncated)
    assert tuple(lengths) == POSITIONS
    assert lengths["prompt_end"] == 0
    assert lengths["eos"] == (ABSENT if truncated else n_tokens + 1)
    for percent in range(10, 100, 10):
        exact = math.ceil(Fraction(percent, 100) * n_tokens)
        assert lengths[f"{percent}%"] == (exact if n_tokens else ABSENT)
    assert lengths["last"] == (n_tokens if n_tokens else ABSENT)


@given(LENGTHS, st.booleans(), st.integers(1, 500))
def test_present_positions_rise_and_stay_inside_the_sequence(
    n_tokens: int, truncated: bool, n_prompt: int
) -> None:
    indices = token_indices(n_prompt, n_tokens, truncated=truncated)
    present = [index for index in indices.values() if index != ABSENT]
    assert present == sorted(present)
    assert present[0] == n_prompt - 1
    assert present[-1] == n_prompt + n_tokens + (not truncated) - 1


def test_bad_counts_are_named() -> None:
    with pytest.raises(ValueError, match="cannot be negative, got -1"):
        prefix_lengths(-1, truncated=False)
    with pytest.raises(ValueError, match="at least one token"):
        token_indices(0, 3, truncated=False)
