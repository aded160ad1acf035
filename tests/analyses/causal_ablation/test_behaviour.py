"""The behavioural half: with planted answers in place of the model's, and with a model."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.causal_ablation import answers as ablation_answers
from if_circuits.analyses.causal_ablation import behaviour as ablation_behaviour
from if_circuits.analyses.causal_ablation.answers import INTACT
from if_circuits.analyses.causal_ablation.behaviour import FLOOR, measure_behaviour
from if_circuits.analyses.causal_ablation.edges import find_edges
from if_circuits.analyses.causal_ablation.response_directions import (
    ResponseDirections,
    fit_response_directions,
)
from if_circuits.analyses.shared.labelled_tasks import query_halves
from if_circuits.analyses.validation.simulation.studies import TASKS, SimulatedActivations
from if_circuits.errors import InputError
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from tests.analyses.planted import SETTINGS, small_study

BREAKS = {task: {task} for task in TASKS} | {"topic": {"topic", "sentiment"}}
"""The planted truth: removing the key breaks the values."""


@pytest.fixture(scope="module")
def study() -> SimulatedActivations:
    source = small_study("separate", d_model=32, signal=3.0)
    # Parameters with which every task's verifier can be run.
    parameters = {
        "n": 8,
        "limit": 60,
        "key": "text",
        "word": "river",
        "topic": "music",
        "sentiment": "positive",
    }
    parameters |= {"register": "formal"}
    source.responses["parameters"] = json.dumps(parameters)
    return source


@pytest.fixture(scope="module")
def fits(study: SimulatedActivations) -> tuple[ResponseDirections, ResponseDirections]:
    return fit_response_directions(study, seed=SETTINGS.seed)


class Answers:
    """Stands in for generating and verifying: an answer is satisfied unless its condition breaks the task."""

    def __init__(self, *, compliance: Mapping[str, float], works: str = "own/0") -> None:
        self.compliance, self.works = compliance, works
        self.prompts: list[pd.DataFrame] = []
        self.conditions: list[Mapping[str, Sequence[Intervention]]] = []

    def respond(self, _model, prompts: pd.DataFrame, conditions, **_) -> pd.DataFrame:
        self.prompts.append(prompts)
        self.conditions.append(conditions)
        answers = pd.concat([prompts.assign(condition=name) for name in conditions], ignore_index=True)
        return self.verify(answers.assign(response="a short answer", n_tokens=3, truncated=False))

    def verify(self, answers: pd.DataFrame) -> pd.DataFrame:
        order = answers.groupby(["condition", "task"]).cumcount() + 0.5
        share = order / answers.groupby(["condition", "task"])["prompt_id"].transform("size")
        able = share < answers["task"].map(lambda task: self.compliance.get(task, 1.0))
        pairs = zip(answers["task"], answers["condition"], strict=True)
        # While the start is chosen, a task's own removals are called "own/<layer>"; one start works.
        broken = [task in BREAKS.get(c, set()) or c == self.works for task, c in pairs]
        return answers.assign(verdict=np.where(able & ~np.array(broken), "satisfied", "violated"), reason="")


def measure(monkeypatch: pytest.MonkeyPatch, study, fits, model, works: str = "own/0", **compliance: float):
    answers = Answers(compliance=compliance, works=works)
    monkeypatch.setattr(ablation_answers, "responses_under", answers.respond)
    run_settings = RunSettings.of(model.preset)
    return measure_behaviour(model, study, fits, settings=SETTINGS, run_settings=run_settings), answers


def test_rows_are_removed_tasks_and_columns_those_that_break(monkeypatch, study, fits, llama: LoadedModel):
    behaviour, _ = measure(monkeypatch, study, fits, llama)
    expected = np.array([[b in BREAKS[a] for b in TASKS] for a in TASKS], dtype=float)
    np.testing.assert_allclose(behaviour.drops.excess, expected)
    edges = find_edges(behaviour.drops, alpha=0.05, n_bootstrap=100, seed=0)
    assert np.argwhere(edges.survives).tolist() == [[TASKS.index("topic"), TASKS.index("sentiment")]]
    assert edges.measurable.all()
    assert (behaviour.p_mcnemar[expected > 0] < 0.001).all()
    assert (behaviour.p_mcnemar[expected == 0] == 1).all()


def test_no_reported_prompt_chose_the_start_or_fitted_the_direction(monkeypatch, study, fits, llama):
    behaviour, answers = measure(monkeypatch, study, fits, llama)
    halves = query_halves(study, seed=SETTINGS.seed)
    for half in behaviour.halves:
        asked = halves[np.searchsorted(study.base_queries, half.responses["base_query"].to_numpy(dtype=str))]
        assert (asked == 1 - half.directions.half).all()
        assert half.responses["constrained"].all()
        intact = half.responses.query("condition == @INTACT")
        assert not intact["prompt_id"].duplicated().any()
    reported = {half.directions.half: set(half.responses["prompt_id"]) for half in behaviour.halves}
    tried = [
        (prompts, conditions)
        for prompts, conditions in zip(answers.prompts, answers.conditions, strict=True)
        if any(name.startswith("own/") for name in conditions)
    ]
    assert tried
    for prompts, conditions in tried:
        name, own = next((name, own) for name, own in conditions.items() if name.startswith("own/"))
        fit = next(f for f in fits if any(_same(own, f.removal(t, start=int(name[4:]))) for t in f.gaps))
        assert reported[fit.half].isdisjoint(prompts["prompt_id"])


def _same(one: Sequence[Intervention], other: Sequence[Intervention]) -> bool:
    return np.array_equal(one[0].operation.subspace.basis, other[0].operation.subspace.basis)


@pytest.mark.parametrize("works", [0, 1])
def test_the_start_is_where_removal_costs_most(monkeypatch, study, fits, llama, works: int):
    behaviour, _ = measure(monkeypatch, study, fits, llama, works=f"own/{works}")
    assert [half.start for half in behaviour.halves] == [works, works]
    starts = behaviour.starts.set_index(["half", "layer"])["own_drop"]
    assert (starts.xs(works, level="layer") == 1).all()
    assert (starts.drop(works, level="layer") == 0).all()


def test_controls_act_where_the_removal_does_with_its_rank_and_centre(monkeypatch, study, fits, llama):
    behaviour, _ = measure(monkeypatch, study, fits, llama)
    for half in behaviour.halves:
        conditions = dict(half.conditions)
        assert conditions.pop(INTACT) == ()
        # Nine removals and one pool of controls of each kind for all of them.
        assert len(conditions) == 9 + 2 * SETTINGS.n_random_subspaces
        layers = [layer for layer in half.directions.layers if layer >= half.start]
        for interventions in conditions.values():
            assert [i.layers for i in interventions] == [(layer,) for layer in layers]
            assert {i.operation.subspace.rank for i in interventions} == {1}
        for i in range(len(layers)):
            assert len({each[i].operation.subspace.mean.tobytes() for each in conditions.values()}) == 1


def test_a_task_at_the_floor_is_marked_and_has_no_column(monkeypatch, study, fits, llama):
    behaviour, _ = measure(monkeypatch, study, fits, llama, word_count=FLOOR / 2)
    place = TASKS.index("word_count")
    assert np.isnan(behaviour.drops.excess[:, place]).all()
    assert np.isfinite(np.delete(behaviour.drops.excess, place, axis=1)).all()
    notes = ablation_behaviour.floor_notes(behaviour.drops, {"topic": 0.95})
    assert any(note.startswith("word_count is at the floor") for note in notes)
    assert any("at the ceiling" in note for note in notes)
    assert [note for note in notes if "unasked" in note] == [
        "topic is satisfied unasked as often (95%): forgetting it costs nothing"
    ]


def test_another_model_s_activations_are_refused(llama):
    narrow = small_study("separate", d_model=16, signal=3.0)
    with pytest.raises(InputError, match="d_model = 16.*captured from"):
        measure_behaviour(
            llama,
            narrow,
            fit_response_directions(narrow, seed=0),
            settings=SETTINGS,
            run_settings=RunSettings.of(llama.preset),
        )
