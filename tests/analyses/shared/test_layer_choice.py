import numpy as np
import pytest

from if_circuits.analyses.shared.layer_choice import LayerChoice, choose_layers, inner_auroc, specialists_at
from if_circuits.analyses.shared.probing import fit_specialists, probing_rows
from tests.analyses.planted import SETTINGS, small_study


def test_a_fold_reports_the_layer_that_is_best_in_the_other_folds() -> None:
    choice = LayerChoice((-1, 0, 3), np.array([[0.5, 0.5], [0.7, 0.6], [0.7, 0.9]]))
    assert choice.chosen.tolist() == [0, 3]
    assert choice.usual == 0
    frame = choice.frame()
    assert frame[frame["chosen"]].set_index("fold")["layer"].to_dict() == {0: 0, 1: 3}


def test_what_a_fold_holds_never_changes_its_own_choice() -> None:
    rng = np.random.default_rng(0)
    X, folds = rng.normal(size=(100, 4)), np.arange(100) % 5
    labels = rng.random(100) < 1 / (1 + np.exp(-X[:, 0]))
    before = inner_auroc(X, labels, folds, n_folds=5)
    spoiled, flipped = X.copy(), labels.copy()
    spoiled[folds == 2] = 9 * rng.normal(size=(20, 4))
    flipped[folds == 2] = ~flipped[folds == 2]
    after = inner_auroc(spoiled, flipped, folds, n_folds=5)
    assert after[2] == pytest.approx(before[2], abs=1e-3)
    assert (np.abs(after - before)[[0, 1, 3, 4]] > 0.01).all()


def test_the_layer_with_the_signal_is_chosen() -> None:
    source = small_study("separate", emergence="by_family", n_layers=4, positions=("last",))
    rows = probing_rows(source, SETTINGS, "last")
    assert choose_layers(source, rows, source.layers).chosen.tolist() == [3] * 5


def test_specialists_are_kept_fold_by_fold_at_their_layer() -> None:
    source = small_study("separate", positions=("last",))
    rows = probing_rows(source, SETTINGS, "last")
    inner = np.array([[0.6] * 5, [0.5, 0.7, 0.5, 0.7, 0.5]])
    found = specialists_at(source, rows, LayerChoice((0, 1), inner))
    at = [fit_specialists(rows.features(source, layer), rows).scores for layer in (0, 1)]
    for fold, layer in enumerate((0, 1, 0, 1, 0)):
        here = rows.fold_of_row == fold
        assert np.array_equal(found.values[here], at[layer][here])  # the same call on the same numbers


def test_without_signal_the_inner_auroc_is_chance() -> None:
    rng = np.random.default_rng(1)
    found = [
        inner_auroc(rng.normal(size=(80, 3)), rng.random(80) < 0.5, np.arange(80) % 4, n_folds=4).mean()
        for _ in range(30)
    ]
    assert abs(np.mean(found) - 0.5) < 0.03
