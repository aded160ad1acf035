"""Small random checkpoints with the real features of their architectures, for tests without a hub.

Llama: grouped-query attention and llama3 RoPE scaling. Qwen2: QKV bias, tied embeddings, no BOS. Gemma2:
soft-capping, sliding window, extra norms, a template without a system role. GPT-2: learned positions, fused
QKV; GPT-NeoX: parallel residual, partial rotary embedding; both base models without a template or a pad
token, BOS and EOS the same. GPT-Neo: local attention, a template of plain words, one token for BOS, EOS and
padding. Their weights are large enough that greedy text varies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

PAPER = ("llama", "qwen2", "gemma2")
"""Architectures of the paper's models."""
ARCHITECTURES = (*PAPER, "gpt2", "gpt_neox", "gpt_neo")

_SPECIAL = ["<bos>", "<eos>", "<eot>", "<pad>", "<user>", "<model>", "<system>"]
_CORPUS = [
    "Write a short note about the river and the coach, in a formal tone.",
    "The band played a quiet song while the rain fell on the old harbour.",
    "Use exactly eight words. Never use the word river. Sound positive!",
    'Answer as a JSON object with the key "text": {"text": "the match was long"}.',
]
_LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}<eot>{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)
_QWEN_TEMPLATE = _LLAMA_TEMPLATE.removeprefix("{{ bos_token }}")
_GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] | trim }}<eot>{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)
_DIALOGUE_TEMPLATE = (
    "{% for m in messages %}{{ {'user': 'User', 'system': 'System', 'assistant': 'Bot'}[m['role']] }}: "
    "{{ m['content'] }}{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}Bot:{% endif %}"
)


@dataclass(frozen=True)
class _Speech:
    """How an architecture's tokenizer marks turns and ends."""

    template: str | None
    bos: str | None = "<bos>"
    pad: str | None = "<pad>"
    ends: tuple[str, ...] = ("<eos>", "<eot>")


_SPEECH = {
    "llama": _Speech(_LLAMA_TEMPLATE),
    "qwen2": _Speech(_QWEN_TEMPLATE, bos=None),
    "gemma2": _Speech(_GEMMA_TEMPLATE),
    "gpt2": _Speech(None, bos="<eos>", pad=None, ends=("<eos>",)),
    "gpt_neox": _Speech(None, bos="<eos>", pad=None, ends=("<eos>",)),
    "gpt_neo": _Speech(_DIALOGUE_TEMPLATE, bos="<eos>", pad="<eos>", ends=("<eos>",)),
}


def save_checkpoint(architecture: str, directory: Path) -> Path:
    """Write a checkpoint of the architecture, with its tokenizer, as `save_pretrained` does."""
    tokenizer = _tokenizer(_SPEECH[architecture])
    model = _MODELS[architecture](len(tokenizer))
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(list(_SPEECH[architecture].ends))
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


def bpe_tokenizer(special: list[str] | None = None) -> Any:
    """A small byte-level BPE, with special tokens at its start."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=special or _SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(_CORPUS, trainer)
    return backend


def _tokenizer(speech: _Speech) -> Any:
    from transformers import PreTrainedTokenizerFast

    backend = bpe_tokenizer()
    named = {"bos_token": speech.bos, "eos_token": "<eos>", "pad_token": speech.pad}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, **{name: token for name, token in named.items() if token is not None}
    )
    tokenizer.chat_template = speech.template
    return tokenizer


def _llama(n_vocabulary: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    rope = {
        "rope_type": "llama3",
        "rope_theta": 10000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    torch.manual_seed(1)
    config = LlamaConfig(**_common(n_vocabulary), rope_parameters=rope, tie_word_embeddings=False)
    return LlamaForCausalLM(config)


def _qwen2(n_vocabulary: int) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(2)
    model = Qwen2ForCausalLM(Qwen2Config(**_common(n_vocabulary), tie_word_embeddings=True))
    for name, parameter in model.named_parameters():
        if name.endswith("proj.bias"):
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def _gemma2(n_vocabulary: int) -> Any:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(3)
    config = Gemma2Config(
        **_common(n_vocabulary),
        head_dim=8,
        query_pre_attn_scalar=8,
        sliding_window=16,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
    )
    model = Gemma2ForCausalLM(config)
    with torch.no_grad():
        # Its embeddings enter scaled by sqrt(d_model): as they are, each token would only repeat itself.
        model.model.embed_tokens.weight.mul_(0.1)
        model.model.norm.weight.fill_(9.0)
    return model


def _gpt2(n_vocabulary: int) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(4)
    config = GPT2Config(
        vocab_size=n_vocabulary,
        n_embd=32,
        n_layer=3,
        n_head=4,
        n_positions=256,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=1,
    )
    return GPT2LMHeadModel(config)


def _gpt_neox(n_vocabulary: int) -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(5)
    common = _common(n_vocabulary) | {"bos_token_id": 1, "pad_token_id": None}
    del common["num_key_value_heads"]
    config = GPTNeoXConfig(
        **common,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
        use_parallel_residual=True,
        tie_word_embeddings=False,
    )
    return GPTNeoXForCausalLM(config)


def _gpt_neo(n_vocabulary: int) -> Any:
    from transformers import GPTNeoConfig, GPTNeoForCausalLM

    torch.manual_seed(6)
    config = GPTNeoConfig(
        vocab_size=n_vocabulary,
        hidden_size=32,
        num_layers=3,
        num_heads=4,
        attention_types=[[["global", "local"], 1], [["global"], 1]],
        window_size=16,
        intermediate_size=64,
        max_position_embeddings=256,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=1,
    )
    return GPTNeoForCausalLM(config)


def _common(n_vocabulary: int) -> dict[str, Any]:
    return {
        "vocab_size": n_vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 3,
    }


_MODELS: dict[str, Callable[[int], Any]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "gemma2": _gemma2,
    "gpt2": _gpt2,
    "gpt_neox": _gpt_neox,
    "gpt_neo": _gpt_neo,
}


def load_plain(directory: str | Path) -> Any:
    """The checkpoint as a plain Hugging Face model, in the attention implementation that the bridge uses."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(directory, attn_implementation="eager").eval()
