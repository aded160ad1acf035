import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from if_circuits.generation.decoding import decode
from if_circuits.generation.nucleus import nucleus
from if_circuits.models.loading import LoadedModel


@settings(max_examples=200)
@given(
    weights=st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(any),
    top_p=st.floats(0.01, 0.999),
    sharpness=st.sampled_from([1.0, 3.0, 8.0]),
)
def test_the_kept_are_the_fewest_likeliest_that_have_the_mass(
    weights: list[int], top_p: float, sharpness: float
) -> None:
    row = torch.tensor(weights, dtype=torch.float64) ** sharpness
    p = (row / row.sum()).float()
    kept = nucleus(p[None], top_p)[0]
    inside = kept > 0
    # What is kept is as it was, and nothing left out is likelier than, or as likely as, what is kept.
    assert torch.equal(kept[inside], p[inside])
    least = p[inside].min()
    assert torch.equal(inside, p >= least)
    # It has the mass; without its least likely tokens it has not. Bounds: sums of 40 float32 numbers.
    assert p[inside].double().sum() >= top_p - 1e-6
    assert p[p > least].double().sum() < top_p + 1e-6


def test_one_leaves_all_and_a_tiny_mass_the_likeliest_alone() -> None:
    p = torch.tensor([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])
    assert nucleus(p, 1.0) is p
    assert nucleus(p, 0.01).tolist() == [[0.0, 0.5, 0.0], [1.0, 0.0, 0.0]]


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    p = torch.softmax(3 * torch.randn(16, 500, generator=torch.Generator().manual_seed(0)), -1)
    alone = torch.cat([nucleus(row[None], 0.9) for row in p])
    assert torch.equal(nucleus(p, 0.9), alone)


def test_sampled_tokens_follow_the_distribution_of_the_nucleus_renormalised(llama: LoadedModel) -> None:
    """4000 evenly spaced quantiles of the first token: the count of each token is its share within one."""
    (prompt,) = llama.chat.encode(["Write a note."])
    n, top_p = 4000, 0.7
    noise = (torch.arange(n, dtype=torch.float64)[:, None] + 0.5) / n
    drawn = decode(llama, [prompt], [0] * n, max_new_tokens=1, temperature=1.5, top_p=top_p, noise=noise)
    with torch.no_grad():
        logits = llama.hf(input_ids=torch.tensor([prompt])).logits[0, -1].double()
    order = torch.softmax(logits / 1.5, -1).sort(descending=True)
    n_kept = int((order.values.cumsum(0) < top_p).sum()) + 1
    expected = np.zeros(len(logits))
    kept = order.indices[:n_kept].numpy()
    expected[kept] = (order.values[:n_kept] / order.values[:n_kept].sum()).numpy() * n
    counts = np.bincount([ids[0] for ids in drawn], minlength=len(expected))
    assert 3 < n_kept < len(logits)
    assert np.abs(counts - expected).max() < 1.01


def test_without_top_p_the_samples_are_what_they_were(llama: LoadedModel) -> None:
    prompts = llama.chat.encode(["Write a note.", "Hi"])
    noise = torch.from_numpy(np.random.default_rng(0).random((4, 12)))
    rows = [0, 0, 1, 1]
    usual = decode(llama, prompts, rows, max_new_tokens=12, temperature=1.2, noise=noise)
    assert usual == decode(llama, prompts, rows, max_new_tokens=12, temperature=1.2, top_p=1.0, noise=noise)
    assert usual != decode(llama, prompts, rows, max_new_tokens=12, temperature=1.2, top_p=0.5, noise=noise)
