"""Patching from donor runs: what is paired with what, and that a patch of all is the donor's run."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from if_circuits.activations.donors import record_donor
from if_circuits.errors import InputError
from if_circuits.generation.decoding import decode
from if_circuits.generation.responses import GenerationConfig, generate, generate_conditions
from if_circuits.interventions.hooks import Intervention, intervene
from if_circuits.interventions.patching import Donor, PatchFrom, Placebo
from if_circuits.interventions.scope import PADDING, Scope, Window
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.layers import EMBED
from if_circuits.models.loading import LoadedModel

GREEDY = GenerationConfig(max_new_tokens=10, temperature=0.0)
TEXTS = ["Write a note about the river.", "Hi", "Never use the word river! " * 2]
OTHERS = ["Sound positive!", "Use exactly eight words. Never use the word coach.", "Answer as a JSON object."]


def subspace(d: int = 32) -> Subspace:
    return Subspace.orthonormalise(np.random.default_rng(0).normal(size=(4, d)), name="river")


def donor_of_offsets(runs: list[tuple[int, int]]) -> Donor:
    """Made runs, by (tokens of the prompt, tokens in all): each value is 100 run + offset from the prompt's
    end."""
    longest = max(length for _, length in runs)
    values = torch.tensor([[100.0 * i + t - p for t in range(longest)] for i, (p, _) in enumerate(runs)])
    return Donor(
        activations={0: values[..., None].expand(-1, -1, 32)},
        prompt_lengths=torch.tensor([p for p, _ in runs]),
        lengths=torch.tensor([length for _, length in runs]),
        name="made",
    )


def patched(donor: Donor, window: Window) -> list[list[float]]:
    x = torch.full((*window.positions.shape, 32), 0.5)
    return PatchFrom(donor).transform(0, torch.device("cpu"))(x, window)[..., 0].tolist()


def test_tokens_are_paired_by_their_distance_from_the_prompts_end() -> None:
    window = Window(
        positions=torch.tensor([[0, 1, 2, 3, 4, 5], [PADDING, PADDING, 0, 1, 2, 3]]),
        prompt_lengths=torch.tensor([4, 1]),
        prompts=torch.tensor([0, 1]),
    )
    # The first donor has a prompt of 3 and a response of 1: nothing for the first token and the last.
    donor = donor_of_offsets([(3, 4), (2, 6)])
    assert patched(donor, window) == [[0.5, -3, -2, -1, 0, 0.5], [0.5, 0.5, 99, 100, 101, 102]]


def test_rows_are_served_by_the_run_of_their_prompt_and_one_run_serves_all() -> None:
    window = Window(torch.tensor([[5], [9], [2]]), torch.tensor([5, 8, 2]), torch.tensor([1, 0, 1]))
    assert patched(donor_of_offsets([(3, 9), (2, 9)]), window) == [[100], [1], [100]]
    assert patched(donor_of_offsets([(3, 9)]), window) == [[0], [1], [0]]


def test_more_prompts_than_runs_are_an_error() -> None:
    window = Window(torch.tensor([[5]]), torch.tensor([5]), torch.tensor([2]))
    with pytest.raises(InputError, match="2 runs, and there is a prompt number 3"):
        patched(donor_of_offsets([(3, 9), (2, 9)]), window)


@pytest.mark.parametrize("space", [None, subspace()], ids=["all", "subspace"])
def test_patching_a_run_with_itself_changes_nothing(model: LoadedModel, space: Subspace | None) -> None:
    responses = generate(model, TEXTS, GREEDY)
    everywhere = tuple(range(EMBED, model.n_layers))
    donor = record_donor(model, responses, layers=everywhere)
    itself = Intervention(PatchFrom(donor, space), everywhere, Scope(prompt=True))
    again = generate(model, TEXTS, GREEDY, interventions=[itself])
    assert again["response_tokens"].tolist() == responses["response_tokens"].tolist()

    one = responses.iloc[[2]]
    donor = record_donor(model, one, layers=everywhere)
    ids = torch.tensor([[*one["prompt_tokens"].item(), *one["response_tokens"].item()]])
    itself = Intervention(PatchFrom(donor, space), everywhere, Scope(prompt=True))
    with torch.no_grad():
        intact = model.bridge(ids)
        with intervene(model, [itself], prompt_lengths=[len(one["prompt_tokens"].item())]):
            assert torch.equal(model.bridge(ids), intact)


def test_all_of_the_last_layer_gives_the_donors_logits(model: LoadedModel) -> None:
    """From the prompt's last token on, though the prompts differ in length and the rest of the model reads
    another one."""
    donors = generate(model, OTHERS[1:2], GREEDY)
    (prompt,), (own,) = donors["prompt_tokens"], model.chat.encode(TEXTS[:1])
    response = donors["response_tokens"].item()
    last = model.n_layers - 1
    patch = Intervention(PatchFrom(record_donor(model, donors, layers=[last])), (last,))
    assert len(own) != len(prompt)

    def logits(ids: list[int], start: int) -> Tensor:
        with torch.no_grad():
            return model.bridge(torch.tensor([ids]))[0, start - 1 :]

    theirs = logits([*prompt, *response], len(prompt))
    with intervene(model, [patch], prompt_lengths=[len(own)]):
        ours = logits([*own, *response], len(own))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    assert (logits([*own, *response], len(own)) - theirs).abs().max() > 0.1


def test_each_prompt_says_what_its_donor_said(model: LoadedModel) -> None:
    """Beyond the donor's response, here longer than what is generated, nothing else is claimed."""
    donors = generate(model, OTHERS, GREEDY)
    last = model.n_layers - 1
    patch = [Intervention(PatchFrom(record_donor(model, donors, layers=[last])), (last,))]
    for config in (GREEDY, GenerationConfig(10, temperature=0.0, batch_size=2)):
        table = generate_conditions(model, TEXTS, config, {"intact": [], "patched": patch, "again": patch})
        for name in ("patched", "again"):
            given = table[table["condition"] == name]["response_tokens"].tolist()
            assert given == donors["response_tokens"].tolist()
    intact = table[table["condition"] == "intact"]["response_tokens"].tolist()
    assert intact == generate(model, TEXTS, GREEDY)["response_tokens"].tolist()


def test_only_the_component_in_the_subspace_is_the_donors(llama: LoadedModel) -> None:
    donors = generate(llama, OTHERS[:1], GREEDY)
    donor, s = record_donor(llama, donors, layers=[1]), subspace()
    (own,) = llama.chat.encode(TEXTS[:1])
    seen: list[Tensor] = []

    def look(x: Tensor, hook: Any) -> None:
        del hook
        seen.append(x[0, -1].double())

    for interventions in ([], [Intervention(PatchFrom(donor, s), (1,))]):
        watching = llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", look)])
        with intervene(llama, interventions), watching:
            decode(llama, [own], [0], max_new_tokens=1)
    intact, ours = (x.numpy() for x in seen)
    theirs = donor.activations[1][0, int(donor.prompt_lengths[0]) - 1].double().numpy()
    np.testing.assert_allclose(ours @ s.projector, theirs @ s.projector, atol=1e-5)
    np.testing.assert_allclose(ours - ours @ s.projector, intact - intact @ s.projector, atol=1e-5)


def test_a_recorded_run_is_what_the_model_computes(model: LoadedModel) -> None:
    """Exactly so alone; in a padded batch up to the rounding of matrix products of another shape."""
    responses = generate(model, TEXTS, GREEDY)
    names = {EMBED: "blocks.0.hook_in", 2: "blocks.2.hook_out"}
    together = record_donor(model, responses, layers=[2, EMBED])
    assert list(together.activations) == list(names)
    for i, row in enumerate(responses.to_dict("records")):
        ids = torch.tensor([[*row["prompt_tokens"], *row["response_tokens"]]])
        alone = record_donor(model, responses.iloc[[i]], layers=[2, EMBED])
        with torch.no_grad():
            _, computed = model.bridge.run_with_cache(ids, names_filter=list(names.values()))
        for layer, name in names.items():
            assert torch.equal(alone.activations[layer], computed[name])
            batched = together.activations[layer][i, : ids.shape[1]]
            torch.testing.assert_close(batched, computed[name][0], rtol=0, atol=1e-4)
        lengths = (int(together.prompt_lengths[i]), int(together.lengths[i]))
        assert lengths == (len(row["prompt_tokens"]), ids.shape[1])


def test_patches_print_what_they_do(llama: LoadedModel) -> None:
    tokens = pd.DataFrame({"prompt_tokens": [[5, 6], [7]], "response_tokens": [[], [8]]})
    donor = record_donor(llama, tokens, layers=[0], name="compliant")
    assert str(PatchFrom(donor)) == "PatchFrom(compliant, 2 runs; all)"
    assert repr(PatchFrom(donor, subspace())) == "PatchFrom(compliant, 2 runs; river, rank 4)"


def test_what_cannot_be_recorded_or_patched_is_refused(llama: LoadedModel) -> None:
    tokens = pd.DataFrame({"prompt_tokens": [[5, 6]], "response_tokens": [[]]})
    donor = record_donor(llama, tokens, layers=[0])
    with (
        pytest.raises(InputError, match="has layers 0, not 2"),
        intervene(llama, [Intervention(PatchFrom(donor), (2,))]),
    ):
        pytest.fail("the context must not be entered")
    with pytest.raises(InputError, match="d = 64"):
        PatchFrom(donor, subspace(64))
    for runs, layers, complaint in (
        (tokens.drop(columns="response_tokens"), [0], "prompt_tokens and response_tokens"),
        (tokens.iloc[:0], [0], "at least one row"),
        (tokens, [3], "layers from -1"),
        (tokens, [], r"layers is \[\]"),
        (tokens.assign(prompt_tokens=[[]]), [0], "at least one token"),
    ):
        with pytest.raises(InputError, match=complaint):
            record_donor(llama, runs, layers=layers)


def test_strength_scales_the_move_and_a_placebo_goes_as_far_aside() -> None:
    window = Window(torch.tensor([[0, 1, 2]]), torch.tensor([2]), torch.tensor([0]))
    rng = np.random.default_rng(1)
    donor = Donor(
        activations={0: torch.tensor(rng.normal(size=(1, 3, 32)), dtype=torch.float32)},
        prompt_lengths=torch.tensor([2]),
        lengths=torch.tensor([2]),
        name="made",
    )
    x = torch.tensor(rng.normal(size=(1, 3, 32)), dtype=torch.float32)
    cpu = torch.device("cpu")
    for part in (None, subspace()):
        once, twice = (PatchFrom(donor, part, by).transform(0, cpu)(x, window) - x for by in (1.0, 2.0))
        torch.testing.assert_close(twice, 2 * once)
        patch = PatchFrom(donor, part, 2.0)
        first, again, other = (
            Placebo(patch, seed=seed).transform(0, cpu)(x, window) - x for seed in (0, 0, 1)
        )
        assert torch.equal(first, again) and not torch.allclose(first, other)
        torch.testing.assert_close(first.norm(dim=-1), twice.norm(dim=-1))
        cosine = torch.nn.functional.cosine_similarity(first[0, :2], twice[0, :2], dim=-1)
        assert (cosine.abs() < 0.7).all()
        assert not first[0, 2].any()  # the donor's run has no such token
