"""Labels of responses: what a verifier says, and how the column `verdict` of a table of responses is read."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import Bool


class Label(StrEnum):
    """What a verifier says of a response; what a probe is to read, unless undecided.

    Example:
        >>> import if_circuits as ifc
        >>> ifc.Label("satisfied") is ifc.Label.SATISFIED
        True
    """

    SATISFIED = "satisfied"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


def is_satisfied(responses: pd.DataFrame) -> Bool[np.ndarray, " n"]:
    """Which verified responses satisfy their constraint; an undecided one does not.

    Example:
        >>> import pandas as pd
        >>> is_satisfied(pd.DataFrame({"verdict": ["satisfied", "violated", "undecided"]})).tolist()
        [True, False, False]
    """
    return _has(responses, Label.SATISFIED)


def is_violated(responses: pd.DataFrame) -> Bool[np.ndarray, " n"]:
    """Which verified responses violate their constraint; an undecided one does not."""
    return _has(responses, Label.VIOLATED)


def is_undecided(responses: pd.DataFrame) -> Bool[np.ndarray, " n"]:
    """Which responses the verifier could not decide: they train and test no probe."""
    return _has(responses, Label.UNDECIDED)


def _has(responses: pd.DataFrame, label: Label) -> Bool[np.ndarray, " n"]:
    return (responses["verdict"] == label.value).to_numpy(dtype=bool)
