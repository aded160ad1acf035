"""Each form of the AUROC against scikit-learn, or against a count of pairs where it has no such form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from if_circuits.statistics.auroc import (
    GroupedAuroc,
    auroc,
    auroc_influence,
    column_aurocs,
    crossed_aurocs,
    grouped_auroc,
    resampled_auroc,
)

N_GROUPS = 8

# Label, score (with ties), weight and stratum of each row.
rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=40
)
Rows = list[tuple[bool, int, int, int]]


def columns_of(data: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    labels, scores, weights, strata = (np.array(column) for column in zip(*data, strict=True))
    return labels, scores.astype(float), weights.astype(float), strata


def by_scikit_learn(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, strata: np.ndarray) -> float:
    """The mean of `roc_auc_score` over strata, each weighted by its pairs; NaN without a pair."""
    found, pairs = [], []
    for stratum in np.unique(strata):
        here = (strata == stratum) & (weights > 0)
        if len(set(labels[here])) == 2:
            found.append(roc_auc_score(labels[here], scores[here], sample_weight=weights[here]))
            pairs.append(weights[here & labels].sum() * weights[here & ~labels].sum())
    return float(np.average(found, weights=pairs)) if found else float("nan")


@given(rows)
def test_one_column_agrees_with_scikit_learn_within_strata(data: Rows):
    labels, scores, weights, strata = columns_of(data)
    ones, one_stratum = np.ones(len(labels)), np.zeros(len(labels))
    np.testing.assert_allclose(
        auroc(labels, scores), by_scikit_learn(labels, scores, ones, one_stratum), rtol=1e-12
    )
    np.testing.assert_allclose(
        auroc(labels, scores, strata=strata), by_scikit_learn(labels, scores, ones, strata), rtol=1e-12
    )
    drawn = np.stack([weights, 2 * weights])
    np.testing.assert_allclose(
        resampled_auroc(labels, scores, weights=drawn, strata=strata),
        [by_scikit_learn(labels, scores, weights, strata)] * 2,
        rtol=1e-12,
    )


@given(rows, st.integers(0, 1000))
def test_many_columns_agree_with_scikit_learn_within_strata(data: Rows, seed: int):
    first, scores, _, strata = columns_of(data)
    rng, ones = np.random.default_rng(seed), np.ones(len(first))
    labels = np.stack([first, rng.random(len(first)) < 0.5], axis=1)
    several = np.stack([scores, rng.integers(0, 4, size=len(first)).astype(float)], axis=1)
    expected = [by_scikit_learn(labels[:, k], several[:, k], ones, strata) for k in range(2)]
    np.testing.assert_allclose(column_aurocs(labels, several, strata=strata), expected, rtol=1e-12)
    crossed = [[by_scikit_learn(y, score, ones, strata) for y in labels.T] for score in several.T]
    np.testing.assert_allclose(crossed_aurocs(labels, several, strata=strata), crossed, rtol=1e-12)


@given(rows, st.integers(0, 1000))
def test_pairs_of_groups_agree_with_scikit_learn_within_strata(data: Rows, seed: int):
    labels, scores, _, strata = columns_of(data)
    groups = np.random.default_rng(seed).integers(0, N_GROUPS, size=len(labels))
    found = grouped_auroc(labels, scores, groups=groups, strata=strata)
    ones = np.ones(len(labels))
    np.testing.assert_allclose(found.estimate, by_scikit_learn(labels, scores, ones, strata), rtol=1e-12)
    # A draw of some groups once each has no copies: it is the AUROC of their rows.
    drawn = (np.random.default_rng(seed + 1).random(N_GROUPS) < 0.7).astype(float)
    np.testing.assert_allclose(
        found.under(drawn[None]),
        [by_scikit_learn(labels, scores, drawn[groups], strata)],
        rtol=1e-9,  # sums of up to 400 pairs and their differences
    )


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=25)
def test_influence_is_the_derivative_of_scikit_learns_weighted_auroc(seed: int, levels: int):
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % 2 == 0
    scores = rng.integers(0, levels, size=(24, 3)).astype(float)
    found, influence = auroc_influence(labels, scores)
    step = 1e-6
    for column in range(3):
        weights = np.ones((24, 24)) + step * np.eye(24)
        nudged = [roc_auc_score(labels, scores[:, column], sample_weight=row) for row in weights]
        exact = roc_auc_score(labels, scores[:, column])
        assert found[column] == pytest.approx(exact, rel=1e-12)
        # The second derivative times the step, and rounding (1e-16) over the step, stay below 1e-6.
        np.testing.assert_allclose(influence[:, column], (np.array(nudged) - exact) / step, atol=1e-6)
    np.testing.assert_allclose(influence.sum(axis=0), 0.0, atol=1e-12)


def test_influence_takes_scores_equal_but_for_rounding_as_tied():
    labels = np.arange(20) % 2 == 0
    scores = 3.0 + 1e-13 * np.where(labels, 1.0, -1.0)
    assert auroc_influence(labels, scores[:, None])[0][0] == 0.5


@settings(max_examples=30)
@given(rows)
def test_increasing_transformations_change_nothing_and_reversal_mirrors(data: Rows):
    labels, scores, _, _ = columns_of(data)
    value = auroc(labels, scores)
    np.testing.assert_allclose(auroc(labels, np.exp(scores) + 3.0), value)
    np.testing.assert_allclose(auroc(labels, -scores), 1 - value)


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


def sample(seed: int, *, n: int = 60) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, N_GROUPS, size=n)
    labels = rng.random(n) < 0.5
    labels[:2] = True, False
    return {"labels": labels, "scores": np.round(rng.normal(size=n) + labels, 1), "groups": groups}


def counted(seed: int) -> GroupedAuroc:
    return grouped_auroc(**sample(seed), strata=np.zeros(60, dtype=int))


def draws(n: int) -> np.ndarray:
    return (
        np.random.default_rng(0).multinomial(N_GROUPS, np.full(N_GROUPS, 1 / N_GROUPS), size=n).astype(float)
    )


def test_a_resample_of_groups_is_the_auroc_of_the_drawn_rows_without_pairs_of_copies():
    data, weights = sample(3), draws(20)
    labels, scores, groups = data["labels"], data["scores"], data["groups"]
    for drawn, value in zip(weights.astype(int), counted(3).under(weights), strict=True):
        won = pairs = 0.0
        copies = [(g, copy) for g in range(N_GROUPS) for copy in range(drawn[g])]
        for g, copy in copies:
            for h, other in copies:
                if g == h and copy != other:
                    continue
                above = scores[(groups == g) & labels][:, None]
                below = scores[(groups == h) & ~labels][None]
                won += (above > below).sum() + 0.5 * (above == below).sum()
                pairs += above.size * below.size
        assert value == pytest.approx(won / pairs)


def test_a_group_of_one_class_alone_gives_nan():
    four = np.arange(4)
    found = grouped_auroc(np.ones(4, dtype=bool), np.arange(4.0), groups=four, strata=four // 4)
    assert len(found.groups) == 0
    assert np.isnan(found.estimate)
    assert np.isnan(found.under(np.ones((1, 4)))).all()


def test_rows_that_no_probe_scored_are_left_out_and_other_nan_scores_are_refused():
    labels, scores = np.array([True, False, True]), np.array([1.0, 0.0, np.nan])
    pairs = {"groups": np.arange(3)}
    assert grouped_auroc(labels, scores, strata=np.array([0, 0, -1]), **pairs).estimate == 1.0
    with pytest.raises(ValueError, match="1 scores of stratum 0 are NaN"):
        grouped_auroc(labels, scores, strata=np.zeros(3, dtype=int), **pairs)


def test_columns_without_any_row_have_no_auroc():
    """As a fold has that holds no row of a task, in a study of few base queries."""
    labels, scores, strata = np.zeros((0, 3), dtype=bool), np.zeros((0, 3)), np.zeros(0, dtype=int)
    assert np.isnan(column_aurocs(labels, scores, strata=strata)).tolist() == [True] * 3
    assert np.isnan(crossed_aurocs(labels, scores[:, :2], strata=strata)).tolist() == [[True] * 3] * 2
