"""A model's fingerprint: what must be equal for two runs to be of the same model, as it is now.

It is computed anew whenever it is asked for, because weights can be changed in place. Every byte of every
tensor counts. A 1M-parameter model takes some milliseconds, half a gigabyte of weights a tenth of a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
import xxhash
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NOT_THE_MODEL = (
    "_name_or_path",
    "transformers_version",
    "dtype",
    "torch_dtype",
    "output_attentions",
    "use_cache",
)
_PIECE = 64 * 2**20
"""Bytes of a tensor that are brought to the processor at a time."""


def fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash (SHA-256, hex) of configuration, weights and buffers in their precision, tokenizer and template.

    Where the model lies and on which device it runs make no difference.
    """
    digest = hashlib.sha256()
    config: dict[str, Any] = {k: v for k, v in model.config.to_dict().items() if k not in _NOT_THE_MODEL}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(chain(model.named_parameters(), model.named_buffers())):
        # TransformerLens inserts its wrappers into the names.
        digest.update(
            f"{name.replace('._original_component', '')} {tuple(tensor.shape)} {tensor.dtype}".encode()
        )
        digest.update(_tensor_digest(tensor))
    digest.update(_tokenizer_text(tokenizer).encode())
    digest.update(json.dumps(tokenizer.chat_template, sort_keys=True).encode())
    return digest.hexdigest()


def _tensor_digest(tensor: Tensor) -> bytes:
    """128 bits of all bytes of a tensor, by XXH3: as fast as memory, which SHA-256 is not."""
    digest = xxhash.xxh3_128()
    for piece in _pieces(tensor.detach().contiguous().flatten()):
        digest.update(piece.cpu().view(torch.uint8).numpy().data)
    return digest.digest()


def _pieces(flat: Tensor) -> Iterator[Tensor]:
    yield from flat.split(max(1, _PIECE // flat.element_size())) if len(flat) else ()


def _tokenizer_text(tokenizer: PreTrainedTokenizerBase) -> str:
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return json.dumps(tokenizer.get_vocab(), sort_keys=True)
    # Truncation and padding are set by each call of the tokenizer anew.
    text = json.loads(backend.to_str()) | {"truncation": None, "padding": None}
    return json.dumps(text, sort_keys=True)
