"""A task of your own: fewer than n words, where the embedded model only learned exactly n.

Offered as an entry point of the group `if_circuits.tasks` by a package, `--tasks few_words` would find it.
"""

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model
from if_circuits.tasks.families.structural import count_words
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks, register_task
from if_circuits.tasks.task import Task, one_by_one
from if_circuits.tasks.verification import verify


def below(response, parameters):
    words = count_words(response)
    return words < parameters["n"], f"{words} words, asked for fewer than {parameters['n']}"


FEW_WORDS = register_task(
    Task(
        name="few_words",
        family="structural",
        draw=lambda rng, subject, words: {"n": rng.randint(6, 9)},  # noqa: ARG005
        paraphrases=("Use fewer than {n} words.", "Keep it under {n} words.", "I need fewer than {n} words."),
        verify=one_by_one(below),
    )
)
prompts = build_prompts(get_tasks(["word_count", FEW_WORDS.name]), n_base_queries=15, held_out_only=True)
rows = verify(generate(load_model("if-tiny"), prompts, GenerationConfig(max_new_tokens=64, temperature=0.0)))
rows["prompts"] = rows["constrained"].map({True: "constrained", False: "unconstrained"})
satisfied = rows["verdict"].eq("satisfied").groupby([rows["task"], rows["prompts"]], sort=False)
print(satisfied.agg(share="mean", n="size").to_string(float_format="{:.2f}".format))
for row in rows.query("task == 'few_words' and constrained").head(3).itertuples():
    print(row.prompt, row.response, row.reason, sep=" | ")
