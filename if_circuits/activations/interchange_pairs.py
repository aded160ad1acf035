"""Pairs for interchange: two prompts about one base query, and two texts that the prompts tell apart.

The first prompt asks for a constraint; the second does not, or asks for another one. One text satisfies the
constraint, the other violates it. Both texts were written by the model, each to its own prompt where there is
one, so that neither is strange to it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.inputs import as_count
from if_circuits.tasks.labels import is_satisfied, is_violated
from if_circuits.tasks.verification import verify

COLUMNS = (
    "task",
    "base_query",
    "parameters",
    "prompt_tokens",
    "source_tokens",
    "satisfied_tokens",
    "violated_tokens",
    "violated_by",
)
_NEEDED = (
    "task",
    "base_query",
    "parameters",
    "constrained",
    "prompt_id",
    "prompt_tokens",
    "response_tokens",
    "verdict",
)


def interchange_pairs(
    responses: pd.DataFrame,
    *,
    other: str | None = None,
    n: int | None = None,
    seed: int = 0,
    judges: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """One pair for each task and base query that has the texts for it.

    Args:
        responses: Verified responses to constrained prompts and, unless `other` is given, to their
            unconstrained counterparts: what `ifc.respond` makes of `ifc.prompts(..., counterparts=True)`.
        other: A task of the same responses whose prompts take the counterparts' place: then both prompts ask
            for something, and the violating text is a response to the other prompt.
        n: Pairs of each task at most, each of another base query.
        seed: Which of several responses, and which base queries where there are more than `n`.
        judges: Judges of the texts where `other` is given, as (property, judge); by default the word lists.

    Returns:
        Columns task, base_query, parameters, prompt_tokens (of the prompt that asks), source_tokens (of the
        other prompt), satisfied_tokens and violated_tokens (responses, with the EOS where it came) and
        violated_by ("counterpart", the other task, or "own prompt" where only that one's responses violate).

    Raises:
        InputError: For missing columns, and for an `other` that the responses do not have.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("json_format", n=3, counterparts=True), temperature=0)
        >>> interchange_pairs(rows)[["base_query", "violated_by"]].values.tolist()
        [['baby', 'counterpart'], ['soap', 'counterpart'], ['stranger', 'counterpart']]
    """
    missing = [name for name in _NEEDED if name not in responses]
    if missing:
        raise InputError(
            f"interchange pairs need the column(s) {', '.join(missing)}; give what ifc.respond makes of "
            "ifc.prompts(..., counterparts=True)"
        )
    most = None if n is None else as_count(n, "n")
    known = set(responses["task"])
    if other is not None and other not in known:
        raise InputError(f"there are no responses to {other!r}, only to {', '.join(sorted(known))}")
    shuffled = responses.sample(frac=1.0, random_state=seed)
    asked = shuffled[shuffled["constrained"].to_numpy(dtype=bool)]
    found: list[pd.DataFrame] = []
    for task, own in asked.groupby("task", sort=False):
        if task == other:
            continue
        against = _counterparts(shuffled, str(task)) if other is None else asked[asked["task"] == other]
        pairs = _pairs(str(task), own, against, other=other, judges=judges)
        found.append(pairs if most is None else pairs.head(most))
    columns = list(COLUMNS)
    if not found:
        return pd.DataFrame({name: [] for name in columns})
    return pd.concat(found).sort_values(["task", "base_query"], kind="stable")[columns].reset_index(drop=True)


def _counterparts(responses: pd.DataFrame, task: str) -> pd.DataFrame:
    return responses[~responses["constrained"].to_numpy(dtype=bool) & (responses["task"] == task)]


def _pairs(
    task: str,
    own: pd.DataFrame,
    against: pd.DataFrame,
    *,
    other: str | None,
    judges: Iterable[tuple[str, str]],
) -> pd.DataFrame:
    """Satisfying responses, each with its other prompt and a text that violates its constraint."""
    satisfied = own[is_satisfied(own)].drop_duplicates("base_query")
    rows: list[dict[str, object]] = []
    failed = own[is_violated(own)]
    for row in satisfied.to_dict("records"):
        there = against[against["base_query"] == row["base_query"]]
        if other is None:
            there = there[there["prompt_id"].str.startswith(f"{row['prompt_id']}/")]
        elif len(there):
            asked = there.assign(task=task, parameters=row["parameters"])
            there = verify(asked.drop(columns=["verdict", "reason"]), chosen=tuple(judges))
        if there.empty:
            continue
        violating, by = there[is_violated(there)], other or "counterpart"
        if violating.empty:  # then one that the model wrote to the very prompt
            violating, by = failed[failed["prompt_id"] == row["prompt_id"]], "own prompt"
        if violating.empty:
            continue
        rows.append(
            {
                "task": task,
                "base_query": row["base_query"],
                "parameters": row["parameters"],
                "prompt_tokens": list(row["prompt_tokens"]),
                "source_tokens": list(there["prompt_tokens"].iloc[0]),
                "satisfied_tokens": list(row["response_tokens"]),
                "violated_tokens": list(violating["response_tokens"].iloc[0]),
                "violated_by": by,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))
