import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from if_circuits.models.fingerprint import fingerprint
from if_circuits.models.loading import LoadedModel, load_model
from tests.checkpoints import load_plain


@pytest.fixture
def parts(checkpoint: Callable[[str], Path]) -> tuple[Any, Any]:
    directory = checkpoint("llama")
    return load_plain(directory), PreTrainedTokenizerFast.from_pretrained(directory)


def test_the_same_files_elsewhere_are_the_same_model(
    llama: LoadedModel, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    copied = shutil.copytree(checkpoint("llama"), tmp_path / "elsewhere")
    assert load_model(str(copied)).fingerprint == llama.fingerprint


def test_one_changed_weight_makes_another_model(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    before = fingerprint(model, tokenizer)
    with torch.no_grad():
        model.model.layers[2].mlp.down_proj.weight[3, 4] += 1e-3
    assert fingerprint(model, tokenizer) != before


def test_another_template_token_or_configuration_makes_another_model(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    seen = {fingerprint(model, tokenizer)}
    tokenizer.chat_template += " "
    seen.add(fingerprint(model, tokenizer))
    tokenizer.add_tokens(["<new>"])
    seen.add(fingerprint(model, tokenizer))
    model.config.rms_norm_eps = 1e-3
    seen.add(fingerprint(model, tokenizer))
    assert len(seen) == 4


def test_precision_counts(llama: LoadedModel) -> None:
    assert load_model(llama.name, dtype="bfloat16").fingerprint != llama.fingerprint
