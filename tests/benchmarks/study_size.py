"""A study of ten times as many base queries: its CPU time and its peak memory.

    python -m tests.benchmarks.study_size BASE_QUERIES OUT

runs one in a process of its own: generation, verification, capture of all layers and one analysis of
probes, on if-tiny. Memory is the most that the process ever held, and what of it is above the loaded
model, where the libraries, which are nine tenths of a small study, do not hide growth.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.capture_sides import memory_of, peak_memory
from tests.benchmarks.table import Row

SMALL, LARGE, REPEATS = 12, 120, 2
TASKS = ("json_format", "term_inclusion", "sentiment")


def rows() -> list[Row]:
    """Large over small."""
    with TemporaryDirectory() as folder:
        measured = [[_measure(n, Path(folder) / "study") for n in (SMALL, LARGE)] for _ in range(REPEATS)]
    small, large = np.array(measured).transpose(1, 2, 0)
    parts = (
        ("CPU time", "s", 1, "<= 10"),
        ("peak memory", "MiB", 2**20, "<= 1.1"),
        ("peak memory above the loaded model", "MiB", 2**20, "<= 1.1"),
    )
    return [
        Row.of(
            f"{part} of a study of {LARGE} base queries",
            many / size,
            f"{SMALL} base queries",
            few / size,
            unit=unit,
            reach=reach,
        )
        for (part, unit, size, reach), few, many in zip(parts, small, large, strict=True)
    ]


def _measure(n_base_queries: int, out: Path) -> list[float]:
    command = [sys.executable, "-m", "tests.benchmarks.study_size", str(n_base_queries), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.rmtree(out)
    return json.loads(done.stdout)


def main() -> None:
    """Print CPU seconds, the bytes of the process, and those above the loaded model."""
    from if_circuits.models.loading import load_model
    from if_circuits.study import Study, StudyConfig

    config = StudyConfig(
        model="if-tiny",
        tasks=TASKS,
        n_base_queries=int(sys.argv[1]),
        prompts_per_query=1,
        greedy=False,
        batch_size=32,  # which the small study fills too: memory is that of a batch
        analyses=("specialist_vs_general",),
    )
    loaded = load_model("if-tiny")  # held, so that the study's own loading is no growth
    started = time.process_time()
    above = memory_of(lambda: Study.run(config, sys.argv[2]))
    seconds = time.process_time() - started
    sys.stdout.write(json.dumps([seconds, peak_memory(), above]))
    del loaded


if __name__ == "__main__":
    main()
