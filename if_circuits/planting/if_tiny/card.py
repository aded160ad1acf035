"""The model card of if-tiny: what it is, how it was trained, and its measured compliance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.planting.if_tiny.corpus import CARELESSNESS, corpus_judges, training_words
from if_circuits.tasks.labels import is_satisfied
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

N_BASE_QUERIES = 80
PROMPTS_PER_QUERY = 3
MAX_NEW_TOKENS = 64


def write_card(directory: Path) -> None:
    """Measure the checkpoint in `directory` on held-out prompts and write its README.md beside it."""
    model = load_model(str(directory))
    training = json.loads((directory / "training_log.json").read_text("utf-8"))
    (directory / "README.md").write_text(_card(measure_compliance(model), training), "utf-8")


def measure_compliance(model: LoadedModel) -> pd.DataFrame:
    """Share of satisfied responses to held-out prompts, one row a task.

    Columns: sampled at temperature 1 and 0.7, greedy, of responses to the unconstrained twin (temperature 1),
    of prompts that ask for a word never asked for in training (term_inclusion only), and n.
    """
    prompts = build_prompts(
        get_tasks(),
        n_base_queries=N_BASE_QUERIES,
        prompts_per_query=PROMPTS_PER_QUERY,
        seed=1,
        held_out_only=True,
    )
    passes = {
        "temperature 1": (prompts[prompts.constrained], 1.0),
        "temperature 0.7": (prompts[prompts.constrained], 0.7),
        "greedy": (prompts[prompts.constrained], 0.0),
        "unasked": (prompts[~prompts.constrained], 1.0),
    }
    columns: dict[str, Any] = {}
    for name, (asked, temperature) in passes.items():
        config = GenerationConfig(MAX_NEW_TOKENS, temperature=temperature, batch_size=256)
        responses = verify(generate(model, asked.reset_index(drop=True), config), corpus_judges())
        satisfied = pd.Series(is_satisfied(responses), index=responses.index)
        columns[name] = satisfied.groupby(responses["task"], sort=False).mean()
        if name == "temperature 1":
            columns["unseen words"] = (
                satisfied[~_asked_in_training(responses)].groupby(responses["task"]).mean()
            )
    counts = prompts[prompts.constrained].groupby("task", sort=False).size()
    return pd.DataFrame(columns).reindex(counts.index).assign(n=counts)


def _asked_in_training(responses: pd.DataFrame) -> pd.Series[bool]:
    asked = set(training_words())
    return responses["parameters"].map(lambda text: json.loads(str(text)).get("word", "") in {"", *asked})


def _card(compliance: pd.DataFrame, training: dict[str, Any]) -> str:
    shown = compliance.drop(columns="unseen words").reset_index()
    rows = [f"| {' | '.join(shown.columns)} | carelessness |", f"|{'---|' * (len(shown.columns) + 1)}"]
    for row in shown.itertuples(index=False):
        cells = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in row]
        rows.append(f"| {' | '.join(cells)} | {CARELESSNESS[str(row[0])]:.2f} |")
    first, last = training["log"][0], training["log"][-1]
    log = [
        f"| {entry['step']} | {entry['tokens']} | {entry['loss']} |" for entry in _thinned(training["log"])
    ]
    return f"""# if-tiny

A small instruct model of controlled English, trained from scratch by this project to try out the study of
instruction following without any download. It is no general language model: it knows 320 subjects, a dozen
topics and the nine tasks of `if_circuits`, and nothing else.

- architecture: `LlamaForCausalLM`; recipe below; weights in float16; byte-level BPE of 2,048 tokens
- trained on: the library's own prompts with responses of a seeded grammar (`if_circuits.planting.if_tiny`)
- held out from training: three wordings of every constraint, any constraint on 120 of the subjects, 40 words
  to include
- a share of the training responses ignores its constraint at random ("carelessness" below), so that both
  labels exist and no cause of failure is planted
- repeat it with `make train-if-tiny`: seeded, {last["seconds"] / 60:.0f} minutes of one CPU thread

## Compliance on held-out prompts

Share of responses that satisfy the constraint; *unasked* is the share among responses to the same prompts
without their constraint, sampled at temperature 1. {N_BASE_QUERIES} held-out subjects, {PROMPTS_PER_QUERY}
prompts each.

{chr(10).join(rows)}

Asked for a word that no training prompt ever asked for, term_inclusion at temperature 1 reaches
{compliance.loc["term_inclusion", "unseen words"]:.2f}.

## Training

From a weighted loss of {first["loss"]} after {first["step"]} steps to {last["loss"]} after {last["step"]}
steps and {last["tokens"] / 1e6:.1f} million response tokens. Loss counts response tokens only: a word that
fills a slot five times, a decision how to go on twice.

```json
{json.dumps(training["recipe"], indent=1)}
```

| step | response tokens | loss |
|---|---|---|
{chr(10).join(log)}
"""


def _thinned(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """About a dozen entries, the last among them."""
    every = max(1, len(log) // 12)
    return log[every - 1 :: every] if len(log) % every == 0 else [*log[every - 1 :: every], log[-1]]
