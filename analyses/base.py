"""What every analysis has in common: its settings, its result, and the analyses in the order of the report.

Each question is a folder of this package, and its `analysis.py` ends in one `Analysis` object:

    run(source: ActivationSource, settings: AnalysisSettings, *, engine, progress) -> AnalysisResult
    figure(result: AnalysisResult) -> matplotlib.figure.Figure

It reads activations only through the `ActivationSource` protocol, so that a study and planted data
(`simulation`) go through the same code. Decodable is not used: only `causal_ablation` and `localisation`
speak of cause, and they alone use the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

from if_circuits.errors import InputError
from if_circuits.plotting.numbers import format_number, format_p

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from if_circuits.statistics.bootstrap import Interval
    from if_circuits.statistics.verdicts import Decision, Outcome

ANALYSES: tuple[str, ...] = (
    "specialist_vs_general",
    "cross_task_transfer",
    "causal_ablation",
    "localisation",
    "layer_stratification",
    "temporal_dynamics",
    "representational_similarity",
    "specificity",
)
"""Names of the analyses, which are their folders too; reading them imports nothing heavy."""
ON_ACTIVATIONS: tuple[str, ...] = tuple(name for name in ANALYSES if name != "localisation")
"""Those that can be had from activations alone: `localisation` is nothing without the model."""

Rung: TypeAlias = Literal["text", "decodable", "causal"]
"""What stands behind a verdict: what the words alone reveal, what a probe reads beyond them, or what changes
when it is changed."""


@dataclass(frozen=True)
class AnalysisSettings:
    """What the analyses may spend, and on which random numbers.

    Example:
        >>> import if_circuits as ifc
        >>> ifc.AnalysisSettings(n_bootstrap=200).n_folds
        5
    """

    n_folds: int = 5
    """Folds over base queries; every probe that is compared is fitted and tested on the same ones."""
    n_bootstrap: int = 1000
    """Resamples of base queries behind each interval."""
    n_permutations: int = 1000
    n_random_subspaces: int = 20
    """Random subspaces of equal rank that each erasure is compared with."""
    erasure: str | None = None
    """Name of the method (`erasure.base.erasure_methods`) whose subspaces causal ablation removes, in
    representation and, along the response at every layer from the chosen one up, in behaviour. None is the
    study's own protocol: INLP in representation, the difference in means in behaviour. The analyses of row
    spaces are about INLP's and take no other."""
    seed: int = 0
    alpha: float = 0.05
    """Size of the tests; intervals have confidence 1 - alpha."""


@dataclass(frozen=True)
class Evidence:
    """The rung that a verdict stands on, what it takes for granted, and what would overturn it."""

    rung: Rung
    assumes: tuple[str, ...]
    broken_by: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"Rung: {self.rung}. Assumes: {'; '.join(self.assumes)}. "
            f"Would be broken by: {'; '.join(self.broken_by)}."
        )


@dataclass(frozen=True)
class Verdict:
    """What the data say about one claim, with the numbers and the written rule behind it."""

    claim: str
    verdict: Outcome
    effect: float
    interval: tuple[float, float]
    p: float
    n: int
    """Base queries behind the interval."""
    rule: str
    notes: tuple[str, ...] = ()
    """Limits of this verdict, and whatever was left out and why."""

    def __str__(self) -> str:
        return f"{self.verdict}: {self.claim}; {self.numbers()}"

    def numbers(self) -> str:
        """Effect, interval, p and n in words."""
        low, high = map(format_number, self.interval)
        effect, p = format_number(self.effect), format_p(self.p)
        return f"effect {effect} [{low}, {high}], p {p}, n = {self.n} base queries"

    def html(self) -> str:
        """The verdict with its numbers and its rule, as notebooks and results show it."""
        colour = {"supported": "#0072B2", "not supported": "#D55E00"}.get(self.verdict, "#767676")
        name = f'<b style="color: {colour}">{escape(self.verdict)}</b>: {escape(self.claim)}'
        return f"<p>{name}<br>{escape(self.numbers())}<br><small>{escape(self.rule)}</small></p>"

    def _repr_html_(self) -> str:
        return self.html()


@dataclass(frozen=True, repr=False)
class AnalysisResult:
    """Everything that one analysis found."""

    name: str
    table: pd.DataFrame
    """The tidy table that is written to `results/<name>.parquet`."""
    verdict: Verdict
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict[str, "pd.DataFrame"])
    """Further tables by name, such as a matrix with its null."""

    def figure(self) -> Figure:
        """The result drawn, as in the report. docs/columns.md says what the columns of its tables mean."""
        return get_analysis(self.name).figure(self)

    @property
    def evidence(self) -> Evidence:
        """The rung of its verdict, what the verdict assumes, and what would break it."""
        return get_analysis(self.name).evidence(self)

    def __repr__(self) -> str:
        others = f"; also {', '.join(self.tables)}" if self.tables else ""
        return f"{self.name}: {self.verdict}\n{len(self.table)} rows in `table`{others}"

    def _repr_html_(self) -> str:
        from if_circuits.plotting.html import figure_html, page_html, table_html

        verdict, sizes = self.verdict, f"the first 5 of {len(self.table)} rows of `table`"
        others = [f"more in `tables`: {', '.join(self.tables)}"] if self.tables else []
        return page_html(
            self.name.replace("_", " "),
            verdict.html(),
            figure_html(self.figure()),
            table_html(self.table.head(), index=False),
            notes=[sizes, *others, str(self.evidence), *verdict.notes],
        )


@dataclass(frozen=True)
class Analysis:
    """One question: what is claimed, how it is answered, and how the answer is drawn."""

    name: str
    claim: str
    """What the verdict is about, as one sentence."""
    run: Callable[..., AnalysisResult]
    """Called with (source, settings) and the keywords `engine`, which carries out its units of work, and
    `progress`, told (done, total); with `uses_model` also with `model`, the model whose activations the
    source holds, `run_settings`, how the study ran it, and `kept` (`io.kept`), where what takes long is kept
    while it works."""
    figure: Callable[[AnalysisResult], Figure]
    evidence: Callable[[AnalysisResult], Evidence]
    """The rung of a result's verdict, what it assumes and what would break it."""
    uses_model: bool = False
    """Whether it generates or reads with the model, and so cannot be done from the files of a study alone."""


def make_verdict(
    claim: str, decision: Decision, interval: Interval, *, p: float, notes: tuple[str, ...] = ()
) -> Verdict:
    """The verdict that a decision (`statistics.verdicts.decide`) about an interval comes to."""
    return Verdict(
        claim,
        decision.verdict,
        interval.estimate,
        interval.bounds,
        p,
        interval.n_groups,
        decision.rule,
        (*decision.notes, *notes),
    )


def no_verdict(claim: str, rule: str, notes: tuple[str, ...]) -> Verdict:
    """Inconclusive for want of data; `notes` say what is missing."""
    nothing = float("nan")
    return Verdict(claim, "inconclusive", nothing, (nothing, nothing), nothing, 0, rule, notes)


def get_analysis(name: str) -> Analysis:
    """The analysis called `name`, imported on first use. Raises InputError for an unknown name."""
    if name not in ANALYSES:
        raise InputError(f"unknown analysis {name!r}; expected one of {', '.join(ANALYSES)}")
    return import_module(f"if_circuits.analyses.{name}.analysis").ANALYSIS
