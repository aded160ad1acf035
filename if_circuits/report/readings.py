"""What probes read along a sample of responses, as tables, for the response browser."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

PARTS = ("tokens", "probes", "calibration")
"""Names of the further tables."""


@dataclass(frozen=True, eq=False)
class Readings:
    """Readings of a sample of responses whose base queries fitted nothing."""

    table: pd.DataFrame
    """response_id, token (0 is the prompt's last), train_task, layer (missing for the words), reading."""
    tokens: pd.DataFrame
    """response_id, token, text_token."""
    probes: pd.DataFrame
    """train_task, layer, auroc of held-out readings at `last`, reason (where there is no probe)."""
    calibration: pd.DataFrame
    """train_task, layer, bin, n, share_satisfied, low, high: what held-out readings are worth."""
    every_token: bool = True
    """False where only the stored positions were read, since the model was not at hand; `text_token` then
    names the position."""
