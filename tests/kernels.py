"""Run the numerical tests on each of the kernels that this processor has: `python -m tests.kernels`.

Another processor sums a matrix product in another order, and a test that asks for more digits than the
arithmetic gives passes on one machine alone. OpenBLAS (under NumPy and SciPy) and ATen (under torch) can be
told to use the kernels of older processors. This runs the tests of FOLDERS that need no language model under
every combination of those and of one thread and two, and takes three orders of the tests in turn. `--fast`
runs the methods alone, without the analyses on simulated studies, once on each core's kernels.

Kernels that the processor cannot run are left out, found by trying them in a process of their own.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, product

METHODS = (
    "tests/erasure",
    "tests/interventions",
    "tests/plotting",
    "tests/probes",
    "tests/similarity",
    "tests/statistics",
)
FOLDERS = (*METHODS, "tests/analyses")
MODEL_FIXTURES = frozenset({"checkpoint", "load", "model", "llama"})
CORES = ("Sandybridge", "Haswell", "Zen", "SkylakeX")
CAPABILITIES = ("default", "avx2")
THREADS = (1, 2)
ORDERS = (1, 2, 3)

TRIAL = """
import numpy, scipy.linalg, threadpoolctl, torch
for kind in (numpy.float32, numpy.float64):
    A = numpy.random.default_rng(0).normal(size=(96, 96)).astype(kind)
    T = torch.from_numpy(A)
    numpy.linalg.svd(A @ A.T), scipy.linalg.qr(A), (T @ T).exp()
print(*{pool["architecture"] for pool in threadpoolctl.threadpool_info() if "architecture" in pool})
"""


@dataclass(frozen=True)
class Combination:
    """What one run of the tests is under."""

    core: str
    """OpenBLAS's name of a processor."""
    capability: str
    """ATen's name of its vector instructions."""
    threads: int = 1
    order: int = ORDERS[0]

    def __str__(self) -> str:
        return f"{self.core:<12} {self.capability:<8} threads {self.threads}  order {self.order}"

    @property
    def environment(self) -> dict[str, str]:
        """For a child process; what is set here already is replaced."""
        threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        kernels = {"OPENBLAS_CORETYPE": self.core, "ATEN_CPU_CAPABILITY": self.capability}
        return {**os.environ, **kernels, **dict.fromkeys(threads, str(self.threads)), "HF_HUB_OFFLINE": "1"}


def architecture(combination: Combination) -> str | None:
    """The kernels that OpenBLAS then uses; None if the processor cannot run them, or ATen's."""
    command = [sys.executable, "-c", TRIAL]
    tried = subprocess.run(command, env=combination.environment, capture_output=True, text=True, check=False)
    return tried.stdout.strip() if tried.returncode == 0 else None


def usable() -> tuple[list[str], list[str]]:
    """Cores whose kernels run here and differ, and capabilities that run here; says which are left out."""
    cores: dict[str, str] = {}
    for core in CORES:
        found = architecture(Combination(core, CAPABILITIES[0]))
        if found is None:
            say(f"{core:<12} left out: this processor cannot run its kernels")
        elif found in cores:
            say(f"{core:<12} left out: it has the kernels of {cores[found]}")
        else:
            cores[found] = core
    kept = list(cores.values())
    return kept, [c for c in CAPABILITIES if kept and architecture(Combination(kept[0], c)) is not None]


def passes(combination: Combination, folders: Sequence[str]) -> bool:
    """Run the tests, and say in one line how it went; every failure has a line of its own."""
    workers = ["-n", "2"] if combination.threads == 1 else []
    options = ["-q", "-m", "kernels", f"--randomly-seed={combination.order}", *workers]
    command = [sys.executable, "-m", "pytest", *options, *folders]
    run = subprocess.run(command, env=combination.environment, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines() or run.stderr.splitlines() or ["no output"]
    say(f"{combination}  {lines[-1].strip('= ')}")
    for line in lines:
        if line.startswith(("FAILED", "ERROR")):
            say(f"    {line}")
    return run.returncode == 0


def say(line: str) -> None:
    """To whoever waits for it, at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fast", action="store_true", help="the methods alone, once on each core")
    fast = parser.parse_args().fast
    cores, capabilities = usable()
    if not (cores and capabilities):
        say("none of these kernels can run on this processor")
        return 1
    if fast:
        combinations = [Combination(*pair) for pair in zip(cores, cycle(capabilities), strict=False)]
    else:
        all_of_them = product(cores, capabilities, THREADS)
        combinations = [Combination(*each, order) for each, order in zip(all_of_them, cycle(ORDERS))]
    folders = METHODS if fast else FOLDERS
    return int(not all([passes(combination, folders) for combination in combinations]))


if __name__ == "__main__":
    sys.exit(main())
