"""What capture costs against a bare forward pass and other ways to the same activations: time and memory.

A bare pass keeps nothing and writes nothing, but computes logits, as a user's would; next to it stands one
without. Both are of the model inside the bridge, which has no fused attention; nnsight is measured with and
without.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from if_circuits.activations.plan import plan_capture
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model, load_plain, locate
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from tests.benchmarks.capture_sides import SIDES, Side
from tests.benchmarks.limits import Matrices, matrix_bound, texts
from tests.benchmarks.table import Limit, Row, timed_rows
from tests.benchmarks.timing import Work, interleaved

REPEATS = 3
REACH = {
    "bare": "<= 1.1",
    "bare_without_logits": "<= 1.1",
    "run_with_cache": "> 1",
    "nnsight": "> 1",
    "nnsight_sdpa": "> 1",
}
SHARE = ">= 0.8"


def rows() -> list[Row]:
    """Time of capture and of a bare pass, its peers and the matrix products; then memory."""
    others = [side for side in REACH if find_spec("nnsight") or not side.startswith("nnsight")]
    if len(others) < len(REACH):
        sys.stderr.write("capture: nnsight is not installed, so its rows are left out\n")
    found = list[Row]()
    with TemporaryDirectory() as folder:
        root = Path(folder)
        large = str(random_llama(root / "llama-27m"))
        for model, sequences, batch_size in (
            ("if-tiny", tiny_sequences(), 64),
            ("if-tiny", tiny_sequences(), 256),
            (large, random_sequences(64), 16),
        ):
            what = f"{Path(model).name}, {len(sequences)} responses, batches of {batch_size}"
            plan = plan_capture(sequences)
            read = texts([plan.tokens(row) for row in plan.order], batch_size=batch_size)
            bound = matrix_bound(Matrices.of(load_plain(load_model(model))), read)
            taken = interleaved(
                once(SIDES["ours"](model, sequences, batch_size), root / "ours"),
                {name: once(SIDES[name](model, sequences, batch_size), root / name) for name in others},
                repeats=REPEATS,
                bound=bound,
            )
            limit = Limit.timed(bound, taken, reach=SHARE)
            found += timed_rows(f"capture, {what}", taken, REACH, limit=limit)
            table = root / "sequences.parquet"
            sequences.to_parquet(table)
            mine = memory("ours", model, table, root / "out", batch_size)
            for name in others:
                if not name.startswith("bare"):
                    theirs = memory(name, model, table, root / "out", batch_size)
                    what_of = f"memory of capture, {what}"
                    found.append(Row.of(what_of, mine, name, theirs, reach=REACH[name], unit="MiB"))
    return found


def once(work: Side, out: Path) -> Work:
    """The work into a directory that is removed again."""

    def run() -> None:
        work(out)
        shutil.rmtree(out, ignore_errors=True)

    return run


def memory(side: str, model: str, table: Path, out: Path, batch_size: int) -> np.ndarray:
    """MiB above the loaded model, of two processes of a side."""
    command = [sys.executable, "-m", "tests.benchmarks.capture_sides", side, model, str(table), str(out)]
    found = list[int]()
    for _ in range(2):
        done = subprocess.run([*command, str(batch_size)], check=True, capture_output=True, text=True)
        found.append(int(done.stdout))
        shutil.rmtree(out, ignore_errors=True)
    return np.array(found) / 2**20


def tiny_sequences() -> pd.DataFrame:
    """What if-tiny answers to 270 prompts, four times."""
    prompts = build_prompts(get_tasks(), n_base_queries=30, prompts_per_query=1, held_out_only=True)
    config = GenerationConfig(max_new_tokens=64, samples_per_prompt=4, batch_size=256)
    return generate(load_model("if-tiny"), prompts[prompts["constrained"]], config)


def random_sequences(n: int) -> pd.DataFrame:
    """Prompts of 20 to 40 tokens and responses of 20 to 100, at random."""
    rng = np.random.default_rng(0)
    prompts = [rng.integers(5, 2048, rng.integers(20, 41)).tolist() for _ in range(n)]
    responses = [rng.integers(5, 2048, rng.integers(20, 101)).tolist() for _ in range(n)]
    columns = {"prompt_tokens": prompts, "response_tokens": responses}
    return pd.DataFrame(columns).assign(
        response_id=[str(i) for i in range(n)], n_tokens=[len(row) for row in responses], truncated=True
    )


def random_llama(directory: Path) -> Path:
    """A checkpoint of 8 blocks and 27 million random parameters, with the tokenizer of if-tiny."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    source, _ = locate("if-tiny")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=2048,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    PreTrainedTokenizerFast.from_pretrained(source).save_pretrained(directory)
    return directory
