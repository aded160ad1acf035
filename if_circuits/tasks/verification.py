"""Verification: the label that each task's verifier gives each response."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pandas as pd

from if_circuits.tasks.judges.base import Judge
from if_circuits.tasks.judges.choice import check_choice, choose_judges
from if_circuits.tasks.labels import Label
from if_circuits.tasks.registry import get_task
from if_circuits.tasks.task import Parameters, Task, Verification

NO_ANSWER = Verification(Label.VIOLATED, "no answer: the model's thinking did not end in time")


def verify(
    responses: pd.DataFrame,
    judges: Mapping[str, Judge] | None = None,
    *,
    chosen: Iterable[tuple[str, str]] = (),
) -> pd.DataFrame:
    """`responses` with the columns `verdict` and `reason` added.

    `judges` are by default those that `judges_for` makes of `chosen`: pass a model's `preset.judges`.
    Needs the columns task, parameters (JSON) and response. An empty response violates every constraint, as in
    IFEval (Zhou et al. 2023); where n_thinking is above 0 the reason says that its thinking did not end. A
    verifier that fails leaves its response undecided, with the error as reason.

    Example:
        >>> import pandas as pd
        >>> import if_circuits as ifc
        >>> said = {"task": "term_inclusion", "parameters": '{"word": "river"}', "response": "A river."}
        >>> ifc.verify(pd.DataFrame([said]))["verdict"].tolist()
        ['satisfied']
    """
    if judges is None:
        judges = judges_for(map(str, responses["task"].unique()), chosen)
    verifications: dict[int, Verification] = {}
    rows_of_task = responses.reset_index(drop=True).groupby("task", sort=False).indices
    texts = responses["response"].tolist()
    parameters: list[Parameters] = [json.loads(text) for text in responses["parameters"]]
    for name, rows in rows_of_task.items():
        found = _verify_task(
            get_task(str(name)), [texts[row] for row in rows], [parameters[row] for row in rows], judges
        )
        verifications.update(zip(map(int, rows), found, strict=True))
    ordered = [verifications[row] for row in range(len(responses))]
    if "n_thinking" in responses.columns:
        silent = [not text.strip() and n > 0 for text, n in zip(texts, responses["n_thinking"], strict=True)]
        ordered = [NO_ANSWER if none else found for none, found in zip(silent, ordered, strict=True)]
    return responses.assign(
        verdict=[verification.label.value for verification in ordered],
        reason=[verification.reason for verification in ordered],
    )


def judges_for(tasks: Iterable[str], chosen: Iterable[tuple[str, str]] = ()) -> Mapping[str, Judge]:
    """The judges that the tasks of these names consult, by property; `chosen` are (property, judge).

    Raises InputError for a judge that cannot be had.
    """
    return choose_judges(judged_properties(tasks), chosen)


def judged_properties(tasks: Iterable[str]) -> tuple[str, ...]:
    """What the tasks of these names have judged."""
    properties = (task.judge for task in map(get_task, tasks))
    return tuple(dict.fromkeys(name for name in properties if name is not None))


def check_judges(tasks: Iterable[str], chosen: Iterable[tuple[str, str]]) -> None:
    """Raise InputError for a choice that no task can use, or a judge that cannot be had."""
    properties, chosen = judged_properties(tasks), list(chosen)
    check_choice(properties, chosen)
    choose_judges(properties, chosen)


def _verify_task(
    task: Task, texts: list[str], parameters: list[Parameters], judges: Mapping[str, Judge]
) -> list[Verification]:
    try:
        found = task.verify(texts, parameters, judges)
    except Exception:  # one text that breaks a verifier must not cost the verdicts on the others
        found = [
            _verify_one(task, text, arguments, judges)
            for text, arguments in zip(texts, parameters, strict=True)
        ]
    return [
        verification if text.strip() else Verification(Label.VIOLATED, "empty response")
        for text, verification in zip(texts, found, strict=True)
    ]


def _verify_one(task: Task, text: str, parameters: Parameters, judges: Mapping[str, Judge]) -> Verification:
    try:
        return task.verify([text], [parameters], judges)[0]
    except Exception as error:
        return Verification(Label.UNDECIDED, f"verifier failed: {type(error).__name__}: {error}")
