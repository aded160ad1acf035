"""What capture costs against a bare forward pass and other ways to the same activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from if_circuits.generation import GenerationConfig, generate
from if_circuits.models.loading import load_model, locate
from if_circuits.tasks.prompts import build_prompts
from if_circuits.tasks.registry import get_tasks


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
