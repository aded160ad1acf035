"""Out-of-fold scores of one task by a probe method by name, on the folds that all probes share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.probing import ProbingRows
from if_circuits.analyses.shared.score_table import Score, score
from if_circuits.probes.base import probes
from if_circuits.probes.evaluate import fit_by_fold


def method_score(
    X: Float[np.ndarray, "n d"],
    rows: ProbingRows,
    task: int,
    settings: AnalysisSettings,
    *,
    method: str,
    **columns: object,
) -> Score:
    """The score of a task's specialist by the method of that name; X is that of the whole stack.

    Where the method finds nothing to tell the classes apart by, as where pairs of one text look the same,
    every row of the fold scores the same: chance, not converged.
    """
    own = rows.of_task[task]
    fitted = fit_by_fold(
        probes.get(method),
        X[own],
        rows.labels[own],
        rows.queries[own],
        fold_of_row=rows.fold_of_row[own],
        seed=settings.seed,
        used=np.ones(own.stop - own.start, dtype=bool),
    )
    n_train = fitted.n * (1 - 1 / rows.n_folds)
    fits = np.isfinite(fitted.scores)
    return score(
        rows,
        task,
        rows.spread(task, np.where(fits, fitted.scores, 0.0)),
        threshold=rows.spread(task, np.where(fits, fitted.prior, 0.0)),
        **columns,
        probe=method,
        n_train=n_train,
        d=X.shape[1],
        n_over_d=n_train / X.shape[1],
        converged=bool(fitted.converged.all()),
    )
