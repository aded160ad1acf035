"""What ablations break besides the task they aim at: length, repetition, truncation, compliance off task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from if_circuits.analyses.task_subspaces import CONTROLS

INTACT = "intact"
"""The condition under which nothing is removed."""


def damage_table(
    parts: Sequence[tuple[pd.DataFrame, Mapping[int, Sequence[str]]]], tasks: Sequence[str]
) -> pd.DataFrame:
    """One row for the intact model; for each ablated task one for its removal and one for each kind of
    control.

    Each part holds verified responses (with the columns condition and satisfied) and, by number of the
    ablated task, its conditions: the removal, then the control draws, kind after kind. Columns: ablated (""
    for intact), condition ("intact", "removed" or the kind of control), n, n_tokens, repetition (share of
    word pairs that repeat an earlier one), truncated, empty, undecided (shares), compliance_off_task (on
    the other tasks' prompts).
    """
    responses = pd.concat([part.assign(part=i) for i, (part, _) in enumerate(parts)], ignore_index=True)
    responses["repetition"] = [_repetition(text) for text in responses["response"]]
    responses["empty"] = responses["response"].str.strip() == ""
    responses["undecided"] = responses["verdict"] == "undecided"
    rows = [_describe(responses[responses["condition"] == INTACT], ablated="", condition=INTACT)]
    for a, task in enumerate(tasks):
        kinds: dict[str, list[pd.DataFrame]] = {}
        for i, (_, conditions) in enumerate(parts):
            names = conditions.get(a, ())
            n_draws = (len(names) - 1) // len(CONTROLS)
            wanted = {"removed": names[:1]}
            wanted |= {kind: names[1 + k * n_draws :][:n_draws] for k, kind in enumerate(CONTROLS)}
            for kind, chosen in wanted.items():
                found = responses[(responses["part"] == i) & responses["condition"].isin(chosen)]
                kinds.setdefault(kind, []).append(found)
        for kind, found in kinds.items():
            together = pd.concat(found)
            if len(together):
                rows.append(_describe(together, ablated=task, condition=kind))
    return pd.DataFrame(rows)


def _describe(responses: pd.DataFrame, *, ablated: str, condition: str) -> dict[str, object]:
    off_task = responses[responses["task"] != ablated]
    return {
        "ablated": ablated,
        "condition": condition,
        "n": len(responses),
        **{
            name: float(responses[name].mean())
            for name in ("n_tokens", "repetition", "truncated", "empty", "undecided")
        },
        "compliance_off_task": float(off_task["satisfied"].mean()) if len(off_task) else np.nan,
    }


def _repetition(text: str) -> float:
    """Share of the word pairs of a text that occurred in it before; 0 for fewer than two pairs."""
    pairs = list(pairwise(text.split()))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0
