"""A model before training: the same architecture, other weights, nothing else touched."""

from __future__ import annotations

import torch

from if_circuits.models.loaded import LoadedModel
from if_circuits.models.untrained import untrained


def test_weights_are_drawn_anew_by_seed_and_nothing_else_changes(llama: LoadedModel) -> None:
    state, before = torch.random.get_rng_state(), llama.fingerprint
    first, again, other = (untrained(llama, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert llama.fingerprint == before
    assert first.fingerprint == again.fingerprint
    assert len({before, first.fingerprint, other.fingerprint}) == 3
    trained, drawn = llama.hf.state_dict(), first.hf.state_dict()
    assert {name: tensor.shape for name, tensor in trained.items()} == {
        name: tensor.shape for name, tensor in drawn.items()
    }
    matrices = [name for name, tensor in trained.items() if tensor.ndim == 2]
    assert matrices
    assert not [name for name in matrices if torch.allclose(trained[name], drawn[name])]
    assert not first.bridge.training and not any(p.requires_grad for p in first.hf.parameters())
