"""A model of your own, by name: the embedded one with noise in its weights, which follows less.

A preset says where a model lies and how to run it. Offered as an entry point of the group
`if_circuits.presets`, `if-circuits run noise-0.3` would find it.
"""

from importlib.resources import files
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model
from if_circuits.models.presets import ModelPreset, register_preset
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

prompts = build_prompts(get_tasks(["json_format", "term_inclusion"]), n_base_queries=10, held_out_only=True)
source = files("if_circuits").joinpath("assets", "if-tiny")
for noise in (0.1, 0.3):
    with TemporaryDirectory() as folder:
        weights, random = AutoModelForCausalLM.from_pretrained(source), torch.Generator().manual_seed(0)
        with torch.no_grad():
            for matrix in weights.parameters():
                matrix += noise * matrix.std() * torch.randn(matrix.shape, generator=random)
        weights.save_pretrained(folder)
        AutoTokenizer.from_pretrained(source).save_pretrained(folder)
        preset = register_preset(ModelPreset(f"noise-{noise}", folder, description="", max_new_tokens=40))
        model = load_model(preset.name)
    greedy = GenerationConfig(max_new_tokens=preset.max_new_tokens, temperature=0.0)
    rows = verify(generate(model, prompts.query("constrained"), greedy))
    for task, verdicts in rows.groupby("task")["verdict"]:
        print(f"{model.name}: {task} {verdicts.eq('satisfied').mean():.2f} (n = {len(verdicts)})")
