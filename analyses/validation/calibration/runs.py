"""Carrying out planned runs, so that stopping at any moment loses only what is under way.

Finished runs are written a few at a time to small Parquet files, each whole or not there. A run's outcome
follows from its own seeds alone: neither the engine nor the order of the runs can change the table.
"""

from __future__ import annotations

import gc
import hashlib
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd

from if_circuits.analyses.base import AnalysisResult, Verdict, get_analysis
from if_circuits.analyses.validation.calibration.plan import PlannedRun
from if_circuits.analyses.validation.simulation.studies import simulate
from if_circuits.engine.base import Engine
from if_circuits.engine.in_process import IN_PROCESS
from if_circuits.io.durable import durable_file
from if_circuits.progress import Report
from if_circuits.statistics.verdicts import Outcome

CHUNK = 4
"""Runs that a worker takes at a time, and that one file holds."""

Row = dict[str, object]


def carry_out(
    planned: Sequence[PlannedRun],
    directory: Path,
    *,
    progress: Report,
    engine: Engine = IN_PROCESS,
) -> pd.DataFrame:
    """The table of all planned runs, one row each in the order of the plan; finished ones are not run again.

    `directory` holds the finished runs; `progress` is called with (done, total). An analysis that raises
    does not stop the others: its error is raised when all the rest is written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    finished = _read(directory)
    missing = [run for run in planned if run.run_id not in finished]
    already = len(planned) - len(missing)
    progress(already, len(planned))
    chunks = [tuple(missing[start : start + CHUNK]) for start in range(0, len(missing), CHUNK)]
    failed: list[Exception] = []
    with closing(engine.completed(run_chunk, chunks)) as results:
        for _, found in results:
            if isinstance(found, Exception):
                failed.append(found)
                continue
            _write(found, directory)
            finished |= {str(row["run_id"]): row for row in found}
            already += len(found)
            progress(already, len(planned))
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(chunks)} parts failed, the first with this") from failed[0]
    return pd.DataFrame([finished[run.run_id] for run in planned])


def run_one(run: PlannedRun) -> Row:
    """Plant the truth, run the analysis on it, and describe both in one row of the table."""
    started = time.process_time()
    result: AnalysisResult = get_analysis(run.analysis).run(simulate(run.truth), run.settings)
    truth, verdict = run.truth, result.verdict
    return {
        "run_id": run.run_id,
        "analysis": run.analysis,
        "kind": run.kind,
        "planted": run.planted,
        "run": run.run,
        "mechanism": truth.mechanism,
        "timing": truth.timing,
        "emergence": truth.emergence,
        "signal": truth.signal,
        "twin_signal": truth.twin_signal,
        "cosine": truth.cosine,
        "n_base_queries": truth.n_base_queries,
        "samples": truth.samples,
        "d_model": truth.d_model,
        "n_layers": truth.n_layers,
        "n_over_d": run.n_over_d,
        "truth_seed": truth.seed,
        "analysis_seed": run.settings.seed,
        "verdict": by_numbers(verdict, alpha=run.settings.alpha),
        "effect": float(verdict.effect),
        "low": float(verdict.interval[0]),
        "high": float(verdict.interval[1]),
        "p": float(verdict.p),
        "cpu_seconds": time.process_time() - started,
    }


def by_numbers(verdict: Verdict, *, alpha: float) -> Outcome:
    """The verdict, and of one that is only described what its interval and p say of a difference from 0."""
    if verdict.verdict != "described":
        return verdict.verdict
    low, high = verdict.interval
    if high < 0:
        return "not supported"
    return "supported" if low > 0 and verdict.p <= alpha else "inconclusive"


def run_chunk(chunk: Sequence[PlannedRun]) -> list[Row] | Exception:
    """The rows of some runs; or the error of one of them, which says where it came from."""
    with _settled_memory():
        rows: list[Row] = []
        for run in chunk:
            try:
                rows.append(run_one(run))
            except Exception as error:
                error.add_note(f"while calibrating {run}\n{traceback.format_exc()}")
                return error
        return rows


@contextmanager
def _settled_memory() -> Generator[None]:
    """statsmodels collects garbage at every correction; what is loaded by now is not searched each time."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _write(rows: Sequence[Row], directory: Path) -> None:
    names = "".join(str(row["run_id"]) for row in rows)
    path = directory / f"{hashlib.sha256(names.encode()).hexdigest()[:16]}.parquet"
    with durable_file(path) as partial:
        pd.DataFrame(rows).to_parquet(partial, index=False)


def _read(directory: Path) -> dict[str, Row]:
    """Rows of all finished runs, of this plan and of others, by run."""
    return {
        str(row["run_id"]): {str(name): value for name, value in row.items()}
        for path in sorted(directory.glob("*.parquet"))
        for row in pd.read_parquet(path).to_dict("records")
    }
