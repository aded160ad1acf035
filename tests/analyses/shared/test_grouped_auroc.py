import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from if_circuits.analyses.shared.grouped_auroc import GroupedAuroc, grouped_auroc, stack


def sample(seed: int, *, n: int = 60, n_groups: int = 8, ties: bool = False) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, size=n)
    labels = rng.random(n) < 0.5
    labels[:2] = True, False
    scores = rng.normal(size=n) + labels
    return (np.round(scores) if ties else scores), labels, groups


@given(st.integers(0, 10_000), st.booleans())
def test_agrees_with_scikit_learn_when_there_is_one_fold(seed: int, ties: bool) -> None:
    scores, labels, groups = sample(seed, ties=ties)
    found = grouped_auroc(scores, labels, groups, np.zeros(len(labels), dtype=int), n_groups=8)
    assert found.estimate == pytest.approx(roc_auc_score(labels, scores))


def test_pairs_of_different_folds_do_not_count() -> None:
    scores, labels, groups = sample(0)
    folds = groups % 2
    shifted = scores + 100.0 * folds
    args = (labels, groups, folds)
    together = grouped_auroc(scores, *args, n_groups=8)
    apart = grouped_auroc(shifted, *args, n_groups=8)
    assert together.estimate == pytest.approx(apart.estimate)
    wins = [roc_auc_score(labels[folds == k], scores[folds == k]) for k in (0, 1)]
    pairs = [labels[folds == k].sum() * (~labels[folds == k]).sum() for k in (0, 1)]
    assert together.estimate == pytest.approx(np.average(wins, weights=pairs))


def test_a_resample_is_the_auroc_of_the_drawn_groups_without_pairs_of_copies() -> None:
    scores, labels, groups = sample(3)
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=20).astype(float)
    found = grouped_auroc(scores, labels, groups, np.zeros(len(labels), dtype=int), n_groups=8).under(weights)
    for drawn, value in zip(weights.astype(int), found, strict=True):
        won = pairs = 0.0
        copies = [(g, copy) for g in range(8) for copy in range(drawn[g])]
        for g, copy in copies:
            for h, other in copies:
                if g == h and copy != other:
                    continue
                above = scores[(groups == g) & labels][:, None]
                below = scores[(groups == h) & ~labels][None]
                won += (above > below).sum() + 0.5 * (above == below).sum()
                pairs += above.size * below.size
        assert value == pytest.approx(won / pairs)


def test_stacked_aurocs_are_resampled_together() -> None:
    one, other = (grouped_auroc(*sample(seed), np.zeros(60, dtype=int), n_groups=8) for seed in (1, 2))
    weights = np.random.default_rng(0).multinomial(8, np.full(8, 1 / 8), size=5).astype(float)
    both = stack([one, other])
    np.testing.assert_allclose(
        both.under(weights), np.stack([one.under(weights), other.under(weights)], axis=1)
    )
    np.testing.assert_allclose(both.estimate, [one.estimate, other.estimate])


def test_one_class_gives_nan() -> None:
    found = grouped_auroc(
        np.arange(4.0), np.ones(4, dtype=bool), np.arange(4), np.zeros(4, dtype=int), n_groups=4
    )
    assert np.isnan(found.estimate)
    assert np.isnan(found.under(np.ones((1, 4)))).all()


def test_nan_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        grouped_auroc(
            np.array([np.nan, 1.0]), np.array([True, False]), np.arange(2), np.zeros(2, dtype=int), n_groups=2
        )


def test_the_estimate_is_the_resample_that_draws_every_group_once() -> None:
    found: GroupedAuroc = grouped_auroc(*sample(5), np.zeros(60, dtype=int), n_groups=8)
    assert found.under(np.ones((1, 8)))[0] == pytest.approx(found.estimate)
