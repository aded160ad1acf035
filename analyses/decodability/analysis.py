"""At which layers and positions a task can be read by a linear probe, beside what the words alone tell.

Decodable is not used: an AUROC above the baselines says that the residual stream holds the label, not that
the model acts on it. `if_circuits.interventions` is for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pandas as pd

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.decodability.result import Decodability
from if_circuits.analyses.shared.method_scores import method_score
from if_circuits.analyses.shared.probing import (
    ProbingRows,
    fit_specialists,
    left_out_rows,
    probing_rows,
)
from if_circuits.analyses.shared.score_table import Score, score_fitted, score_table
from if_circuits.analyses.shared.text_baselines import BASELINES, baseline_scores
from if_circuits.errors import InputError
from if_circuits.inputs import as_count, as_layers, as_names
from if_circuits.probes.base import probes
from if_circuits.progress import Progress, reporting

_One = TypeVar("_One", str, int)
_COUNTS = ("n", "n_satisfied", "n_violated", "n_undecided", "n_base_queries")


def probe(
    acts: ActivationSource,
    *,
    positions: str | Sequence[str] | None = None,
    layers: int | Sequence[int] | None = None,
    method: str = "logistic",
    baselines: bool = True,
    n_folds: int = 5,
    n_bootstrap: int = 1000,
    alpha: float = 0.05,
    seed: int = 0,
    progress: Progress = None,
) -> Decodability:
    """Probe every task of the rows at each layer and position, on base queries that the probe has not seen.

    Folds never split a base query, and are the same for all layers, positions and baselines. Features are
    scaled and the penalty is chosen inside the training folds. Intervals resample base queries.

    Args:
        acts: Activations with their verified responses: what `ifc.capture` gave, or `study.activations`.
        positions: Such as "prompt_end", "50%", "last", "eos"; by default all that were captured.
        layers: -1 is `embed`; by default all that were captured.
        method: Name of a probe method: "logistic", "mean_difference", "lda", or one of your own.
        baselines: Whether to fit what sees no activation beside: majority, length, prompt_words,
            response_words, and text, which reads prompt and response up to the position.
        n_folds: Folds over base queries.
        n_bootstrap: Resamples of base queries behind each interval.
        alpha: Intervals have confidence 1 - alpha.
        seed: Of folds and resamples.
        progress: None for a bar in notebooks and terminals; True, False, or a function of (done, in all).

    Returns:
        A result that prints as a table and draws itself; a task that cannot be probed is in it with the
        reason.

    Raises:
        InputError: For unknown positions, layers and methods, and for fewer base queries than folds.

    Example:
        >>> import if_circuits as ifc
        >>> model = ifc.load_model("if-tiny")
        >>> rows = ifc.respond(model, ifc.prompts("term_inclusion", n=60))
        >>> acts = ifc.capture(model, rows, layers=[3])
        >>> found = ifc.probe(acts, positions="last", n_bootstrap=100)
        >>> bool(found.table.set_index("probe").auroc["logistic"] > 0.5)
        True
    """
    settings = AnalysisSettings(
        n_folds=as_count(n_folds, "n_folds", least=3),
        n_bootstrap=as_count(n_bootstrap, "n_bootstrap"),
        alpha=alpha,
        seed=as_count(seed, "seed", least=0),
    )
    probes.get(method)
    here = (
        _among(as_names(positions, "positions"), acts.positions, "position") if positions else acts.positions
    )
    chosen = acts.layers if layers is None else _among(as_layers(layers), acts.layers, "layer")
    scores: list[Score] = []
    probed: list[ProbingRows] = []
    steps = len(here) * (len(chosen) + baselines)
    with reporting(progress, "probes") as report:
        done = 0
        for position in here:
            rows = probing_rows(acts, settings, position)
            probed.append(rows)
            for layer in (*chosen, *([None] if baselines else [])):
                if rows.tasks:
                    scores += (
                        baseline_scores(acts, rows)
                        if layer is None
                        else _layer_scores(acts, rows, layer, method, settings)
                    )
                done += 1
                if report is not None:
                    report(done, steps)
    frame = score_table(scores, settings).frame if scores else pd.DataFrame()
    table = pd.concat([part for part in (frame, left_out_rows(probed)) if len(part)], ignore_index=True)
    return Decodability(_in_order(table), method, settings)


def _layer_scores(
    acts: ActivationSource, rows: ProbingRows, layer: int, method: str, settings: AnalysisSettings
) -> list[Score]:
    X = rows.features(acts, layer)
    tasks = range(len(rows.tasks))
    if method != "logistic":
        return [method_score(X, rows, task, settings, method=method, layer=layer) for task in tasks]
    found = fit_specialists(X, rows)
    return [score_fitted(rows, task, found, column=task, probe=method, layer=layer) for task in tasks]


def _among(asked: Sequence[_One], there: Sequence[_One], what: str) -> tuple[_One, ...]:
    for one in asked:
        if one not in there:
            raise InputError(f"no activations of {what} {one!r}; captured were {', '.join(map(str, there))}")
    return tuple(asked)


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that say which probe it was first; tasks together, layers before baselines."""
    first = ["task", "family", "position", "layer", "probe", "auroc", "low", "high"]
    table = table.reindex(columns=[*first, *(name for name in table.columns if name not in first)])
    # Whole numbers stay whole where some rows have none.
    table = table.astype({name: "Int64" for name in (*_COUNTS, "layer") if name in table.columns})
    rank = table["probe"].map({name: place for place, name in enumerate(BASELINES, start=1)}).fillna(0)
    tasks = {name: place for place, name in enumerate(dict.fromkeys(table["task"]))}
    order = table.assign(rank=rank, place=table["task"].map(tasks))
    order = order.sort_values(["place", "rank", "layer"], kind="stable", na_position="first")
    return table.loc[order.index].reset_index(drop=True)
