import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from if_circuits.errors import InputError
from if_circuits.probes.base import probes
from if_circuits.probes.evaluate import balanced_accuracy, out_of_fold, out_of_fold_by, subsample
from tests.probes.planted import planted


def clusters(n: int, *, gap: float, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.3
    X = rng.normal(size=(n, 5))
    X[:, 2] += gap * y
    return X, y, np.arange(n) // 3


def test_a_planted_direction_reaches_the_auroc_of_theory():
    X, y, groups = clusters(3000, gap=1.0)
    found = out_of_fold(X, y, groups, n_folds=5, seed=0)
    # Two unit Gaussians one apart: AUROC Phi(1 / sqrt 2), and at best a balanced accuracy of Phi(1 / 2).
    assert found.auroc == pytest.approx(0.760, abs=0.02)
    assert found.balanced_accuracy == pytest.approx(0.691, abs=0.02)
    assert (found.n, found.n_over_d, found.reasons) == (3000, 600.0, ())
    assert found.converged.all()


@pytest.mark.parametrize("name", ["lda", "mean_difference", "logistic"])
def test_probes_by_name_reach_it_too(name):
    X, y, groups = clusters(3000, gap=1.0)
    found = out_of_fold_by(probes.get(name), X, y, groups, n_folds=5, seed=0)
    assert found.auroc == pytest.approx(0.760, abs=0.02)
    assert found.balanced_accuracy == pytest.approx(0.691, abs=0.02)
    assert np.isnan(found.C).all()


def test_nothing_is_found_where_there_is_nothing_even_with_more_features_than_rows():
    rng = np.random.default_rng(0)
    values = [
        out_of_fold(
            rng.normal(size=(90, 200)),
            rng.random(90) < 0.5,
            np.arange(90) // 2,
            n_folds=5,
            seed=seed,
            Cs=[1e-3, 1.0],
        ).auroc
        for seed in range(12)
    ]
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(12) + 1e-9


def test_a_label_that_follows_the_group_alone_is_not_learned():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 5)
    fingerprints = rng.normal(size=(60, 40))[groups]
    y = (rng.random(60) < 0.5)[groups]
    assert out_of_fold(fingerprints, y, groups, n_folds=5, seed=0).auroc < 0.65


def test_rows_left_out_neither_train_nor_score_and_move_no_fold():
    X, y, groups = clusters(150, gap=1.0)
    keep = np.arange(150) % 4 != 0
    found = out_of_fold(X, y, groups, n_folds=5, seed=0, keep=keep)
    flipped = out_of_fold(X, np.where(keep, y, ~y), groups, n_folds=5, seed=0, keep=keep)
    np.testing.assert_array_equal(found.scores, flipped.scores)
    np.testing.assert_array_equal(np.isfinite(found.scores), keep)
    np.testing.assert_array_equal(found.folds, out_of_fold(X, y, groups, n_folds=5, seed=0).folds)
    assert found.n == keep.sum()


def test_a_fold_that_cannot_be_fitted_is_recorded():
    X, y, groups = clusters(60, gap=1.0)
    folds = out_of_fold(X, y, groups, n_folds=5, seed=0).folds
    for found in (
        out_of_fold(X, folds == 3, groups, n_folds=5, seed=0),
        out_of_fold_by(probes.get("lda"), X, folds == 3, groups, n_folds=5, seed=0),
    ):
        assert len(found.reasons) == 1
        assert found.reasons[0].startswith("fold 3:")
        np.testing.assert_array_equal(np.isnan(found.scores), folds == 3)
        assert np.isnan(found.auroc)


def test_no_usable_row_is_refused():
    with pytest.raises(InputError, match="none of 10 rows"):
        out_of_fold(np.full((10, 2), np.nan), np.arange(10) < 5, np.arange(10), n_folds=5, seed=0)


def test_a_subsample_is_spread_evenly_and_takes_more_where_others_run_out():
    strata = np.repeat([0, 1, 2], [100, 100, 4])
    drawn = subsample(np.ones(204, dtype=bool), size=60, strata=strata, seed=0)
    assert np.bincount(strata[drawn]).tolist() == [28, 28, 4]
    np.testing.assert_array_equal(drawn, subsample(np.ones(204, dtype=bool), size=60, strata=strata, seed=0))
    assert (drawn != subsample(np.ones(204, dtype=bool), size=60, strata=strata, seed=1)).any()


def test_a_subsample_draws_candidates_only():
    candidates = np.arange(50) % 2 == 0
    drawn = subsample(candidates, size=25, strata=np.zeros(50), seed=0)
    np.testing.assert_array_equal(drawn, candidates)
    with pytest.raises(InputError, match="26 rows from 25"):
        subsample(candidates, size=26, strata=np.zeros(50), seed=0)


def test_planted_data_of_the_shared_kind_are_decodable():
    X, y = planted(600, 10, signal=3.0)
    assert out_of_fold(X, y, np.arange(600), n_folds=5, seed=0).auroc > 0.8


def test_balanced_accuracy_is_scikit_learns_and_undefined_without_a_class():
    rng = np.random.default_rng(0)
    labels, predicted = rng.random(50) < 0.3, rng.random(50) < 0.6
    assert balanced_accuracy(labels, predicted) == pytest.approx(balanced_accuracy_score(labels, predicted))
    assert np.isnan(balanced_accuracy(np.ones(3, dtype=bool), predicted[:3]))
