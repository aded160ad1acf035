"""What wrong labels cost an AUROC: the formula against simulated judges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from if_circuits.statistics.label_noise import auroc_ceiling, true_share

SHARES = st.floats(0.01, 0.99)


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "share"), [(0.9, 0.9, 0.5), (0.95, 0.7, 0.3), (0.6, 1.0, 0.8)]
)
def test_a_perfect_score_reaches_the_ceiling_and_a_weaker_one_its_share_of_it(
    sensitivity: float, specificity: float, share: float
):
    rng = np.random.default_rng(0)
    truth = rng.random(40_000) < share
    said = np.where(truth, rng.random(len(truth)) < sensitivity, rng.random(len(truth)) > specificity)
    ceiling = auroc_ceiling(sensitivity, specificity, positives=float(said.mean()))
    found = true_share(sensitivity, specificity, positives=float(said.mean()))
    assert found == pytest.approx(share, abs=0.01)
    assert roc_auc_score(said, truth) == pytest.approx(ceiling, abs=0.01)
    weaker = truth + rng.normal(size=len(truth))
    against_truth = roc_auc_score(truth, weaker)
    expected = 0.5 + 2 * (ceiling - 0.5) * (against_truth - 0.5)
    assert roc_auc_score(said, weaker) == pytest.approx(expected, abs=0.01)


@given(SHARES, SHARES, SHARES)
def test_a_ceiling_is_at_most_one_and_above_chance(sensitivity: float, specificity: float, positives: float):
    ceiling = auroc_ceiling(sensitivity, specificity, positives=positives)
    possible = sensitivity + specificity > 1 and 1 - specificity <= positives <= sensitivity
    assert np.isnan(ceiling) or 0.5 <= ceiling + 1e-9 <= 1 + 2e-9
    if possible and abs(positives - sensitivity) > 1e-6 and abs(positives - 1 + specificity) > 1e-6:
        assert not np.isnan(ceiling)


def test_no_ceiling_where_no_truth_gives_so_many_positives():
    assert np.isnan(auroc_ceiling(0.9, 0.9, positives=0.95))
    assert np.isnan(auroc_ceiling(0.5, 0.5, positives=0.5))
