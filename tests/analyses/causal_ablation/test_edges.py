import numpy as np
import pytest

from if_circuits.analyses.causal_ablation.drop_matrix import DropMatrix
from if_circuits.analyses.causal_ablation.edges import MIN_TASKS_FOR_A_SHARE, find_edges
from if_circuits.statistics.correction import benjamini_hochberg

TASKS = tuple("abcdefgh")
NOISE = 0.02


def matrix(
    truth: np.ndarray,
    *,
    seed: int,
    n_queries: int = 60,
    score: np.ndarray | None = None,
    fits: int = 1,
    error: float = NOISE,
    fit_error: float = 0.0,
) -> DropMatrix:
    """Drops that are means over base queries of the truth plus noise of standard error `error`.

    The subspace of a task, as one fit finds it, takes away a share 1 + `fit_error` * N(0, 1) of the truth.
    """
    rng = np.random.default_rng(seed)
    n = len(truth)
    noise = error * np.sqrt(n_queries) * rng.normal(size=(n_queries, n, n))
    score = np.full(n, 0.4) if score is None else score
    halves = noise.reshape(fits, -1, n, n).mean(axis=1)
    by_fit = truth * (1 + fit_error * rng.normal(size=(fits, n, 1))) + halves
    excess = by_fit.mean(axis=0)
    nothing = np.zeros((n, n))
    return DropMatrix(
        tasks=TASKS[:n],
        score=score,
        after=score + 0.5 - excess,
        excess=excess,
        control_sd=nothing,
        control_drop={"gaussian": nothing, "variance_matched": nothing},
        p_rank=np.full((n, n), 1 / 21),
        n_draws=20,
        score_influence=1e-4 * rng.normal(size=(n_queries, n)),
        influence=(noise - noise.mean(axis=0)) / n_queries,
        refits=by_fit / score,
    )


def judge(drops: DropMatrix, **changes: float):
    return find_edges(drops, **{"alpha": 0.05, "n_bootstrap": 500, "seed": 0, **changes})


def test_a_planted_edge_is_found_in_its_direction():
    truth = 0.3 * np.eye(8)
    truth[2, 5] = 0.15
    edges = judge(matrix(truth, seed=0))
    assert np.argwhere(edges.survives).tolist() == [[2, 5]]
    assert edges.measurable.all()
    assert edges.share.estimate == pytest.approx(1 / 56)
    assert edges.share.high < 0.5
    assert edges.asymmetry == pytest.approx(0.15 / 0.4, abs=0.15)
    assert edges.asymmetry_p < 0.01
    assert edges.low[2, 5] < 0.15 < edges.high[2, 5]


def test_false_edges_are_as_rare_as_the_correction_promises():
    runs = 200
    with_edge = sum(judge(matrix(0.3 * np.eye(8), seed=s), n_bootstrap=2).survives.any() for s in range(runs))
    # Without true edges the false discovery rate is the chance of any edge: 5 %, within binomial error.
    assert with_edge / runs < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / runs)


def test_symmetric_dependencies_do_not_look_asymmetric():
    truth = 0.3 * np.eye(8)
    for a, b in ((0, 1), (2, 3), (4, 5)):
        truth[a, b] = truth[b, a] = 0.15
    p = np.array([judge(matrix(truth, seed=s), n_bootstrap=200).asymmetry_p for s in range(100)])
    assert (p <= 0.05).mean() < 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 100)


def test_equal_shares_of_unequal_scores_are_symmetric():
    score = np.array([0.5, 0.1, 0.4, 0.4])
    truth = np.diag(score * 0.8)
    truth[0, 1], truth[1, 0] = 0.08, 0.4
    edges = judge(matrix(truth, seed=1, score=score, error=0.01))
    assert edges.survives[0, 1]
    assert edges.survives[1, 0]
    assert edges.asymmetry_p > 0.05


def test_dense_dependencies_have_a_share_above_half():
    edges = judge(matrix(np.full((6, 6), 0.3), seed=2))
    assert edges.share.low > 0.5
    assert edges.survives.sum() == 30


def test_tasks_whose_own_removal_does_nothing_are_not_counted():
    truth = 0.3 * np.eye(8)
    truth[6, 6] = 0.0
    truth[6, :6] = 0.3
    edges = judge(matrix(truth, seed=3))
    assert edges.measurable.tolist() == [True] * 6 + [False, True]
    others = [0, 1, 2, 3, 4, 5, 7]
    assert edges.survives[6, :6].all()
    assert edges.share.estimate == edges.survives[np.ix_(others, others)].sum() / 42


def test_too_few_measurable_tasks_give_no_share():
    edges = judge(matrix(np.diag([0.3] * (MIN_TASKS_FOR_A_SHARE - 1) + [0.0] * 5), seed=4))
    assert np.isnan([edges.share.estimate, edges.share.low, edges.asymmetry]).all()


def test_a_column_that_was_not_measured_makes_no_other_look_stronger():
    truth = np.full((6, 6), 0.06)
    whole = matrix(truth, seed=5)
    whole.excess[:, 0] = np.nan
    edges = judge(whole)
    off = ~np.eye(6, dtype=bool)
    # The same call on the same numbers.
    np.testing.assert_allclose(edges.p_adjusted[off], benjamini_hochberg(edges.p[off]), rtol=0)
    assert not edges.measurable[0]
    assert not edges.survives[:, 0].any()


def test_control_draws_that_differ_widen_the_test():
    truth = 0.3 * np.eye(8)
    truth[2, 5] = 0.15
    drops = matrix(truth, seed=0)
    drops.control_sd[:] = 0.1
    assert not judge(drops).survives.any()


def test_a_drop_that_control_draws_reach_too_is_no_edge():
    truth = 0.3 * np.eye(8)
    truth[2, 5] = 0.15
    drops = matrix(truth, seed=0)
    drops.p_rank[2, 5] = 0.4
    edges = judge(drops)
    assert not edges.survives.any()
    assert edges.p[2, 5] == 0.4


def paired_dependencies() -> np.ndarray:
    """Three pairs of tasks that depend on each other as much as on themselves, and two tasks alone."""
    truth = 0.3 * np.eye(8)
    for a, b in ((0, 1), (2, 3), (4, 5)):
        truth[a, b] = truth[b, a] = 0.3
    return truth


def test_subspaces_that_were_fitted_badly_do_not_look_asymmetric():
    runs = 300
    drawn = [matrix(paired_dependencies(), seed=s, fits=2, fit_error=0.4) for s in range(runs)]
    p = np.array([judge(drops, n_bootstrap=200).asymmetry_p for drops in drawn])
    assert (p <= 0.05).mean() < 0.05 + 2 * np.sqrt(0.05 * 0.95 / runs)


def test_a_one_way_dependency_is_seen_through_badly_fitted_subspaces():
    truth = 0.3 * np.eye(8)
    truth[2, 5] = 0.3
    drawn = [matrix(truth, seed=s, fits=2, fit_error=0.2) for s in range(50)]
    p = np.array([judge(drops, n_bootstrap=200).asymmetry_p for drops in drawn])
    assert (p <= 0.05).mean() > 0.9


def test_own_removals_that_differ_between_fits_make_asymmetry_less_certain():
    truth = 0.3 * np.eye(8)
    truth[0, 1], truth[1, 0] = 0.15, 0.05
    agreeing = matrix(truth, seed=6, fits=2)
    disagreeing = matrix(truth, seed=6, fits=2)
    disagreeing.refits[0, :2, :2] += 0.5 * np.eye(2)
    assert judge(disagreeing).asymmetry_p > judge(agreeing).asymmetry_p
