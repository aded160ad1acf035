"""Training of if-tiny from scratch on a CPU: `python -m if_circuits.planting.if_tiny.train --out DIR`.

Matrices are trained by Muon (Jordan et al. 2024), everything else by AdamW. Started again in a directory that
holds an unfinished run of the same recipe, it goes on from the last saved step.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from if_circuits.errors import InputError
from if_circuits.planting.if_tiny.batches import TokenBatch, batches
from if_circuits.planting.if_tiny.optimisation import Optimisation
from if_circuits.planting.if_tiny.tokenizer import special_id, train_tokenizer
from if_circuits.threads import torch_threads

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

LOG_EVERY = 100
SAVE_EVERY = 500


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the trained model is."""

    n_layers: int = 6
    d_model: int = 128
    n_heads: int = 4
    d_mlp: int = 256
    initial_std: float = 0.05
    steps: int = 12_000
    batch_size: int = 16
    """Prompts a step, each with several responses."""
    learning_rate: float = 2e-3
    """Of AdamW."""
    muon_learning_rate: float = 0.01
    warmup_steps: int = 200
    seed: int = 0


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model whose vocabulary and special tokens are the tokenizer's."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.d_model,
            intermediate_size=recipe.d_mlp,
            num_hidden_layers=recipe.n_layers,
            num_attention_heads=recipe.n_heads,
            num_key_value_heads=recipe.n_heads,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            initializer_range=recipe.initial_std,
            pad_token_id=special_id(tokenizer, "<pad>"),
            bos_token_id=special_id(tokenizer, "<s>"),
            eos_token_id=special_id(tokenizer, "<|end|>"),
        )
    )


def weighted_loss(model: LlamaForCausalLM, batch: TokenBatch) -> Tensor:
    """Weighted cross-entropy over the response tokens only."""
    hidden = model.model(
        input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
    ).last_hidden_state
    learnt = batch.weights > 0
    losses = functional.cross_entropy(model.lm_head(hidden[learnt]), batch.targets[learnt], reduction="none")
    weights = batch.weights[learnt]
    return (losses * weights).sum() / weights.sum()


def train(recipe: Recipe, out: Path, *, threads: int = 1) -> None:
    """Train and save model, tokenizer and `training_log.json` into `out`.

    Raises InputError if `out` holds a run of another recipe.
    """
    with torch_threads(threads):
        _train(recipe, out)


def _train(recipe: Recipe, out: Path) -> None:
    started = time.monotonic()
    tokenizer = train_tokenizer(recipe.seed)
    model = new_model(recipe, tokenizer)
    optimisation = Optimisation(
        model,
        learning_rate=recipe.learning_rate,
        muon_learning_rate=recipe.muon_learning_rate,
        warmup_steps=recipe.warmup_steps,
        steps=recipe.steps,
    )
    log = _resume(recipe, out, optimisation)
    done = int(log[-1]["step"]) if log else 0
    tokens, spent = (int(log[-1]["tokens"]), log[-1]["seconds"]) if log else (0, 0.0)
    stream = islice(batches(tokenizer, seed=recipe.seed, batch_size=recipe.batch_size), done, recipe.steps)
    losses: list[float] = []
    console = Console(stderr=True)
    progress = track(stream, total=recipe.steps - done, description="training if-tiny", console=console)
    for step, batch in enumerate(progress, done + 1):
        losses.append(optimisation.step(weighted_loss(model, batch)))
        tokens += int((batch.weights > 0).sum())
        if step % LOG_EVERY == 0 or step == recipe.steps:
            seconds = round(spent + time.monotonic() - started)
            log.append(
                {
                    "step": step,
                    "tokens": tokens,
                    "loss": round(sum(losses) / len(losses), 4),
                    "seconds": seconds,
                }
            )
            console.print(log[-1])
            losses = []
        if step % SAVE_EVERY == 0 or step == recipe.steps:
            save_model(model, tokenizer, out)
            optimisation.save(out / "training_state.safetensors")
            (out / "training_log.json").write_text(
                json.dumps({"recipe": asdict(recipe), "log": log}, indent=1)
            )
    (out / "training_state.safetensors").unlink(missing_ok=True)


def _resume(recipe: Recipe, out: Path, optimisation: Optimisation) -> list[dict[str, Any]]:
    """Bring back an unfinished run; gives its log, empty for a fresh start."""
    state, log = out / "training_state.safetensors", out / "training_log.json"
    if not log.exists():
        return []
    record = json.loads(log.read_text("utf-8"))
    if record["recipe"] != asdict(recipe):
        raise InputError(f"{out} holds a model of another recipe; train into another directory")
    if not state.exists():
        raise InputError(f"{out} holds a finished model; train into another directory")
    optimisation.load(state)
    return record["log"]


def save_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write weights in float16, and the tokenizer."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    halves = {
        name: value.to(torch.float16)
        for name, value in model.state_dict().items()
        if name != "lm_head.weight"
    }
    model.save_pretrained(out, state_dict=halves)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training; ends with the model card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument(
        "--threads", type=int, default=1, help="of the CPU; has no say in the result beyond rounding"
    )
    options = parser.parse_args(arguments)
    train(Recipe(steps=options.steps, seed=options.seed), options.out, threads=options.threads)

    from if_circuits.planting.if_tiny.card import (
        write_card,  # imports TransformerLens, which training does not need
    )

    write_card(options.out)


if __name__ == "__main__":
    main()
