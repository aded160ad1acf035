"""The whole study of `make reproduce`, after installation: wall seconds against five minutes, once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.benchmarks.table import Row

MOST = 300


def rows() -> list[Row]:
    """What else runs on the cores counts: leave them idle."""
    program = "import sys; from if_circuits.cli.main import main; sys.exit(main())"
    with TemporaryDirectory() as folder:
        out = str(Path(folder) / "if-tiny")
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", program, "run", "if-tiny", "--out", out], check=True)
        seconds = time.perf_counter() - started
    taken, most = np.array([seconds]), np.array([MOST])
    return [Row.of("wall time of `make reproduce`", taken, "what was set", most, reach="<= 1")]
