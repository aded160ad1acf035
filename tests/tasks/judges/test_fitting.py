"""Fitting heads: the ridge against scikit-learn's, zones against planted errors, and what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from if_circuits.errors import InputError
from if_circuits.tasks.judges.labelled import Labelled, read_labelled
from if_circuits.tasks.judges.ridge import GRID, RidgeChoice, cross_validated, fit_ridge, folds
from if_circuits.tasks.judges.zones import narrowest_zone

RNG = np.random.default_rng(0)
ENCODED, COUNTED = RNG.normal(2, 3, size=(60, 20)), RNG.normal(size=(60, 3))
TARGET = ENCODED[:, 0] + COUNTED[:, 1] + RNG.normal(size=60)
GROUPS = [f"pair {index // 2}" for index in range(60)]


def test_the_ridge_is_the_reference_on_standardised_features():
    choice = RidgeChoice(penalty=30.0, counted=4.0)
    weight, bias = fit_ridge(ENCODED, COUNTED, TARGET, choice=choice)

    def standard(rows: np.ndarray) -> np.ndarray:
        return (rows - rows.mean(0)) / rows.std(0)

    rows = np.hstack([standard(ENCODED), 4 * standard(COUNTED)])
    expected = Ridge(30.0).fit(rows, TARGET).predict(rows)
    np.testing.assert_allclose(np.hstack([ENCODED, COUNTED]) @ weight + bias, expected)


def test_a_feature_that_never_varies_has_no_weight():
    constant = np.hstack([ENCODED, np.ones((60, 1))])
    weight, _ = fit_ridge(constant, COUNTED, TARGET, choice=GRID[0])
    assert weight[20] == 0


def test_cross_validation_scores_a_text_by_fits_without_its_group():
    scores = cross_validated(ENCODED, COUNTED, TARGET, groups=GROUPS, n_folds=5)
    fold_of = folds(GROUPS, n_folds=5, seed=0)
    assert all(fold_of[0::2] == fold_of[1::2])
    test = fold_of == 3
    for index in (1, 7):
        weight, bias = fit_ridge(ENCODED[~test], COUNTED[~test], TARGET[~test], choice=GRID[index])
        expected = np.hstack([ENCODED[test], COUNTED[test]]) @ weight + bias
        np.testing.assert_allclose(scores[index, test], expected)


def test_a_zone_is_as_wide_as_the_errors_ask_for():
    scores = np.linspace(-1, 1, 400)
    wrong = (np.abs(scores) < 0.3) & (np.arange(400) % 2 == 0)
    truth = (scores > 0) ^ wrong
    zone = narrowest_zone(scores, truth, right=0.99)
    assert zone.low == pytest.approx(-0.3, abs=0.05)
    assert zone.high == pytest.approx(0.3, abs=0.05)
    perfect = narrowest_zone(scores, scores > 0)
    assert [perfect.side(score) for score in (-0.5, 0.5)] == [-1, 1]
    assert perfect.high - perfect.low < 0.05


def test_what_is_held_out_does_not_depend_on_the_order_and_keeps_groups_whole():
    texts = tuple(f"text {index}" for index in range(200))
    labelled = Labelled(texts, ("a",) * 200, tuple(GROUPS * 4)[:200])
    assert 0.2 < labelled.held_out.mean() < 0.6
    turned = Labelled(texts[::-1], ("a",) * 200, labelled.groups[::-1])
    np.testing.assert_array_equal(turned.held_out[::-1], labelled.held_out)
    for group in set(labelled.groups):
        rows = [index for index, each in enumerate(labelled.groups) if each == group]
        assert len(set(labelled.held_out[rows])) == 1


def test_missing_data_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="pavlick_formality.*is missing"):
        read_labelled("register", tmp_path)
