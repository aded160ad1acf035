"""The analyses of activations by two workers against this process alone: wall clock and CPU time.

    python -m tests.benchmarks.workers STUDY [--workers 2]

measures them on a study at hand. Wall clock: leave the cores idle.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from if_circuits.activations.source import ActivationSource
from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisSettings, get_analysis
from if_circuits.engine.choice import open_engine
from if_circuits.study import Study, StudyConfig
from if_circuits.threads import one_thread_each
from tests.benchmarks.table import Row

CONFIG = StudyConfig("if-tiny", n_base_queries=24, greedy=False, analyses=())
REPEATS = 2


@dataclass(frozen=True)
class Taken:
    """Seconds of all analyses."""

    starting: float
    """Wall clock until the workers have imported what they need, which is in none of the others."""
    wall: float
    here: float
    """CPU time of this process: nothing of it can be shared."""
    workers: float
    """CPU time of the others."""


def rows() -> list[Row]:
    """One worker over two in wall clock and, at best, by CPU time; and what sharing costs."""
    with TemporaryDirectory() as folder:
        study = Study.run(CONFIG, folder)
        source, settings = study.activations, study.config.settings
        taken = [[measured(source, settings, workers=n) for n in (1, 2)] for _ in range(REPEATS)]
    what = f"the analyses of {len(source.responses)} responses, {len(source.layers)} layers"
    ones, twos = zip(*taken, strict=True)
    alone, here = (np.array([getattr(one, name) for one in ones]) for name in ("wall", "here"))
    wall = np.array([two.wall for two in twos])
    whole = np.array([two.starting + two.wall for two in twos])
    at_best = np.array([two.here + two.workers / 2 for two in twos])
    cpu = np.array([two.here + two.workers for two in twos])
    return [
        Row.of(f"wall time of {what}, two workers", wall, "one", alone, reach=">= 1.7"),
        Row.of(f"the same with their start, {what}", whole, "one", alone, reach=">= 1.7"),
        Row.of(f"CPU time of the longest of two workers, {what}", at_best, "one", here, reach=">= 1.7"),
        Row.of(f"CPU time of two workers together, {what}", cpu, "one", here, reach="<= 1.1"),
    ]


def measured(source: ActivationSource, settings: AnalysisSettings, *, workers: int) -> Taken:
    """What all analyses of activations take."""
    others = _of_ended()
    with one_thread_each(), open_engine(workers=workers) as engine:
        begun = time.perf_counter()
        importing = dict(engine.map(_import_all, range(2 * workers)))
        started, here = time.perf_counter(), time.process_time()
        for name in ON_ACTIVATIONS:
            get_analysis(name).run(source, settings, engine=engine)
        ended, here = time.perf_counter(), time.process_time() - here
    others = _of_ended() - others - sum(importing.values()) if workers > 1 else 0.0
    return Taken(started - begun, ended - started, here, others)


def _import_all(unit: int) -> tuple[int, float]:
    """The worker, and the CPU time that it has taken so far."""
    del unit
    for name in ON_ACTIVATIONS:
        get_analysis(name)
    time.sleep(0.5)  # so that every worker gets one
    return os.getpid(), time.process_time()


def _of_ended() -> float:
    """CPU time of the processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print what was taken as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    study = Study.open(given.study)
    taken = measured(study.activations, study.config.settings, workers=given.workers)
    sys.stdout.write(json.dumps(asdict(taken)) + "\n")


if __name__ == "__main__":
    main()
