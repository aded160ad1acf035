"""How often a study's verdicts say "supported" where there is nothing to find: its labels exchanged.

The activations stay. Within each task base queries exchange their labels, all of a base query's together, so
that what its responses have in common stays in common. In counterfactual pairs a coin for each base query
says whether the two labels change places. After that no activation says which label a response has, and
"supported" is an error for every claim that something is there to be read. A claim that something is absent,
as that transfer is weak, may be supported by nothing at all; its rate says how far its own controls prevent
that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import ON_ACTIVATIONS, get_analysis
from if_circuits.errors import InputError
from if_circuits.io.code import code_digest
from if_circuits.io.digest import file_sha256, value_sha256
from if_circuits.io.files import write_parquet
from if_circuits.progress import Report, Steps
from if_circuits.statistics.verdicts import Outcome
from if_circuits.study.directory import StudyDirectory
from if_circuits.study.keys import StageKeys
from if_circuits.study.order import inputs_of
from if_circuits.study.out_of_date import say_if_out_of_date
from if_circuits.study.pipeline import open_activations
from if_circuits.study.prompting import unmeasured
from if_circuits.tasks.labels import Label

TABLE = "null-labels.parquet"
"""In the study's directory; draws that are there are not made again."""
_LABEL = ["verdict", "reason"]
_OTHER = {Label.SATISFIED.value: Label.VIOLATED.value, Label.VIOLATED.value: Label.SATISFIED.value}


def verdicts_on_exchanged(
    directory: StudyDirectory,
    names: Sequence[str] = ON_ACTIVATIONS,
    *,
    draws: int,
    progress: Report | None = None,
) -> pd.DataFrame:
    """The verdicts of the analyses under labels that were exchanged so many times.

    Analyses that use the model are done without it. What was drawn before is read from the study's directory,
    unless the study or the code has changed since.

    Returns:
        One row a draw and analysis: analysis, draw, verdict, effect, low, high, p, n, and made_from, a digest
        of what decides the row.

    Raises:
        InputError: For an analysis that needs the model, and a study without activations.
    """
    for name in names:
        if name not in ON_ACTIVATIONS:
            raise InputError(f"{name} exchanges activations in a model; labels alone say nothing of it")
    say_if_out_of_date(directory)
    path = directory.root / TABLE
    known = pd.read_parquet(path) if path.is_file() else pd.DataFrame({"made_from": []})
    source = open_activations(directory, without=unmeasured(directory))
    made_from = {name: _made_from(directory, name) for name in names}
    steps = Steps(progress, draws * len(names))
    for draw in range(draws):
        exchanged = exchange_labels(source, seed=draw)
        for name in names:
            digest = value_sha256((made_from[name], draw))
            if digest not in set(known["made_from"]):
                found = get_analysis(name).run(exchanged, directory.config.settings).verdict
                row = {
                    "analysis": name,
                    "draw": draw,
                    "verdict": found.verdict,
                    "effect": found.effect,
                    "low": found.interval[0],
                    "high": found.interval[1],
                    "p": found.p,
                    "n": found.n,
                    "made_from": digest,
                }
                known = pd.concat([known, pd.DataFrame([row])], ignore_index=True)
                write_parquet(path, known)
            steps.done()
    digests = [value_sha256((made_from[name], draw)) for draw in range(draws) for name in names]
    return known.set_index("made_from").loc[digests].reset_index()


def rates_of(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Of each analysis: how often it is supported, the 95 % Wilson interval of that share, and the rest."""
    rows: list[dict[str, object]] = []
    for name, table in verdicts.groupby("analysis", sort=False):
        counts = table["verdict"].value_counts()
        times = {outcome: int(counts.get(outcome, 0)) for outcome in get_args(Outcome)}
        bounds = binomtest(times["supported"], len(table)).proportion_ci(method="wilson")
        rows.append(
            {
                "analysis": name,
                "supported": times["supported"],
                "low": bounds.low,
                "high": bounds.high,
                "not_supported": times["not supported"],
                "inconclusive": times["inconclusive"],
                "draws": len(table),
            }
        )
    return pd.DataFrame(rows)


def exchange_labels(source: CapturedActivations, *, seed: int) -> CapturedActivations:
    """The same responses and activations, with the labels of other base queries."""
    rng = np.random.default_rng(seed)
    pairs = source.counterfactual
    if pairs is not None:
        flipped = _flip_pairs(pairs.responses, rng)
        pairs = CapturedActivations(flipped, pairs.store, base_queries=source.base_queries)
    return CapturedActivations(_exchange(source.responses, rng), source.store, counterfactual=pairs)


def _exchange(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each base query with the labels of another that has as many responses of each kind to the task."""
    label = [name for name in _LABEL if name in rows]
    order = rows.sort_values(["task", "base_query", "constrained", "prompt_id", "sample"], kind="stable")
    found = order[label].copy()
    for _, of_task in order.groupby("task", sort=True):
        blocks: dict[tuple[bool, ...], list[pd.Index]] = {}
        for _, block in of_task.groupby("base_query", sort=True):
            blocks.setdefault(tuple(block["constrained"]), []).append(block.index)
        for alike in blocks.values():
            for to, given in enumerate(rng.permutation(len(alike))):
                found.loc[alike[to]] = order.loc[alike[given], label].to_numpy()
    return rows.assign(**{name: found[name].reindex(rows.index) for name in label})


def _flip_pairs(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A coin for each task and base query says whether both labels of its pairs change places."""
    groups = rows.groupby(["task", "base_query"], sort=True).ngroup().to_numpy()
    flip = (rng.random(groups.max(initial=-1) + 1) < 0.5)[groups]
    return rows.assign(verdict=rows["verdict"].where(~flip, rows["verdict"].map(_OTHER)))


def _made_from(directory: StudyDirectory, name: str) -> str:
    """A digest of the files and the code that decide a draw."""
    stage = f"analyses.{name}"
    files = {path.name: file_sha256(path) for path in inputs_of(stage, directory)}
    key = dict(StageKeys(directory).of(stage))
    return value_sha256((sorted(files.items()), sorted(key.items()), code_digest(exchange_labels)))
