"""Every operation on three architectures: token for token what a plain Hugging Face hook does."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch

from if_circuits.activations.donors import record_donor
from if_circuits.erasure.leace import Leace
from if_circuits.generation.decoding import decode
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.interventions.operations import Add, Erase, MeanReplace, Operation, ProjectOut, Zero
from if_circuits.interventions.patching import Donor, PatchFrom
from if_circuits.interventions.scope import Scope
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel
from tests.interventions.plain import Change, by_plain_hook, touched

N_NEW = 8
LAYER = 1
TEXTS = ["Write.", "Write a note about the river and the coach.", "Never use the word river, please! " * 2]
DONORS = ["Sound positive!", "Hi", "Answer as a JSON object with the key. Use exactly eight words."]


@dataclass(frozen=True)
class Case:
    """An operation and, for each of the texts, what it does according to its documentation."""

    operation: Operation
    changes: list[Change]


def cases(model: LoadedModel) -> dict[str, Case]:
    generator = np.random.default_rng(0)
    s = Subspace.orthonormalise(generator.normal(size=(5, 32)), mean=generator.normal(size=32), name="s")
    P, other, step = s.projector, generator.normal(size=32), generator.normal(size=32)
    y = np.arange(80) % 2 == 0
    leace = Leace().fit(generator.normal(size=(80, 32)) + y[:, None] * step, y, groups=np.arange(80), seed=0)
    runs = generate(model, DONORS, GenerationConfig(N_NEW - 4, temperature=0.0))
    donor = record_donor(model, runs, layers=[LAYER])
    same: dict[str, tuple[Operation, Any]] = {
        "project out": (ProjectOut(s), lambda x, _: x - (x - s.mean) @ P),
        "reflect": (ProjectOut(s, alpha=2.0), lambda x, _: x - 2 * (x - s.mean) @ P),
        "leading": (ProjectOut(s, leading=2), lambda x, _: s.leading(2).remove(x)),
        "zero": (Zero(s), lambda x, _: x - x @ P),
        "mean": (MeanReplace(s, other), lambda x, _: x - (x - other) @ P),
        "steer": (Add(step, 3.0), lambda x, _: x + 3 * step),
        "erase": (Erase(leace), lambda x, _: leace.remove(x)),
    }
    given = {name: Case(operation, [change] * len(TEXTS)) for name, (operation, change) in same.items()}
    given["patch"] = Case(PatchFrom(donor, s), [patch(donor, i, P) for i in range(len(TEXTS))])
    given["patch all"] = Case(PatchFrom(donor), [patch(donor, i, np.eye(32)) for i in range(len(TEXTS))])
    return given


def patch(donor: Donor, run: int, P: np.ndarray) -> Change:
    """Token by token: the donor's token as far from its prompt's end, if it has one."""
    prompt, length = int(donor.prompt_lengths[run]), int(donor.lengths[run])
    source = donor.activations[LAYER][run].double().numpy()

    def change(x: np.ndarray, own_prompt: int) -> np.ndarray:
        pairs = [(i, i - own_prompt + prompt) for i in range(len(x))]
        return np.stack([x[i] + (source[j] - x[i]) @ P if 0 <= j < length else x[i] for i, j in pairs])

    return change


def cached(model: LoadedModel, prompts: list[list[int]], interventions: list[Intervention]) -> Any:
    with intervene(model, interventions):
        return decode(model, prompts, range(len(prompts)), max_new_tokens=N_NEW)


def uncached(model: LoadedModel, prompt: list[int], interventions: list[Intervention]) -> list[int]:
    """The whole sequence again for each token, under our hooks."""
    ids = list(prompt)
    with torch.no_grad(), intervene(model, interventions, prompt_lengths=[len(prompt)]):
        for _ in range(N_NEW):
            ids.append(int(model.bridge(torch.tensor([ids]), use_cache=False)[0, -1].argmax()))
            if ids[-1] in model.chat.eos_ids:
                break
    return ids[len(prompt) :]


@pytest.mark.parametrize("scope", [Scope(), Scope(prompt=True)], ids=str)
def test_every_operation_equals_a_plain_hook_without_batch_and_cache(
    model: LoadedModel, scope: Scope
) -> None:
    prompts = model.chat.encode(TEXTS)
    intact = cached(model, prompts, [])
    for name, case in cases(model).items():
        ours = cached(model, prompts, [Intervention(case.operation, (LAYER,), scope)])
        plain = [
            by_plain_hook(model, prompt, N_NEW, layer=LAYER, scope=scope, change=change)
            for prompt, change in zip(prompts, case.changes, strict=True)
        ]
        assert ours == plain, name
        assert ours != intact, f"{name} must do something, or it is not tested"


@pytest.mark.parametrize("scope", [Scope(), Scope(prompt=True, positions=(4, 14))], ids=str)
def test_with_the_cache_equals_without_it(model: LoadedModel, scope: Scope) -> None:
    (prompt,) = model.chat.encode(TEXTS[:1])
    for name, case in cases(model).items():
        interventions = [Intervention(case.operation, (LAYER,), scope)]
        assert cached(model, [prompt], interventions) == [uncached(model, prompt, interventions)], name


def test_all_operations_composed_batched_equal_single(model: LoadedModel) -> None:
    """One after the other at two layers, in prompts of unequal length and thus padding. Patches have a donor
    for each prompt, which a single prompt has not, so they are left out."""
    composed = [
        Intervention(case.operation, (0, LAYER), scope)
        for scope in (Scope(), Scope(prompt=True, positions=(3, 14)))
        for name, case in cases(model).items()
        if "patch" not in name
    ]
    prompts = model.chat.encode(TEXTS)
    single = [cached(model, [prompt], composed)[0] for prompt in prompts]
    assert cached(model, prompts, composed) == single
    assert single != cached(model, prompts, [])


def test_a_range_of_positions_is_the_same_tokens_in_every_row_and_pass(model: LoadedModel) -> None:
    """A range that begins in the prompt and ends in the response of some rows, in a padded batch, with the
    cache: the change is found at these absolute positions and nowhere else."""
    # Without an end of sequence no row leaves the batch.
    model = replace(model, chat=replace(model.chat, eos_ids=()))
    prompts = model.chat.encode(TEXTS)
    lengths = [len(prompt) for prompt in prompts]
    scope = Scope(prompt=True, positions=(lengths[0] - 2, lengths[0] + 4))
    assert len(set(lengths)) == 3
    step = np.ones(32)
    seen: dict[str, list[torch.Tensor]] = {"before": [], "after": []}

    def keep(name: str) -> Any:
        return lambda x, hook: seen[name].append(x)  # noqa: ARG005 - TransformerLens passes it by name

    point = model.bridge.hook_dict["blocks.2.hook_out"]
    with intervene(model, [Intervention(Add(step, 1.0), (2,), scope)]):
        watch = point.add_hook(keep("before"), prepend=True)
        try:
            with model.bridge.hooks(fwd_hooks=[("blocks.2.hook_out", keep("after"))]):
                decode(model, prompts, range(3), max_new_tokens=N_NEW)
        finally:
            watch.hook.remove()
            point.fwd_hooks.remove(watch)
    before, after = (torch.cat(seen[name], dim=1) for name in ("before", "after"))
    moved = (before != after).any(-1)
    for row, length in zip(moved, lengths, strict=True):
        padding = max(lengths) - length
        expected = [touched(scope, position, length) for position in range(length + N_NEW - 1)]
        assert row.tolist() == [False] * padding + expected
    assert moved[0].any()
    assert not moved[2, -N_NEW + 1 :].any(), "the longest prompt ends after the range"
