"""A model of your own, by name: the embedded one with noise in its weights, which follows less.

The function below says where the model lies. A package offers it as an entry point of the group
`if_circuits.presets`; then `if-circuits run noisy` finds it.
"""

from importlib.resources import files
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model
from if_circuits.models.presets import preset
from if_circuits.tasks.labels import is_satisfied
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

folder = TemporaryDirectory()


@preset("noisy", max_new_tokens=40)
def noisy():
    """If-tiny with noise in its weights."""
    source = files("if_circuits").joinpath("assets", "if-tiny")
    weights, random = AutoModelForCausalLM.from_pretrained(source), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for matrix in weights.parameters():
            matrix += 0.3 * matrix.std() * torch.randn(matrix.shape, generator=random)
    weights.save_pretrained(folder.name)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder.name)
    return folder.name


tasks, greedy = get_tasks(["json_format"]), GenerationConfig(max_new_tokens=40, temperature=0.0)
prompts = build_prompts(tasks, n_base_queries=20, held_out_only=True).query("constrained")
for name in ("if-tiny", "noisy"):
    rows = verify(generate(load_model(name), prompts, greedy))
    print(f"{name}: json_format {is_satisfied(rows).mean():.2f} (n = {len(rows)})")
