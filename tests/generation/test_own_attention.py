from typing import Any

import torch

from if_circuits.generation.own_attention import own_attention
from if_circuits.models.loading import LoadedModel


def logits(model: LoadedModel) -> torch.Tensor:
    ids = torch.tensor([[9, 8, 7, 6, 5, 4], [3, 3, 5, 6, 7, 8]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]])
    with torch.no_grad():
        return model.hf(input_ids=ids, attention_mask=mask).logits


def test_gives_what_the_bridges_attention_gives_and_leaves_it_in_place(model: LoadedModel) -> None:
    before, modules = logits(model), list(model.hf.named_modules())
    with own_attention(model):
        within = logits(model)
    real = torch.tensor([[True] * 6, [False] * 2 + [True] * 4])
    torch.testing.assert_close(within[real], before[real], rtol=1e-4, atol=1e-4)
    assert list(model.hf.named_modules()) == modules
    assert torch.equal(logits(model), before)


def test_hooks_inside_attention_fire_as_ever(llama: LoadedModel) -> None:
    seen: list[tuple[int, ...]] = []

    def look(pattern: torch.Tensor, hook: Any) -> None:
        del hook
        seen.append(tuple(pattern.shape))

    with llama.bridge.hooks(fwd_hooks=[("blocks.1.attn.hook_pattern", look)]), own_attention(llama):
        logits(llama)
    assert len(seen) == 1


def test_the_residual_stream_is_hooked_as_ever(llama: LoadedModel) -> None:
    seen: list[tuple[int, ...]] = []

    def look(x: torch.Tensor, hook: Any) -> None:
        del hook
        seen.append(tuple(x.shape))

    with llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", look)]), own_attention(llama):
        logits(llama)
    assert seen == [(2, 6, 32)]
