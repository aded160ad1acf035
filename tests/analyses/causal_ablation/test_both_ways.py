"""Both ways, on a model whose mechanism is planted: opening a gate makes failing answers satisfied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.causal_ablation import both_ways
from if_circuits.analyses.causal_ablation.behaviour import Behaviour
from if_circuits.analyses.causal_ablation.both_ways import agreement_note, measure_both_ways
from if_circuits.analyses.causal_ablation.edges import find_edges
from if_circuits.analyses.shared.labelled_tasks import query_halves
from tests.analyses.causal_ablation.conftest import SETTINGS, Calls, Planted
from tests.precision import rounding

HELPED = "register"


@pytest.fixture(scope="module")
def found(planted: Planted, measured: tuple[Behaviour, Calls]) -> tuple[pd.DataFrame, Calls]:
    behaviour, calls = measured[0], Calls()
    edges = find_edges(behaviour.drops, alpha=0.05, n_bootstrap=100, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(both_ways, "answer", calls.answer)
        table = measure_both_ways(
            planted.model,
            planted.source,
            behaviour,
            edges,
            settings=SETTINGS,
            run_settings=planted.run_settings,
        )
    return table.set_index("task"), calls


def test_a_task_that_falls_and_rises_agrees_with_itself(found: tuple[pd.DataFrame, Calls]):
    row = found[0].loc[HELPED]
    assert row["removed"] > 0.3
    assert row["gain"] > row["gain_random"] + 0.3
    assert row["added"] == pytest.approx(row["gain"] - row["gain_random"])
    assert row["added_low"] > 0
    assert max(row["removed_p_adjusted"], row["added_p_adjusted"]) < 0.05
    assert row["agree"] == 1


def test_the_note_counts_what_the_table_says(found: tuple[pd.DataFrame, Calls]):
    table = found[0].reset_index()
    known = table[table[["removed", "added"]].notna().all(axis=1)]
    lowered, raised = (int((known[f"{way}_p_adjusted"] < 0.05).sum()) for way in ("removed", "added"))
    note = agreement_note(table, settings=SETTINGS)
    assert f"lowers the compliance of {lowered} and addition raises that of {raised} of {len(known)}" in note
    assert f"agree in {known['agree'].mean():.0%}" in note


def test_a_gain_that_random_steps_have_too_is_none(found: tuple[pd.DataFrame, Calls]):
    """The random steps in the direction's place: the same answers, the same gains, nothing beyond."""
    table = found[0]
    # Shares up to 1, whose difference is rounded in an order of its own.
    np.testing.assert_allclose(
        table["added"], table["gain"] - table["gain_random"], rtol=0, atol=rounding(30)
    )
    assert (table["gain_random"] > 0).any()
    assert (table.loc[table["gain"] == 0, "added"] <= 0).all()


def test_only_failing_prompts_of_the_other_half_are_answered(
    found: tuple[pd.DataFrame, Calls], planted: Planted, measured: tuple[Behaviour, Calls]
):
    source, calls = planted.source, found[1]
    responses = source.responses
    failed = set(responses.loc[(responses["verdict"] == "violated") & responses["constrained"], "prompt_id"])
    of_query = dict(zip(source.base_queries, query_halves(source, seed=SETTINGS.seed).tolist(), strict=True))
    assert len(calls.prompts) == len(measured[0].halves)
    for half, prompts in enumerate(calls.prompts):
        assert set(prompts["prompt_id"]) <= failed
        assert {of_query[query] for query in prompts["base_query"].astype(str)} == {1 - half}
