"""What the machine has, and what a study would take of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from if_circuits.activations.positions import POSITIONS
from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import STUDY, longest_prompt, study_prompts
from if_circuits.generation.batch import Batch
from if_circuits.models.loading import LoadedModel
from if_circuits.models.memory import free_memory, weight_bytes
from if_circuits.models.settings import RunSettings
from if_circuits.study.pipeline import PAIRS_PER_TASK
from if_circuits.tasks.registry import get_tasks

GIB = 2**30
_FLOAT32 = 4


@dataclass(frozen=True)
class Estimate:
    """Bytes that a study takes beyond the libraries."""

    weights: int
    cache: int
    """Keys and values of one full batch."""
    scores: int
    """Attention scores of one layer and the logits of one batch, which are computed explicitly."""
    disk: int
    """Activations of all sampled responses."""


def estimate(model: LoadedModel) -> Estimate:
    """What a study with default options takes on this model, at its preset's batch size and lengths."""
    config, usual = model.hf.config, RunSettings.of(model.preset)
    length = min(longest_prompt(model) + usual.max_new_tokens, model.context_length)
    batch = usual.batch_size
    scores = batch * int(model.bridge.cfg.n_heads) * length**2 * _FLOAT32
    # Float32 shares, their float64 sums, and the logits themselves.
    logits = batch * int(config.get_text_config().vocab_size) * (2 * _FLOAT32 + 8)
    n_layers = model.n_layers + 1 if usual.layers is None else len(usual.layers)
    # Prompts with their twins, sampled, and the counterfactual pairs.
    n_responses = 2 * len(study_prompts(model)) * STUDY.samples_per_prompt
    n_responses += 2 * PAIRS_PER_TASK * len(get_tasks())
    return Estimate(
        weights=weight_bytes(model),
        cache=batch * length * _cache_bytes_per_token(model),
        scores=2 * scores + logits,
        disk=n_responses * n_layers * len(POSITIONS) * model.d_model * _FLOAT32,
    )


def check_memory(model: LoadedModel) -> Check:
    """Whether a study fits into memory, and its activations onto the disk."""
    needs, free, disk = estimate(model), free_memory(model.device), shutil.disk_usage(Path.cwd()).free
    working, batch = needs.cache + needs.scores, RunSettings.of(model.preset).batch_size
    seen = (
        f"{_size(needs.weights)} of weights, which are loaded; a batch of {batch} takes "
        f"{_size(needs.cache)} of keys and values and {_size(needs.scores)} of scores and logits "
        f"({'unknown' if free is None else _size(free)} free); activations take {_size(needs.disk)} on disk "
        f"({_size(disk)} free here)"
    )
    advice: list[str] = []
    if free is not None and working > 0.8 * free:
        advice.append("use a smaller --batch-size, or --dtype bfloat16")
    if needs.disk > 0.9 * disk:
        advice.append("choose --out on a larger disk, or fewer --layers or --base-queries")
    over = (free is not None and working > free) or needs.disk > disk
    status = "fail" if over else "warn" if advice else "pass"
    return Check("memory", status, "; ".join([seen, *advice]))


def _cache_bytes_per_token(model: LoadedModel) -> int:
    """Measured on one prompt: grouped queries, sliding windows and the like differ."""
    (row,) = model.chat.encode(["Write a short note."])
    with torch.no_grad():
        batch = Batch(model, [row], torch.zeros(1, dtype=torch.long, device=model.device), 1, None)
        batch.read_prompts()
    return batch.cache_bytes() // len(row)


def _size(n: int) -> str:
    return f"{n / GIB:.1f} GiB" if n >= GIB else f"{n / 2**20:.0f} MiB"
