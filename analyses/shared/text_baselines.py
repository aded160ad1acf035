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
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class TaskTexts:
    """What has been read of one task's rows at their position: a unit of work."""

    rows: ProbingRows
    task: int
    prompts: list[Sequence[int]]
    responses: list[Sequence[int]]
    """The tokens that have been read."""
    read: Int[np.ndarray, " n"]
    Cs: tuple[float, ...] = TEXT_CS
    """Penalties that the classifier `text` chooses from."""

    def __str__(self) -> str:
        return f"the words of {self.rows.tasks[self.task].name} at {self.rows.position}"


def baseline_scores(source: ActivationSource, rows: ProbingRows) -> list[Score]:
    """Every baseline on every task of `rows`."""
    return [score for texts in texts_of(source, rows) for score in baselines_of(texts)]


def texts_of(
    source: ActivationSource, rows: ProbingRows, *, Cs: Sequence[float] = TEXT_CS
) -> list[TaskTexts]:
    """The texts of every task of `rows`."""
    found: list[TaskTexts] = []
    for task, own in enumerate(rows.of_task):
        read = tokens_read(source, rows, own)
        prompts, responses = (
            cast("list[Sequence[int]]", source.responses[column].iloc[rows.rows[own]].tolist())
            for column in ("prompt_tokens", "response_tokens")
        )
        so_far = [tokens[:n] for tokens, n in zip(responses, read.tolist(), strict=True)]
        found.append(TaskTexts(rows, task, prompts, so_far, read, tuple(Cs)))
    return found


def baselines_of(texts: TaskTexts) -> list[Score]:
    """Every baseline on one task."""
    rows, task = texts.rows, texts.task
    prompt, response = token_counts([texts.prompts]), token_counts([texts.responses])
    return [
        score(rows, task, np.zeros(len(rows.rows)), probe="majority"),
        _fitted(rows, task, length_features(texts.read), probe="length", Cs=(0.1,), standardise=True),
        _fitted(rows, task, prompt, probe="prompt_words", Cs=(0.1,)),
        _fitted(rows, task, response, probe="response_words", Cs=(0.1,)),
        text_score(texts),
    ]


def text_score(texts: TaskTexts) -> Score:
    """The classifier that reads the prompt and the response up to the position."""
    X = np.hstack([token_counts([texts.prompts, texts.responses]), np.log1p(texts.read)[:, None]])
    return _fitted(texts.rows, texts.task, X, probe="text", Cs=texts.Cs)


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
