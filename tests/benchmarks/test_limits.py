"""What is counted is what torch counts; what is said to be needed is needed."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from if_circuits.models.loading import load_model, load_plain
from tests.benchmarks.generation import BRIDGE, HF, OWN, Case, measured
from tests.benchmarks.limits import (
    Matrices,
    Passes,
    copy_bound,
    gram_bound,
    matrix_bound,
    texts,
    writing,
)


@pytest.fixture(scope="module")
def pair():
    """if-tiny in its bridge, and as Hugging Face has it."""
    model = load_model("if-tiny")
    return model, load_plain(model)


def counted(work) -> int:
    """FLOPs as torch counts them, without those that turn positions into angles."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        work()
    by_module = counter.get_flop_counts()
    angles = sum(sum(ops.values()) for name, ops in by_module.items() if name.endswith("rotary_emb"))
    return counter.get_total_flops() - angles


def test_flops_of_a_pass_are_those_that_torch_counts(pair):
    _, hf = pair
    rows, length = 3, 11
    ids = torch.arange(5, 5 + rows * length).reshape(rows, length)
    # Torch's pass lays out every score, those of later tokens among them.
    passes = Passes(rows * length, rows * length, attended=rows * length**2, logits=rows * length)
    assert Matrices.of(hf).flops(passes) == counted(lambda: hf(input_ids=ids, use_cache=False))


def test_flops_of_logits_are_of_the_tokens_that_need_them(pair):
    _, hf = pair
    ids = torch.arange(5, 16)[None]
    passes = Passes(11, 11, attended=121, logits=1)
    assert Matrices.of(hf).flops(passes) == counted(
        lambda: hf(input_ids=ids, use_cache=False, logits_to_keep=1)
    )


def test_the_products_that_are_timed_are_those_of_a_pass_without_attention(pair):
    matrices = Matrices.of(pair[1])
    for logits in (False, True):
        once = matrices.flops(Passes(16, 16, attended=0, logits=16 * logits))
        assert counted(matrices.products(16, logits=logits)) == once


def test_a_bound_holds_all_flops_of_its_passes(pair):
    matrices = Matrices.of(pair[1])
    passes = Passes(32, 3200, attended=64_000, logits=3200)
    bound = matrix_bound(matrices, passes)
    (part,) = bound.parts
    assert part.times * counted(part.work) == pytest.approx(matrices.flops(passes))
    assert bound.amount == matrices.flops(passes) / 1e9


def test_a_step_is_one_token_of_each_row_and_the_first_comes_from_the_prompt():
    start = list(range(40))
    responses = pd.DataFrame(
        {
            "prompt_id": ["a", "a", "b"],
            "prompt_tokens": [[*start, 50, 51], [*start, 50, 51], [*start, 60, 61, 62]],
            "response_tokens": [[7, 8, 2], [9, 2], [7, 8, 8, 2]],
        }
    )
    steps, reading = writing(responses, batch_size=2)
    # Of the first response two tokens are fed back, which attend to 43 and 44 others.
    assert steps == Passes(2, 2 + 1 + 3, attended=(43 + 44) + 43 + (44 + 45 + 46), logits=6)
    # Each prompt once for all of its responses, and what they begin with once for both.
    attended = sum(range(1, 43)) + sum(range(41, 44))
    assert (reading.tokens, reading.attended, reading.logits) == (40 + 2 + 3, attended, 2)


def test_whole_texts_attend_backwards_only():
    assert texts([[1, 2, 3], [4]], batch_size=8) == Passes(4, 4, attended=1 + 2 + 3 + 1, logits=0)


def test_a_gram_matrix_is_of_the_fewer():
    assert gram_bound(np.ones((3, 5))).name.endswith("3 rows")
    assert gram_bound(np.ones((5, 3))).name.endswith("3 columns")


def test_a_copy_counts_what_it_reads_and_what_it_writes():
    (part,) = copy_bound(3e9, at_a_time=2**20).parts
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        part.work()
    copies = sum(event.count for event in profile.key_averages() if event.key == "aten::copy_")
    assert part.times * copies * 2 * 2**20 == pytest.approx(3e9)


@pytest.mark.parametrize(("prompts", "limit"), [(3, "matrix products"), (1, "memory bandwidth")])
def test_all_write_the_same_answers(pair, prompts: int, limit: str):
    """Greedy, up to rounding, of which a few tokens of if-tiny have none that tells."""
    case = Case("if-tiny", prompts, 6, {HF: "> 1", BRIDGE: "> 1", OWN: "> 1"})
    rows = measured(case, *pair, repeats=1)
    assert [row.against for row in rows] == [
        f"{name}, {prompts} of {prompts} answers equal" for name in (HF, BRIDGE, OWN)
    ]
    assert all(row.unit == "tokens/s" and row.ours > 0 for row in rows)
    assert all(row.limit is not None and row.limit.name.startswith(limit) for row in rows)
