import numpy as np
import pytest

from if_circuits.analyses.shared.labelled_tasks import (
    MIN_PER_CLASS,
    labelled_tasks,
    query_codes,
    query_halves,
)
from if_circuits.analyses.shared.task_subspaces import (
    best_layer,
    control_bases,
    decodes,
    fit_halves,
    within_class_residuals,
)
from if_circuits.analyses.validation.simulation.studies import ONE_WAY, TASKS
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.inlp import Inlp
from if_circuits.erasure.leace import Leace
from tests.analyses.planted import judge_again, small_study
from tests.precision import assert_within, rounding


def test_halves_split_queries_and_not_their_rows():
    source = small_study("null")
    halves = query_halves(source, seed=0)
    assert sorted(np.bincount(halves).tolist()) == [15, 15]
    names = source.responses.groupby(query_codes(source))["base_query"].nunique()
    assert (names == 1).all()


def test_undecided_and_unconstrained_responses_and_absent_positions_are_not_labelled():
    source = small_study("null", positions=("last", "eos"))
    judge_again(
        source, "topic", np.array((["undecided"] + ["satisfied", "violated"] * 2) * 200, dtype=object)
    )
    topic = next(task for task in labelled_tasks(source, "last") if task.name == "topic")
    rows = source.responses.iloc[topic.rows]
    assert rows["constrained"].all()
    assert set(rows["verdict"]) == {"satisfied", "violated"}
    assert len(rows) == 96
    at_eos = next(task for task in labelled_tasks(source, "eos") if task.name == "topic")
    assert not source.responses.iloc[at_eos.rows]["truncated"].any()


def test_a_shortage_is_put_in_numbers():
    source = small_study("null")
    judge_again(source, "topic", np.array(["violated"] * MIN_PER_CLASS + ["satisfied"] * 500, dtype=object))
    topic = next(task for task in labelled_tasks(source, "last") if task.name == "topic")
    assert topic.shortage() == ""
    fewer = topic.where(np.arange(len(topic.rows)) != 0)
    assert f"{MIN_PER_CLASS - 1} violated" in fewer.shortage()


def test_the_layer_is_one_where_something_is_written():
    source = small_study("separate", emergence="everywhere", signal=3.0)
    assert best_layer(source, labelled_tasks(source, "last")) > -1


def test_each_half_finds_the_planted_direction_from_its_own_queries():
    source = small_study("separate", signal=4.0, n_base_queries=60)
    fits = fit_halves(source, DifferenceInMeans(), seed=0)
    for fit in fits:
        for task, direction in zip(TASKS, source.directions, strict=True):
            assert abs(fit.subspaces[task].basis[0] @ direction) > 0.85
    assert not np.allclose(fits[0].subspaces["topic"].basis, fits[1].subspaces["topic"].basis)


def test_a_method_without_an_orthogonal_subspace_is_refused():
    with pytest.raises(TypeError, match="no Subspace"):
        fit_halves(small_study("separate"), Leace(), seed=0)


def test_controls_are_matched_in_ordinary_variance_and_do_not_chase_the_signal():
    source = small_study("one_way", signal=3.0, n_base_queries=60)
    fit = fit_halves(source, DifferenceInMeans(), seed=0)[0]
    strong = ONE_WAY[0]
    subspace, direction = fit.subspaces[strong], source.directions[TASKS.index(strong)]
    bases = control_bases(fit, subspace, n=30, seed=0)
    assert bases.shape == (2, 30, 1, 16)
    # Unit vectors of 16 numbers: normalising rounds each as much as the sum of their squares does.
    assert_within(np.einsum("cnkd,cnld->cnkl", bases, bases), 1.0, 4 * rounding(16))
    variance = np.square(fit.background @ bases[1].reshape(30, -1).T).mean(axis=0)
    expected = np.square(fit.background @ subspace.basis[0]).mean()
    np.testing.assert_allclose(variance, expected, rtol=0.01)
    assert np.square(bases[..., 0, :] @ direction).mean(axis=1).max() < 0.25


def test_residuals_hold_neither_task_nor_class():
    source = small_study("universal", signal=4.0)
    tasks = labelled_tasks(source, "last")
    residuals = within_class_residuals(source.features(0, "last"), tasks)
    assert len(residuals) == sum(len(task.rows) for task in tasks)
    # The signal would add 4; the noise has unit variance.
    assert 0.7 < np.square(residuals @ source.directions[0]).mean() < 1.3


def test_only_subspaces_that_decode_count_as_such():
    planted = fit_halves(small_study("separate", signal=4.0), Inlp(), seed=0)[0]
    assert all(decodes(subspace) for subspace in planted.subspaces.values())
    nothing = fit_halves(small_study("null"), Inlp(), seed=0)[0]
    assert sum(decodes(subspace) for subspace in nothing.subspaces.values()) <= 2
