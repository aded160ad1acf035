"""DAS: what is trained to act acts more than chance does, and knows where it was read."""

import numpy as np
import pytest

from if_circuits.activations.interchange import apply_interchanges
from if_circuits.erasure.das import fit_das
from if_circuits.erasure.random_subspace import random_subspace
from if_circuits.errors import InputError
from if_circuits.interventions.interchange import Interchange
from if_circuits.models.loading import LoadedModel
from tests.activations.test_interchange import pairs_of


def test_what_is_trained_recovers_more_of_the_other_run_than_random_subspaces(llama: LoadedModel) -> None:
    pairs = pairs_of(llama, n=6)
    found = fit_das(llama, pairs, layer=2, rank=8, epochs=25)
    again = fit_das(llama, pairs, layer=2, rank=8, epochs=25)
    np.testing.assert_array_equal(found.basis, again.basis)
    assert found.read_at is not None and found.read_at.n_groups <= 6 and found.read_at.layer == 2

    randoms = [random_subspace(8, mean=np.zeros(32), seed=seed) for seed in range(6)]
    tried = [Interchange(2, subspace=each) for each in (found, *randoms)]
    moved = apply_interchanges(llama, pairs, tried)
    left = (moved["full"] - moved["shift"]).abs().to_numpy().reshape(len(tried), len(pairs)).mean(axis=1)
    assert left[0] < left[1:].min()
    assert left[0] < 0.75 * left[1:].mean(), left


def test_arbitrary_targets_are_those_of_a_coin_and_give_another_subspace(llama: LoadedModel) -> None:
    pairs = pairs_of(llama, n=4)
    real, arbitrary = (fit_das(llama, pairs, layer=1, epochs=2, arbitrary=each) for each in (False, True))
    assert abs(float(real.basis[0] @ arbitrary.basis[0])) < 0.999
    assert arbitrary.name == "DAS, arbitrary targets"


def test_pairs_of_one_prompt_and_layers_that_are_not_there_are_refused(llama: LoadedModel) -> None:
    pairs = pairs_of(llama)
    with pytest.raises(InputError, match="never do"):
        fit_das(llama, pairs.assign(source_tokens=pairs["prompt_tokens"]), layer=1)
    with pytest.raises(InputError, match="layer is 9"):
        fit_das(llama, pairs, layer=9)
