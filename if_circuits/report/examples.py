"""A dozen responses to look at: of several tasks, satisfied and violated."""

import pandas as pd

from if_circuits.generation.sampling import sampled
from if_circuits.plotting.style import ordered_tasks


def choose_examples(responses: pd.DataFrame, *, count: int = 12) -> pd.DataFrame:
    """Up to `count` sampled responses to constrained prompts, in the order of the tasks.

    Tasks take turns, each first with one verdict and then with the other. Of a task and verdict the middle
    row is shown, so neither the first nor the best is picked.
    """
    rows = sampled(responses[responses["constrained"]])
    tasks = ordered_tasks(rows["task"].tolist())
    kinds = [
        (round_, turn, task, verdict)
        for turn, task in enumerate(tasks)
        for round_, verdict in enumerate(
            ("satisfied", "violated") if turn % 2 == 0 else ("violated", "satisfied")
        )
    ]
    chosen: list[tuple[int, int]] = []
    for _, turn, task, verdict in sorted(kinds):
        matching = rows.index[(rows["task"] == task) & (rows["verdict"] == verdict)]
        if len(matching):
            chosen.append((turn, int(matching[len(matching) // 2])))
    return rows.loc[[row for _, row in sorted(chosen[:count])]]
