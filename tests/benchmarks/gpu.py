"""Random weights of the sizes of real models on one GPU: tokens a second by stage, against its two limits.

    python -m tests.benchmarks.gpu --out runs/gpu [--models llama-3.1-8b ...] [--rows 64 512]

The limits are the matrix rate at the sizes in use, and the bandwidth of a copy; both are measured beside the
stages, on the same device. Text means nothing here, so the tokenizer is that of if-tiny. Times are by the
clock, after the device has finished; the first run of each stage is not counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import if_circuits as ifc
from if_circuits.errors import InputError
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.operations import ProjectOut
from if_circuits.io.durable import write_text
from if_circuits.models.padding import pad
from if_circuits.study.forecast.size import size_of
from tests.benchmarks.limits import Matrices, Passes, texts, writing
from tests.benchmarks.random_models import MODELS, encoded_alike, in_hand, random_weights

RANK = 8
"""Of the subspace that is removed, at the middle layer."""
LAYERS = 9
"""That are captured, as in a study of a large model."""


@dataclass(frozen=True)
class Measured:
    """One stage of one model with so many rows side by side."""

    model: str
    dtype: str
    rows: int
    stage: str
    seconds: list[float]
    tokens: int
    """Written or read in one run of the stage."""
    tflop: float
    """Of matrix products that the stage needs, attention included."""
    read_gb: float
    """Weights, once a pass, and keys and values; 0 for stages that read whole texts."""
    peak_gb: float
    """Memory of the device at its highest, weights included."""


@dataclass(frozen=True)
class Limits:
    """What the device reached at simple work."""

    model: str
    rows: int
    seconds_of_products: float
    """All matrices once, times so many rows."""
    tflop_of_products: float
    copy_gb_s: float
    """Read and written."""


def measured(
    name: str, counts: Sequence[int], *, device: str, tokens: int, repeats: int, n_layers: int | None = None
) -> Iterator[Measured | Limits]:
    """Every stage of one model, each with every count of rows, beside the limits."""
    hf = random_weights(name, device, n_layers=n_layers)
    matrices, kv_bytes = Matrices.of(hf), size_of(hf.config, name=name).kv_bytes(hf.dtype.itemsize)
    asked = ifc.prompts(n=-(-max(counts) // 9), per_query=1).head(max(counts)).reset_index(drop=True)

    def timed(rows: int, stage: str, work: Callable[[], Any], amount: Callable[[Any], Amount]) -> Measured:
        result, seconds, peak = _run(work, device, repeats)
        needed = amount(result)
        tflop = sum(map(matrices.flops, needed.passes)) / 1e12
        precision = MODELS[name].precision
        return Measured(name, precision, rows, stage, seconds, needed.tokens, tflop, needed.read_gb, peak)

    for rows in counts:
        yield _limits(name, matrices, rows, device)
        encoded = encoded_alike(str(text) for text in asked["prompt"].head(rows))
        ids, mask = (each.to(device) for each in pad(encoded, 0, side="left"))
        yield timed(
            rows,
            "Hugging Face generate",
            lambda i=ids, m=mask: _hf_generate(hf, i, m, tokens),
            lambda _, e=encoded: _written(_as_table(e, tokens), matrices, kv_bytes),
        )
    model = in_hand(hf, device)
    subspace = ifc.random_subspace(RANK, mean=np.zeros(model.d_model), seed=0, name="random")
    removed = [Intervention(ProjectOut(subspace), (model.n_layers // 2,))]
    captured = np.unique(np.linspace(0, model.n_layers - 1, LAYERS).round().astype(int)).tolist()
    for rows in counts:
        prompts = asked.head(rows)
        greedy = GenerationConfig(max_new_tokens=tokens, temperature=0.0, batch_size=rows)
        sampled = GenerationConfig(max_new_tokens=tokens, temperature=0.5, top_p=0.9, batch_size=rows)
        for stage, config, interventions in (
            ("responses", greedy, []),
            ("responses, sampled", sampled, []),
            ("responses under a removal", greedy, removed),
        ):
            yield timed(
                rows,
                stage,
                lambda p=prompts, c=config, i=interventions: generate(model, p, c, interventions=i),
                lambda table: _written(table, matrices, kv_bytes),
            )
        answers = generate(model, prompts, greedy)
        yield timed(
            rows,
            "activations",
            lambda a=answers: ifc.capture(model, a, layers=captured, batch_size=64, progress=False),
            lambda _, a=answers: _read(a),
        )


@dataclass(frozen=True)
class Amount:
    """How much a stage computes and reads."""

    passes: tuple[Passes, ...]
    tokens: int
    read_gb: float = 0.0


def _written(responses: pd.DataFrame, matrices: Matrices, kv_bytes: int) -> Amount:
    steps, reading = writing(responses, batch_size=len(responses))
    longest = max(len(ids) for ids in responses["response_tokens"])
    read = longest * matrices.bytes + steps.attended * kv_bytes
    return Amount((steps, reading), sum(map(len, responses["response_tokens"])), read / 1e9)


def _as_table(encoded: Sequence[Sequence[int]], tokens: int) -> pd.DataFrame:
    """So many tokens after each prompt, as a table of responses."""
    columns = {"prompt_id": range(len(encoded)), "prompt_tokens": encoded}
    return pd.DataFrame(columns | {"response_tokens": [[0] * tokens for _ in encoded]})


def _read(answers: pd.DataFrame) -> Amount:
    whole = [[*a, *b] for a, b in zip(answers["prompt_tokens"], answers["response_tokens"], strict=True)]
    return Amount((texts(whole, batch_size=64),), sum(map(len, whole)))


def _limits(name: str, matrices: Matrices, rows: int, device: str) -> Limits:
    seconds = _best(matrices.products(rows, logits=True), device)
    source = torch.ones(2**28 if device == "cuda" else 2**22, device=device)
    target = torch.empty_like(source)
    copied = _best(lambda: target.copy_(source), device)
    flops = matrices.flops(Passes(rows, rows, attended=0, logits=rows))
    return Limits(name, rows, seconds, flops / 1e12, 2 * source.nbytes / copied / 1e9)


def _best(work: Callable[[], object], device: str, *, calls: int = 10) -> float:
    """Seconds of one call, among so many in a row."""
    work()
    _finish(device)
    started = time.perf_counter()
    for _ in range(calls):
        work()
    _finish(device)
    return (time.perf_counter() - started) / calls


def _run(work: Callable[[], Any], device: str, repeats: int) -> tuple[Any, list[float], float]:
    result, seconds = work(), list[float]()
    _finish(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        _finish(device)
        seconds.append(time.perf_counter() - started)
    return result, seconds, torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else float("nan")


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _hf_generate(hf: Any, ids: torch.Tensor, mask: torch.Tensor, tokens: int) -> torch.Tensor:
    with torch.no_grad():
        return hf.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )


def _say(row: Measured) -> None:
    took = float(np.median(row.seconds))
    sys.stdout.write(
        f"{row.model:>13} {row.rows:>4} {row.stage:<28} {took:8.2f} s {row.tokens / took:10,.0f} tokens/s "
        f"{row.tflop / took:7.2f} TFLOP/s {row.read_gb / took:8.1f} GB/s {row.peak_gb:6.1f} GB\n"
    )
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write after each stage what has been found so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--rows", nargs="+", type=int, default=[64, 512])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--blocks", type=int, help="fewer than the model has, to try this out")
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no GPU here; --device cpu tries this out")
    stages, limits = list[Measured](), list[Limits]()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.models:
        for found in measured(
            name,
            given.rows,
            device=given.device,
            tokens=given.tokens,
            repeats=given.repeats,
            n_layers=given.blocks,
        ):
            if isinstance(found, Limits):
                limits.append(found)
            else:
                _say(found)
                stages.append(found)
            written = {
                "device": torch.cuda.get_device_name() if given.device == "cuda" else given.device,
                "torch": torch.__version__,
                "stages": list(map(asdict, stages)),
                "limits": list(map(asdict, limits)),
            }
            write_text(given.out / "gpu.json", json.dumps(written, indent=2) + "\n")
        gc.collect()
        if given.device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
