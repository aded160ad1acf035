"""A judge of your own: register by the length of words, beside the lexicon that judges it by default.

A package offers it as an entry point of the group `if_circuits.judges`; then `--judge register=word-length`
finds it.
"""

import re

import pandas as pd

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model
from if_circuits.tasks.judges.registry import judge, judges
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify


@judge("word-length")
def word_length(text):
    words = re.findall(r"\w+", text)
    mean = sum(map(len, words)) / max(len(words), 1)
    return ("formal" if mean > 4.2 else "informal"), mean


prompts = build_prompts(get_tasks(["register"]), n_base_queries=30, held_out_only=True).query("constrained")
rows = generate(load_model("if-tiny"), prompts, GenerationConfig(max_new_tokens=64, temperature=0.0))
names = ("register-lexicon", "word-length")
judged = pd.DataFrame({name: verify(rows, {"register": judges.get(name)()})["verdict"] for name in names})
print(judged.value_counts().to_string())
print(f"they agree on {(judged[names[0]] == judged[names[1]]).mean():.0%} of {len(rows)} responses, such as")
print(
    rows.assign(verdict=judged[names[1]])[["response", "verdict"]].head(4).to_csv(index=False, header=False)
)
