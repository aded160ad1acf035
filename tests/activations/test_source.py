"""What analyses see: features that belong to their responses."""

from pathlib import Path

import numpy as np
import pytest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.source import ActivationSource
from if_circuits.activations.store import ActivationStore
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences, stored


@pytest.fixture
def store(llama: LoadedModel, tmp_path: Path) -> ActivationStore:
    return stored(llama, make_sequences(), path=tmp_path, batch_size=4)


def test_features_follow_the_responses_in_any_order(store: ActivationStore) -> None:
    responses = make_sequences().assign(verdict="satisfied", base_query="river")
    source: ActivationSource = CapturedActivations(responses, store)
    assert (source.layers, source.positions, source.n_layers) == (store.layers, store.positions, 3)
    np.testing.assert_array_equal(source.features(1, "last"), store.read(1, "last"))

    part = CapturedActivations(responses.iloc[[7, 2, 5]], store)
    np.testing.assert_array_equal(part.features(1, "last"), store.read(1, "last")[[7, 2, 5]])
    assert part.responses["response_id"].tolist() == ["r7", "r2", "r5"]


def test_responses_that_were_not_captured_are_named(store: ActivationStore) -> None:
    responses = make_sequences(13).assign(base_query="river")
    with pytest.raises(InputError, match="no activations of 2 of 13 responses, such as 'r11'"):
        CapturedActivations(responses, store)


def test_base_queries_are_those_of_the_study_whichever_have_a_row(store: ActivationStore) -> None:
    responses = make_sequences().assign(base_query="river")
    assert CapturedActivations(responses, store).base_queries == ("river",)
    pairs = CapturedActivations(responses, store, base_queries=("river", "lake"))
    assert pairs.base_queries == ("lake", "river")
    assert pairs.counterfactual is None
    assert CapturedActivations(responses, store, counterfactual=pairs).counterfactual is pairs
