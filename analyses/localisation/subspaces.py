"""The subspaces that are compared, each fitted on one half of the base queries and tried on the other's.

All are fitted to the task's responses along their length, or trained on its pairs (DAS). What they are asked
is the same: how much of what the whole residual stream carries at a layer do they carry?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, query_codes
from if_circuits.analyses.shared.task_subspaces import response_features
from if_circuits.erasure.das import read_examples, train_das
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.inlp import Inlp
from if_circuits.erasure.leace import Leace
from if_circuits.erasure.random_subspace import random_subspace
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.methods import logistic

if TYPE_CHECKING:
    from if_circuits.models.loading import LoadedModel

ALONG_RESPONSE = ("10%", "30%", "50%", "70%", "90%", "last")
"""Positions whose mean stands for a response, of those that were captured."""
ONE_DIRECTION = "difference in means"
READS, ACTS = "probe", "DAS"
"""The direction that reads whether a constraint is satisfied, and the one that is trained to act."""


def one_direction(source: ActivationSource, task: LabelledTask, layers: Sequence[int]) -> dict[int, Subspace]:
    """By layer, the line between the means of satisfied and violated responses, where labels suffice."""
    if task.shortage():
        return {}
    found: dict[int, Subspace] = {}
    for layer in layers:
        X = along_response(source, layer, task.rows)
        difference = X[task.satisfied].mean(axis=0) - X[~task.satisfied].mean(axis=0)
        fitted = Subspace.orthonormalise(difference[None], mean=X.mean(axis=0), name=ONE_DIRECTION)
        if fitted.rank:
            found[layer] = fitted
    return found


def fit_subspaces(
    source: ActivationSource,
    task: LabelledTask,
    pairs: pd.DataFrame,
    *,
    layer: int,
    model: LoadedModel,
    seed: int,
) -> dict[str, Subspace]:
    """Every subspace that is compared, by name, of one half's labelled responses and pairs.

    Those that cannot be fitted are left out.
    """
    X = along_response(source, layer, task.rows)
    y, groups = task.satisfied, task.queries
    d = X.shape[1]
    asked = _asked(source, task.name)
    examples = cache(lambda: read_examples(model, pairs, layer=layer, seed=seed))
    fits: Mapping[str, Callable[[], Subspace]] = {
        ONE_DIRECTION: lambda: DifferenceInMeans().fit(X, y, groups=groups, seed=seed),
        "difference by prompt": lambda: _by_prompt(source, layer, *asked, task.queries),
        READS: lambda: _line(logistic(X, y, groups=groups, seed=seed).direction, X),
        "INLP": lambda: Inlp().fit(X, y, groups=groups, seed=seed),
        "LEACE, removed": lambda: _line(Leace().fit(X, y, groups=groups, seed=seed).left, X),
        ACTS: lambda: train_das(model, examples(), seed=seed),
        "DAS, arbitrary targets": lambda: train_das(model, examples(), arbitrary=True, seed=seed),
        "random": lambda: random_subspace(1, mean=np.zeros(d), seed=seed),
    }
    found: dict[str, Subspace] = {}
    for name, fit in fits.items():
        try:
            fitted = fit()
        except InputError:
            continue
        if fitted.rank:
            found[name] = replace(fitted, name=name)
    return found


def along_response(
    source: ActivationSource, layer: int, rows: Int[np.ndarray, " n"]
) -> Float[np.ndarray, "n d"]:
    """The mean of each row's activations over its response, in float64."""
    positions = [position for position in ALONG_RESPONSE if position in source.positions]
    return response_features(source, layer, positions=positions, rows=rows)[rows].astype(np.float64)


def nearest_cosine(one: Subspace, other: Subspace) -> float:
    """Largest cosine of an angle between the two: of two directions, their absolute cosine."""
    return float(np.linalg.svd(one.basis @ other.basis.T, compute_uv=False).max(initial=0.0))


def _line(direction: Float[np.ndarray, " d"], X: Float[np.ndarray, "n d"]) -> Subspace:
    return Subspace.orthonormalise(direction[None], mean=X.mean(axis=0), name="line")


def _asked(source: ActivationSource, task: str) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The task's responses that have a text, and whether the constraint was asked for."""
    responses = source.responses
    rows = np.flatnonzero((responses["task"] == task).to_numpy() & (responses["n_tokens"] > 0).to_numpy())
    return rows, responses["constrained"].to_numpy(dtype=bool)[rows]


def _by_prompt(
    source: ActivationSource,
    layer: int,
    rows: Int[np.ndarray, " n"],
    constrained: Bool[np.ndarray, " n"],
    queries: Int[np.ndarray, " m"],
) -> Subspace:
    """The line between constrained and unconstrained responses of the base queries that fit."""
    codes = query_codes(source)[rows]
    keep = np.isin(codes, queries)
    X = along_response(source, layer, rows[keep])
    y = constrained[keep]
    if y.all() or not y.any():
        raise InputError("there are no unconstrained responses to compare with")
    return _line(X[y].mean(axis=0) - X[~y].mean(axis=0), X)
