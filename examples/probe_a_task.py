"""Can a linear probe read off the residual stream whether a response keeps to its constraint?

`prompt_end` lies before the response, `last` is its last token. The bag of tokens sees words, no activation.
"""

import pandas as pd

from if_circuits.activations.capture import capture
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.layers import layer_label
from if_circuits.models.loading import load_model
from if_circuits.probes.baselines import bag_of_tokens
from if_circuits.probes.evaluate import out_of_fold
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

TASK, N_QUERIES = "word_count", 100

model = load_model("if-tiny")
prompts = build_prompts(get_tasks([TASK]), n_base_queries=N_QUERIES, held_out_only=True).query("constrained")
rows = verify(generate(model, prompts, GenerationConfig(max_new_tokens=64, samples_per_prompt=2)))
kept, queries = (rows["verdict"] == "satisfied").to_numpy(), rows["base_query"].to_numpy()
print(f"{TASK}: {kept.mean():.0%} of {len(rows)} responses to {N_QUERIES} base queries satisfy it")

read = rows["prompt_tokens"].tolist()
written = [ids[:n] for ids, n in zip(rows["response_tokens"], rows["n_tokens"], strict=True)]  # without EOS
auroc = pd.DataFrame()
activations = capture(model, rows)
for position, texts in {"prompt_end": [read], "last": [read, written]}.items():
    for layer in activations.layers:
        probe = out_of_fold(activations.features(layer, position), kept, queries, n_folds=5, seed=0)
        auroc.loc[layer_label(layer), position] = probe.auroc
    auroc.loc["bag of tokens", position] = bag_of_tokens(texts, kept, queries, n_folds=5, seed=0).auroc
print("AUROC on base queries that the probe has not seen, by layer:", auroc.round(2), sep="\n")
