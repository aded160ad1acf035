"""A model of your own, by name: the embedded one with noise in its weights, which follows less.

The function below says where the model lies. A package offers it as an entry point of the group
`if_circuits.presets`; then `if-circuits run noisy` finds it.
"""

from importlib.resources import files
from tempfile import TemporaryDirectory

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import if_circuits as ifc

folder = TemporaryDirectory()


@ifc.preset("noisy", max_new_tokens=40)
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


prompts = ifc.prompts("json_format", n=20, per_query=3)
for name in ("if-tiny", "noisy"):
    rows = ifc.respond(ifc.load_model(name), prompts, temperature=0, max_new_tokens=40)
    print(f"{name}: json_format {rows['verdict'].eq('satisfied').mean():.2f} (n = {len(rows)})")
