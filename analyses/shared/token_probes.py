"""Probes that are read token by token along a response, and classifiers of the words beside them.

A task's probe at a layer is fitted to its labelled responses at seven positions from the prompt's end to the
last token, stacked, so that it may be read anywhere between. The classifier of the words sees the same rows:
the tokens of the prompt and those of the response so far. Both are fitted without one fold of the base
queries. The responses of that fold may be read, and say what a reading is worth (`calibration`).

These are for looking at. No verdict rests on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy.special import expit
from scipy.stats import norm

from if_circuits.activations.positions import prefix_lengths
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.shared.labelled_tasks import LabelledTask, labelled_tasks
from if_circuits.analyses.shared.probing import study_folds
from if_circuits.analyses.shared.word_probe import WordProbe, fit_word_probe
from if_circuits.probes.linear import LinearProbe, fit_linear_probe
from if_circuits.statistics.auroc import auroc

READ_AT = ("prompt_end", "10%", "30%", "50%", "70%", "90%", "last")
"""Positions whose activations fit the probes, of those that were captured."""
HELD_OUT = 0
"""The fold whose base queries fit nothing."""
FEWEST = 5
"""Satisfied and violated responses that a probe needs: fewer than for a verdict, since none rests on it."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8)
"""Where the bins begin in which readings are counted."""
_C = 0.01

Spot = tuple[str, int | None]
"""A task and a layer; no layer for the words."""


@dataclass(frozen=True, eq=False)
class TokenProbes:
    """The probes of one study, for every task and layer that could be fitted."""

    layers: tuple[int, ...]
    probes: Mapping[tuple[str, int], LinearProbe]
    words: Mapping[str, WordProbe]
    calibration: pd.DataFrame
    """train_task, layer (missing for the words), bin, n, share_satisfied, low, high; held-out responses."""
    aurocs: Mapping[Spot, float]
    """Of the readings at `last` on held-out responses; NaN where they have one label only."""
    left_out: Mapping[str, str]
    """Why a task has no probe."""
    held_out: frozenset[str]
    """Base queries that fitted nothing."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that have probes."""
        return tuple(self.words)

    def read(self, layer: int, X: Float[np.ndarray, "n d"]) -> dict[str, Float[np.ndarray, " n"]]:
        """Probability of satisfied under each task's probe of a layer, row by row."""
        return {task: np.asarray(expit(self.probes[task, layer].scores(X))) for task in self.tasks}

    def read_words(
        self, prompt: Sequence[int], response: Sequence[int]
    ) -> dict[str, Float[np.ndarray, " tokens+1"]]:
        """The same from the words: before the first token of the response, and after each."""
        return {task: words.read_along(prompt, response) for task, words in self.words.items()}


def fit_token_probes(source: ActivationSource, settings: AnalysisSettings) -> TokenProbes:
    """Fit every task that has enough labelled responses outside the held-out fold.

    Where there are fewer base queries than folds, nothing is fitted, and `left_out` says so.
    """
    positions = [position for position in READ_AT if position in source.positions]
    everything = labelled_tasks(source, positions[-1])
    queries = source.base_queries
    if len(queries) < settings.n_folds:
        why = f"{len(queries)} base queries, fewer than the {settings.n_folds} folds"
        return TokenProbes(
            source.layers, {}, {}, _no_rows(), {}, {task.name: why for task in everything}, frozenset()
        )
    away = study_folds(queries, settings) == HELD_OUT
    left_out: dict[str, str] = {}
    found: dict[str, tuple[LabelledTask, LabelledTask]] = {}
    for task in everything:
        held = away[task.queries]
        fitting, tested = task.where(~held), task.where(held)
        fewest = min(int(fitting.satisfied.sum()), int((~fitting.satisfied).sum()))
        if fewest < FEWEST:
            left_out[task.name] = (
                f"{int(fitting.satisfied.sum())} satisfied and {int((~fitting.satisfied).sum())} violated "
                f"responses outside the held-out fold; {FEWEST} of each are needed"
            )
        else:
            found[task.name] = (fitting, tested)
    probes: dict[tuple[str, int], LinearProbe] = {}
    aurocs: dict[Spot, float] = {}
    calibration: list[pd.DataFrame] = []
    for layer in source.layers:
        features = np.stack([source.features(layer, position) for position in positions])
        for name, (fitting, tested) in found.items():
            X, y = _stacked(features[:, fitting.rows], fitting.satisfied)
            probes[name, layer] = fit_linear_probe(X, y, C=_C)
            seen = probes[name, layer].scores(features[:, tested.rows].reshape(-1, features.shape[-1]))
            calibration.append(_calibration(seen, tested, len(positions), name, layer))
            aurocs[name, layer] = _auroc(seen, tested)
    words: dict[str, WordProbe] = {}
    for name, (fitting, tested) in found.items():
        words[name] = fit_word_probe(*_texts(source, fitting.rows, positions), fitting.satisfied)
        seen = words[name].scores(*_texts(source, tested.rows, positions))
        calibration.append(_calibration(seen, tested, len(positions), name, None))
        aurocs[name, None] = _auroc(seen, tested)
    return TokenProbes(
        source.layers,
        probes,
        words,
        pd.concat([_no_rows(), *calibration], ignore_index=True) if calibration else _no_rows(),
        aurocs,
        left_out,
        frozenset(query for query, held in zip(queries, away.tolist(), strict=True) if held),
    )


def _stacked(
    features: Float[np.ndarray, "positions n d"], y: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "rows d"], Bool[np.ndarray, " rows"]]:
    """All positions under one another, without those that a response lacks."""
    X = features.reshape(-1, features.shape[-1]).astype(np.float64)
    known = np.isfinite(X).all(axis=1)
    return X[known], np.tile(y, len(features))[known]


def _texts(
    source: ActivationSource, rows: Int[np.ndarray, " n"], positions: Sequence[str]
) -> tuple[list[Sequence[int]], list[Sequence[int]]]:
    """Prompts and responses so far, in the order of `_stacked`; an absent position repeats the text."""
    table = source.responses.iloc[rows]
    facts = list(
        zip(
            table["prompt_tokens"].tolist(),
            table["response_tokens"].tolist(),
            table["n_tokens"].tolist(),
            table["truncated"].tolist(),
            strict=True,
        )
    )
    prompts: list[Sequence[int]] = []
    responses: list[Sequence[int]] = []
    for position in positions:
        for prompt, response, n, cut in facts:
            read = prefix_lengths(int(n), truncated=bool(cut))[position]
            prompts.append(prompt)
            responses.append(response[: max(0, read)])
    return prompts, responses


def _auroc(scores: Float[np.ndarray, " rows"], tested: LabelledTask) -> float:
    """At the last position, on the held-out responses."""
    last = scores[len(scores) - len(tested.rows) :]
    known = np.isfinite(last)
    y = tested.satisfied[known]
    return auroc(y, last[known]) if y.any() and not y.all() else float("nan")


def _calibration(
    scores: Float[np.ndarray, " rows"],
    tested: LabelledTask,
    n_positions: int,
    task: str,
    layer: int | None,
) -> pd.DataFrame:
    """Share of satisfied among held-out readings, bin by bin, with an interval that counts base queries."""
    readings = np.asarray(expit(scores))
    y, queries = np.tile(tested.satisfied, n_positions), np.tile(tested.queries, n_positions)
    records: list[dict[str, object]] = []
    for low, high in zip(BINS, (*BINS[1:], 1.01), strict=True):
        inside = (readings >= low) & (readings < high)
        n = int(inside.sum())
        values = y[inside].astype(np.float64)
        share = float(values.mean()) if n else np.nan
        bounds = _wilson(share, len(np.unique(queries[inside])))
        records.append({"bin": low, "n": n, "share_satisfied": share, "low": bounds[0], "high": bounds[1]})
    return pd.DataFrame(records).assign(train_task=task, layer=np.nan if layer is None else float(layer))


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's interval of a share of n base queries: readings of one query are not counted as several."""
    if n == 0:
        return np.nan, np.nan
    z = float(norm.ppf(0.975))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return float(middle - reach), float(middle + reach)


def _no_rows() -> pd.DataFrame:
    columns = ["bin", "n", "share_satisfied", "low", "high", "train_task", "layer"]
    return pd.DataFrame({name: pd.Series(dtype=str if name == "train_task" else float) for name in columns})
