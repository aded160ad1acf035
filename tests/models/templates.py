"""Chat templates as real models have them, with their special tokens, on small tokenizers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""SmolLM2's: the BOS opens every turn, and a system turn comes by itself."""

LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}"
    "{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)

MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
"""It hands over by the end of the user's turn, with or without a generation prompt."""

ZEPHYR = (
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
    "{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
    "{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
    "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
    "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
)
"""It writes no BOS; the tokenizer, a Llama's, adds one to plain text."""

QWEN_3 = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.role == 'assistant' and '</think>' in message.content %}"
    "{{ message.content.split('</think>')[-1].lstrip('\n') }}{% else %}{{ message.content }}{% endif %}"
    "{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}"
    "{% endif %}{% endif %}"
)

SMOLLM_3 = (
    "{% set mode = '/think' %}{% if messages[0].role == 'system' and '/no_think' in messages[0].content %}"
    "{% set mode = '/no_think' %}{% endif %}"
    "{{ '<|im_start|>system\nReasoning Mode: ' + mode + '\n' }}"
    "{% if messages[0].role == 'system' %}"
    "{{ messages[0].content.replace('/no_think', '').strip() }}{% endif %}{{ '<|im_end|>\n' }}"
    "{% for message in messages if message.role != 'system' %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if mode == '/no_think' %}{{ '<think>\n\n</think>\n' }}{% endif %}{% endif %}"
)
"""As SmolLM3's where only the system text switches."""

R1 = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'user' %}"
    "{{ '<|User|>' + message.content }}{% elif message.role == 'system' %}{{ message.content }}{% else %}"
    "{{ '<|Assistant|>' + message.content.split('</think>')[-1] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|><think>\n' }}{% endif %}"
)
"""DeepSeek-R1's distilled models': no switch, and the prompt opens the thinking."""


@dataclass(frozen=True)
class Speech:
    """A template with the special tokens of its tokenizer."""

    template: str
    bos: str | None
    eos: str
    special: tuple[str, ...] = ()
    adds_bos: bool = False
    """Whether the tokenizer adds the BOS to plain text."""


IM = ("<|im_start|>", "<|im_end|>")
SPEECHES = {
    "chatml": Speech(CHATML, *IM),
    "llama-3": Speech(
        LLAMA_3,
        "<|begin_of_text|>",
        "<|eot_id|>",
        ("<|start_header_id|>", "<|end_header_id|>"),
        adds_bos=True,
    ),
    "gemma": Speech(GEMMA, "<bos>", "<end_of_turn>", ("<start_of_turn>",), adds_bos=True),
    "mistral": Speech(MISTRAL, "<s>", "</s>", adds_bos=True),
    "zephyr": Speech(ZEPHYR, "<s>", "</s>", adds_bos=True),
    "qwen-3": Speech(QWEN_3, None, "<|im_end|>", ("<|im_start|>", "<think>", "</think>")),
    "smollm-3": Speech(SMOLLM_3, None, "<|im_end|>", ("<|im_start|>",)),
    "r1": Speech(R1, "<s>", "</s>", ("<|User|>", "<|Assistant|>", "<think>", "</think>"), adds_bos=True),
}


def tokenizer_of(name: str) -> Any:
    """A small byte-level BPE with the special tokens and the template of that model."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    from tests.checkpoints import bpe_tokenizer

    speech = SPEECHES[name]
    named = {"bos_token": speech.bos, "eos_token": speech.eos, "pad_token": "<pad>"}
    named = {kind: token for kind, token in named.items() if token is not None}
    backend = bpe_tokenizer(sorted({*named.values(), *speech.special}))
    if speech.adds_bos and speech.bos is not None:
        backend.post_processor = TemplateProcessing(
            single=f"{speech.bos} $A",
            pair=f"{speech.bos} $A $B",
            special_tokens=[(speech.bos, backend.token_to_id(speech.bos))],
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    tokenizer.chat_template = speech.template
    return tokenizer


def save_speaking(name: str, directory: Any) -> Any:
    """A random Llama that speaks by that template."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer_of(name)
    torch.manual_seed(11)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            intermediate_size=48,
            max_position_embeddings=512,
            initializer_range=0.3,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory
