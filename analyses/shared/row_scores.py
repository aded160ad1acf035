"""The scores behind an AUROC: which satisfied responses a probe put below which violated ones.

An AUROC compares responses within folds, since those of different folds were scored by different probes. So
does the column `score_rank`: it ranks a score among those of its fold and task.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.probing import ProbingRows


def row_scores(
    source: ActivationSource, rows: ProbingRows, task: int, scores: Float[np.ndarray, " n"]
) -> pd.DataFrame:
    """One row for each response of a task: task, response_id, fold, and its score and rank in the fold.

    `scores` are those of the whole stack. Ranks go from 0 to 1, their mean among equals; NaN where the
    response has no score.
    """
    own = rows.of_task[task]
    table = pd.DataFrame(
        {
            "task": rows.tasks[task].name,
            "response_id": source.responses["response_id"].to_numpy()[rows.rows[own]],
            "fold": rows.fold_of_row[own],
            "score": scores[own].astype(np.float32),
        }
    )
    by_fold = table.groupby("fold")["score"]
    others = by_fold.transform("count") - 1
    table["score_rank"] = ((by_fold.rank() - 1) / others.where(others > 0)).astype(np.float32)
    return table
