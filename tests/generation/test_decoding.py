from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from if_circuits.errors import InputError
from if_circuits.generation.decoding import decode
from if_circuits.models.loading import LoadedModel
from tests.checkpoints import load_plain

TEXTS = [
    "Write.",
    "Write a note about the river and the coach.",
    "Hi",
    "Never use the word river, please! " * 4,
]


def with_eos(model: LoadedModel, *eos_ids: int) -> LoadedModel:
    return replace(model, chat=replace(model.chat, eos_ids=eos_ids))


def greedy(model: LoadedModel, prompt: list[int], n: int) -> list[int]:
    """Uncached, unbatched and unpadded: the whole sequence again for each token, through the plain model."""
    plain, ids = load_plain(model.name), list(prompt)
    with torch.no_grad():
        for _ in range(n):
            ids.append(int(plain(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def test_cached_and_batched_equals_uncached_and_single(model: LoadedModel) -> None:
    prompts = model.chat.encode(TEXTS)
    together = decode(model, prompts, range(len(prompts)), max_new_tokens=30)
    assert together == [greedy(model, prompt, 30) for prompt in prompts]


def test_equals_hugging_faces_generate_with_several_ends(model: LoadedModel) -> None:
    prompts = model.chat.encode(TEXTS)
    untied = decode(model, prompts, range(len(prompts)), max_new_tokens=30)
    ends = sorted({untied[0][4], untied[1][15], untied[2][-1]})
    ours = decode(with_eos(model, *ends), prompts, range(len(prompts)), max_new_tokens=30)
    for prompt, response in zip(prompts, ours, strict=True):
        ids = torch.tensor([prompt])
        theirs: Any = model.hf.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=30,
            do_sample=False,
            eos_token_id=ends,
            pad_token_id=3,
        )
        assert response == theirs[0, len(prompt) :].tolist()
    assert {len(response) for response in ours} != {30}
    assert all((response[-1] in ends) or len(response) == 30 for response in ours)


def test_rows_may_come_in_any_order_and_share_prompts(model: LoadedModel) -> None:
    prompts = model.chat.encode(TEXTS)
    once = decode(model, prompts, range(4), max_new_tokens=8)
    assert decode(model, prompts, [3, 1, 1, 0, 2], max_new_tokens=8) == [once[i] for i in (3, 1, 1, 0, 2)]
    assert decode(model, prompts, [2, 0], max_new_tokens=8) == [once[2], once[0]]


def test_rows_that_end_leave_without_touching_the_others(model: LoadedModel) -> None:
    prompts = model.chat.encode(TEXTS)
    endless = decode(model, prompts, range(4), max_new_tokens=20)
    ends = with_eos(model, endless[1][2])
    batches: list[list[int]] = []
    ended = decode(
        ends, prompts, range(4), max_new_tokens=20, on_batch=lambda rows: batches.append(rows.tolist())
    )
    assert ended[1] == endless[1][:3]
    for short, full in zip(ended, endless, strict=True):
        assert short == full[: len(short)]
    assert batches[0] == [0, 1, 2, 3]


def test_rows_that_end_make_room_for_others(model: LoadedModel) -> None:
    """Thirty rows two by two, some of them long: each as if it were alone, in fewer passes than in turn."""
    prompts = model.chat.encode(TEXTS)
    rows, n = [i % 4 for i in range(30)], 40
    noise = torch.from_numpy(np.random.default_rng(0).random((30, n)))
    endless = decode(with_eos(model, -1), prompts, rows, max_new_tokens=n, temperature=1.0, noise=noise)
    # Ends at many lengths, and a row that never ends.
    common = np.bincount(np.concatenate(endless[1:])).argsort()[::-1]
    ends = with_eos(model, *[int(i) for i in common if i not in endless[0]][:2])
    passes: list[int] = []
    told: dict[int, list[int]] = {}
    watcher = model.hf.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        ours = decode(
            ends,
            prompts,
            rows,
            max_new_tokens=n,
            temperature=1.0,
            noise=noise,
            width=2,
            on_end=told.__setitem__,
        )
    finally:
        watcher.remove()
    for full, response in zip(endless, ours, strict=True):
        end = next((i for i, token in enumerate(full) if token in ends.chat.eos_ids), n - 1)
        assert response == full[: end + 1]
    assert [told[number] for number in range(30)] == ours
    lengths = [len(response) for response in ours]
    assert min(lengths) < n == max(lengths)
    in_turn = sum(max(lengths[i : i + 2]) for i in range(0, 30, 2))
    if "sliding" not in str(getattr(model.hf.config, "layer_types", "")):
        assert len(passes) < in_turn


def test_samples_follow_the_models_distribution(llama: LoadedModel) -> None:
    """Chi-square of 20,000 first tokens against softmax(logits / T)."""
    (prompt,) = llama.chat.encode(["Write a note."])
    n, temperature = 20_000, 1.5
    noise = torch.from_numpy(np.random.default_rng(0).random((n, 1)))
    drawn = decode(llama, [prompt], [0] * n, max_new_tokens=1, temperature=temperature, noise=noise)
    with torch.no_grad():
        logits = load_plain(llama.name)(torch.tensor([prompt])).logits[0, -1].double()
    expected = torch.softmax(logits / temperature, -1).numpy() * n
    counts = np.bincount([ids[0] for ids in drawn], minlength=len(expected)).astype(float)
    common = expected >= 5
    assert 20 < common.sum() < len(expected)
    counts, expected = (np.append(v[common], v[~common].sum()) for v in (counts, expected))
    assert stats.chisquare(counts, expected).pvalue > 0.01


@pytest.mark.parametrize("extreme", [0.0, np.nextafter(1.0, 0.0)])
def test_extreme_quantiles_are_tokens_of_the_vocabulary(llama: LoadedModel, extreme: float) -> None:
    (prompt,) = llama.chat.encode(["Hi"])
    noise = torch.full((1, 3), extreme, dtype=torch.float64)
    (ids,) = decode(llama, [prompt], [0], max_new_tokens=3, temperature=1.0, noise=noise)
    assert all(0 <= i < llama.hf.config.vocab_size for i in ids)


def test_overflowing_activations_are_an_error_and_not_a_text(llama: LoadedModel) -> None:
    def overflow(x: torch.Tensor, hook: Any) -> torch.Tensor:
        del hook
        return x * float("inf")

    (prompt,) = llama.chat.encode(["Hi"])
    with (
        llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", overflow)]),
        pytest.raises(InputError, match="float32"),
    ):
        decode(llama, [prompt], [0], max_new_tokens=2)


def test_hooks_of_the_bridge_see_the_prompt_and_then_one_token_a_step(llama: LoadedModel) -> None:
    prompts = llama.chat.encode(TEXTS)
    shapes: list[tuple[int, ...]] = []

    def look(x: torch.Tensor, hook: Any) -> None:
        del hook
        shapes.append(tuple(x.shape))

    with llama.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", look)]):
        decode(llama, prompts, range(4), max_new_tokens=3)
    assert shapes == [(4, max(map(len, prompts)), 32), (4, 1, 32), (4, 1, 32)]
