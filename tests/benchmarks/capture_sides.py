"""Every layer at the twelve positions of every response, on disk: by this library and by the alternatives.

    python -m tests.benchmarks.capture_sides SIDE MODEL SEQUENCES OUT BATCH_SIZE

prints the bytes by which memory rose above the loaded model. All sides get the same batches, padded
alike. The alternatives are written as their careful users would: activations are indexed as soon as the
library lets one, and each batch goes to a file of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from safetensors.torch import save_file
from torch import Tensor

from if_circuits.activations.capture import capture
from if_circuits.activations.plan import CapturePlan, plan_capture
from if_circuits.models.loading import load_model, load_plain
from if_circuits.threads import one_thread_each

Side: TypeAlias = Callable[[Path], object]
"""Does the work once, into a directory that does not exist yet."""


def ours(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """`capture`."""
    loaded = load_model(model)
    return lambda out: capture(loaded, sequences, path=out, batch_size=batch_size)


def bare(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """The Hugging Face model inside the bridge, its logits thrown away."""
    loaded, plan = load_model(model), plan_capture(sequences)
    return lambda _: _forward(loaded.hf, plan, batch_size)


def bare_without_logits(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """The same with the logits of one token a row, which are next to none."""
    loaded, plan = load_model(model), plan_capture(sequences)
    return lambda _: _forward(loaded.hf, plan, batch_size, logits_to_keep=1)


def plain(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """Hugging Face's model without the bridge, with the attention that the bridge computes."""
    hf, plan = load_plain(load_model(model)), plan_capture(sequences)
    return lambda _: _forward(hf, plan, batch_size)


def run_with_cache(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """TransformerLens's `run_with_cache` without a filter."""
    loaded, plan = load_model(model), plan_capture(sequences)

    def work(out: Path) -> None:
        out.mkdir()
        for number, (ids, mask, wanted) in enumerate(_batches(plan, batch_size)):
            rows = torch.arange(len(ids))[:, None]
            with torch.no_grad():
                _, cache = loaded.bridge.run_with_cache(ids, attention_mask=mask)
            kept = {"-1": cache["blocks.0.hook_in"][rows, wanted]}
            for layer in range(loaded.n_layers):
                kept[str(layer)] = cache[f"blocks.{layer}.hook_out"][rows, wanted]
            save_file(kept, out / f"{number}.safetensors")

    return work


def nnsight(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """A trace of nnsight over Hugging Face's model, with the attention that the bridge computes."""
    return _nnsight(load_plain(load_model(model)), plan_capture(sequences), batch_size)


def nnsight_sdpa(model: str, sequences: pd.DataFrame, batch_size: int) -> Side:
    """The same with the fused attention that Hugging Face has by default, and the bridge has not."""
    hf = load_plain(load_model(model))
    hf.set_attn_implementation("sdpa")
    return _nnsight(hf, plan_capture(sequences), batch_size)


SIDES: dict[str, Callable[[str, pd.DataFrame, int], Side]] = {
    side.__name__: side
    for side in (ours, bare, bare_without_logits, plain, run_with_cache, nnsight, nnsight_sdpa)
}


def _nnsight(hf: Any, plan: CapturePlan, batch_size: int) -> Side:
    import nnsight

    traced = nnsight.NNsight(hf)

    def work(out: Path) -> None:
        out.mkdir()
        for number, (ids, mask, wanted) in enumerate(_batches(plan, batch_size)):
            rows = torch.arange(len(ids))[:, None]
            with torch.no_grad(), traced.trace(input_ids=ids, attention_mask=mask, use_cache=False) as tracer:
                kept = nnsight.save([traced.model.layers[0].input[rows, wanted]])
                for layer in traced.model.layers:
                    kept.append(layer.output[rows, wanted])
                tracer.stop()
            named = {str(layer - 1): activations for layer, activations in enumerate(kept)}
            save_file(named, out / f"{number}.safetensors")

    return work


def _forward(hf: Any, plan: CapturePlan, batch_size: int, **options: int) -> None:
    with torch.no_grad():
        for ids, mask, _ in _batches(plan, batch_size):
            hf(input_ids=ids, attention_mask=mask, use_cache=False, **options)


def _batches(
    plan: CapturePlan, batch_size: int
) -> Iterator[tuple[Int[Tensor, "batch token"], Int[Tensor, "batch token"], Int[Tensor, "batch position"]]]:
    """Tokens padded on the right, their mask, and the places to read, from the longest rows to the shortest.

    A place that a response lacks reads its first token.
    """
    for start in range(0, len(plan.order), batch_size):
        rows = [torch.tensor(plan.tokens(row)) for row in plan.order[start : start + batch_size]]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
        wanted = np.maximum(plan.indices[plan.order[start : start + batch_size]], 0)
        yield ids, mask, torch.from_numpy(wanted)


def memory_of(work: Callable[[], object]) -> int:
    """Bytes by which this process's resident memory rose, at most, above what it was (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    before = _status("VmRSS")
    work()
    return peak_memory() - before


def peak_memory() -> int:
    """The most bytes that this process held, since `memory_of` began if it was called (Linux).

    Not the usage's ru_maxrss, which a child inherits from the process that started it.
    """
    return _status("VmHWM")


def _status(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return 1024 * int(found[1])


def main() -> None:
    """Print the bytes that a side needs."""
    side, model, sequences, out, batch_size = sys.argv[1:]
    with one_thread_each():
        work = SIDES[side](model, pd.read_parquet(sequences), int(batch_size))
        sys.stdout.write(f"{memory_of(lambda: work(Path(out)))}\n")


if __name__ == "__main__":
    main()
