"""Hours, bytes and money of a study by stage, from counts and rates.

A pass is a roofline: its matrix products take what computing or reading the weights takes, whichever is
longer, and so does attention with the cache. Calling the operations takes a time of its own, which a GPU
hides behind them and a CPU adds. GPUs hold copies of the model and share answers and readings evenly; one
copy over several GPUs is as fast as one GPU, since its blocks run one after another. Probes are shared by so
many workers, one core of the host each.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from if_circuits.activations.dtypes import stored_dtype
from if_circuits.models.presets import ITEMSIZE, DType
from if_circuits.models.settings import RunSettings
from if_circuits.study.config import StudyConfig
from if_circuits.study.forecast.machine import Machine, probe_seconds
from if_circuits.study.forecast.size import Size
from if_circuits.study.forecast.work import Answers, Lengths, Reading, Work, suite_shortage, work_of

AT_WORK = 0.875
"""Of a batch's rows: ended ones are carried along until less than 0.75 are active (`generation.decoding`)."""
JOINING = 0.25
"""Of a batch's rows whose prompts are read together when they join."""
USABLE = 0.9
"""Of a GPU's memory: the rest is for what a pass holds beside weights and cache."""
TOKENS_OF_A_PASS = 512
"""Tokens that a CPU reads in one pass (`activations.teacher_forcing`)."""


@dataclass(frozen=True)
class StageCost:
    """What one stage takes."""

    stage: str
    answers: int
    tokens: int
    """That the model writes or reads."""
    bytes: int
    """Left on disk."""
    hours: float
    dollars: float


@dataclass(frozen=True)
class Forecast:
    """A study on paper."""

    model: str
    machine: Machine
    gpus: int
    gpus_per_copy: int
    """That hold the weights and the cache of one batch."""
    memory: float
    """Bytes of these."""
    stages: tuple[StageCost, ...]
    assumes: tuple[str, ...]

    @property
    def total(self) -> StageCost:
        """All stages together."""
        rows = [(each.answers, each.tokens, each.bytes, each.hours, each.dollars) for each in self.stages]
        answers, tokens, size, hours, dollars = (sum(column) for column in zip(*rows, strict=True))
        return StageCost("in all", int(answers), int(tokens), int(size), hours, dollars)

    @property
    def fits(self) -> bool:
        """Whether the GPUs hold the model once."""
        return self.gpus_per_copy <= self.gpus

    def to_json(self) -> dict[str, Any]:
        """The forecast as JSON values."""
        return {**asdict(self), "fits": self.fits, "total": asdict(self.total)}


def forecast(
    config: StudyConfig,
    size: Size,
    run_settings: RunSettings,
    machine: Machine,
    *,
    gpus: int,
    dtype: DType,
    lengths: Lengths,
    workers: int = 1,
) -> Forecast:
    """What a study takes. Where the GPUs do not hold the model, as many as do are reckoned with.

    `machine.dollars_per_hour` is paid for every GPU, also while `workers` fit probes on the host beside them.
    """
    needed = memory_needed(size, run_settings.batch_size, lengths, dtype=dtype)
    per_copy = math.ceil(needed / (USABLE * machine.memory))
    used = max(gpus, per_copy)
    copies = used // per_copy
    stored = stored_dtype(config.store_dtype or "float32", of_model=dtype)
    on = _Pace(size, machine, ITEMSIZE[dtype], run_settings.batch_size, lengths, workers)
    stages = tuple(
        _cost(work, on.seconds(work, copies), lengths, used * machine.dollars_per_hour)
        for work in work_of(config, size, run_settings, lengths, dtype=stored)
    )
    assumes = (
        f"{dtype}, activations stored as {stored}; {lengths.prompt:.0f} tokens a prompt, "
        f"{lengths.answer:.0f} an answer, at most {lengths.longest}",
        f"batches of {run_settings.batch_size}; copies of the model at work: {copies}, on {per_copy} each",
        f"{machine.matrix_rate / 1e12:.3g} TFLOP/s and {machine.bandwidth / 1e12:.3g} TB/s reached, "
        f"{machine.block_seconds * 1e3:.2g} ms to call a block, probes {_probe_pace(machine)}, by {workers} "
        f"worker{'s' * (workers > 1)}",
        f"{machine.dollars_per_hour:.2f} dollars an hour and GPU, which is an example unless it was given",
        "judges, figures and the report are not counted",
        *filter(None, (suite_shortage(config),)),
    )
    return Forecast(size.name, machine, gpus, per_copy, needed, stages, assumes)


def _probe_pace(machine: Machine) -> str:
    rate = machine.probe_rate
    return "as one core took at many sizes" if rate is None else f"at {rate / 1e9:.3g} GFLOP/s of one core"


def memory_needed(size: Size, batch_size: int, lengths: Lengths, *, dtype: DType) -> float:
    """Bytes of the weights, and of a batch's cache and logits."""
    columns = lengths.prompt + lengths.longest
    cache = batch_size * columns * size.kv_bytes(ITEMSIZE[dtype])
    return size.parameters * ITEMSIZE[dtype] + cache + 4 * batch_size * size.vocabulary


def _cost(work: Work, seconds: float, lengths: Lengths, dollars_per_hour: float) -> StageCost:
    hours = seconds / 3600
    return StageCost(
        work.stage,
        sum(each.n for each in work.answers),
        work.tokens(lengths),
        work.bytes,
        hours,
        hours * dollars_per_hour,
    )


@dataclass(frozen=True)
class _Pace:
    """How long one copy of a model takes."""

    size: Size
    machine: Machine
    itemsize: int
    batch_size: int
    lengths: Lengths
    workers: int

    def seconds(self, work: Work, copies: int) -> float:
        """Of a stage: what the model does is shared by its copies, and probes by workers of the host."""
        on_model = sum(map(self._writing, work.answers)) + sum(map(self._reading, work.readings))
        probe = probe_seconds(self.machine, work.probed_rows, self.size.d_model)
        return on_model / copies + work.probes * probe / self.workers

    def _writing(self, made: Answers) -> float:
        """Steps of one token of each row; a run ends with the last of its rows, which nobody joins."""
        mean, longest = self.lengths.answer, self.lengths.longest
        rows = made.n / made.runs
        later = max(0.0, rows - self.batch_size) * mean / (AT_WORK * self.batch_size)
        steps = made.runs * (longest + later)
        tokens = made.n * mean / AT_WORK
        step = self._passes(
            steps, tokens, context=self.lengths.prompt + mean / 2, logits=tokens, cached=tokens
        )
        joins = max(made.runs, made.prompts / max(1.0, JOINING * self.batch_size))
        read = made.prompts * self.lengths.prompt
        return step + self._passes(joins, read, context=self.lengths.prompt, logits=made.prompts)

    def _reading(self, read: Reading) -> float:
        side_by_side = self.batch_size if self.machine.overlaps else max(1.0, TOKENS_OF_A_PASS / read.tokens)
        tokens = read.n * read.tokens
        passes = math.ceil(read.n / side_by_side)
        return self._passes(passes, tokens, context=read.tokens, logits=tokens if read.logits else 0.0)

    def _passes(
        self, n: float, tokens: float, *, context: float, logits: float, cached: float = 0.0
    ) -> float:
        """Seconds of `n` passes over so many tokens in all, each attending to `context` others.

        `logits` is how many tokens are unembedded, `cached` for how many the cache is read from memory.
        """
        size, machine = self.size, self.machine
        flops = 2.0 * (tokens * size.block_parameters + logits * size.unembedding)
        weights = n * self.itemsize * (size.block_parameters + (size.unembedding if logits else 0))
        attention = 4.0 * tokens * context * size.query_width * size.n_layers
        cache = cached * context * size.kv_bytes(self.itemsize)
        computed = max(flops / machine.matrix_rate, weights / machine.bandwidth) + max(
            attention / machine.matrix_rate, cache / machine.bandwidth
        )
        calls = n * size.n_layers * machine.block_seconds
        return max(calls, computed) if machine.overlaps else calls + computed
