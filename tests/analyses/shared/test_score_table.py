import numpy as np
import pytest

from if_circuits.analyses.shared.probing import ProbingRows, fit_specialists, probing_rows
from if_circuits.analyses.shared.score_table import (
    ScoreTable,
    bootstrap_p,
    score,
    score_fitted,
    score_table,
    task_p,
)
from if_circuits.statistics.auroc import auroc
from tests.analyses.planted import SETTINGS, small_study


@pytest.fixture(scope="module")
def rows() -> ProbingRows:
    return probing_rows(small_study("separate"), SETTINGS, "last")


def table_of(rows: ProbingRows, strengths: dict[str, float]) -> ScoreTable:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(rows.rows))
    return score_table(
        [
            score(rows, task, strength * rows.labels + noise, probe=probe)
            for probe, strength in strengths.items()
            for task in range(len(rows.tasks))
        ],
        SETTINGS,
    )


def test_a_row_tells_the_auroc_within_folds_and_the_counts(rows: ProbingRows) -> None:
    X = rows.features(small_study("separate"), 1)
    found = fit_specialists(X, rows)
    frame = score_table([score_fitted(rows, 0, found, column=0, layer=1)], SETTINGS).frame
    own = rows.of_task[0]
    expected = auroc(rows.labels[own], found.scores[own, 0], strata=rows.fold_of_row[own])
    assert frame["auroc"][0] == pytest.approx(expected)
    assert frame["low"][0] < expected < frame["high"][0]
    assert frame["n"][0] == 120 == frame["n_satisfied"][0] + frame["n_violated"][0]
    assert frame["n_train"][0] == 96
    assert frame["n_over_d"][0] == 6


def test_differences_of_the_same_scores_vanish_and_paired_ones_are_narrow(rows: ProbingRows) -> None:
    table = table_of(rows, {"weak": 1.0, "strong": 1.5, "copy": 1.0})
    mean = {name: table.average(table.frame["probe"] == name) for name in ("weak", "strong", "copy")}
    nothing = table.interval(mean["weak"] - mean["copy"])
    assert nothing.bounds == pytest.approx((0.0, 0.0))
    difference, alone = table.interval(mean["strong"] - mean["weak"]), table.interval(mean["weak"])
    assert difference.low > 0
    assert difference.high - difference.low < alone.high - alone.low


def test_a_ratio_of_excesses_over_chance_needs_one_that_is_above_it(rows: ProbingRows) -> None:
    table = table_of(rows, {"noise": 0.0, "weak": 1.0, "strong": 2.0})
    mean = {name: table.average(table.frame["probe"] == name) for name in ("noise", "weak", "strong")}
    excess = {name: table.interval(weights).estimate - 0.5 for name, weights in mean.items()}
    found = table.ratio(mean["weak"], mean["strong"])
    assert found.estimate == pytest.approx(excess["weak"] / excess["strong"])
    assert 0 < found.low < found.estimate < found.high < 1
    assert table.interval(mean["noise"]).low < 0.5
    nothing = table.ratio(mean["weak"], mean["noise"])
    assert np.isnan([nothing.estimate, *nothing.bounds]).all()
    assert nothing.reason.startswith("no ratio")


def test_means_over_tasks_have_the_interval_of_the_mean(rows: ProbingRows) -> None:
    table = table_of(rows, {"weak": 1.0, "strong": 2.0})
    means = table.means(["probe"]).set_index("probe")
    mean = table.interval(table.average(table.frame["probe"] == "weak"))
    assert means.loc["weak", "auroc"] == pytest.approx(table.frame.query("probe == 'weak'")["auroc"].mean())
    assert (means.loc["weak", "low"], means.loc["weak", "high"]) == pytest.approx(mean.bounds)
    assert means["n_tasks"].tolist() == [9, 9]


def test_p_and_percentile_interval_agree() -> None:
    draws = np.random.default_rng(0).normal(1.0, 0.45, size=2000)
    inside, outside = np.quantile(draws, [0.03, 0.02])
    assert bootstrap_p(draws, threshold=float(inside)) > 0.05
    assert bootstrap_p(draws, threshold=float(outside)) < 0.05
    assert bootstrap_p(np.full(99, np.nan), threshold=0.0) == 1.0


def test_tasks_that_agree_are_beyond_chance_and_few_tasks_never_are() -> None:
    assert task_p(np.linspace(0.1, 0.2, 9), SETTINGS) < 0.05
    assert task_p(np.array([0.1, -0.1] * 4), SETTINGS) > 0.5
    assert task_p(np.full(5, 0.3), SETTINGS) > 0.05
