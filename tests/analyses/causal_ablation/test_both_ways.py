"""Both ways, with planted answers in place of the model's."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.causal_ablation import both_ways
from if_circuits.analyses.causal_ablation.both_ways import ADDED, agreement_note, measure_both_ways
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.analyses.shared.labelled_tasks import query_halves
from if_circuits.analyses.validation.simulation.studies import TASKS
from tests.analyses.planted import SETTINGS, small_study

HELPED = "topic"
"""Adding its direction makes every response of the task satisfy its constraint."""


def measure(monkeypatch: pytest.MonkeyPatch, *, random_helps: bool = False) -> tuple[pd.DataFrame, list]:
    source = small_study("separate", signal=3.0)
    asked: list[pd.DataFrame] = []

    def answer(_model, prompts, conditions, *, samples_per_prompt, **_) -> pd.DataFrame:
        asked.append(prompts)
        rows = [
            prompts.assign(sample=sample, condition=name)
            for name in conditions
            for sample in range(samples_per_prompt)
        ]
        found = pd.concat(rows, ignore_index=True)
        helped = (found["condition"] == ADDED) & (found["task"] == HELPED)
        helped |= found["condition"].str.startswith("random") & random_helps
        return found.assign(satisfied=helped.astype(float))

    monkeypatch.setattr(both_ways, "answer", answer)
    halves = [
        SimpleNamespace(directions=fit, start=0)
        for fit in fit_response_directions(source, seed=SETTINGS.seed)
    ]
    excess = np.diag([0.6 if task == HELPED else 0.0 for task in TASKS])
    behaviour = SimpleNamespace(halves=halves, drops=SimpleNamespace(tasks=TASKS, excess=excess))
    edges = SimpleNamespace(low=excess, high=excess, p=np.where(excess > 0, 1e-4, 1.0))
    table = measure_both_ways(None, source, behaviour, edges, settings=SETTINGS, run_settings=None)  # type: ignore[arg-type]
    return table.set_index("task"), [source, asked, halves]


def test_a_task_that_falls_and_rises_agrees_with_itself(monkeypatch):
    table, _ = measure(monkeypatch)
    assert table.loc[HELPED, "added"] == 1
    assert table.loc[HELPED, "added_p_adjusted"] < 0.05
    others = table.drop(HELPED)
    assert (others["added"] == 0).all()
    assert (table["agree"] == 1).all()
    note = agreement_note(table, settings=SETTINGS)
    assert "lowers the compliance of 1 and addition raises that of 1 of 9 tasks" in note


def test_a_gain_that_random_steps_have_too_is_none(monkeypatch):
    table, _ = measure(monkeypatch, random_helps=True)
    assert table.loc[HELPED, "gain"] == table.loc[HELPED, "gain_random"] == 1
    assert table.loc[HELPED, "added"] == 0
    assert table.loc[HELPED, "agree"] == 0
    assert table.drop(HELPED)["added"].tolist() == [-1.0] * 8


def test_only_failing_prompts_of_the_other_half_are_answered(monkeypatch):
    _, (source, asked, halves) = measure(monkeypatch)
    responses = source.responses
    failed = set(responses.loc[(responses["verdict"] == "violated") & responses["constrained"], "prompt_id"])
    of_query = dict(zip(source.base_queries, query_halves(source, seed=SETTINGS.seed).tolist(), strict=True))
    per_half = len(asked) // len(halves)
    for i, prompts in enumerate(asked):
        assert set(prompts["prompt_id"]) <= failed
        fitted = halves[i // per_half].directions.half
        assert {of_query[query] for query in prompts["base_query"].astype(str)} == {1 - fitted}
