"""The behavioural half: with planted answers in place of the model's, and with a model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses import ablation_behaviour, causal_ablation
from if_circuits.analyses.ablation_behaviour import CONTROL_DRAWS, FLOOR, measure_behaviour
from if_circuits.analyses.ablation_damage import INTACT
from if_circuits.analyses.dependency_edges import find_edges
from if_circuits.analyses.labelled import query_halves
from if_circuits.analyses.task_subspaces import HalfFit, fit_halves
from if_circuits.erasure.mean_difference import MeanDifference
from if_circuits.errors import InputError
from if_circuits.generation import generate_conditions
from if_circuits.interventions.hooks import Intervention
from if_circuits.models.loading import LoadedModel
from if_circuits.simulation import TASKS, SimulatedActivations
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
def fits(study: SimulatedActivations) -> tuple[HalfFit, HalfFit]:
    return fit_halves(study, MeanDifference(), seed=SETTINGS.seed)


class Answers:
    """Stands in for generating and verifying: an answer is satisfied unless its condition breaks the task."""

    def __init__(self, *, compliance: Mapping[str, float]) -> None:
        self.compliance = compliance
        self.prompts: list[pd.DataFrame] = []
        self.conditions: list[Mapping[str, Sequence[Intervention]]] = []

    def generate(self, _model, prompts: pd.DataFrame, _config, conditions, **_) -> pd.DataFrame:
        self.prompts.append(prompts)
        self.conditions.append(conditions)
        answers = pd.concat([prompts.assign(condition=name) for name in conditions], ignore_index=True)
        return answers.assign(response="a short answer", n_tokens=3, truncated=False)

    def verify(self, answers: pd.DataFrame) -> pd.DataFrame:
        order = answers.groupby(["condition", "task"]).cumcount() + 0.5
        share = order / answers.groupby(["condition", "task"])["prompt_id"].transform("size")
        able = share < answers["task"].map(lambda task: self.compliance.get(task, 1.0))
        removed = (
            answers["condition"].str.removesuffix("/0").where(answers["condition"].str.endswith("/0"), "")
        )
        broken = [task in BREAKS.get(a, set()) for task, a in zip(answers["task"], removed, strict=True)]
        return answers.assign(verdict=np.where(able & ~np.array(broken), "satisfied", "violated"), reason="")


def measure(monkeypatch: pytest.MonkeyPatch, study, fits, model, **compliance: float):
    answers = Answers(compliance=compliance)
    monkeypatch.setattr(ablation_behaviour, "generate_conditions", answers.generate)
    monkeypatch.setattr(ablation_behaviour, "verify", answers.verify)
    return measure_behaviour(model, study, fits, settings=SETTINGS), answers


def test_rows_are_removed_tasks_and_columns_those_that_break(monkeypatch, study, fits, llama: LoadedModel):
    behaviour, _ = measure(monkeypatch, study, fits, llama)
    expected = np.array([[b in BREAKS[a] for b in TASKS] for a in TASKS], dtype=float)
    np.testing.assert_allclose(behaviour.drops.excess, expected)
    edges = find_edges(behaviour.drops, alpha=0.05, n_bootstrap=100, seed=0)
    assert np.argwhere(edges.survives).tolist() == [[TASKS.index("topic"), TASKS.index("sentiment")]]
    assert edges.measurable.all()
    assert (behaviour.p_mcnemar[expected > 0] < 0.001).all()
    assert (behaviour.p_mcnemar[expected == 0] == 1).all()


def test_no_prompt_is_answered_under_a_subspace_that_its_query_fitted(monkeypatch, study, fits, llama):
    _, answers = measure(monkeypatch, study, fits, llama)
    halves = query_halves(study, seed=SETTINGS.seed)
    names = np.unique(study.responses["base_query"].to_numpy().astype(str))
    for fit, prompts in zip(fits, answers.prompts, strict=True):
        asked = halves[np.searchsorted(names, prompts["base_query"].to_numpy().astype(str))]
        assert (asked == 1 - fit.half).all()
        assert prompts["constrained"].all()
        assert not prompts["prompt_id"].duplicated().any()


def test_controls_have_the_removal_s_rank_layer_and_centre(monkeypatch, study, fits, llama):
    _, answers = measure(monkeypatch, study, fits, llama)
    for fit, conditions in zip(fits, answers.conditions, strict=True):
        assert conditions[INTACT] == ()
        interventions = [value[0] for name, value in conditions.items() if name != INTACT]
        assert {i.layers for i in interventions} == {(fit.layer,)}
        assert {i.operation.subspace.rank for i in interventions} == {1}
        assert len({i.operation.subspace.mean.tobytes() for i in interventions}) == 1
        # Nine removals, their matched controls, and one set of Gaussian ones for all, of equal rank.
        assert len(interventions) == 9 + 9 * CONTROL_DRAWS + CONTROL_DRAWS


def test_a_task_at_the_floor_is_marked_and_has_no_column(monkeypatch, study, fits, llama):
    behaviour, _ = measure(monkeypatch, study, fits, llama, word_count=FLOOR / 2)
    place = TASKS.index("word_count")
    assert np.isnan(behaviour.drops.excess[:, place]).all()
    assert np.isfinite(np.delete(behaviour.drops.excess, place, axis=1)).all()
    notes = ablation_behaviour.floor_notes(behaviour.drops)
    assert any(note.startswith("word_count is at the floor") for note in notes)
    assert any("at the ceiling" in note for note in notes)


def test_damage_shows_what_a_removal_breaks_elsewhere(monkeypatch, study, fits, llama):
    behaviour, _ = measure(monkeypatch, study, fits, llama)
    damage = behaviour.damage.set_index(["ablated", "condition"])
    assert damage.loc[("topic", "removed"), "compliance_off_task"] == pytest.approx(7 / 8)
    assert damage.loc[("register", "removed"), "compliance_off_task"] == 1
    assert damage.loc[("topic", "gaussian"), "compliance_off_task"] == 1
    assert damage.loc[("", INTACT), "n"] == behaviour.n.sum()


def test_another_model_s_activations_are_refused(llama):
    narrow = small_study("separate", d_model=16, signal=3.0)
    with pytest.raises(InputError, match="d_model = 16.*captured from"):
        measure_behaviour(llama, narrow, fit_halves(narrow, MeanDifference(), seed=0), settings=SETTINGS)


@pytest.mark.slow
def test_a_real_model_is_ablated_while_it_generates(monkeypatch, study, llama):
    monkeypatch.setattr(ablation_behaviour, "PROMPTS_PER_TASK", 5)
    monkeypatch.setattr(ablation_behaviour, "CONTROL_DRAWS", 2)
    answers: list[pd.DataFrame] = []

    def generate_and_keep(*arguments, **options) -> pd.DataFrame:
        answers.append(generate_conditions(*arguments, **options))
        return answers[-1]

    monkeypatch.setattr(ablation_behaviour, "generate_conditions", generate_and_keep)
    brief = replace(llama, preset=replace(llama.preset, max_new_tokens=6))
    result = causal_ablation.run(study, SETTINGS, model=brief)
    table = result.table[result.table["matrix"] == causal_ablation.BEHAVIOUR]
    assert len(table) == 81
    assert (table["n"] == 10).all()
    for answered in answers:
        texts = answered.pivot(index="prompt_id", columns="condition", values="response")
        changed = texts.ne(texts[INTACT], axis=0).mean()
        assert changed[INTACT] == 0
        assert changed["topic/0"] > 0
    assert not any(point.fwd_hooks for point in llama.bridge.hook_dict.values())
    causal_ablation.figure(result).canvas.draw()
