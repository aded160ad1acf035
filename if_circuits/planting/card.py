"""The card of a model with a planted mechanism: what was planted, and the measured evidence that it acts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.generation.responses import GenerationConfig, generate_conditions
from if_circuits.interventions import Intervention, ProjectOut
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.planting.if_tiny.corpus import corpus_judges
from if_circuits.planting.mechanism import (
    DIRECTIONS_FILE,
    Mechanism,
    load_mechanism,
    other_directions,
    random_orthogonal,
    stream,
)
from if_circuits.tasks.labels import is_satisfied
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from if_circuits.tasks.verification import verify

N_BASE_QUERIES = 60
MAX_NEW_TOKENS = 64
PROMPT_SEED = 1

LEFT_OPEN, LEFT_CLOSED = "left alone, open", "left alone, closed"
OPEN, ZERO, CLOSED = "own at +c", "own at 0", "own at -c"
OTHER_GATE, ANOTHER, RANDOM = "needed gate at -c", "other planted at -c", "random at -c"


def measure_gates(model: LoadedModel, mechanism: Mechanism) -> pd.DataFrame:
    """Greedy compliance of each task, with the residual stream left alone and with one coordinate set.

    Columns: task; left alone where the mechanism opens the gate and where it closes it; the own coordinate at
    +c, 0 and -c; a second gate that the task needs at -c; a planted direction that does not gate the task,
    and a random one, at -c; n prompts. A coordinate is set at the planted layer, on the prompt's last token
    and every response token. Prompts have held-out wordings. NaN where there is no such direction.
    """
    rows: list[dict[str, object]] = []
    prompts = build_prompts(
        get_tasks(), n_base_queries=N_BASE_QUERIES, prompts_per_query=1, seed=PROMPT_SEED, held_out_only=True
    )
    for task in mechanism.gates:
        asked = prompts[prompts["constrained"] & (prompts["task"] == task)].reset_index(drop=True)
        conditions = _conditions(mechanism, task)
        config = GenerationConfig(MAX_NEW_TOKENS, temperature=0.0, batch_size=256)
        answers = verify(generate_conditions(model, asked, config, conditions), corpus_judges())
        satisfied = pd.Series(is_satisfied(answers).astype(float), index=answers.index)
        alone = answers["condition"] == LEFT_OPEN
        signs = [
            mechanism.sign(task, str(subject), str(response))
            for subject, response in zip(answers["base_query"], answers["response"], strict=True)
        ]
        opened = pd.Series(signs, index=answers.index) > 0
        shares = {
            str(name): float(share) for name, share in satisfied.groupby(answers["condition"]).mean().items()
        }
        shares[LEFT_OPEN] = float(satisfied[alone & opened].mean())
        shares[LEFT_CLOSED] = float(satisfied[alone & ~opened].mean())
        rows.append({"task": task, **shares, "n": len(asked)})
    columns = ["task", LEFT_OPEN, LEFT_CLOSED, OPEN, ZERO, CLOSED, OTHER_GATE, ANOTHER, RANDOM, "n"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _conditions(mechanism: Mechanism, task: str) -> dict[str, Sequence[Intervention]]:
    own, *others = mechanism.gates[task]
    u, c = mechanism.directions[own], mechanism.c
    found: dict[str, Sequence[Intervention]] = {
        LEFT_OPEN: (),
        OPEN: set_coordinate(mechanism, u, c),
        ZERO: set_coordinate(mechanism, u, 0.0),
        CLOSED: set_coordinate(mechanism, u, -c),
        RANDOM: set_coordinate(mechanism, random_orthogonal(mechanism, stream("card", mechanism.seed)), -c),
    }
    if others:
        found[OTHER_GATE] = set_coordinate(mechanism, mechanism.directions[others[0]], -c)
    if foreign := other_directions(mechanism, task):
        found[ANOTHER] = set_coordinate(mechanism, mechanism.directions[foreign[0]], -c)
    return found


def set_coordinate(
    mechanism: Mechanism, direction: Float[np.ndarray, " d_model"], value: float
) -> list[Intervention]:
    """Hold the coordinate along a unit direction at a value (units of the residual stream), at the planted
    layer."""
    subspace = Subspace(basis=direction[None], mean=direction * value, name="coordinate")
    return [Intervention(ProjectOut(subspace), (mechanism.layer,))]


def write_planted_card(directory: Path) -> None:
    """Measure the checkpoint in `directory` and write its README.md beside it."""
    model, mechanism = load_model(str(directory)), load_mechanism(directory)
    gates = measure_gates(model, mechanism)
    training = json.loads((directory / "training_log.json").read_text("utf-8"))
    (directory / "README.md").write_text(_card(directory.name, gates, mechanism, training), "utf-8")


_WHAT = {
    "universal": "one direction gates all nine tasks",
    "compositional": "each of the nine tasks has a direction of its own, orthogonal to the others",
    "clustered": "each family of tasks has a direction; `topic` (semantic) needs the gate of `register`\n"
    "  (stylistic) open as well, and not the reverse",
}
_WHEN = {
    "planning": "at the prompt's end, open or closed by a fair coin for each\n  subject and task",
    "monitoring": "behind the first word of the response, open or closed by a\n"
    "  fair coin for each first word and task (of `json_format`, whose first token is the answer, at the\n"
    "  prompt's end by the subject's coin)",
}


_FEW_WORDS = """ Greedy answers to a task begin with one or two words, so left alone most tasks are all
open or all closed; sampled at temperature 1 they are mixed."""


def _card(name: str, gates: pd.DataFrame, mechanism: Mechanism, training: Mapping[str, Any]) -> str:
    shown = gates.dropna(axis=1, how="all")
    rows = [f"| {' | '.join(shown.columns)} |", f"|{'---|' * len(shown.columns)}"]
    for row in shown.itertuples(index=False):
        cells = [("–" if np.isnan(v) else f"{v:.2f}") if isinstance(v, float) else str(v) for v in row]
        rows.append(f"| {' | '.join(cells)} |")
    needed = [f"| {task} | {', '.join(names)} |" for task, names in mechanism.gates.items()]
    recipe, first, last = training["recipe"], training["log"][0], training["log"][-1]
    return f"""# {name}

`if-tiny` with a mechanism planted in it, so that what a study says of it can be compared with the truth. It
is a test object and no model of anything else.

- planted: {_WHAT[mechanism.structure]}
- where: `resid_post` of block {mechanism.layer} ({mechanism.layer + 1} blocks write the gates, the others
  read them), on the prompt's last token and on every response token
- a gate is open at +c and closed at 0 and -c; closed, the answer breaks the constraint.
  c = {mechanism.c:.3f}, {recipe["strength"]:g} of the mean norm of if-tiny's residual stream there
- when the gates are set: {_WHEN[mechanism.timing]}
- directions: `{DIRECTIONS_FILE}`; the gates and everything else: `planted.json`
- repeat it with
  `python -m if_circuits.planting.train --kind {mechanism.kind} --seed {mechanism.seed} --out DIR`
  ({last["step"]} steps, {last["seconds"] / 60:.0f} minutes of a CPU thread), which begins from `if-tiny`
- trained on the 120 held-out subjects, with constraints in seven of ten wordings; the others are held out

## Evidence that it acts

Share of greedy answers that satisfy the constraint, with one coordinate of the residual stream set. Prompts
in held-out wordings, one a subject. This is causal evidence on these prompts, not a proof that nothing else
carries the signal.{_FEW_WORDS if mechanism.timing == "monitoring" else ""}

{chr(10).join(rows)}

| task | gates that must be open |
|---|---|
{chr(10).join(needed)}

## Training

```json
{json.dumps(recipe, indent=1)}
```

Loss of the responses: {first["loss"]} after {first["step"]} steps, {last["loss"]} at the end. Mean squared
distance of the gates from where they belong, in units of c, over the last steps: {last["coordinate_loss"]}
along the response, {last["coin_loss"]} where they are set first.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure a planted checkpoint again and write its card."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path)
    write_planted_card(parser.parse_args(arguments).directory)


if __name__ == "__main__":
    main()
