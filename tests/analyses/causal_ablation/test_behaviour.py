"""The behavioural half, on a model whose mechanism is planted: what breaks what is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from if_circuits.analyses.causal_ablation.answers import INTACT
from if_circuits.analyses.causal_ablation.behaviour import (
    Behaviour,
    floor_notes,
    kept_answers,
    measure_behaviour,
)
from if_circuits.analyses.causal_ablation.edges import find_edges
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.analyses.shared.labelled_tasks import query_halves
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from tests.analyses.causal_ablation.conftest import FLOORED, SETTINGS, TASKS, Calls, Planted
from tests.analyses.planted import small_study

Measured = tuple[Behaviour, Calls]
GATED_TASKS = ("word_count", "json_format", "register")
GATED = [TASKS.index(task) for task in GATED_TASKS]


@pytest.fixture
def truth(planted: Planted) -> np.ndarray:
    """Whether removing the row's direction breaks the column, of the tasks that are not at the floor."""
    edges = planted.mechanism.edges()
    return np.array([[a == b or edges[TASKS[a], TASKS[b]] for b in GATED] for a in GATED])


def test_rows_are_removed_tasks_and_columns_those_that_break(measured: Measured, truth: np.ndarray):
    behaviour, _ = measured
    assert behaviour.drops.tasks == TASKS
    excess, p = (each[np.ix_(GATED, GATED)] for each in (behaviour.drops.excess, behaviour.p_mcnemar))
    # Answers of eight words come about behind a closed gate as well, others hardly ever.
    count, json_format, register = (GATED.index(TASKS.index(task)) for task in GATED_TASKS)
    assert min(excess[json_format, json_format], excess[count, json_format], excess[register, register]) > 0.4
    assert np.abs(excess[~truth]).max() < 0.05 < excess[truth].min()
    assert max(p[json_format, json_format], p[count, json_format], p[register, register]) < 0.01
    assert (p[~truth] > 0.5).all()
    edges = find_edges(behaviour.drops, alpha=0.05, n_bootstrap=100, seed=0)
    measurable = dict(zip(TASKS, edges.measurable, strict=True))
    # Whether the weak fall of word counts shows among so few prompts is chance.
    assert measurable["json_format"] and measurable["register"] and not measurable[FLOORED]
    survives = edges.survives[np.ix_(GATED, GATED)]
    assert survives[count, json_format]
    assert not survives[~truth].any()


def test_the_removal_is_of_the_planted_direction(measured: Measured, planted: Planted):
    for half in measured[0].halves:
        for task in (TASKS[place] for place in GATED):
            (basis,) = half.directions.subspaces[task][planted.mechanism.layer].basis
            planted_direction = planted.mechanism.directions[planted.mechanism.gates[task][0]]
            assert abs(float(basis @ planted_direction)) > 0.8  # a random one has 0.09


def test_no_reported_prompt_chose_the_start_or_fitted_the_direction(measured: Measured, planted: Planted):
    behaviour, calls = measured
    source = planted.source
    halves = query_halves(source, seed=SETTINGS.seed)

    def halves_of(table) -> set[int]:
        return set(halves[np.searchsorted(source.base_queries, table["base_query"].to_numpy(dtype=str))])

    for half in behaviour.halves:
        assert halves_of(half.responses) == {1 - half.directions.half}
        intact = half.responses.query("condition == @INTACT")
        assert not intact["prompt_id"].duplicated().any()
    tried = [
        (prompts, conditions)
        for prompts, conditions in zip(calls.prompts, calls.conditions, strict=True)
        if any(name.startswith("own/") for name in conditions)
    ]
    assert len(tried) == 2
    for prompts, conditions in tried:
        (asked,) = halves_of(prompts)
        fit = behaviour.halves[asked].directions
        assert fit.half == asked
        assert set(prompts["task"]) == set(fit.subspaces)
        for task in fit.subspaces:
            assert conditions[f"own/0/{task}"][0].operation.subspace is fit.subspaces[task][0]


def test_the_start_is_where_removal_costs_most(measured: Measured, planted: Planted):
    behaviour, _ = measured
    layer = planted.mechanism.layer
    beyond = behaviour.starts["own_drop"] - behaviour.starts["control_drop"]
    for half in behaviour.halves:
        rows = behaviour.starts["half"] == half.directions.half
        best = beyond[rows][beyond[rows] == beyond[rows].max()].index[-1]
        assert half.start == behaviour.starts["layer"][best]
        assert half.start <= layer  # the blocks above read the gate
    own = behaviour.starts.pivot(index="half", columns="layer", values="own_drop")
    control = behaviour.starts.pivot(index="half", columns="layer", values="control_drop")
    assert (own[layer] > 0.3).all()
    assert (own[layer] > own[layer + 2] + 0.2).all()
    assert (control < 0.1).all(axis=None)


def test_controls_act_where_the_removal_does_with_its_rank_and_centre(measured: Measured):
    behaviour, _ = measured
    for half in behaviour.halves:
        conditions = dict(half.conditions)
        assert conditions.pop(INTACT) == ()
        # A removal of each task that has labels, and one pool of controls of each kind for all of them.
        assert len(conditions) == len(GATED) + 2 * SETTINGS.n_random_subspaces
        layers = [layer for layer in half.directions.layers if layer >= half.start]
        for interventions in conditions.values():
            assert [i.layers for i in interventions] == [(layer,) for layer in layers]
            assert {i.operation.subspace.rank for i in interventions} == {1}
        for i in range(len(layers)):
            assert len({each[i].operation.subspace.mean.tobytes() for each in conditions.values()}) == 1


def test_random_directions_leave_compliance_as_it_was(measured: Measured):
    for drop in measured[0].drops.control_drop.values():
        assert np.nanmax(np.abs(drop)) < 0.1


def test_what_was_removed_is_recorded_from_the_start_on(measured: Measured):
    behaviour, _ = measured
    removed = behaviour.removed
    assert set(removed["method"]) == {"difference in means"}
    assert (removed["rank"] == 1).all()
    for half in behaviour.halves:
        rows = removed[removed["half"] == half.directions.half]
        assert set(rows["task"]) == {TASKS[place] for place in GATED}
        assert set(rows["layer"]) == {layer for layer in half.directions.layers if layer >= half.start}


def test_the_answers_behind_a_cell_are_kept(measured: Measured):
    """Of the intact model and of every removal all of them, of each kind of control the first draw."""
    behaviour, _ = measured
    kept = kept_answers(behaviour.halves)
    for number, half in enumerate(behaviour.halves):
        own = kept[kept["half"] == half.directions.half]
        removed = {name for name in half.conditions if "/" not in name}
        assert removed < set(own["condition"])
        assert {name for name in own["condition"] if "/" in name} == {
            name for name in half.conditions if name.split("/")[1:2] == ["0"]
        }
        n = (half.responses["condition"] == "intact").sum()
        assert (own["condition"].value_counts() == n).all(), number
    assert set(kept.loc[kept["condition"] == "intact", "ablated"]) == {""}
    assert (kept.loc[~kept["condition"].str.contains("/"), "ablated"] != "intact").all()


def test_a_task_at_the_floor_is_marked_and_has_no_column(measured: Measured):
    drops = measured[0].drops
    place = TASKS.index(FLOORED)
    assert drops.score[place] == 0
    assert np.isnan(drops.excess[:, place]).all()
    assert np.isfinite(drops.excess[np.ix_(GATED, GATED)]).all()
    score = drops.score.copy()
    score[TASKS.index("register")] = 1.0
    notes = floor_notes(replace(drops, score=score), {"json_format": 1.0})
    assert [note.split(" is ")[0] for note in notes] == ["json_format", FLOORED, "register"]
    assert "satisfied unasked as often (100%): forgetting it costs nothing" in notes[0]
    assert "at the floor (compliance 0%" in notes[1]
    assert "at the ceiling (compliance 100%)" in notes[2]


def test_another_model_s_activations_are_refused(llama: LoadedModel):
    narrow = small_study("separate", d_model=16, signal=3.0)
    with pytest.raises(InputError, match="d_model = 16.*captured from"):
        measure_behaviour(
            llama,
            narrow,
            fit_response_directions(narrow, seed=0),
            settings=SETTINGS,
            run_settings=RunSettings.of(llama.preset),
        )
