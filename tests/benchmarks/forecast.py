"""The forecast of a small study against what it took, by kind of work: the larger over the smaller.

Rates are measured as `if-circuits plan --gpu here` does. The lengths of prompts and answers, which are inputs
of a forecast, are the study's own means. Wall clock: leave the cores idle.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.table import Row, Spread

ANALYSES = ("specialist_vs_general", "causal_ablation")
TASKS = ("json_format", "term_inclusion", "sentiment", "topic", "register")
MODEL = "if-tiny-clustered"
"""It breaks half of its constraints, so that tasks can be ablated."""


def rows() -> list[Row]:
    """One row a kind of work, and one for all that a forecast counts."""
    from if_circuits.analyses.base import AnalysisSettings
    from if_circuits.study import Study, StudyConfig

    config = StudyConfig(
        model=MODEL,
        tasks=TASKS,
        n_base_queries=40,
        prompts_per_query=2,
        analyses=ANALYSES,
        settings=AnalysisSettings(n_bootstrap=100, n_permutations=100, n_random_subspaces=4),
    )
    with TemporaryDirectory() as folder:
        study = Study.run(config, Path(folder) / "study")
        taken, expected = _taken(study), _expected(study)
    expected["all of these"], taken["all of these"] = sum(expected.values()), sum(taken.values())
    return [_row(work, taken[work], seconds) for work, seconds in expected.items()]


def _row(work: str, taken: float, expected: float) -> Row:
    """The larger over the smaller: a forecast may miss on either side."""
    ratio = Spread.of(np.array([max(taken / expected, expected / taken)]))
    return Row(f"time of a study of {MODEL}: {work}", "s", taken, "its forecast", expected, ratio, "<= 1.25")


def _taken(study: object) -> dict[str, float]:
    from if_circuits.study import Study

    assert isinstance(study, Study)
    found: dict[str, float] = {}
    for name, facts in study.directory.ledger.read()["stages"].items():
        kind = _kind(name)
        found[kind] = found.get(kind, 0.0) + float(facts["seconds"])
    return found


def _expected(study: object) -> dict[str, float]:
    from if_circuits.study import Study
    from if_circuits.study.forecast.forecast import forecast
    from if_circuits.study.forecast.measured import measure_here
    from if_circuits.study.forecast.size import find_size
    from if_circuits.study.forecast.work import Lengths, probed_rows

    assert isinstance(study, Study)
    size, settings, responses = find_size(MODEL), study.run_settings, study.responses
    means = (float(responses[name].map(len).mean()) for name in ("prompt_tokens", "response_tokens"))
    made = forecast(
        study.config,
        size,
        settings,
        measure_here(
            size,
            batch_size=settings.batch_size,
            n_tasks=len(TASKS),
            rows=probed_rows(study.config),
            n_folds=study.config.settings.n_folds,
        ),
        gpus=1,
        dtype="float32",
        lengths=Lengths(*means, settings.max_new_tokens),
    )
    found: dict[str, float] = {}
    for each in made.stages:
        kind = _kind(each.stage)
        found[kind] = found.get(kind, 0.0) + 3600 * each.hours
    return found


def _kind(stage: str) -> str:
    """The first part of a stage's name; causal ablation by itself, and all other analyses as probes."""
    if stage == "analyses.causal_ablation":
        return stage
    first = stage.partition(".")[0]
    return "probes" if first == "analyses" else first
