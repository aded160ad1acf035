"""What a response takes is known beforehand, and batches shrink where that is not free."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
import torch

from if_circuits.activations import teacher_forcing
from if_circuits.activations.teacher_forcing import usual_reading_size
from if_circuits.generation import batch_size, respond
from if_circuits.generation.batch import Batch
from if_circuits.generation.batch_size import longest_prompt, row_bytes, usual_batch_size
from if_circuits.models.loading import LoadedModel
from tests.checkpoints import ARCHITECTURES

TEXTS = ["Write a short note about the river.", "Sound positive!", "Answer as a JSON object."]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_cache_of_a_row_is_no_larger_than_was_reckoned(
    architecture: str, load: Callable[[str], LoadedModel]
) -> None:
    model = load(architecture)
    (prompt,) = model.chat.encode(TEXTS[:1])
    new = 6
    with torch.no_grad():
        batch = Batch(model, [prompt, prompt], torch.zeros(2, dtype=torch.long), new, None)
        batch.read_prompts()
    filled = batch.cache_bytes() // 2  # of a row, so far
    reckoned = row_bytes(model, prompt=len(prompt), new=new).cache
    columns = len(prompt) + new + 32 if batch.can_be_joined else len(prompt)
    assert reckoned >= filled // len(prompt) * columns
    if batch.can_be_joined:
        assert reckoned == filled // len(prompt) * columns


def test_the_longest_prompt_is_that_of_the_texts(llama: LoadedModel) -> None:
    assert longest_prompt(llama, TEXTS) == max(map(len, llama.chat.encode(TEXTS)))
    assert longest_prompt(llama, []) == 1


def with_free(monkeypatch: pytest.MonkeyPatch, free: int | None) -> None:
    for module in (batch_size, teacher_forcing):
        monkeypatch.setattr(module, "free_memory", lambda _: free)


def test_batches_shrink_with_the_free_memory_and_a_warning_says_so(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = row_bytes(llama, prompt=20, new=10).total
    sizes: list[int] = []
    with caplog.at_level(logging.WARNING):
        for free in (None, 100 * row, 5 * row, 1):
            with_free(monkeypatch, free)
            sizes.append(usual_batch_size(llama, prompt=20, new=10))
    assert sizes == [llama.preset.batch_size, 64, 4, 1]
    assert [f"batches of {size}, since 64 rows" in each.message for size, each in zip((4, 1), caplog.records)]
    assert len(caplog.records) == 2


def test_only_a_gpu_reads_all_rows_of_a_batch_at_once(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, 1)
    assert usual_reading_size(llama, length=30, n_layers=4) == llama.preset.batch_size
    assert usual_reading_size(replace(llama, device="cuda"), length=30, n_layers=4) == 1


def test_answers_are_the_same_where_memory_is_short(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = respond.respond(llama, TEXTS, max_new_tokens=6, samples=2)
    with_free(monkeypatch, 1)
    widths: list[int] = []
    real = respond.generate
    monkeypatch.setattr(
        respond,
        "generate",
        lambda *given, **more: (widths.append(given[2].batch_size), real(*given, **more))[1],
    )
    pd.testing.assert_frame_equal(respond.respond(llama, TEXTS, max_new_tokens=6, samples=2), usual)
    assert widths == [1]
