import numpy as np

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.probing import probing_rows
from if_circuits.analyses.specialist_vs_general.analysis import figure, run
from if_circuits.analyses.specialist_vs_general.controls import METHODS, method_scores
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate


def test_activations_that_are_the_same_for_both_labels_score_chance_by_every_method():
    settings = AnalysisSettings(n_folds=3)
    source = simulate(PlantedTruth(n_base_queries=30, positions=("prompt_end", "last")))
    settings = AnalysisSettings(n_folds=3)
    rows = probing_rows(source, settings, "last")
    # As below the first block in a counterfactual pair: one text, so one activation, under both labels.
    found = method_scores(np.ones((len(rows.rows), 8)), rows, settings, layer=-1)
    assert len(found) == len(METHODS) * len(rows.tasks)
    assert {each.auroc.estimate for each in found} == {0.5}
    assert {each.columns["balanced_accuracy"] for each in found} == {0.5}


def test_one_response_to_each_base_query_leaves_the_control_tasks_out_and_all_else_in():
    """Nothing recurs that a control task could remember; it stopped the study."""
    settings = AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20)
    source = simulate(
        PlantedTruth(mechanism="separate", n_base_queries=45, samples=1, positions=("prompt_end", "last"))
    )
    result = run(source, settings)
    assert result.tables["selectivity"].empty
    assert "control_task" not in set(result.table["probe"])
    assert np.isfinite(result.verdict.effect)
    figure(result)
