"""What interventions cost while a model generates, and what many conditions in one run save, on if-tiny."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from if_circuits.erasure.random_subspace import random_subspace
from if_circuits.generation.responses import GenerationConfig, generate, generate_conditions
from if_circuits.interventions import Intervention, ProjectOut
from if_circuits.models.loading import load_model, load_plain
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from tests.benchmarks.limits import Matrices, matrix_bound, writing
from tests.benchmarks.table import Limit, Row, timed_rows
from tests.benchmarks.timing import interleaved

REPEATS = 5
RANK, LAYER = 6, 3
APART = "one condition at a time"
CONFIG = GenerationConfig(max_new_tokens=64, temperature=0.0, batch_size=256)


def rows() -> list[Row]:
    """A projection hook against none, and nine ablations with their controls against one at a time.

    Either side of the second writes the same tokens.
    """
    model = load_model("if-tiny")
    prompts = build_prompts(get_tasks(), n_base_queries=30, prompts_per_query=1, held_out_only=True)
    prompts = prompts[prompts["constrained"]]
    few = prompts.groupby("task", sort=False).head(2)
    ablations = {f"condition {seed}": [project_out(seed)] for seed in range(18)}
    one = ablations["condition 0"]

    # Removed directions change the text and so its length: the same tokens have to be written on both sides.
    endless = [Intervention(ProjectOut(one[0].operation.subspace, alpha=0.0), (LAYER,))]
    matrices, plain = Matrices.of(load_plain(model)), "the same without a hook"
    steps = writing(generate(model, prompts, CONFIG), batch_size=CONFIG.batch_size)
    bound = matrix_bound(matrices, *steps)
    taken = interleaved(
        lambda: generate(model, prompts, CONFIG, interventions=endless),
        {plain: lambda: generate(model, prompts, CONFIG)},
        repeats=REPEATS,
        bound=bound,
    )
    what = f"generation under a projection hook, {len(prompts)} prompts"
    found = timed_rows(what, taken, {plain: "<= 1.03"}, limit=Limit.timed(bound, taken))
    for size in (CONFIG.batch_size, len(few) * len(ablations)):
        config = replace(CONFIG, batch_size=size)
        ours, theirs = list[pd.DataFrame](), list[pd.DataFrame]()
        together = generate_conditions(model, few, config, ablations)
        bound = matrix_bound(matrices, *writing(together, batch_size=size))
        taken = interleaved(
            lambda c=config, out=ours: out.append(generate_conditions(model, few, c, ablations)),
            {
                APART: lambda c=config, out=theirs: out.append(
                    one_at_a_time(lambda each: generate(model, few, c, interventions=each), ablations)
                )
            },
            repeats=REPEATS,
            bound=bound,
        )
        if ours[-1]["response_tokens"].tolist() != theirs[-1]["response_tokens"].tolist():
            raise AssertionError("conditions in one run differ from one condition at a time")
        what = f"nine ablations and nine controls in one run, {len(few)} prompts, batches of {size}"
        found += timed_rows(what, taken, {APART: ">= 4"}, limit=Limit.timed(bound, taken))
    return found


def project_out(seed: int) -> Intervention:
    """The removal of a random subspace."""
    subspace = random_subspace(RANK, mean=np.zeros(128), seed=seed, name=f"random {seed}")
    return Intervention(ProjectOut(subspace), (LAYER,))


def one_at_a_time(
    generate_under: Callable[[Sequence[Intervention]], pd.DataFrame],
    conditions: Mapping[str, Sequence[Intervention]],
) -> pd.DataFrame:
    """The responses under each condition, in a run of its own."""
    return pd.concat([generate_under(condition) for condition in conditions.values()], ignore_index=True)
