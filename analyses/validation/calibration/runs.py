"""Carrying out planned runs in worker processes, so that stopping at any moment loses only what is under way.

Finished runs are written a few at a time to small Parquet files, each whole or not there. A run's outcome
follows from its own seeds alone: neither the number of workers nor their order can change the table.
"""

from __future__ import annotations

import gc
import hashlib
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisResult, get_analysis
from if_circuits.analyses.validation.calibration.plan import PlannedRun
from if_circuits.analyses.validation.simulation.studies import simulate
from if_circuits.io.durable import durable_file
from if_circuits.progress import Report

CHUNK = 4
"""Runs that a worker takes at a time, and that one file holds."""

Row = dict[str, object]


def carry_out(
    planned: Sequence[PlannedRun],
    directory: Path,
    *,
    workers: int,
    progress: Report,
) -> pd.DataFrame:
    """The table of all planned runs, one row each in the order of the plan; finished ones are not run again.

    `directory` holds the finished runs; `progress` is called with (done, total). An analysis that raises
    does not stop the others: its error is raised when all the rest is written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    finished = _read(directory)
    missing = [run for run in planned if run.run_id not in finished]
    progress(len(planned) - len(missing), len(planned))
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    if chunks:
        already = len(planned) - len(missing)
        finished |= _in_workers(
            chunks, directory, workers=workers, progress=lambda done: progress(already + done, len(planned))
        )
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
        "verdict": verdict.verdict,
        "effect": float(verdict.effect),
        "low": float(verdict.interval[0]),
        "high": float(verdict.interval[1]),
        "p": float(verdict.p),
        "cpu_seconds": time.process_time() - started,
    }


def _in_workers(
    chunks: Sequence[Sequence[PlannedRun]],
    directory: Path,
    *,
    workers: int,
    progress: Callable[[int], None],
) -> dict[str, Row]:
    """Run the chunks in worker processes and write each as it is done; the rows by run."""
    rows: dict[str, Row] = {}
    failed: list[Exception] = []
    # Forked workers would inherit the thread pools of libraries that this process has used.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare_worker)
    try:
        futures: list[Future[list[Row]]] = [pool.submit(_run_chunk, chunk) for chunk in chunks]
        for future in as_completed(futures):
            try:
                done = future.result()
            except Exception as error:
                failed.append(error)
                continue
            _write(done, directory)
            rows |= {str(row["run_id"]): row for row in done}
            progress(len(rows))
    finally:
        pool.shutdown(cancel_futures=True)
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(chunks)} parts failed, the first with this") from failed[0]
    return rows


def _prepare_worker() -> None:
    """One thread of linear algebra per worker: the matrices are small, and the cores are taken."""
    # Ctrl-C reaches every process of a terminal; the one that hands out the work sees to the rest.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ON_ACTIVATIONS:
        get_analysis(name)
    # The limit reaches the libraries that are loaded by now, and stays for the life of the process.
    threadpool_limits(limits=1)
    # statsmodels collects garbage at every correction; what is loaded by now need not be searched each time.
    gc.freeze()


def _run_chunk(chunk: Sequence[PlannedRun]) -> list[Row]:
    rows: list[Row] = []
    for run in chunk:
        try:
            rows.append(run_one(run))
        except Exception as error:
            error.add_note(f"while calibrating {run}")
            raise
    return rows


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
