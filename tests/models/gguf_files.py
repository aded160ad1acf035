"""A tiny Llama as a GGUF file, written from a checkpoint of `tests.checkpoints` with its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

TEMPLATE = (
    "{% for m in messages %}<bos>{{ m['role'] }} {{ m['content'] }}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<bos>assistant {% endif %}"
)
"""Opens every turn with the BOS, as ChatML does with SmolLM2's."""


def write_gguf(path: Path, *, quantised_by: str | None) -> Path:
    """Write a Llama of random weights, d_model 64; matrices quantised as named, or plain."""
    import gguf
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.checkpoints import bpe_tokenizer

    tokenizer = json.loads(bpe_tokenizer().to_str())
    vocabulary: dict[str, int] = dict(tokenizer["model"]["vocab"])
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    tokens = sorted({**vocabulary, **special}, key={**vocabulary, **special}.__getitem__)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokens),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=96,
        max_position_embeddings=128,
        initializer_range=0.2,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in special else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(special["<bos>"])
    writer.add_eos_token_id(special["<eos>"])
    writer.add_pad_token_id(special["<pad>"])
    writer.add_chat_template(TEMPLATE)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        _add(writer, _gguf_name(name), _permuted(name, weight.numpy(), config), quantised_by)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, name: str, weight: np.ndarray, quantised_by: str | None) -> None:
    import gguf

    if quantised_by is None or weight.ndim < 2:
        writer.add_tensor(name, np.ascontiguousarray(weight))
        return
    kind = gguf.GGMLQuantizationType[quantised_by]
    writer.add_tensor(name, gguf.quants.quantize(weight, kind), raw_dtype=kind)


def _gguf_name(name: str) -> str:
    whole = {
        "model.embed_tokens.weight": "token_embd.weight",
        "model.norm.weight": "output_norm.weight",
    }
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    if name in whole:
        return whole[name]
    _, _, block, rest = name.split(".", 3)
    return f"blk.{block}.{parts[rest.removesuffix('.weight')]}.weight"


def _permuted(name: str, weight: np.ndarray, config: Any) -> np.ndarray:
    """Queries and keys in the order of llama.cpp's rotary embedding."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for part, n in heads.items():
        if part in name:
            d = weight.shape[0] // n // 2
            return weight.reshape(n, 2, d, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
    return weight
