"""How often the seven analyses are wrong, and how often they see what is there: measured on planted truth.

`plan` says what is planted for each claim. The false-positive rate of a claim is the share of
runs under its null whose verdict is "supported", with a 95 % Wilson interval; of a claim's nulls the one
with the highest rate counts, and all stand in the summary. Power is that share where the claim holds, by
signal strength and by responses of a task per dimension. Results: `summary.json`, `runs.parquet` with one
row per run, `calibration.png`. Finished runs are kept in `parts/`: the same command goes on where it was
stopped. After a change to the code it starts again, since a run belongs to the code that it ran.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
from scipy.stats import binomtest

from if_circuits.analyses.base import ON_ACTIVATIONS
from if_circuits.analyses.validation.calibration.figure import figure
from if_circuits.analyses.validation.calibration.plan import CLAIMS, SETTINGS, Claim, plan
from if_circuits.analyses.validation.calibration.runs import carry_out
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.io.files import write_bytes, write_json, write_parquet
from if_circuits.plotting.style import png_bytes
from if_circuits.progress import Report


def calibrate(
    out: Path,
    *,
    runs: int,
    power_runs: int,
    seed: int = 0,
    analyses: Sequence[str] = ON_ACTIVATIONS,
    claims: Mapping[str, Claim] = CLAIMS,
    engine: Engine = IN_PROCESS,
    progress: Report = lambda *_: None,
) -> dict[str, Any]:
    """Measure the rates, write table, figure and summary to `out`, and return the summary.

    `engine` carries the runs out; `progress` is told (runs done, runs in all).
    Raises InputError for an unknown analysis, or for fewer than one run.
    """
    planned = plan(runs=runs, power_runs=power_runs, seed=seed, analyses=analyses, claims=claims)
    table = carry_out(planned, out / "parts", engine=engine, progress=progress)
    found = rates(table)
    summary = summarise(found)
    write_parquet(out / "runs.parquet", table)
    write_bytes(out / "calibration.png", png_bytes(figure(found, nominal=SETTINGS.alpha)))
    write_json(out / "summary.json", summary)
    return summary


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """Share of "supported" per analysis and planted truth, with its 95 % Wilson interval (Wilson 1927).

    Columns: analysis, kind, planted, signal, n_over_d, rate, low, high, runs; in the order of the table.
    """
    keys = ["analysis", "kind", "planted", "signal", "n_over_d"]
    supported = table["verdict"].eq("supported").groupby([table[key] for key in keys], sort=False)
    found = supported.agg(supported="sum", runs="size").reset_index()
    found["rate"] = found["supported"] / found["runs"]
    bounds = [
        binomtest(count, n).proportion_ci(method="wilson")
        for count, n in found[["supported", "runs"]].itertuples(index=False)
    ]
    found["low"], found["high"] = [each.low for each in bounds], [each.high for each in bounds]
    return found[[*keys, "rate", "low", "high", "runs"]]


def summarise(found: pd.DataFrame) -> dict[str, Any]:
    """The rates as `summary.json` holds them; `false_positive` is that of the null with the highest rate.

    `rates` has every row of `found`, with what was planted and all intervals.
    """
    claims: dict[str, Any] = {}
    for name in dict.fromkeys(found["analysis"]):
        own = found[found["analysis"] == name]
        nulls = _records(own[own["kind"] == "null"], ["planted", "rate", "low", "high", "runs"])
        power = _records(own[own["kind"] == "power"], ["signal", "n_over_d", "rate", "runs"])
        claims[name] = {"false_positive": max(nulls, key=lambda null: null["rate"]), "power": power}
    return {"nominal": SETTINGS.alpha, "claims": claims, "rates": _records(found, list(found.columns))}


def costs(table: pd.DataFrame) -> pd.DataFrame:
    """CPU seconds of each analysis: of one run under its nulls, and of all its runs."""
    null = table[table["kind"] == "null"].groupby("analysis", sort=False)["cpu_seconds"].mean()
    whole = table.groupby("analysis", sort=False)["cpu_seconds"].agg(["sum", "size"])
    found = whole.rename(columns={"sum": "all_runs", "size": "runs"}).assign(one_null_run=null)
    return found.reset_index()[["analysis", "one_null_run", "runs", "all_runs"]]


def _records(rows: pd.DataFrame, columns: list[str]) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], rows[columns].to_dict("records"))
