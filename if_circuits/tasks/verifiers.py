"""A plain function as a task's verifier: of one response, or of what a judge says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from if_circuits.errors import InputError
from if_circuits.tasks.judges.base import AskingJudge, Judge
from if_circuits.tasks.labels import Label
from if_circuits.tasks.task import Parameters, Verification, Verifier


def verifier_of(check: Callable[..., Any], *, judge: str | None) -> Verifier:
    """The verifier that asks `check` about each response, with its parameters by keyword.

    With a judge, `check` gets the judge's `Judgement` in place of the response, and a text that the judge
    leaves undecided is undecided. `check` says True or False or a `Label`, alone or with a reason; another
    answer, such as the None of a forgotten `return`, raises InputError and never counts as satisfied.
    """

    def verify(
        responses: Sequence[str], parameters: Sequence[Parameters], judges: Mapping[str, Judge]
    ) -> list[Verification]:
        if judge is None:
            return [
                _verification(check, check(response, **arguments), arguments)
                for response, arguments in zip(responses, parameters, strict=True)
            ]
        consulted = judges[judge]
        judgements = (
            consulted.judge_asked(responses, parameters)
            if isinstance(consulted, AskingJudge)
            else consulted.judge(responses)
        )
        return [
            Verification(Label.UNDECIDED, judgement.reason)
            if judgement.label is None
            else _verification(check, check(judgement, **arguments), arguments)
            for judgement, arguments in zip(judgements, parameters, strict=True)
        ]

    # So that `inspect` finds the source that decides a label.
    verify.__wrapped__ = check  # pyright: ignore[reportFunctionMemberAccess]
    return verify


def _verification(check: Callable[..., Any], outcome: Any, parameters: Parameters) -> Verification:
    name = getattr(check, "__name__", type(check).__name__)
    said, reason = outcome, ", ".join(f"{key} = {value!r}" for key, value in parameters.items()) or name
    if isinstance(outcome, tuple) and len(cast(tuple[Any, ...], outcome)) == 2:
        said, reason = cast(tuple[Any, Any], outcome)
    if isinstance(said, Label):
        return Verification(said, str(reason))
    # NumPy's truth values come from comparisons of numbers; they are no instances of bool.
    if not isinstance(said, bool) and type(said).__name__ not in ("bool", "bool_"):
        raise InputError(
            f"{name} answered {outcome!r}; expected True, False or a Label, alone or with a reason, "
            "as in (True, 'eight words')"
        )
    return Verification(Label.SATISFIED if said else Label.VIOLATED, str(reason))
