"""The tokenizer of if-tiny: byte-level BPE trained on its corpus, with a chat template."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

from if_circuits.planting.if_tiny.corpus import examples

VOCABULARY_SIZE = 2048
"""Enough for nearly every word of the corpus to be one token, so that counting words is nearly counting
tokens.
"""
TRAINING_EXAMPLES = 12_000
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL_TOKENS = ("<pad>", "<s>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>")


def train_tokenizer(seed: int, *, n_examples: int = TRAINING_EXAMPLES) -> PreTrainedTokenizerFast:
    """A tokenizer trained on the first examples of the corpus of this seed."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    corpus = (
        text
        for example in islice(examples(seed), n_examples)
        for text in (example.prompt, *(response.text for response in example.responses))
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="<|end|>",
        additional_special_tokens=["<|system|>", "<|user|>", "<|assistant|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )


def special_id(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    """The id of one special token."""
    (found,) = cast(list[int], tokenizer.convert_tokens_to_ids([token]))
    return found
