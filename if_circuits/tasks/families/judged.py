"""Verifiers that ask a judge: the response satisfies the constraint when the judge gives it the wanted
label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from if_circuits.tasks.judges.base import Judge, Judgement
from if_circuits.tasks.task import Parameters, Verdict, Verification, Verifier


def judged_by(judge: str, wanted: Callable[[Parameters], str]) -> Verifier:
    """A verifier that consults the judge of this name for the label that `wanted` reads off the
    parameters.
    """

    def verify(
        responses: Sequence[str], parameters: Sequence[Parameters], judges: Mapping[str, Judge]
    ) -> list[Verification]:
        judgements = judges[judge].judge(responses)
        return [
            _verification(judgement, wanted(arguments))
            for judgement, arguments in zip(judgements, parameters, strict=True)
        ]

    return verify


def _verification(judgement: Judgement, wanted: str) -> Verification:
    if judgement.label is None:
        return Verification(Verdict.UNDECIDED, judgement.reason)
    verdict = Verdict.SATISFIED if judgement.label == wanted else Verdict.VIOLATED
    return Verification(verdict, f"{judgement.label}, asked for {wanted} ({judgement.reason})")
