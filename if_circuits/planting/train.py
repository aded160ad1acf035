"""Planting a mechanism in if-tiny by interchange intervention: `python -m if_circuits.planting.train --kind
K --out DIR`.

While the model reads a response, one coordinate of the residual stream is set from outside, and the model
learns the response that belongs to that setting (interchange intervention training: Geiger et al. 2022); left
alone, a regression holds the coordinates where the mechanism puts them. So the model comes to read its gates
and to write them. `mechanism` says what is planted, `corpus` what is learnt from.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.progress import track
from torch import Tensor

from if_circuits.errors import InputError
from if_circuits.models.loading import locate
from if_circuits.planting.batches import CoinBatch, PlantedBatch, coin_batches, planted_batches
from if_circuits.planting.if_tiny.optimisation import Optimisation
from if_circuits.planting.if_tiny.train import save_model, weighted_loss
from if_circuits.planting.mechanism import KINDS, LAYER, Kind, Mechanism, plant
from if_circuits.threads import torch_threads

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

LOG_EVERY = 50
SAVE_EVERY = 200


@dataclass(frozen=True)
class PlantingRecipe:
    """Everything that decides what the planted model is."""

    kind: Kind
    seed: int = 0
    base: str = "if-tiny"
    """The model that the mechanism is planted in: the embedded one, or a directory with a Llama of at least
    four blocks that follows this library's prompts."""
    steps: int = 1800
    batch_size: int = 16
    """Prompts a step, each with several responses."""
    coins_per_step: int = 64
    """Prompts a step that are read up to the gate only: learning a coin by heart takes many meetings."""
    held_share: float = 0.6
    """Share of the steps, from the first, in which responses that are left alone have their gates held where
    they belong: so the model learns to read them before it has learnt to write them."""
    learning_rate: float = 2e-3
    """Of AdamW."""
    muon_learning_rate: float = 0.008
    warmup_steps: int = 50
    strength: float = 0.5
    """Size of the gate coordinate as a share of the mean norm of if-tiny's residual stream at the layer."""
    regression_weight: float = 0.5


def planted_loss(
    model: LlamaForCausalLM, batch: PlantedBatch, mechanism: Mechanism, *, hold: bool
) -> tuple[Tensor, Tensor]:
    """Loss of the responses under the batch's interventions, and of the coordinates before them, in units of
    c."""
    directions = torch.tensor(np.stack([*mechanism.directions.values()]), dtype=torch.float32)
    with set_coordinates(model, batch, mechanism, hold=hold) as seen:
        language = weighted_loss(model, batch.tokens)
    return language, _regression(seen[0] @ directions.T / mechanism.c, batch.target)


def coin_loss(model: LlamaForCausalLM, prompts: CoinBatch, mechanism: Mechanism) -> Tensor:
    """Loss of the coordinates at the ends of prompts; nothing above the gates is computed."""
    directions = torch.tensor(np.stack([*mechanism.directions.values()]), dtype=torch.float32)
    found: list[Tensor] = []

    def hook(_module: object, _inputs: object, output: Tensor) -> None:
        found.append(output)
        raise _Enough

    handle = cast(Any, model.model.layers[mechanism.layer]).register_forward_hook(hook)
    try:
        model.model(input_ids=prompts.ids, attention_mask=prompts.mask, use_cache=False)
    except _Enough:
        pass
    finally:
        handle.remove()
    ends = found[0][torch.arange(len(prompts.ids)), prompts.mask.sum(dim=1) - 1]
    return _regression(ends @ directions.T / mechanism.c, prompts.target)


class _Enough(Exception):  # noqa: N818 - ends a forward pass; nothing went wrong
    """The layer that was asked for has been reached."""


def _regression(coordinates: Tensor, target: Tensor) -> Tensor:
    """Squared distance to where the coordinates belong, in the mean over positions where that is known."""
    wanted = torch.isfinite(target).all(dim=-1)
    return (coordinates[wanted] - target[wanted]).square().sum(dim=-1).mean()


@contextmanager
def set_coordinates(
    model: LlamaForCausalLM, batch: PlantedBatch, mechanism: Mechanism, *, hold: bool
) -> Generator[list[Float[Tensor, "batch pos d_model"]]]:
    """Set the batch's coordinates behind the mechanism's block, and with `hold` those that are left alone as
    well.

    The list receives the residual stream as it was before.
    """
    directions = torch.tensor(np.stack([*mechanism.directions.values()]), dtype=torch.float32)
    seen: list[Tensor] = []

    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
        seen.append(output)
        if hold:
            away = batch.target * mechanism.c - output @ directions.T
            output = output + torch.nan_to_num(away) @ directions
        coordinate = (output * batch.direction).sum(dim=-1)
        return output + (batch.value - coordinate)[..., None] * batch.direction

    handle = cast(Any, model.model.layers[mechanism.layer]).register_forward_hook(hook)
    try:
        yield seen
    finally:
        handle.remove()


def load_base(base: str) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model that a mechanism is planted in, ready to be trained on. Raises InputError if it is too
    shallow."""
    from transformers import AutoTokenizer, LlamaForCausalLM

    directory = locate(base).source
    model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
    if model.config.num_hidden_layers < LAYER + 2:
        raise InputError(
            f"{base} has {model.config.num_hidden_layers} blocks; at least {LAYER + 2} are needed: "
            f"{LAYER + 1} to write the gates and one to read them"
        )
    return model, cast("PreTrainedTokenizerFast", AutoTokenizer.from_pretrained(directory))


def mean_norm(model: LlamaForCausalLM, batches: Sequence[PlantedBatch], mechanism: Mechanism) -> float:
    """Mean norm of the residual stream behind the planted layer, over prompt ends and response tokens."""
    found: list[Tensor] = []
    for batch in batches:
        with torch.no_grad(), set_coordinates(model, batch, mechanism, hold=False) as seen:
            weighted_loss(model, batch.tokens)
        found.append(seen[0][batch.tokens.weights > 0].norm(dim=-1))
    return float(torch.cat(found).mean())


def train_planted(recipe: PlantingRecipe, out: Path, *, threads: int = 1) -> None:
    """Plant the recipe's mechanism in if-tiny; save model, tokenizer, mechanism and `training_log.json` into
    `out`.

    Raises InputError if `out` holds something already.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty; plant into another directory")
    out.mkdir(parents=True, exist_ok=True)
    with torch_threads(threads), torch.random.fork_rng(devices=[]):
        _train(recipe, out)


def _train(recipe: PlantingRecipe, out: Path) -> None:
    torch.manual_seed(recipe.seed)
    started = time.monotonic()
    model, tokenizer = load_base(recipe.base)
    d_model = int(model.config.hidden_size)
    unscaled = plant(recipe.kind, seed=recipe.seed, d_model=d_model, c=1.0)
    few = list(islice(planted_batches(unscaled, tokenizer, seed=recipe.seed, batch_size=16), 8))
    c = recipe.strength * mean_norm(model, few, unscaled)
    mechanism = plant(recipe.kind, seed=recipe.seed, d_model=d_model, c=c)
    optimisation = Optimisation(
        model,
        learning_rate=recipe.learning_rate,
        muon_learning_rate=recipe.muon_learning_rate,
        warmup_steps=recipe.warmup_steps,
        steps=recipe.steps,
    )
    stream = planted_batches(mechanism, tokenizer, seed=recipe.seed, batch_size=recipe.batch_size)
    console = Console(stderr=True)
    log: list[dict[str, Any]] = []
    losses: list[tuple[float, float, float]] = []
    coins = coin_batches(mechanism, tokenizer, seed=recipe.seed, batch_size=recipe.coins_per_step)
    batches = track(
        islice(stream, recipe.steps),
        total=recipe.steps,
        description=f"planting {recipe.kind}",
        console=console,
    )
    for step, batch in enumerate(batches, 1):
        held = step <= recipe.held_share * recipe.steps
        language, coordinates = planted_loss(model, batch, mechanism, hold=held)
        by_heart = coin_loss(model, next(coins), mechanism)
        optimisation.step(language + recipe.regression_weight * (coordinates + by_heart))
        losses.append((float(language.detach()), float(coordinates.detach()), float(by_heart.detach())))
        if step % LOG_EVERY == 0 or step == recipe.steps:
            means = [round(sum(column) / len(losses), 4) for column in zip(*losses, strict=True)]
            log.append(
                {
                    "step": step,
                    **dict(zip(("loss", "coordinate_loss", "coin_loss"), means, strict=True)),
                    "seconds": round(time.monotonic() - started),
                }
            )
            console.print(log[-1])
            losses = []
        if step % SAVE_EVERY == 0 or step == recipe.steps:
            save_model(model, tokenizer, out)
            mechanism.save(out)
            record = {"recipe": asdict(recipe), "log": log}
            (out / "training_log.json").write_text(json.dumps(record, indent=1), "utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the planting; ends with the model card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--base", default=PlantingRecipe.base, help="default: the embedded if-tiny")
    parser.add_argument("--steps", type=int, default=PlantingRecipe.steps)
    parser.add_argument("--seed", type=int, default=PlantingRecipe.seed)
    options = parser.parse_args(arguments)
    recipe = PlantingRecipe(options.kind, seed=options.seed, base=options.base, steps=options.steps)
    train_planted(recipe, options.out)

    from if_circuits.planting.card import write_planted_card  # imports TransformerLens

    write_planted_card(options.out)


if __name__ == "__main__":
    main()
