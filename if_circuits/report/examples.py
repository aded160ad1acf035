"""A dozen responses to look at: of several tasks, satisfied and violated."""

import pandas as pd

from if_circuits.analyses.shared.families import families_of
from if_circuits.generation.sampling import sampled
from if_circuits.tasks.labels import Label


def choose_examples(responses: pd.DataFrame, *, count: int = 12) -> pd.DataFrame:
    """Up to `count` sampled responses to constrained prompts, in the order of the tasks.

    Tasks take turns, each first with one verdict and then with the other. Of a task and verdict the middle
    row is shown, so neither the first nor the best is picked.
    """
    rows = sampled(responses[responses["constrained"]])
    tasks = list(families_of(rows))
    kinds = [
        (round_, turn, task, verdict)
        for turn, task in enumerate(tasks)
        for round_, verdict in enumerate(
            (Label.SATISFIED, Label.VIOLATED) if turn % 2 == 0 else (Label.VIOLATED, Label.SATISFIED)
        )
    ]
    chosen: list[tuple[int, int]] = []
    for _, turn, task, verdict in sorted(kinds):
        matching = rows.index[(rows["task"] == task) & (rows["verdict"] == verdict)]
        if len(matching):
            chosen.append((turn, int(matching[len(matching) // 2])))
    return rows.loc[[row for _, row in sorted(chosen[:count])]]
