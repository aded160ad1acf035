"""Interventions on running models, checked token for token against plain Hugging Face hooks."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.generation.decoding import decode
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.interventions.operations import Add, ProjectOut, Zero
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.layers import EMBED
from if_circuits.models.loading import LoadedModel
from tests.interventions.plain import by_plain_hook

TEXTS = ["Write.", "Write a note about the river and the coach.", "Never use the word river, please! " * 3]
N_NEW = 16
SCOPES = [
    Scope(),
    Scope(prompt=True, generated=False),
    Scope(prompt=True),
    Scope(prompt=True, positions=(3, 12)),
]


def subspace(seed: int = 0, rank: int = 5, d: int = 32) -> Subspace:
    generator = np.random.default_rng(seed)
    return Subspace.orthonormalise(
        generator.normal(size=(rank, d)), mean=generator.normal(size=d), name=f"subspace {seed}"
    )


def run(model: LoadedModel, *interventions: Intervention, texts: list[str] = TEXTS) -> list[list[int]]:
    prompts = model.chat.encode(texts)
    with intervene(model, interventions):
        return decode(model, prompts, range(len(prompts)), max_new_tokens=N_NEW)


@pytest.mark.parametrize("layer", [EMBED, 1, 2])
@pytest.mark.parametrize("scope", SCOPES, ids=str)
def test_batched_and_cached_equals_a_plain_hook_without_batch_and_cache(
    model: LoadedModel, scope: Scope, layer: int
) -> None:
    s = subspace()
    ours = run(model, Intervention(ProjectOut(s), (layer,), scope))
    expected = [
        by_plain_hook(model, prompt, N_NEW, layer=layer, scope=scope, change=lambda x, _: s.remove(x))
        for prompt in model.chat.encode(TEXTS)
    ]
    assert ours == expected


def test_the_interventions_above_change_the_text(model: LoadedModel) -> None:
    intact = run(model)
    for scope in SCOPES:
        assert run(model, Intervention(ProjectOut(subspace()), (1,), scope)) != intact


def test_batched_equals_single(model: LoadedModel) -> None:
    interventions = [Intervention(ProjectOut(subspace(i)), (i - 1,), scope) for i, scope in enumerate(SCOPES)]
    single = [run(model, *interventions, texts=[text])[0] for text in TEXTS]
    assert run(model, *interventions) == single


@pytest.mark.parametrize("scope", SCOPES[:3], ids=str)
def test_teacher_forced_pass_equals_decoding_on_the_cache(model: LoadedModel, scope: Scope) -> None:
    """The same residual stream, whether the response is read token by token or at once after its prompt."""
    intervention = Intervention(ProjectOut(subspace()), (0, 1), scope)
    (prompt,) = model.chat.encode(TEXTS[1:2])
    seen: list[Tensor] = []

    def look(x: Tensor, hook: Any) -> None:
        del hook
        seen.append(x)

    with intervene(model, [intervention]), model.bridge.hooks(fwd_hooks=[("blocks.2.hook_out", look)]):
        (response,) = decode(model, [prompt], [0], max_new_tokens=N_NEW)
    live = torch.cat(seen, dim=1)
    ids = torch.tensor([[*prompt, *response[:-1]]])
    seen.clear()
    with (
        torch.no_grad(),
        intervene(model, [intervention], prompt_lengths=[len(prompt)]),
        model.bridge.hooks(fwd_hooks=[("blocks.2.hook_out", look)]),
    ):
        model.bridge(ids, attention_mask=torch.ones_like(ids))
    assert torch.allclose(seen[0], live, atol=1e-4)


def test_generate_of_hugging_face_and_of_the_bridge_run_under_interventions_too(model: LoadedModel) -> None:
    intervention = Intervention(ProjectOut(subspace()), (1,))
    (prompt,) = model.chat.encode(TEXTS[1:2])
    (ours,) = run(model, intervention, texts=TEXTS[1:2])
    ids = torch.tensor([prompt])
    mask = torch.ones_like(ids)
    hf: Any = model.hf
    with intervene(model, [intervention]):
        theirs = hf.generate(ids, attention_mask=mask, max_new_tokens=N_NEW, do_sample=False)
        bridged: Any = model.bridge.generate(
            ids, attention_mask=mask, max_new_tokens=N_NEW, do_sample=False, stop_at_eos=False, verbose=False
        )
    assert theirs[0, len(prompt) :].tolist() == ours
    assert bridged[0, len(prompt) :].tolist() == ours


def test_doing_nothing_is_exactly_nothing(model: LoadedModel) -> None:
    ids = torch.tensor(model.chat.encode(TEXTS[:1]))
    everywhere = tuple(range(EMBED, model.n_layers))
    nothing = Intervention(ProjectOut(subspace(), alpha=0.0), everywhere, Scope(prompt=True))
    with torch.no_grad():
        intact = model.bridge(ids)
        with intervene(model, [nothing]):
            assert torch.equal(model.bridge(ids), intact)
    assert run(model, nothing) == run(model)


def test_projecting_out_twice_is_once(model: LoadedModel) -> None:
    once = Intervention(ProjectOut(subspace()), (1,))
    assert run(model, once, once) == run(model, once)


def test_interventions_at_a_layer_act_in_the_order_given(llama: LoadedModel) -> None:
    s = subspace()
    add = Intervention(Add(s.basis[0] * 50, 1.0), (1,))
    remove = Intervention(ProjectOut(s), (1,))
    assert run(llama, add, remove) == run(llama, remove)
    assert run(llama, remove, add) != run(llama, remove)


def state(model: LoadedModel) -> tuple[Any, ...]:
    ids = torch.tensor(model.chat.encode(TEXTS[:1]))
    hooks = [
        (name, len(point.fwd_hooks), len(point._forward_hooks))
        for name, point in model.bridge.hook_dict.items()
    ]
    with torch.no_grad():
        logits = model.bridge(ids)
    weights = [parameter.numpy().tobytes() for parameter in model.hf.parameters()]
    return logits.numpy().tobytes(), weights, hooks, len(model.hf._forward_pre_hooks)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_only_the_strangers_hook_is_left(
    model: LoadedModel, error: type[BaseException]
) -> None:
    calls: list[str] = []

    def stranger(x: Tensor, hook: Any) -> None:
        del x
        calls.append(hook.name)

    def failing(x: Tensor, hook: Any) -> None:
        del x, hook
        raise error("in the middle of a pass")

    before = state(model)
    with model.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", stranger)]):
        watched = state(model)
        with pytest.raises(error, match="in the middle"):  # noqa: SIM117
            with intervene(model, [Intervention(Zero(subspace()), (EMBED, 1))]):
                with model.bridge.hooks(fwd_hooks=[("blocks.2.hook_out", failing)]):
                    decode(model, model.chat.encode(TEXTS), range(3), max_new_tokens=2)
        calls.clear()
        assert state(model) == watched
        assert calls == ["blocks.1.hook_out"]
    assert state(model) == before


def test_a_reset_of_all_hooks_in_between_ends_the_interventions_and_nothing_else(llama: LoadedModel) -> None:
    before = state(llama)
    with intervene(llama, [Intervention(Zero(subspace()), (0, 1))]):
        llama.bridge.reset_hooks()
        assert run(llama) == run(llama, Intervention(ProjectOut(subspace(), alpha=0.0), (1,)))
    assert state(llama) == before


def test_the_bridges_own_runs_with_cache_leave_the_interventions_in_place(llama: LoadedModel) -> None:
    """Twice: what the first run installs and removes must not take ours away."""
    s, ids = subspace(), torch.tensor(llama.chat.encode(TEXTS[:1]))
    with torch.no_grad(), intervene(llama, [Intervention(ProjectOut(s), (1,), Scope(prompt=True))]):
        for _ in range(2):
            _, seen = llama.bridge.run_with_cache(ids, names_filter=["blocks.1.hook_out"])
            assert np.abs(s.coordinates(seen["blocks.1.hook_out"].double().numpy())).max() < 1e-4


def test_of_nested_contexts_the_inner_one_acts_first(llama: LoadedModel) -> None:
    s = subspace()
    add, remove = Intervention(Add(s.basis[0] * 50, 1.0), (1,)), Intervention(ProjectOut(s), (1,))
    with intervene(llama, [remove]):
        added_first = run(llama, add)
    with intervene(llama, [add]):
        removed_first = run(llama, remove)
    assert added_first == run(llama, add, remove)
    assert removed_first == run(llama, remove, add) != added_first


def test_hooks_that_cannot_all_be_installed_leave_none(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(llama)
    point = llama.bridge.hook_dict["blocks.2.hook_out"]

    def refuse(*_args: Any, **_options: Any) -> None:
        raise RuntimeError("no more hooks")

    with monkeypatch.context() as patch:
        patch.setattr(point, "add_hook", refuse)
        with (
            pytest.raises(RuntimeError, match="no more"),
            intervene(llama, [Intervention(Zero(subspace()), (0, 2))]),
        ):
            pytest.fail("the context must not be entered")
    assert state(llama) == before


def test_whoever_watches_a_layer_sees_what_the_next_one_sees(llama: LoadedModel) -> None:
    s = subspace()
    seen: list[Tensor] = []

    def look(x: Tensor, hook: Any) -> None:
        del hook
        seen.append(x)

    ids = torch.tensor(llama.chat.encode(TEXTS[:1]))
    everywhere = Intervention(ProjectOut(s), (1,), Scope(prompt=True))
    watching = llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", look)])
    with torch.no_grad(), watching, intervene(llama, [everywhere]):
        llama.bridge(ids)
    assert np.abs(s.coordinates(seen[0].double().numpy())).max() < 1e-4


def test_the_models_own_tensors_are_not_written_into(llama: LoadedModel) -> None:
    kept: list[tuple[Tensor, Tensor]] = []

    def keep(x: Tensor, hook: Any) -> None:
        del hook
        kept.append((x, x.clone()))

    ids = torch.tensor(llama.chat.encode(TEXTS[:1]))
    with torch.no_grad(), intervene(llama, [Intervention(Zero(subspace()), (1,), Scope(prompt=True))]):
        handle = llama.bridge.hook_dict["blocks.1.hook_out"].add_hook(keep, prepend=True)
        try:
            llama.bridge(ids)
        finally:
            handle.hook.remove()
            llama.bridge.hook_dict["blocks.1.hook_out"].fwd_hooks.remove(handle)
    ((tensor, copy),) = kept
    assert torch.equal(tensor, copy)


def test_no_layer_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"layers is \(\); give a layer or a list of layers"):
        Intervention(Zero(subspace()), ())


@pytest.mark.parametrize("layers", [(3,), (-2,), (1, 1)])
def test_layers_that_the_model_lacks_are_refused(llama: LoadedModel, layers: tuple[int, ...]) -> None:
    misplaced = Intervention(Zero(subspace()), layers)
    with pytest.raises(InputError, match="distinct layers from -1"), intervene(llama, [misplaced]):
        pytest.fail("the context must not be entered")


def test_an_operation_for_another_width_is_refused(llama: LoadedModel) -> None:
    wide = Intervention(Zero(subspace(d=64)), (1,))
    with pytest.raises(InputError, match="d_model = 64, .* has 32"), intervene(llama, [wide]):
        pytest.fail("the context must not be entered")


def test_interventions_print_as_a_sentence() -> None:
    intervention = Intervention(ProjectOut(subspace()), (EMBED, 2))
    assert str(intervention) == "ProjectOut(subspace 0, rank 5, alpha=1) at embed, 2; generated"
