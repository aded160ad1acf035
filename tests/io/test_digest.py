"""Hashes of values: equal content, equal hash; any difference shows."""

from dataclasses import dataclass

import numpy as np
import pytest

from if_circuits.io.digest import value_sha256


@dataclass(frozen=True, eq=False)
class _Operation:
    basis: np.ndarray
    alpha: float = 1.0


@dataclass(frozen=True, eq=False)
class _Other:
    basis: np.ndarray
    alpha: float = 1.0


def test_equal_content_gives_equal_hashes() -> None:
    assert value_sha256((_Operation(np.eye(2)), (1, 2))) == value_sha256((_Operation(np.eye(2)), (1, 2)))
    assert value_sha256(np.eye(3)[:, :2]) == value_sha256(np.eye(3)[:, :2].copy())


def test_every_difference_shows() -> None:
    values = [
        _Operation(np.eye(2)),
        _Operation(np.eye(2), alpha=2.0),
        _Operation(-np.eye(2)),
        _Operation(np.eye(2, dtype=np.float32)),
        _Operation(np.eye(2).reshape(1, 4)),
        _Other(np.eye(2)),
        (1, 2),
        [1, 2],
        ((1,), 2),
        ("1", 2),
        (1.0, 2),
        (True, 2),
        None,
        "None",
    ]
    assert len({value_sha256(value) for value in values}) == len(values)


def test_what_has_no_stable_content_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot hash a function"):
        value_sha256((1, value_sha256))
