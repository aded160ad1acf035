"""What capture costs against a bare forward pass and other ways to the same activations: time and memory.

A bare pass keeps nothing and writes nothing, but computes logits, as a user's would; next to it stands one
without. Both are of the model inside the bridge, which has no fused attention; nnsight is measured with and
without.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import load_model, locate
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks
from tests.benchmarks.capture_sides import SIDES, Side
from tests.benchmarks.table import Row, interleaved

REPEATS = 3
LIMITS = {"bare": "<= 1.1", "bare_without_logits": "<= 1.1"}
PEERS = ("run_with_cache", "nnsight", "nnsight_sdpa")


def rows() -> list[Row]:
    """Time of capture over that of a bare pass; time and memory of its peers over those of capture."""
    peers = [peer for peer in PEERS if find_spec("nnsight") or not peer.startswith("nnsight")]
    if len(peers) < len(PEERS):
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
            what = f"capture, {Path(model).name}, {len(sequences)} responses, batches of {batch_size}"
            ours = once(SIDES["ours"](model, sequences, batch_size), root / "ours")
            for name in (*LIMITS, *peers):
                theirs = once(SIDES[name](model, sequences, batch_size), root / "theirs")
                mine, other = interleaved(ours, theirs, repeats=REPEATS)
                if name in LIMITS:
                    found.append(Row.of(what, f"{name}; time / time", mine / other, reach=LIMITS[name]))
                else:
                    found.append(Row.of(what, f"{name}; its time / ours", other / mine, reach="> 1"))
            table = root / "sequences.parquet"
            sequences.to_parquet(table)
            mine = memory("ours", model, table, root / "out", batch_size)
            for name in peers:
                other = memory(name, model, table, root / "out", batch_size)
                found.append(Row.of(what, f"{name}; its memory / ours", other / mine, reach="> 1"))
    return found


def once(work: Side, out: Path) -> Callable[[], None]:
    """The work into a directory that is removed again."""

    def run() -> None:
        work(out)
        shutil.rmtree(out, ignore_errors=True)

    return run


def memory(side: str, model: str, table: Path, out: Path, batch_size: int) -> np.ndarray:
    """Bytes above the loaded model, of two processes of a side."""
    command = [sys.executable, "-m", "tests.benchmarks.capture_sides", side, model, str(table), str(out)]
    found = list[int]()
    for _ in range(2):
        done = subprocess.run([*command, str(batch_size)], check=True, capture_output=True, text=True)
        found.append(int(done.stdout))
        shutil.rmtree(out, ignore_errors=True)
    return np.array(found)


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
