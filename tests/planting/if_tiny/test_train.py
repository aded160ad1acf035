"""Training: it learns, it is seeded, it goes on where it was stopped, and what it saves loads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from if_circuits.errors import InputError
from if_circuits.models.loading import load_model
from if_circuits.planting.if_tiny import train as training
from if_circuits.planting.if_tiny.train import Recipe, train
from tests.planting.if_tiny.test_batches import small_tokenizer

RECIPE = Recipe(n_layers=2, d_model=32, n_heads=2, d_mlp=32, steps=30, batch_size=4, warmup_steps=5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train_tokenizer", lambda seed: small_tokenizer())  # noqa: ARG005
    monkeypatch.setattr(training, "LOG_EVERY", 10)
    monkeypatch.setattr(training, "SAVE_EVERY", 10)


def losses(directory: Path) -> list[float]:
    import json

    return [entry["loss"] for entry in json.loads((directory / "training_log.json").read_text())["log"]]


def test_the_loss_falls_and_the_checkpoint_loads_through_the_public_loader(tmp_path: Path) -> None:
    train(RECIPE, tmp_path)
    first, *_, last = losses(tmp_path)
    assert last < first - 0.5
    model = load_model(str(tmp_path))
    assert (model.n_layers, model.d_model) == (2, 32)
    assert model.chat.decode(model.chat.encode(["Write a note."])[0]) == "Write a note."


def test_a_stopped_run_ends_as_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(RECIPE, tmp_path / "whole")

    class Stopped(Exception):
        pass

    honest = training.weighted_loss
    calls = 0

    def stopping(*arguments: object) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 25:
            raise Stopped
        return honest(*arguments)  # pyright: ignore

    monkeypatch.setattr(training, "weighted_loss", stopping)
    with pytest.raises(Stopped):
        train(RECIPE, tmp_path / "stopped")
    monkeypatch.setattr(training, "weighted_loss", honest)
    train(RECIPE, tmp_path / "stopped")

    whole, stopped = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    assert losses(tmp_path / "whole") == losses(tmp_path / "stopped")


def test_another_recipe_does_not_overwrite_a_model(tmp_path: Path) -> None:
    train(RECIPE, tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(InputError, match="another recipe"):
        train(Recipe(steps=2), tmp_path)
    with pytest.raises(InputError, match="finished"):
        train(RECIPE, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
