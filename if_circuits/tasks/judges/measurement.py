"""How well a judge agrees with human labels: AUROC, accuracy, what it leaves undecided, with intervals."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.errors import InputError
from if_circuits.statistics.auroc import resampled_auroc
from if_circuits.tasks.judges.base import Judge

NO_INTERVAL = (float("nan"), float("nan"))


@dataclass(frozen=True)
class JudgeScore:
    """What was measured of a judge on labelled texts."""

    judge: str
    n: int
    accuracy: float
    """Share of all texts that get their human label; a text that the judge leaves undecided gets none."""
    undecided: float
    """Share of texts to which the judge gives none of the human labels."""
    right: float
    """Share of the decided texts that get their human label; NaN where nothing is decided."""
    auroc: float
    sensitivity: float
    """Share of the decided texts with the first label that get it."""
    specificity: float
    """Share of the decided texts with the other label that get it."""
    pearson: float
    """Correlation of the score with human scores; NaN where the labels are no scores."""
    intervals: Mapping[str, tuple[float, float]]
    """95 % of each of the above by its name, by bootstrap over groups."""

    @property
    def auroc_interval(self) -> tuple[float, float]:
        return self.intervals["auroc"]

    def text(self) -> str:
        """All of it in a few lines, for a terminal."""
        named = {
            "AUROC": "auroc",
            "accuracy": "accuracy",
            "undecided": "undecided",
            "right of the decided": "right",
            "correlation": "pearson",
        }
        shown = [f"{title} {self.markdown(name, 2)}" for title, name in named.items()]
        return f"{self.judge}: n = {self.n}\n" + "\n".join(line for line in shown if "–" not in line)

    def markdown(self, name: str, digits: int = 3) -> str:
        """One number with its interval, as tables show it."""
        value, (low, high) = getattr(self, name), self.intervals[name]
        return "–" if np.isnan(value) else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


@dataclass(frozen=True)
class Verdicts:
    """What a judge and people say of the same texts, as arrays of equal length."""

    scores: Float[np.ndarray, " texts"]
    sides: Int[np.ndarray, " texts"]
    """1 where the judge gives the first label, -1 for the other, 0 for none of them."""
    human: Float[np.ndarray, " texts"]
    """1 and -1 for labels; or scores, of which the outer thirds are taken as labels."""
    groups: Sequence[Hashable]

    @property
    def graded(self) -> bool:
        """Whether people gave scores."""
        return len(np.unique(self.human)) > 2

    def clear(self) -> Bool[np.ndarray, " texts"]:
        """The texts with a label: all, or the outer thirds of the human scores."""
        if not self.graded:
            return np.ones(len(self.human), dtype=bool)
        low, high = np.quantile(self.human, [1 / 3, 2 / 3])
        return (self.human <= low) | (self.human >= high)

    def truth(self) -> Bool[np.ndarray, " texts"]:
        """Whether a text has the first label, where that is clear."""
        return self.human > (np.median(self.human) if self.graded else 0.0)


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

    `positive` is the label that a large score speaks for. Labels that are numbers are human scores: they are
    correlated with the judge's, and their outer thirds stand for the two labels. Texts that belong together,
    such as a review and its rewrite, share a group and are resampled together; by default each text stands
    alone. Raises InputError unless texts of two labels are given, `positive` among them, or scores.
    """
    if len(texts) != len(labels) or (groups is not None and len(groups) != len(texts)):
        raise InputError("texts, labels and groups must be equally many")
    human = _human(labels, positive)
    judgements = judge.judge(texts)
    others = set(labels) - {positive}
    sides = [
        1 if each.label == positive else -1 if _is_other(each.label, others) else 0 for each in judgements
    ]
    verdicts = Verdicts(
        np.array([each.score for each in judgements], dtype=np.float64),
        np.array(sides),
        human,
        list(range(len(texts))) if groups is None else list(groups),
    )
    return score_of(judge.name, verdicts, n_bootstrap=n_bootstrap, seed=seed)


def score_of(judge: str, verdicts: Verdicts, *, n_bootstrap: int = 1000, seed: int = 0) -> JudgeScore:
    """The agreement of verdicts that are at hand."""
    units: dict[Hashable, int] = {}
    unit_of = np.array([units.setdefault(group, len(units)) for group in verdicts.groups])
    drawn = np.random.default_rng(seed).multinomial(
        len(units), np.full(len(units), 1 / len(units)), n_bootstrap
    )
    found = {name: float(value[0]) for name, value in _numbers(verdicts, np.ones((1, len(unit_of)))).items()}
    resampled = _numbers(verdicts, drawn[:, unit_of].astype(np.float64))
    intervals = {name: _interval(values) for name, values in resampled.items()}
    return JudgeScore(judge=judge, n=len(unit_of), intervals=intervals, **found)


def _numbers(
    verdicts: Verdicts, weights: Float[np.ndarray, "resamples texts"]
) -> dict[str, Float[np.ndarray, " resamples"]]:
    """Each number under each weighting of the texts."""
    clear, truth, sides = verdicts.clear(), verdicts.truth(), verdicts.sides
    decided = clear & (sides != 0)
    right = clear & (sides == np.where(truth, 1, -1))
    unknown = np.full(len(weights), np.nan)
    return {
        "accuracy": _share(weights, right, among=clear),
        "undecided": _share(weights, sides == 0, among=np.ones_like(clear)),
        "right": _share(weights, right, among=decided),
        "auroc": resampled_auroc(truth[clear], verdicts.scores[clear], weights=weights[:, clear]),
        "sensitivity": _share(weights, right, among=decided & truth),
        "specificity": _share(weights, right, among=decided & ~truth),
        "pearson": _pearson(weights, verdicts.scores, verdicts.human) if verdicts.graded else unknown,
    }


def _share(
    weights: Float[np.ndarray, "resamples texts"],
    holds: Bool[np.ndarray, " texts"],
    *,
    among: Bool[np.ndarray, " texts"],
) -> Float[np.ndarray, " resamples"]:
    of, total = weights @ (holds & among), weights @ among
    return np.where(total > 0, of / np.where(total > 0, total, 1), np.nan)


def _pearson(
    weights: Float[np.ndarray, "resamples texts"],
    first: Float[np.ndarray, " texts"],
    second: Float[np.ndarray, " texts"],
) -> Float[np.ndarray, " resamples"]:
    share = weights / weights.sum(axis=1, keepdims=True)
    mean_first, mean_second = share @ first, share @ second
    variance = (share @ first**2 - mean_first**2) * (share @ second**2 - mean_second**2)
    known = variance > 1e-24
    covariance = share @ (first * second) - mean_first * mean_second
    return np.where(known, covariance / np.sqrt(np.where(known, variance, 1)), np.nan)


def _interval(values: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return NO_INTERVAL
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _human(labels: Sequence[str], positive: str) -> Float[np.ndarray, " texts"]:
    known = set(labels)
    if positive not in known and len(known) > 2:
        try:
            return np.array([float(label) for label in labels])
        except ValueError:
            pass
    if len(known) != 2 or positive not in known:
        raise InputError(
            f"labels are {', '.join(sorted(known)) or 'missing'}; expected two, one of them {positive!r}, "
            "or a number for each text"
        )
    return np.array([1.0 if label == positive else -1.0 for label in labels])


def _is_other(label: str | None, others: set[str]) -> bool:
    """Whether a judge gives the other of two labels; beside human scores, any label but the first."""
    return label is not None and (label in others or len(others) > 1)
