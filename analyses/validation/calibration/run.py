"""How often the seven analyses are wrong, and how often they see what is there: measured on planted truth.

    python -m if_circuits.analyses.validation.calibration.run --out runs/calibration

`calibration_plan` says what is planted for each claim. The false-positive rate of a claim is the share of
runs under its null whose verdict is "supported", with a 95 % Wilson interval; of a claim's nulls the one
with the highest rate counts, and all stand in the summary. Power is that share where the claim holds, by
signal strength and by responses of a task per dimension. Results: `summary.json`, `runs.parquet` with one
row per run, `calibration.png`. Finished runs are kept in `parts/`: the same command goes on where it was
stopped. After a change to the code it starts again, since a run belongs to the code that it ran.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as RemainingColumn
from scipy.stats import binomtest

from if_circuits.analyses.base import ANALYSES
from if_circuits.analyses.validation.calibration.figure import figure
from if_circuits.analyses.validation.calibration.plan import CLAIMS, SETTINGS, Claim, plan
from if_circuits.analyses.validation.calibration.runs import carry_out
from if_circuits.analyses.validation.calibration.table import calibration_markdown
from if_circuits.cli.console import new_console, print_table
from if_circuits.errors import InputError
from if_circuits.io.durable import durable_file, write_text
from if_circuits.plotting.style import save_png

RUNS, POWER_RUNS = 200, 12


def calibrate(
    out: Path,
    *,
    runs: int = RUNS,
    power_runs: int = POWER_RUNS,
    workers: int = 2,
    seed: int = 0,
    analyses: Sequence[str] = ANALYSES,
    claims: Mapping[str, Claim] = CLAIMS,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Measure the rates, write table, figure and summary to `out`, and return the summary.

    Raises InputError for an unknown analysis, or for fewer than one run or worker.
    """
    if workers < 1:
        raise InputError(f"workers must be positive, got {workers}")
    planned = plan(runs=runs, power_runs=power_runs, seed=seed, analyses=analyses, claims=claims)
    columns = (TextColumn("calibration"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, RemainingColumn(), console=new_console(stderr=True), disable=not show_progress)
    with bars:
        bar = bars.add_task("calibration", total=len(planned))
        table = carry_out(
            planned,
            out / "parts",
            workers=workers,
            progress=lambda done, total: bars.update(bar, completed=done, total=total),
        )
    found = rates(table)
    summary = summarise(found)
    with durable_file(out / "runs.parquet") as partial:
        table.to_parquet(partial, index=False)
    with durable_file(out / "calibration.png") as partial:
        save_png(figure(found, nominal=SETTINGS.alpha), partial)
    write_text(out / "summary.json", json.dumps(summary, indent=2) + "\n")
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 when all is written, 2 for unusable input, 130 when it was stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m if_circuits.analyses.validation.calibration.run",
        description="Measure the error rates and the power of the analyses on planted truth.",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"), help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs per null (default: %(default)s)")
    parser.add_argument(
        "--power-runs",
        type=int,
        default=POWER_RUNS,
        help="runs per point of a power curve (default: %(default)s)",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--analysis", action="append", metavar="NAME", help="only this analysis; may be repeated"
    )
    given = parser.parse_args(arguments)
    try:
        summary = calibrate(
            given.out,
            runs=given.runs,
            power_runs=given.power_runs,
            workers=given.workers,
            seed=given.seed,
            analyses=given.analysis or ANALYSES,
            show_progress=True,
        )
    except InputError as error:
        new_console(stderr=True).print(f"error: {error}", markup=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        new_console(stderr=True).print("stopped; the same command goes on from here", markup=False)
        return 130
    _print_findings(summary, pd.read_parquet(given.out / "runs.parquet"))
    return 0


def _print_findings(summary: dict[str, Any], table: pd.DataFrame) -> None:
    print_table(
        ("claim", "null", "false positives", "95 % interval", "runs"),
        [
            (
                row["analysis"],
                row["planted"],
                f"{row['rate']:.3f}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                str(row["runs"]),
            )
            for row in summary["rates"]
            if row["kind"] == "null"
        ],
    )
    print_table(
        ("claim", "CPU seconds of a null run", "runs", "CPU seconds of all"),
        [
            (row["analysis"], f"{row['one_null_run']:.2f}", str(row["runs"]), f"{row['all_runs']:.0f}")
            for row in costs(table).to_dict("records")
        ],
    )
    sys.stdout.write("\n" + calibration_markdown(summary))


if __name__ == "__main__":
    sys.exit(main())
