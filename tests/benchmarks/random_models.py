"""Models of published sizes with random weights, behind a bridge, with the tokenizer of if-tiny."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

import if_circuits as ifc
from if_circuits.models.places import locate
from if_circuits.models.presets import DType
from if_circuits.models.pretrained import load_tokenizer

if TYPE_CHECKING:
    from if_circuits.models.loaded import LoadedModel


@dataclass(frozen=True)
class Architecture:
    """A published model without its weights."""

    family: str
    precision: DType
    shape: dict[str, Any]


MODELS: dict[str, Architecture] = {
    "smollm2-135m": Architecture(
        "llama",
        "float32",
        {
            "vocab_size": 49_152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "tie_word_embeddings": True,
        },
    ),
    "qwen2.5-0.5b": Architecture(
        "qwen2",
        "bfloat16",
        {
            "vocab_size": 151_936,
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "tie_word_embeddings": True,
        },
    ),
    "gemma-2-2b": Architecture(
        "gemma2",
        "bfloat16",
        {
            "vocab_size": 256_000,
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "tie_word_embeddings": True,
        },
    ),
    "llama-3.1-8b": Architecture(
        "llama",
        "bfloat16",
        {
            "vocab_size": 128_256,
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "tie_word_embeddings": False,
        },
    ),
}


def random_weights(name: str, device: str, *, n_layers: int | None = None) -> Any:
    """A model of that size as Hugging Face has it, its weights drawn on the device."""
    from transformers import AutoConfig, AutoModelForCausalLM

    of = MODELS[name]
    shape = of.shape if n_layers is None else of.shape | {"num_hidden_layers": n_layers}
    config = AutoConfig.for_model(of.family, **shape, max_position_embeddings=4096, pad_token_id=0)
    config.name_or_path = name
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, of.precision))
    model.generation_config.eos_token_id = None
    return model.eval().requires_grad_(requires_grad=False)


def in_hand(hf: Any, device: str) -> LoadedModel:
    """The same weights behind a bridge, as the library takes a user's own."""
    from transformer_lens.model_bridge import TransformerBridge

    tokenizer = stand_in()
    name = str(hf.config.name_or_path)
    hf.set_attn_implementation("eager")
    bridge = TransformerBridge.boot_transformers(
        f"random/{name}", hf_model=hf, tokenizer=tokenizer, dtype=hf.dtype, device=device
    )
    return ifc.load_model(bridge, tokenizer=tokenizer, name=f"random-{name}")


def encoded_alike(asked: Iterable[str]) -> list[list[int]]:
    """Texts as prompts of that tokenizer."""
    tokenizer = stand_in()
    chats = ([{"role": "user", "content": text}] for text in asked)
    return [
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False) for chat in chats
    ]


def stand_in() -> Any:
    """A tokenizer in place of the model's own, whose ids are all among the model's."""
    return load_tokenizer(locate("if-tiny").source, trust_remote_code=False)
