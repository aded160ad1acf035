"""Remove, while the model writes, the direction that tells satisfied from violated responses.

Fitted on half of the base queries, removed on the other, beside random ones. JSON is then never closed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from if_circuits.activations.capture import capture
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.random_subspace import random_subspace
from if_circuits.generation.conditions import responses_under
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions import Intervention, ProjectOut
from if_circuits.models.loading import load_model
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

TASK, LAYER, N_QUERIES = "json_format", 3, 60

model = load_model("if-tiny")
prompts = build_prompts(get_tasks([TASK]), n_base_queries=N_QUERIES, held_out_only=True).query("constrained")
fitting = prompts["base_query"].isin(prompts["base_query"].unique()[: N_QUERIES // 2])
rows = verify(generate(model, prompts[fitting], GenerationConfig(max_new_tokens=64, samples_per_prompt=4)))
kept, queries = (rows["verdict"] == "satisfied").to_numpy(), rows["base_query"].to_numpy()
with TemporaryDirectory() as directory:
    X = capture(model, rows, directory=Path(directory), batch_size=64, layers=[LAYER]).read(LAYER, "last")
found = DifferenceInMeans(name="ablated").fit(
    X, kept, groups=queries, seed=0
)  # Inlp() removes more directions

randoms = [random_subspace(found.rank, mean=found.mean, seed=i, name=f"random {i}") for i in range(3)]
conditions = {it.name: Intervention(ProjectOut(it), layers=(LAYER,)) for it in [found, *randoms]}
answers = responses_under(model, prompts[~fitting], {"intact": [], **conditions})
compliance = answers["verdict"].eq("satisfied").groupby(answers["condition"], sort=False).mean()
print(f"{TASK} satisfied, rank {found.rank} removed at layer {LAYER}")
print(compliance.to_string(float_format="{:.0%}".format))
for prompt, pair in answers.pivot(index="prompt", columns="condition", values="response").head(2).iterrows():
    print(prompt, f"  intact   {pair['intact']}", f"  ablated  {pair['ablated']}", sep="\n")
