"""What the machine allows at the sizes in use: a model's own matrix products, a Gram matrix, a copy.

FLOPs are counted from a model's shapes, a multiplication and its addition as two. Padding and what is
computed twice are not counted: they are no part of what must be done.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from if_circuits.generation.batch import common_start
from if_circuits.study.forecast.size import size_of
from tests.benchmarks.timing import Bound, Part, Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_TIMED_FLOPS = 2e9
"""Of one timed call: tens of milliseconds, which the clock resolves."""
_MOST_ROWS = 1024
"""Of a timed product: the rate no longer rises with them."""


@dataclass(frozen=True)
class Passes:
    """Tokens that go through a model, in one pass or in many of like size."""

    rows: int
    """Tokens of one pass: rows of its products."""
    tokens: int
    """Of all passes."""
    attended: int
    """Over all tokens, how many each attends to, itself among them."""
    logits: int
    """Tokens whose logits are needed."""


@dataclass(frozen=True, eq=False)
class Matrices:
    """What the tokens are multiplied by."""

    blocks: tuple[Float[Tensor, "outer inner"], ...]
    unembedding: Float[Tensor, "vocabulary d_model"]
    heads_width: int
    """Width of all heads of a block together, over all blocks."""

    @classmethod
    def of(cls, hf: PreTrainedModel) -> Matrices:
        """Those of a model as Hugging Face has it, without the bridge."""
        read_out: Any = hf.get_output_embeddings()
        linear = [each for each in hf.modules() if isinstance(each, torch.nn.Linear)]
        size = size_of(hf.config, name=hf.config.name_or_path)
        return cls(
            tuple(each.weight.detach() for each in linear if each is not read_out),
            read_out.weight.detach(),
            size.n_layers * size.query_width,
        )

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(each.nbytes for each in (*self.blocks, self.unembedding))

    def flops(self, passes: Passes) -> float:
        """What the passes compute in matrix products, attention included."""
        weights = passes.tokens * sum(each.numel() for each in self.blocks)
        weights += passes.logits * self.unembedding.numel()
        return 2.0 * weights + 4.0 * passes.attended * self.heads_width

    def products(self, rows: int, *, logits: bool) -> Work:
        """Each matrix times so many rows, one after the other as in a pass."""
        multiplied = (*self.blocks, self.unembedding) if logits else self.blocks
        inner = {each.shape[1] for each in multiplied}
        like: Any = {"dtype": self.unembedding.dtype, "device": self.unembedding.device}
        given = {width: torch.randn(rows, width, **like) for width in inner}

        def work() -> None:
            with torch.no_grad():
                for each in multiplied:
                    torch.nn.functional.linear(given[each.shape[1]], each)

        return work


def matrix_bound(matrices: Matrices, *several: Passes) -> Bound:
    """The FLOPs of the passes at the rate that their own products reach."""
    parts = list[Part]()
    for passes in several:
        rows, logits = min(passes.rows, _MOST_ROWS), passes.logits > 0
        once = matrices.flops(Passes(rows, rows, attended=0, logits=rows * logits))
        calls = math.ceil(_TIMED_FLOPS / once)
        work = _repeated(matrices.products(rows, logits=logits), calls)
        parts.append(Part(work, matrices.flops(passes) / (calls * once)))
    sizes = " and ".join(f"{min(passes.rows, _MOST_ROWS):,}" for passes in several)
    amount = sum(map(matrices.flops, several)) / 1e9
    return Bound(f"matrix products of {sizes} rows", tuple(parts), amount, "GFLOP/s")


def gram_bound(X: Float[np.ndarray, "n d"], *, times: float = 1.0) -> Bound:
    """The Gram matrix of rows or of columns, whichever are fewer, in float32 as probes compute it."""
    n, d = X.shape
    Z = np.ascontiguousarray(X if n <= d else X.T, dtype=np.float32)
    calls = math.ceil(_TIMED_FLOPS / (2.0 * n * d * min(n, d)))
    of = f"{min(n, d)} {'rows' if n <= d else 'columns'}"
    return Bound(f"Gram matrix of {of}", (Part(_repeated(lambda: Z @ Z.T, calls), times / calls),))


def copy_bound(n_bytes: float, *, at_a_time: int) -> Bound:
    """So many bytes read, at the bandwidth of a copy, which counts what it reads and what it writes."""
    source = torch.ones(at_a_time // 4)
    target = torch.empty_like(source)
    moved = 2 * source.nbytes
    calls = math.ceil(5e8 / moved)
    work = _repeated(lambda: target.copy_(source), calls)
    return Bound(
        "memory bandwidth of a copy", (Part(work, n_bytes / (calls * moved)),), n_bytes / 1e9, "GB/s"
    )


def writing(responses: pd.DataFrame, *, batch_size: int) -> tuple[Passes, Passes]:
    """The steps that wrote responses, and the passes that read their prompts.

    A prompt is read once for all of its responses, and what all prompts begin with once for all.
    """
    read = [len(ids) for ids in responses["prompt_tokens"]]
    written = [len(ids) - 1 for ids in responses["response_tokens"]]  # the first comes from the prompt
    tokens = sum(written)
    attended = sum(n * before + n * (n + 1) // 2 for before, n in zip(read, written, strict=True))
    steps = Passes(min(batch_size, len(responses)), tokens, attended, logits=tokens)
    prompts = list(responses.drop_duplicates("prompt_id")["prompt_tokens"])
    reading = texts(prompts, batch_size=batch_size, alike=common_start(prompts), logits=len(prompts))
    return steps, reading


def texts(sequences: Sequence[Sequence[int]], *, batch_size: int, alike: int = 0, logits: int = 0) -> Passes:
    """Passes over whole sequences; what they begin with `alike` is read once."""
    lengths = [len(ids) for ids in sequences]
    again = len(lengths) - 1
    tokens = sum(lengths) - again * alike
    return Passes(
        rows=max(1, tokens * min(batch_size, len(lengths)) // len(lengths)),
        tokens=tokens,
        attended=sum(map(_causal, lengths)) - again * _causal(alike),
        logits=logits,
    )


def _causal(length: int) -> int:
    return length * (length + 1) // 2


def _repeated(work: Work, calls: int) -> Work:
    def again() -> None:
        for _ in range(calls):
            work()

    return again
