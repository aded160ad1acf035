"""How well a judge agrees with human labels: accuracy, AUROC with its interval, how often it cannot tell."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.errors import InputError
from if_circuits.statistics.auroc import auroc
from if_circuits.tasks.judges.base import Judge


@dataclass(frozen=True)
class JudgeScore:
    """What was measured of a judge on labelled texts."""

    judge: str
    n: int
    accuracy: float
    """Share of all texts that get their human label; a text that the judge leaves undecided gets none."""
    undecided: float
    """Share of texts to which the judge gives none of the human labels."""
    auroc: float
    auroc_interval: tuple[float, float]
    """95 %, by bootstrap over groups."""


def measure_judge(
    judge: Judge,
    texts: Sequence[str],
    labels: Sequence[str],
    *,
    positive: str,
    groups: Sequence[Hashable] | None = None,
    n_bootstrap: int = 1000,
    seed: int = 0,
) -> JudgeScore:
    """The judge's agreement with human labels, which are of the judge's own vocabulary.

    `positive` is the label that a large score speaks for. Texts that belong together, such as a review and
    its rewrite, share a group and are resampled together; by default each text stands alone. Raises
    InputError unless texts of two labels are given, `positive` among them.
    """
    if len(texts) != len(labels) or (groups is not None and len(groups) != len(texts)):
        raise InputError("texts, labels and groups must be equally many")
    known = set(labels)
    if len(known) != 2 or positive not in known:
        raise InputError(
            f"labels are {', '.join(sorted(known)) or 'missing'}; expected two, one of them {positive!r}"
        )
    judgements = judge.judge(texts)
    given = [judgement.label for judgement in judgements]
    truth = np.array([label == positive for label in labels])
    scores = np.array([judgement.score for judgement in judgements], dtype=np.float64)
    units = list(range(len(texts))) if groups is None else list(groups)
    return JudgeScore(
        judge=judge.name,
        n=len(texts),
        accuracy=float(np.mean([mine == theirs for mine, theirs in zip(given, labels, strict=True)])),
        undecided=float(np.mean([label not in known for label in given])),
        auroc=auroc(truth, scores),
        auroc_interval=_interval(truth, scores, _rows_of(units), n_bootstrap=n_bootstrap, seed=seed),
    )


def _rows_of(groups: Sequence[Hashable]) -> list[Int[np.ndarray, " rows"]]:
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    return [np.array(each, dtype=np.int64) for each in rows.values()]


def _interval(
    truth: Bool[np.ndarray, " n"],
    scores: Float[np.ndarray, " n"],
    rows_of_group: Sequence[Int[np.ndarray, " rows"]],
    *,
    n_bootstrap: int,
    seed: int,
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    found: list[float] = []
    for _ in range(n_bootstrap):
        drawn = rng.integers(len(rows_of_group), size=len(rows_of_group))
        rows = np.concatenate([rows_of_group[index] for index in drawn])
        if 0 < truth[rows].sum() < len(rows):  # else there is nothing to rank
            found.append(auroc(truth[rows], scores[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
