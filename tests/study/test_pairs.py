"""Counterfactual pairs in a finished study: the same response under another prompt."""

from pathlib import Path

import numpy as np
import pytest

from if_circuits.activations.store import ActivationStore
from if_circuits.models.loading import load_model
from if_circuits.study import Study

pytestmark = pytest.mark.slow


def test_pairs_are_captured_responses_under_other_prompts(finished: tuple[Path, Path]):
    """The same response tokens at the same positions, on the same folds as the natural labels."""
    study = Study.open(finished[1])
    natural, pairs = study.activations, study.activations.counterfactual
    assert pairs is not None
    assert (pairs.layers, pairs.positions) == (natural.layers, natural.positions)
    assert pairs.base_queries == natural.base_queries
    responses = natural.responses.set_index("response_id")
    for asked in (natural.responses, pairs.responses):  # encoded alike
        tokens = load_model(str(finished[0])).chat.encode(asked["prompt"].tolist())
        assert tokens == [list(row) for row in asked["prompt_tokens"]]
    stores = [
        ActivationStore.open(finished[1] / name) for name in ("activations", "activations-counterfactual")
    ]
    places = [store.index.set_index("response_id") for store in stores]
    for row in pairs.responses.to_dict("records"):
        own = responses.loc[row["pair"]]
        assert own["verdict"] == "satisfied"
        for column in ("response", "n_tokens", "truncated", "base_query", "task"):
            assert row[column] == own[column]
        assert list(row["response_tokens"]) == list(own["response_tokens"])
        longer = len(row["prompt_tokens"]) - len(own["prompt_tokens"])
        here, there = places[1].loc[row["response_id"]], places[0].loc[row["pair"]]
        for position in pairs.positions:
            assert here[position] == (there[position] + longer if there[position] >= 0 else there[position])


def test_the_prompt_of_a_pair_makes_the_difference(finished: tuple[Path, Path]):
    pairs = Study.open(finished[1]).activations.counterfactual
    assert pairs is not None
    X, rows = pairs.features(2, "last"), pairs.responses
    assert np.isfinite(X[(rows["n_tokens"] > 0).to_numpy()]).all()
    for _, two in rows[rows["n_tokens"] > 0].groupby("pair"):
        first, second = X[two.index]
        assert not np.allclose(first, second)
        assert np.array_equal(
            pairs.features(-1, "last")[two.index[0]], pairs.features(-1, "last")[two.index[1]]
        )


def test_probing_tables_hold_both_kinds_of_labels(finished: tuple[Path, Path]):
    results = Study.open(finished[1]).results
    for name in ("specialist_vs_general", "cross_task_transfer", "layer_stratification", "temporal_dynamics"):
        table = results[name].table
        assert set(table["labels"]) == {"natural", "counterfactual"}
        missing = table.query("labels == 'counterfactual' and reason != ''").set_index("task")["reason"]
        assert "no compliant response" in missing["word_count"]
