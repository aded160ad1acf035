"""What a machine reaches: published peaks with the share that is reached, or rates that were given."""

from __future__ import annotations

from dataclasses import dataclass, replace

from if_circuits.errors import InputError
from if_circuits.models.presets import DType

HERE = "here"
"""Names this machine, whose rates are measured (`measured`)."""


@dataclass(frozen=True)
class Machine:
    """One GPU with the host beside it, or this machine."""

    name: str
    matrix_rate: float
    """FLOP/s that matrix products reach."""
    bandwidth: float
    """Bytes a second that memory gives."""
    memory: float
    """Bytes for weights, caches and all else."""
    block_seconds: float
    """Time to call the operations of one block, whatever their size."""
    probe_rate: float | None
    """FLOP of a Gram matrix over the seconds of a probe with its folds, its penalties and its part of what
    else is fitted beside it, on one core of the host: measured at the sizes in use, or given. None: what one
    core took at many sizes (`probe_seconds`)."""
    dollars_per_hour: float
    """Price of one GPU with its share of the host."""
    overlaps: bool
    """Whether the device computes while the next operations are called, as a GPU does."""


@dataclass(frozen=True)
class Published:
    """Peaks of one GPU: dense, without sparsity."""

    half: float
    """FLOP/s of bfloat16 and float16."""
    single: float
    """FLOP/s of float32 proper, which is how torch multiplies by default."""
    bandwidth: float
    memory: float
    example_price: float
    """Dollars an hour: an example and no quote. Give your own."""


GPUS: dict[str, Published] = {
    "a100": Published(312e12, 19.5e12, 2.04e12, 80e9, 1.5),
    "h100": Published(989e12, 67e12, 3.35e12, 80e9, 2.5),
    "h200": Published(989e12, 67e12, 4.8e12, 141e9, 3.5),
}
"""The models with 80 or 141 GB on an SXM board."""

EFFICIENCY = 0.5
"""Of the peak of matrix products. Measured on an H200 (docs/speed.md): 34,147 tokens/s of Llama-3.1-8B's
prompts are 0.52 of it."""
BANDWIDTH_SHARE = 0.9
"""Of the peak of memory: a copy moved 4.3 of 4.8 TB/s there."""
BLOCK_SECONDS = 0.82e-3
"""A step of 64 rows took 24.6, 19.7 and 26.1 ms for 30, 24 and 32 blocks there, whatever their size."""
PROBE_SECONDS = (1.22e-2, 1.32e-7, 1.23e-5, 2.5e-11)
"""Of a probe with 5 folds and 3 penalties on one core: always, for each row times rows or features, whichever
are fewer, for each row and feature, and for each FLOP of their Gram matrix.

Fitted to 12 sizes, 120 to 2,000 rows and 64 to 4,096 features, on a core of an AMD EPYC: it gives 0.78 to
1.24 times the 0.013 to 1.2 s that they took. The last is the time of a matrix product, and was not fitted.
"""
BESIDE = 3.6
"""Times a probe by itself: probes of all tasks' rows are fitted beside it, and real rows take more steps than
random ones. Of random rows it was 1.9 to 3.8, in four cells of nine tasks, 120 to 600 rows and width 576 or
2,304; and real ones take `cell.REAL` times that."""


def find_machine(
    name: str,
    dtype: DType,
    *,
    efficiency: float = EFFICIENCY,
    matrix_rate: float | None = None,
    bandwidth: float | None = None,
    block_seconds: float | None = None,
    probe_rate: float | None = None,
    dollars_per_hour: float | None = None,
) -> Machine:
    """A published GPU at the precision of the weights; a rate that is given takes the place of its own.

    Raises InputError for one that is not known.
    """
    if name not in GPUS:
        raise InputError(
            f"unknown GPU {name!r}; expected one of {', '.join(GPUS)}, or {HERE} for this machine"
        )
    peak = GPUS[name]
    machine = Machine(
        name=name,
        matrix_rate=efficiency * (peak.single if dtype == "float32" else peak.half),
        bandwidth=BANDWIDTH_SHARE * peak.bandwidth,
        memory=peak.memory,
        block_seconds=BLOCK_SECONDS,
        probe_rate=None,
        dollars_per_hour=peak.example_price,
        overlaps=True,
    )
    return with_rates(
        machine,
        matrix_rate=matrix_rate,
        bandwidth=bandwidth,
        block_seconds=block_seconds,
        probe_rate=probe_rate,
        dollars_per_hour=dollars_per_hour,
    )


def with_rates(machine: Machine, **rates: float | None) -> Machine:
    """The machine with the rates that are given in place of its own."""
    return replace(machine, **{name: rate for name, rate in rates.items() if rate is not None})


def probe_seconds(machine: Machine, n: int, d: int) -> float:
    """Of one probe of n rows and d features, with all that is counted to it, on one core of the host."""
    if machine.probe_rate is None:
        return BESIDE * lone_probe_seconds(n, d)
    return probe_flops(n, d) / machine.probe_rate


def lone_probe_seconds(n: int, d: int) -> float:
    """Of a probe of n rows and d features by itself, on the core where `PROBE_SECONDS` were measured."""
    always, product, each, per_flop = PROBE_SECONDS
    return always + product * n * min(n, d) + each * (n + d) + per_flop * probe_flops(n, d)


def probe_flops(n: int, d: int) -> float:
    """Of the Gram matrix of rows or of columns, whichever is smaller: what a probe's time is counted in."""
    return 2.0 * n * d * min(n, d)
