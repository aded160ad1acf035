"""The disk space that a study needs, estimated before it begins."""

import shutil
from pathlib import Path

from if_circuits.activations.dtypes import StoredDtype, stored_dtype
from if_circuits.activations.positions import POSITIONS
from if_circuits.activations.precision import held_as
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig
from if_circuits.study.mirror import bytes_at_url
from if_circuits.tasks.registry import get_tasks

BYTES_PER_TOKEN = 16
"""Of ids and text in the tables; a generous guess that matters to no study that is too large."""


def bytes_needed(config: StudyConfig, model: LoadedModel, run_settings: RunSettings) -> int:
    """Bytes of the largest possible study of this configuration: every response as long as can be."""
    prompts = len(get_tasks(config.tasks)) * config.n_base_queries * config.prompts_per_query
    captured = 3 * prompts * config.samples_per_prompt  # constrained, twins and counterfactual pairs
    layers = len(set(run_settings.layers or range(-1, model.n_layers)))
    dtype = stored_dtype(config.store_dtype or "float32", of_model=model.dtype)
    activations = activation_bytes(captured, layers, model.d_model, dtype=dtype)
    return activations + (captured + prompts) * run_settings.max_new_tokens * BYTES_PER_TOKEN


def activation_bytes(rows: int, n_layers: int, d_model: int, *, dtype: StoredDtype) -> int:
    """Bytes of the activations of so many responses at all positions, as a study stores them."""
    return rows * n_layers * len(POSITIONS) * d_model * held_as(dtype).itemsize


def check_space(config: StudyConfig, model: LoadedModel, run_settings: RunSettings, out: Path) -> None:
    """Raise InputError when the disk of `out` has less room than the study may need beyond what it holds."""
    place = next(parent for parent in (out, *out.absolute().parents) if parent.exists())
    held = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) if out.is_dir() else 0
    held += bytes_at_url(out)
    needed, free = bytes_needed(config, model, run_settings) - held, shutil.disk_usage(place).free
    if needed > free:
        raise InputError(
            f"the study may need {needed / 1e9:.1f} GB more and {place} has {free / 1e9:.1f} GB free; choose "
            "another disk, fewer layers (--layers), base queries (--base-queries) or samples (--samples), or "
            "half the bytes a number (--store-dtype bfloat16)"
        )
