import numpy as np
import pytest
from sklearn.linear_model import Ridge

from if_circuits.analyses.shared.decodability import (
    SHRINKAGE,
    exchange_labels,
    flip_labels,
    layer_p_values,
    ridge_smoother,
)
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate


@pytest.mark.parametrize("d", [5, 60])
def test_smoother_gives_the_scores_of_scikit_learn(d: int) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, d)) * 3 + 1, (rng.random(50) < 0.4).astype(float)
    folds = np.arange(50) % 4
    found = ridge_smoother(X, folds) @ (y - y.mean())
    for fold in range(4):
        train, test = folds != fold, folds == fold
        mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
        model = Ridge(alpha=SHRINKAGE * train.sum()).fit((X[train] - mean) / scale, y[train])
        expected = model.predict((X[test] - mean) / scale)
        # An intercept per fold is free: pairs are compared within folds.
        np.testing.assert_allclose(np.diff(found[test]), np.diff(expected), atol=1e-10)


def test_exchanged_labels_stay_together() -> None:
    queries = np.repeat([7, 3, 9, 5], 3)
    labels = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    found = exchange_labels(labels, queries, n_permutations=50, seed=0)
    blocks = {tuple(labels[queries == query]) for query in queries}
    for permuted in found:
        assert {tuple(permuted[queries == query]) for query in queries} == blocks
    assert len({tuple(row) for row in found.tolist()}) > 10


def test_a_query_with_more_rows_than_its_donor_reuses_the_donors_labels() -> None:
    queries = np.array([0, 0, 0, 1])
    labels = np.array([False, False, False, True])
    found = exchange_labels(labels, queries, n_permutations=40, seed=0)
    swapped = [row for row in found.tolist() if row[0]]
    assert swapped
    assert all(row == [True, True, True, False] for row in swapped)


def test_pairs_change_places_in_whole_base_queries() -> None:
    queries, labels = np.repeat([4, 8, 2], 4), np.tile([True, True, False, False], 3)
    found = flip_labels(labels, queries, n_permutations=60, seed=0)
    for query in (4, 8, 2):
        same = (found[:, queries == query] == labels[queries == query]).mean(axis=1)
        assert set(same) == {0.0, 1.0}
    assert len({tuple(row) for row in found.tolist()}) == 8


def test_only_layers_with_signal_are_readable_and_the_null_is_kept() -> None:
    def p_values(seed: int) -> np.ndarray:
        truth = PlantedTruth(
            "separate", signal=2.0, n_base_queries=25, samples=4, d_model=12, n_layers=1, seed=seed
        )
        source = simulate(truth)
        rows = source.responses.query("task == 'topic' and constrained").index.to_numpy()
        queries = source.responses["base_query"].iloc[rows].factorize()[0]
        labels = (source.responses["verdict"].iloc[rows] == "satisfied").to_numpy()
        features = [source.features(layer, "last")[rows] for layer in source.layers]
        return layer_p_values(features, labels, queries, queries % 5, n_permutations=99, seed=seed)

    found = np.array([p_values(seed) for seed in range(20)])
    assert (found[:, 1] <= 0.05).all()
    assert (found[:, 0] <= 0.05).mean() <= 0.15
