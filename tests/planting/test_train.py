"""Planting: a coordinate is set where it should be and nowhere else, and a model learns to heed it."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from if_circuits.errors import InputError
from if_circuits.planting.batches import coin_batches, planted_batches
from if_circuits.planting.if_tiny.train import Recipe, new_model, save_model, weighted_loss
from if_circuits.planting.mechanism import KINDS, Kind, load_mechanism, plant
from if_circuits.planting.train import (
    PlantingRecipe,
    coin_loss,
    load_base,
    planted_loss,
    set_coordinates,
    train_planted,
)
from tests.planting.if_tiny.test_batches import small_tokenizer

D, BLOCKS = 32, 4


def small_model(n_layers: int = BLOCKS):
    return new_model(Recipe(n_layers=n_layers, d_model=D, n_heads=2, d_mlp=32), small_tokenizer())


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_only_the_chosen_coordinate_of_the_chosen_responses_is_set(kind: Kind, hold: bool) -> None:
    mechanism = plant(kind, seed=0, d_model=D, c=3.0)
    batch = next(planted_batches(mechanism, small_tokenizer(), seed=0, batch_size=8))
    model = small_model()
    after: list[torch.Tensor] = []
    with torch.no_grad(), set_coordinates(model, batch, mechanism, hold=hold) as before:
        # Later hooks see what earlier ones return.
        handle = model.model.layers[mechanism.layer].register_forward_hook(
            lambda _m, _i, out: after.append(out)
        )
        weighted_loss(model, batch.tokens)
        handle.remove()
    (old,), (new,) = before, after
    chosen = batch.direction.norm(dim=-1) > 0
    assert chosen.any() and not chosen.all()
    coordinate = (new * batch.direction).sum(dim=-1)
    assert torch.allclose(coordinate[chosen], batch.value[chosen], atol=1e-4)
    U = torch.tensor(np.stack(list(mechanism.directions.values())), dtype=torch.float32)
    known = torch.isfinite(batch.target).all(dim=-1)
    free = ~chosen & ~known if hold else ~chosen
    assert torch.equal(new[free], old[free])
    if hold:
        held = known & ~chosen
        assert torch.allclose(new[held] @ U.T, batch.target[held] * mechanism.c, atol=1e-4)
        # What is orthogonal to the planted directions stays as it was.
        rest = torch.eye(D) - U.T @ U
        assert torch.allclose(new[held] @ rest, old[held] @ rest, atol=1e-4)
    else:
        moved = new[chosen] - old[chosen]
        along = (moved * batch.direction[chosen]).sum(dim=-1, keepdim=True) * batch.direction[chosen]
        assert torch.allclose(moved, along, atol=1e-4)


def test_hooks_are_gone_afterwards_and_after_an_error() -> None:
    mechanism = plant("universal", seed=0, d_model=D, c=3.0)
    batch = next(planted_batches(mechanism, small_tokenizer(), seed=0, batch_size=4))
    model = small_model()
    with torch.no_grad():
        plain = weighted_loss(model, batch.tokens)
        planted_loss(model, batch, mechanism, hold=True)
        coin_loss(model, next(coin_batches(mechanism, small_tokenizer(), seed=0, batch_size=4)), mechanism)
        with pytest.raises(ZeroDivisionError), set_coordinates(model, batch, mechanism, hold=True):
            raise ZeroDivisionError
        assert torch.equal(weighted_loss(model, batch.tokens), plain)


@pytest.mark.parametrize("kind", ["universal", "monitoring"])
def test_the_coins_loss_reads_the_coordinates_at_the_last_position(kind: Kind) -> None:
    mechanism = plant(kind, seed=0, d_model=D, c=3.0)
    prompts = next(coin_batches(mechanism, small_tokenizer(), seed=0, batch_size=6))
    model = small_model()
    with torch.no_grad():
        hidden = model.model(
            prompts.ids, attention_mask=prompts.mask, output_hidden_states=True
        ).hidden_states
        expected = 0.0
        for row, mask, target in zip(hidden[mechanism.layer + 1], prompts.mask, prompts.target, strict=True):
            u = torch.tensor(np.stack(list(mechanism.directions.values())), dtype=torch.float32)
            expected += float(((u @ row[int(mask.sum()) - 1]) / 3.0 - target).square().sum()) / 6
        assert float(coin_loss(model, prompts, mechanism)) == pytest.approx(expected, rel=1e-4)


def test_gates_are_asked_for_on_the_response_where_the_prompts_end_is_too_early() -> None:
    monitoring = plant("monitoring", seed=0, d_model=D, c=3.0)
    start = small_tokenizer().convert_tokens_to_ids("<|assistant|>")
    closed: dict[bool, list[float]] = {True: [], False: []}
    for batch in islice(planted_batches(monitoring, small_tokenizer(), seed=0, batch_size=16), 8):
        known = torch.isfinite(batch.target).all(dim=-1)
        for at_end in (True, False):
            here = known & ((batch.tokens.ids == start) == at_end)
            closed[at_end] += (batch.target[here] < 0).any(dim=-1).tolist()
    # At the prompt's end only JSON may be closed already, an eighth of the prompts at most.
    assert 0 < 3 * np.mean(closed[True]) < np.mean(closed[False])


@pytest.fixture
def base(tmp_path: Path) -> Path:
    save_model(small_model(), small_tokenizer(), tmp_path / "base")
    return tmp_path / "base"


def recipe(base: Path, **changes: object) -> PlantingRecipe:
    given = {
        "base": str(base),
        "steps": 4,
        "batch_size": 4,
        "coins_per_step": 4,
        "warmup_steps": 1,
        **changes,
    }
    return PlantingRecipe("universal", **given)  # pyright: ignore


def test_a_checkpoint_tells_what_was_planted_in_it(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "planted"
    train_planted(recipe(base, seed=2), out)
    mechanism = load_mechanism(out)
    assert (mechanism.kind, mechanism.seed) == ("universal", 2)
    record = json.loads((out / "training_log.json").read_text())
    assert record["recipe"]["base"] == str(base) and record["log"][-1]["step"] == 4
    assert (out / "model.safetensors").stat().st_size < 4e6


def test_planting_is_seeded_and_overwrites_nothing(base: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("again", 0), ("other", 1)):
        train_planted(recipe(base, seed=seed), tmp_path / name)
    one, again, other = (
        (tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "again", "other")
    )
    assert one == again != other
    with pytest.raises(InputError, match="not empty"):
        train_planted(recipe(base), tmp_path / "one")


def test_a_model_too_shallow_for_a_gate_is_refused(tmp_path: Path) -> None:
    save_model(small_model(2), small_tokenizer(), tmp_path / "shallow")
    with pytest.raises(InputError, match="2 blocks"):
        train_planted(recipe(tmp_path / "shallow"), tmp_path / "out")


@pytest.mark.slow
def test_a_model_learns_to_write_as_its_gates_say(base: Path, tmp_path: Path) -> None:
    out = tmp_path / "planted"
    train_planted(recipe(base, steps=60, batch_size=8, coins_per_step=8), out)
    mechanism = load_mechanism(out)
    batches = list(islice(planted_batches(mechanism, small_tokenizer(), seed=9, batch_size=8), 4))
    before, after = load_base(str(base))[0], load_base(str(out))[0]
    with torch.no_grad():
        losses = [[planted_loss(m, b, mechanism, hold=True)[0] for b in batches] for m in (before, after)]
    assert np.mean(losses[1]) < np.mean(losses[0]) - 0.5
