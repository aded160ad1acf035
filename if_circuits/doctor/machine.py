"""What the machine has, and what a study would take of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from if_circuits.doctor.base import Check
from if_circuits.doctor.probe_prompts import STUDY, longest_prompt, study_prompts
from if_circuits.generation.batch_size import RowBytes, row_bytes
from if_circuits.models.loading import LoadedModel
from if_circuits.models.memory import free_memory, rows_that_fit, weight_bytes
from if_circuits.models.settings import RunSettings
from if_circuits.study.pipeline import PAIRS_PER_TASK
from if_circuits.study.space import activation_bytes
from if_circuits.tasks.registry import get_tasks

GIB = 2**30


@dataclass(frozen=True)
class Estimate:
    """Bytes that a study takes beyond the libraries."""

    weights: int
    row: RowBytes
    """Of a batch that is written, one row."""
    disk: int
    """Activations of all sampled responses."""


def estimate(model: LoadedModel) -> Estimate:
    """What a study with default options takes on this model, at its preset's lengths."""
    usual = RunSettings.of(model.preset)
    prompt = min(longest_prompt(model), max(1, model.context_length - usual.max_new_tokens))
    n_layers = model.n_layers + 1 if usual.layers is None else len(usual.layers)
    # Prompts with their twins, sampled, and the counterfactual pairs.
    n_responses = 2 * len(study_prompts(model)) * STUDY.samples_per_prompt
    n_responses += 2 * PAIRS_PER_TASK * len(get_tasks())
    return Estimate(
        weights=weight_bytes(model),
        row=row_bytes(model, prompt=prompt, new=usual.max_new_tokens),
        disk=activation_bytes(n_responses, n_layers, model.d_model, dtype="float32"),
    )


def check_memory(model: LoadedModel) -> Check:
    """Whether a study fits into memory, and its activations onto the disk."""
    needs, free, disk = estimate(model), free_memory(model.device), shutil.disk_usage(Path.cwd()).free
    usual = model.preset.batch_size
    batch = rows_that_fit(free, needs.row.total, most=usual)
    seen = (
        f"{_size(needs.weights)} of weights, which are loaded; a batch of {batch} takes "
        f"{_size(batch * needs.row.cache)} of keys and values and {_size(batch * needs.row.work)} of scores "
        "and logits "
        f"({'unknown' if free is None else _size(free)} free); activations take {_size(needs.disk)} on disk "
        f"({_size(disk)} free here)"
    )
    advice: list[str] = []
    if batch < usual:
        advice.append(f"a study takes batches of {batch} here in place of {usual}")
    if over := free is not None and needs.row.total > free:
        advice.append("use --dtype bfloat16, a smaller model, or a machine with more memory")
    if needs.disk > 0.9 * disk:
        advice.append("choose --out on a larger disk, or fewer --layers or --base-queries")
    status = "fail" if over or needs.disk > disk else "warn" if advice else "pass"
    return Check("memory", status, "; ".join([seen, *advice]))


def _size(n: int) -> str:
    return f"{n / GIB:.1f} GiB" if n >= GIB else f"{n / 2**20:.0f} MiB"
