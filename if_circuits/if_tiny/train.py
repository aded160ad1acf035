"""Training of if-tiny from scratch on a CPU: `python -m if_circuits.if_tiny.train --out DIR`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from if_circuits.if_tiny.batches import Batch, batches
from if_circuits.if_tiny.tokenizer import train_tokenizer

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what the trained model is."""

    n_layers: int = 6
    d_model: int = 128
    n_heads: int = 4
    d_mlp: int = 256
    initial_std: float = 0.05
    steps: int = 4_500
    batch_size: int = 48
    learning_rate: float = 2e-3
    muon_learning_rate: float = 0.02
    warmup_steps: int = 200
    seed: int = 0
    threads: int = 1


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
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def weighted_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Weighted cross-entropy over the response tokens only."""
    hidden = model.model(
        input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
    ).last_hidden_state
    learnt = batch.weights > 0
    losses = functional.cross_entropy(model.lm_head(hidden[learnt]), batch.targets[learnt], reduction="none")
    weights = batch.weights[learnt]
    return (losses * weights).sum() / weights.sum()


def train(recipe: Recipe, out: Path) -> None:
    """Train and save model, tokenizer and `training_log.json` into `out`."""
    torch.set_num_threads(recipe.threads)
    started = time.monotonic()
    tokenizer = train_tokenizer(recipe.seed)
    model = new_model(recipe, tokenizer)
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers: list[torch.optim.Optimizer] = [torch.optim.AdamW(others, lr=recipe.learning_rate, betas=(0.9, 0.98))]
    if recipe.muon_learning_rate:
        optimizers.append(torch.optim.Muon(matrices, lr=recipe.muon_learning_rate, weight_decay=0.0))
    else:
        optimizers[0].add_param_group({"params": matrices})
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _schedule(step, recipe)) for optimizer in optimizers
    ]
    log: list[dict[str, float]] = []
    tokens, losses = 0, []
    for step, batch in enumerate(batches(tokenizer, seed=recipe.seed, batch_size=recipe.batch_size), 1):
        loss = weighted_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        tokens += int((batch.weights > 0).sum())
        losses.append(loss.item())
        if step % 50 == 0:
            log.append({"step": step, "tokens": tokens, "loss": round(sum(losses) / len(losses), 4), "seconds": round(time.monotonic() - started)})
            losses = []
            print(log[-1], flush=True)
        if step % 1000 == 0 or step == recipe.steps:
            _save(model, tokenizer, out, recipe, log)
        if step == recipe.steps:
            return


def _schedule(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear decay to zero."""
    return min((step + 1) / recipe.warmup_steps, max(0.0, (recipe.steps - step) / (recipe.steps - recipe.warmup_steps)))


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path, recipe: Recipe, log: list[dict[str, float]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(out)
    state = {name: value.to(torch.float16) for name, value in model.state_dict().items() if name != "lm_head.weight"}
    model.save_pretrained(out, state_dict=state)
    (out / "training_log.json").write_text(json.dumps({"recipe": asdict(recipe), "log": log}, indent=1))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--threads", type=int, default=Recipe.threads)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--muon", type=float, default=Recipe.muon_learning_rate)
    options = parser.parse_args(arguments)
    train(Recipe(steps=options.steps, threads=options.threads, seed=options.seed, muon_learning_rate=options.muon), options.out)


if __name__ == "__main__":
    main()
