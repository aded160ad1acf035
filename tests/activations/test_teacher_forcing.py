"""One pass: what it keeps alive, what it computes, and what it leaves behind."""

import weakref

import numpy as np
import pytest
import torch

from if_circuits.activations.plan import plan_capture
from if_circuits.activations.teacher_forcing import read_positions
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences


def hooks_of(model: LoadedModel) -> int:
    points = {id(point): point for point in model.bridge.hook_dict.values()}  # aliases share a point
    return sum(len(point.fwd_hooks) for point in points.values())


def test_no_activation_of_the_whole_batch_is_kept(llama: LoadedModel) -> None:
    plan = plan_capture(make_sequences(6))
    seen: list[weakref.ref[torch.Tensor]] = []

    def watch(activation: torch.Tensor, hook: object) -> None:  # noqa: ARG001
        seen.append(weakref.ref(activation.untyped_storage()))

    watched = [("blocks.0.hook_in", watch), *((f"blocks.{i}.hook_out", watch) for i in range(3))]
    passes = read_positions(llama, plan, np.arange(6), layers=(-1, 0, 1, 2))
    with llama.bridge.hooks(fwd_hooks=watched):
        layer, activations = next(passes)
    assert layer == -1 and activations.shape == (6, 12, 32)
    assert len(seen) == 4
    assert all(storage() is None for storage in seen)
    assert len(list(passes)) == 3


def test_nothing_above_the_last_layer_is_computed(model: LoadedModel) -> None:
    plan = plan_capture(make_sequences(4))
    reached: list[str] = []
    head = model.hf.get_output_embeddings().register_forward_hook(lambda *_: reached.append("logits"))

    def note(_activation: torch.Tensor, hook: object) -> None:
        reached.append(hook.name)

    try:
        with model.bridge.hooks(fwd_hooks=[(f"blocks.{i}.hook_out", note) for i in range(3)]):
            list(read_positions(model, plan, np.arange(4), layers=(0, 1)))
            assert reached == ["blocks.0.hook_out", "blocks.1.hook_out"]
            reached.clear()
            list(read_positions(model, plan, np.arange(4), layers=(-1,)))
            assert reached == []
            list(read_positions(model, plan, np.arange(4), layers=(2,)))
            assert reached == ["blocks.0.hook_out", "blocks.1.hook_out", "blocks.2.hook_out"]
    finally:
        head.remove()


def test_only_its_own_hooks_are_removed_also_after_an_error(llama: LoadedModel) -> None:
    plan = plan_capture(make_sequences(4))
    before = hooks_of(llama)

    def fail(_activation: torch.Tensor, hook: object) -> None:  # noqa: ARG001
        raise RuntimeError("from the middle of the model")

    with llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", fail)]):
        with pytest.raises(RuntimeError, match="from the middle"):
            list(read_positions(llama, plan, np.arange(4), layers=(-1, 0, 1, 2)))
        assert hooks_of(llama) == before + 1
    assert hooks_of(llama) == before
