"""What a task's labels owe to the text: classifiers on the same rows and folds that see no activation.

- majority: the larger class;
- length: how much of the response has been read;
- prompt_words: the tokens of the prompt;
- response_words: the tokens of the response so far, none at `prompt_end`;
- text: both, and how much of the response has been read.

A probe that does no better than `text` at its position may read nothing but the words. The layer `embed` of
the probes themselves is one more baseline: it sees a single token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Float, Int

from if_circuits.activations.positions import prefix_lengths
from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.shared.probing import ProbingRows
from if_circuits.analyses.shared.score_table import Score, score, score_fitted
from if_circuits.probes.across_folds import fit_across_folds
from if_circuits.probes.baselines import TEXT_CS, length_features, token_counts

BASELINES = ("majority", "length", "prompt_words", "response_words", "text")


def baseline_scores(source: ActivationSource, rows: ProbingRows) -> list[Score]:
    """Every baseline on every task of `rows`."""
    scores: list[Score] = []
    for task, own in enumerate(rows.of_task):
        scores.append(score(rows, task, np.zeros(len(rows.rows)), probe="majority"))
        lengths = length_features(tokens_read(source, rows, own))
        prompt, response = _words(source, rows, own)
        scores += [
            _fitted(rows, task, lengths, probe="length", Cs=(0.1,), standardise=True),
            _fitted(rows, task, token_counts([prompt]), probe="prompt_words", Cs=(0.1,)),
            _fitted(rows, task, token_counts([response]), probe="response_words", Cs=(0.1,)),
            text_score(source, rows, task),
        ]
    return scores


def text_score(
    source: ActivationSource, rows: ProbingRows, task: int, *, Cs: Sequence[float] = TEXT_CS
) -> Score:
    """The classifier that reads the prompt and the response up to the position of `rows`."""
    own = rows.of_task[task]
    read = tokens_read(source, rows, own)
    X = np.hstack([token_counts(_words(source, rows, own)), np.log1p(read)[:, None]])
    return _fitted(rows, task, X, probe="text", Cs=Cs)


def _fitted(
    rows: ProbingRows,
    task: int,
    X: Float[np.ndarray, "n d"],
    *,
    probe: str,
    Cs: Sequence[float],
    standardise: bool = False,
) -> Score:
    """A logistic classifier of one task's rows as a row of a table."""
    own = rows.of_task[task]
    found = fit_across_folds(
        X,
        rows.labels[own],
        fold_of_row=rows.fold_of_row[own],
        train=np.ones((len(X), 1), dtype=bool),
        Cs=Cs,
        standardise=standardise,
    )
    return score_fitted(rows, task, found, column=0, probe=probe)


def _words(source: ActivationSource, rows: ProbingRows, own: slice) -> list[list[Sequence[int]]]:
    """The tokens of the prompts, and those of the responses that have been read."""
    read = tokens_read(source, rows, own).tolist()
    prompts, responses = (
        cast("list[Sequence[int]]", source.responses[column].iloc[rows.rows[own]].tolist())
        for column in ("prompt_tokens", "response_tokens")
    )
    return [prompts, [tokens[:n] for tokens, n in zip(responses, read, strict=True)]]


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
