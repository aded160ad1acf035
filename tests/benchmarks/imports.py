"""What starting costs: `import if_circuits` and `if-circuits --help`, which load no model library."""

from __future__ import annotations

import resource
import subprocess
import sys

import numpy as np

from tests.benchmarks.table import Row

MOST = 0.3
REPEATS = 7


def rows() -> list[Row]:
    """CPU seconds of a fresh interpreter against 0.3 s, the interpreter's own start included."""
    help_text = "from if_circuits.cli.main import main; main(['--help'])"
    programs = {"import if_circuits": "import if_circuits", "if-circuits --help": help_text}
    return [
        Row.of(
            f"CPU time of `{name}`",
            np.array([_seconds(program) for _ in range(REPEATS)]),
            "what was set",
            np.array([MOST]),
            reach="<= 1",
        )
        for name, program in programs.items()
    ]


def _seconds(program: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
