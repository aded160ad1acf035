"""What a task's labels owe to the text: classifiers on the same rows and folds that see no activation.

- majority: the larger class;
- length: how much of the response has been read;
- text: the tokens of the prompt and of the response so far, and how much has been read. At `prompt_end`
  that is the prompt alone.

A probe that does no better than `text` at its position may read nothing but the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Int

from if_circuits.activations.positions import prefix_lengths
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.probing import ProbingRows
from if_circuits.analyses.score_table import Score, score, score_fitted
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.baselines import token_counts

BASELINES = ("majority", "length", "text")
TEXT_CS = (0.01, 0.1, 1.0)
"""Inverse penalties to choose from, for log-counts of tokens."""


def baseline_scores(source: ActivationSource, rows: ProbingRows) -> list[Score]:
    """Every baseline on every task of `rows`."""
    scores: list[Score] = []
    for task, own in enumerate(rows.of_task):
        scores.append(score(rows, task, np.zeros(len(rows.rows)), probe="majority"))
        read = tokens_read(source, rows, own).astype(np.float64)
        # A length can be too small and too large, so its square is there too.
        lengths = np.stack([read, read**2, np.log1p(read)], axis=1)
        found = fit_across_folds(
            lengths,
            rows.labels[own],
            fold_of_row=rows.fold_of_row[own],
            train=np.ones((len(read), 1), dtype=bool),
            Cs=(0.1,),
        )
        scores += [
            score_fitted(rows, task, found, column=0, probe="length"),
            text_score(source, rows, task),
        ]
    return scores


def text_score(
    source: ActivationSource, rows: ProbingRows, task: int, *, Cs: Sequence[float] = TEXT_CS
) -> Score:
    """The classifier that reads the prompt and the response up to the position of `rows`."""
    own = rows.of_task[task]
    read = tokens_read(source, rows, own)
    prompts = _tokens(source, "prompt_tokens", rows.rows[own])
    responses = _tokens(source, "response_tokens", rows.rows[own])
    prefixes = [tokens[:n] for tokens, n in zip(responses, read.tolist(), strict=True)]
    X = np.hstack([token_counts([prompts, prefixes]), np.log1p(read)[:, None]])
    found = fit_across_folds(
        X,
        rows.labels[own],
        fold_of_row=rows.fold_of_row[own],
        train=np.ones((len(read), 1), dtype=bool),
        Cs=Cs,
        standardise=False,
    )
    return score_fitted(rows, task, found, column=0, probe="text")


def tokens_read(source: ActivationSource, rows: ProbingRows, own: slice) -> Int[np.ndarray, " n"]:
    """Response tokens up to the position of `rows`, that one included."""
    columns = source.responses[["n_tokens", "truncated"]].iloc[rows.rows[own]]
    return np.array(
        [
            prefix_lengths(int(n), truncated=bool(cut))[rows.position]
            for n, cut in zip(columns["n_tokens"], columns["truncated"], strict=True)
        ],
        dtype=np.int64,
    )


def _tokens(source: ActivationSource, column: str, rows: Int[np.ndarray, " n"]) -> list[Sequence[int]]:
    return cast("list[Sequence[int]]", source.responses[column].iloc[rows].tolist())
