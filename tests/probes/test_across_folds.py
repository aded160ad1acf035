import numpy as np
import pytest
from sklearn.metrics import log_loss

from if_circuits.errors import InputError
from if_circuits.probes.across_folds import AcrossFolds, choose_penalties, fit_across_folds
from if_circuits.probes.folds import grouped_folds
from if_circuits.probes.linear import LinearProbe
from if_circuits.statistics.auroc import auroc
from tests.probes.planted import planted, reference


def folds_of(n: int, *, rows_per_group: int = 2):
    return grouped_folds(np.arange(n) // rows_per_group, n_folds=4, seed=0)


def probe_of(found: AcrossFolds, p: int, fold: int) -> LinearProbe:
    """Probe p as fitted with one fold held out."""
    return LinearProbe.from_fit(found.fits, p * found.n_folds + fold)


def test_every_row_is_scored_by_the_fit_that_held_its_fold_out():
    X, y = planted(120, 6)
    folds = folds_of(120)
    train = np.random.default_rng(0).random((120, 2)) < 0.7
    found = fit_across_folds(X, y, fold_of_row=folds, train=train, Cs=[0.1])
    for p in range(2):
        for fold in range(4):
            rows = train[:, p] & (folds != fold)
            model = reference(X[rows], y[rows], C=0.1)
            expected = model.decision_function(X[folds == fold])
            np.testing.assert_allclose(found.scores[folds == fold, p], expected, atol=2e-3)
            np.testing.assert_allclose(probe_of(found, p, fold).scores(X[folds == fold]), expected, atol=2e-3)
            assert found.n[p, fold] == rows.sum()


def test_the_penalty_is_the_one_with_least_loss_on_the_training_folds_alone():
    X, y = planted(160, 30, signal=3.0)
    folds, Cs = folds_of(160), [1e-3, 1e-2, 1e-1, 1.0]
    found = fit_across_folds(X, y, fold_of_row=folds, train=np.ones((160, 1), dtype=bool), Cs=Cs[::-1])
    for held_out in range(4):
        losses = np.zeros(len(Cs))
        for inner in set(range(4)) - {held_out}:
            train, test = (folds != held_out) & (folds != inner), folds == inner
            for k, C in enumerate(Cs):
                chance = reference(X[train], y[train], C=C).predict_proba(X[test])
                losses[k] += log_loss(y[test], chance, normalize=False)
        assert found.C[0, held_out] == Cs[np.argmin(losses)]
    chosen = choose_penalties(X, y, fold_of_row=folds, Cs=Cs, standardise=True)
    np.testing.assert_array_equal(chosen, found.C[0])


def test_labels_and_features_of_the_held_out_fold_do_not_reach_its_probe():
    X, y = planted(100, 5)
    folds = folds_of(100)
    train = np.ones((100, 1), dtype=bool)
    before = fit_across_folds(X, y, fold_of_row=folds, train=train)
    changed_X, changed_y = np.where(folds[:, None] == 2, X + 5.0, X), np.where(folds == 2, ~y, y)
    after = fit_across_folds(changed_X, changed_y, fold_of_row=folds, train=train)
    np.testing.assert_allclose(probe_of(after, 0, 2).scores(X), probe_of(before, 0, 2).scores(X), atol=2e-3)
    assert np.abs(probe_of(after, 0, 1).scores(X) - probe_of(before, 0, 1).scores(X)).max() > 0.05


def test_many_probes_at_once_are_the_probes_one_by_one():
    X, y = planted(120, 6)
    rng = np.random.default_rng(0)
    place = np.arange(120)
    parts = [place < 60, place >= 60, rng.random(120) < 0.6, place < 60]
    nearly_all = [place >= 12, place < 108, place % 5 != 0]
    train = np.stack([*parts, *nearly_all], axis=1)
    labels = np.stack([y, y, y, rng.permutation(y), y, y, y], axis=1)
    together = fit_across_folds(X, labels, fold_of_row=folds_of(120), train=train)
    for p in range(train.shape[1]):
        alone = fit_across_folds(X, labels[:, p], fold_of_row=folds_of(120), train=train[:, [p]])
        np.testing.assert_array_equal(together.C[p], alone.C[0])
        np.testing.assert_allclose(together.scores[:, p], alone.scores[:, 0], atol=2e-3)


def test_probes_transfer_between_tasks_that_share_a_direction_and_not_otherwise():
    rng = np.random.default_rng(0)
    n, d = 400, 10
    query, task = np.arange(3 * n) % n, np.arange(3 * n) // n
    y = rng.random(3 * n) < 0.5
    X = rng.normal(size=(3 * n, d))
    X[:, 0] += 2.0 * np.where(task < 2, y, 0)
    X[:, 1] += 2.0 * np.where(task == 2, y, 0)
    folds = grouped_folds(query, n_folds=5, seed=0)
    found = fit_across_folds(X, y, fold_of_row=folds, train=task[:, None] == np.arange(3))
    matrix = np.array(
        [
            [auroc(y[task == b], found.scores[task == b, a], strata=folds[task == b]) for b in range(3)]
            for a in range(3)
        ]
    )
    assert matrix[:2, :2].min() > 0.85
    assert matrix[2, 2] > 0.85
    assert np.abs(np.concatenate([matrix[2, :2], matrix[:2, 2]]) - 0.5).max() < 0.08


def test_rows_with_nan_train_nothing_and_score_nan():
    X, y = planted(80, 4)
    absent = np.arange(80) % 7 == 0
    holes = np.where(absent[:, None], np.nan, X)
    train = np.ones((80, 1), dtype=bool)
    found = fit_across_folds(holes, y, fold_of_row=folds_of(80), train=train)
    without = fit_across_folds(X, y, fold_of_row=folds_of(80), train=train & ~absent[:, None])
    np.testing.assert_array_equal(np.isnan(found.scores[:, 0]), absent)
    np.testing.assert_allclose(found.scores[~absent], without.scores[~absent], atol=1e-8)


def test_a_fold_without_a_class_in_training_is_recorded_and_scores_nan():
    X, _ = planted(80, 4)
    folds = folds_of(80)
    y = folds == 1
    found = fit_across_folds(X, y, fold_of_row=folds, train=np.ones((80, 1), dtype=bool))
    np.testing.assert_array_equal(np.isnan(found.scores[:, 0]), folds == 1)
    assert found.reasons(0) == ("fold 1: not fitted: one class only in the training rows",)
    assert found.converged[0].tolist() == [True, False, True, True]


def test_the_prior_is_the_log_odds_of_the_training_rows():
    X, y = planted(80, 4)
    folds = folds_of(80)
    found = fit_across_folds(X, y, fold_of_row=folds, train=np.ones((80, 1), dtype=bool), Cs=[1.0])
    share = np.array([y[folds != fold].mean() for fold in folds])
    np.testing.assert_allclose(found.prior[:, 0], np.log(share / (1 - share)))


def test_unusable_arguments_are_refused():
    X, y = planted(20, 2)
    train = np.ones((20, 1), dtype=bool)
    with pytest.raises(InputError, match="3 or more"):
        fit_across_folds(X, y, fold_of_row=np.arange(20) % 2, train=train)
    with pytest.raises(InputError, match="3 or more"):
        choose_penalties(X, y, fold_of_row=folds_of(len(y)) % 2, Cs=[0.1, 1.0], standardise=True)
    with pytest.raises(InputError, match="rows must agree"):
        fit_across_folds(X, y[:-1], fold_of_row=np.arange(20) % 4, train=train)
