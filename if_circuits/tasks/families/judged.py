"""What the verifiers of judged tasks share: the judge's label is, or is not, the one that was asked for."""

from __future__ import annotations

from if_circuits.tasks.judges.base import Judgement


def asked_for(judgement: Judgement, wanted: str) -> tuple[bool, str]:
    """Whether the judge gives a text the wanted label, with the reason."""
    return judgement.label == wanted, f"{judgement.label}, asked for {wanted} ({judgement.reason})"
