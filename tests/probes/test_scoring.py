import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from if_circuits.probes.scoring import auroc, balanced_accuracy, column_aurocs, resampled_auroc

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=2, max_size=40)


@given(rows)
def test_agrees_with_scikit_learn_on_ties_and_weights(data: list[tuple[bool, int, int]]):
    labels, scores, weights = (np.array(column) for column in zip(*data, strict=True))
    if len(set(labels)) < 2:
        assert np.isnan(auroc(labels, scores.astype(float)))
        return
    assert np.isclose(auroc(labels, scores.astype(float)), roc_auc_score(labels, scores))
    assert np.isclose(balanced_accuracy(labels, scores > 3), balanced_accuracy_score(labels, scores > 3))
    if len(set(labels[weights > 0])) == 2:
        got = resampled_auroc(labels, scores.astype(float), weights=np.stack([weights, 2 * weights]))
        np.testing.assert_allclose(got, roc_auc_score(labels, scores, sample_weight=weights))


@settings(max_examples=30)
@given(rows)
def test_increasing_transformations_change_nothing_and_reversal_mirrors(data: list[tuple[bool, int, int]]):
    labels, scores, _ = (np.array(column) for column in zip(*data, strict=True))
    value = auroc(labels, scores.astype(float))
    np.testing.assert_allclose(auroc(labels, np.exp(scores) + 3.0), value)
    np.testing.assert_allclose(auroc(labels, -scores.astype(float)), 1 - value)


def test_strata_compare_rows_of_one_fold_only():
    labels = np.array([True, False, True, False])
    scores = np.array([1.0, 0.0, 11.0, 10.0])
    assert auroc(labels, scores) == 0.75
    assert auroc(labels, scores, strata=np.array([0, 0, 1, 1])) == 1.0


def test_pairs_across_folds_would_bias_a_null_probe_and_strata_do_not():
    rng = np.random.default_rng(0)
    pooled, within = [], []
    for _ in range(200):
        labels, folds = rng.random(40) < 0.5, np.arange(40) % 5
        scores = np.array([labels[folds != fold].mean() for fold in folds]) + 1e-6 * rng.normal(size=40)
        pooled.append(auroc(labels, scores))
        within.append(auroc(labels, scores, strata=folds))
    assert np.mean(pooled) < 0.45
    assert abs(np.mean(within) - 0.5) < 0.02


def test_rows_without_a_score_are_left_out():
    labels = np.array([True, True, False])
    assert auroc(labels, np.array([1.0, np.nan, 0.0])) == 1.0
    assert np.isnan(balanced_accuracy(labels[:2], labels[:2]))


def test_columns_are_ranked_at_once_and_agree_with_one_at_a_time():
    rng = np.random.default_rng(1)
    scores, labels, folds = rng.normal(size=(40, 3)).round(1), rng.random((40, 3)) < 0.5, np.arange(40) % 3
    expected = [auroc(labels[:, k], scores[:, k], strata=folds) for k in range(3)]
    np.testing.assert_allclose(column_aurocs(labels, scores, strata=folds), expected)
