import numpy as np
import pytest

from if_circuits.analyses.causal_ablation.drop_matrix import HalfScores, average
from tests.precision import rounding

ROWS, QUERIES = 12, 6


def half(values: np.ndarray, *, first_query: int, ablated: list[int]) -> HalfScores:
    """Scores that are plain means of `values` [rows, conditions], for both of two tasks."""
    scores = HalfScores.empty(n_tasks=2, n_queries=QUERIES, n_draws=2)
    queries = first_query + np.arange(ROWS) % 3
    means = values.mean(axis=0)
    for b in range(2):
        scores.write(b, means - b / 10, (values - means) / ROWS, queries=queries, ablated=ablated)
    return scores


def conditions(seed: int) -> np.ndarray:
    """Intact, then for one task: removal, two Gaussian draws, two matched draws."""
    rng = np.random.default_rng(seed)
    return np.array([0.9, 0.4, 0.9, 0.8, 0.7, 0.6]) + 0.01 * rng.normal(size=(ROWS, 6))


def test_rows_are_ablated_tasks_and_columns_measured_ones():
    found = average(("a", "b"), [half(conditions(0), first_query=0, ablated=[1])], floor=0.5)
    assert np.isnan(found.excess[0]).all()
    assert np.isfinite(found.excess[1]).all()
    np.testing.assert_allclose(found.after[1], [0.4, 0.3], atol=0.01)
    np.testing.assert_allclose(found.score, [0.4, 0.3], atol=0.01)


def test_the_excess_is_over_the_control_that_does_more_damage():
    found = average(("a", "b"), [half(conditions(0), first_query=0, ablated=[0])], floor=0.0)
    assert found.control_drop["gaussian"][0, 0] == pytest.approx(0.05, abs=0.01)
    assert found.control_drop["variance_matched"][0, 0] == pytest.approx(0.25, abs=0.01)
    assert found.excess[0, 0] == pytest.approx(0.65 - 0.4, abs=0.01)
    assert found.p_rank[0, 0] == pytest.approx(1 / 3)


def test_influences_predict_what_leaving_weight_on_a_query_does():
    values = conditions(1)
    found = average(("a", "b"), [half(values, first_query=0, ablated=[0])], floor=0.0)
    weights = np.where(np.arange(ROWS) % 3 == 1, 1 + 1e-6, 1.0)
    moved = (weights @ values) / weights.sum()
    change = (moved[[4, 5]].mean() - moved[1]) - found.excess[0, 0]
    assert found.influence[1, 0, 0] == pytest.approx(change / 1e-6, rel=1e-3)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=1e-12)


def test_halves_are_averaged_and_keep_their_own_queries():
    parts = [half(conditions(s), first_query=3 * s, ablated=[0]) for s in (0, 1)]
    found = average(("a", "b"), parts, floor=0.0)
    alone = [average(("a", "b"), [part], floor=0.0) for part in parts]
    assert found.excess[0, 0] == pytest.approx(np.mean([a.excess[0, 0] for a in alone]))
    np.testing.assert_allclose(
        found.influence[:3, 0, 0], alone[0].influence[:3, 0, 0] / 2, rtol=0, atol=rounding(12)
    )
    np.testing.assert_allclose(
        found.influence[3:, 0, 0], alone[1].influence[3:, 0, 0] / 2, rtol=0, atol=rounding(12)
    )
    np.testing.assert_allclose(found.refits.mean(axis=0)[0], found.excess[0] / found.score, rtol=rounding(12))


def test_a_half_whose_score_is_at_its_floor_does_not_blow_its_share_up():
    weak = conditions(1)
    weak[:, 0] = 0.0001
    parts = [half(values, first_query=3 * s, ablated=[0]) for s, values in enumerate((conditions(0), weak))]
    found = average(("a", "b"), parts, floor=0.0)
    assert (np.abs(found.refits[:, 0, 0]) < 2).all()


def test_a_task_that_one_half_could_not_measure_is_not_averaged_away():
    empty = HalfScores.empty(n_tasks=2, n_queries=QUERIES, n_draws=2)
    found = average(("a", "b"), [half(conditions(0), first_query=0, ablated=[0]), empty], floor=0.5)
    assert np.isnan(found.excess).all()
    assert np.isnan(found.p_rank).all()
