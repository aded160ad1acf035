"""A model's fingerprint: what must be equal for two runs to be of the same model."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import torch

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


def fingerprint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> str:
    """Hash (SHA-256, hex) of configuration, weights in their loaded precision, tokenizer and chat template.

    Where the model lies and on which device it runs make no difference.
    """
    digest = hashlib.sha256()
    config: dict[str, Any] = {k: v for k, v in model.config.to_dict().items() if k not in _NOT_THE_MODEL}
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.named_parameters()):
        # TransformerLens inserts its wrappers into the names.
        digest.update(
            f"{name.replace('._original_component', '')} {tuple(weight.shape)} {weight.dtype}".encode()
        )
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    digest.update(_tokenizer_text(tokenizer).encode())
    digest.update(json.dumps(tokenizer.chat_template, sort_keys=True).encode())
    return digest.hexdigest()


def _tokenizer_text(tokenizer: PreTrainedTokenizerBase) -> str:
    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        return str(backend.to_str())
    return json.dumps(tokenizer.get_vocab(), sort_keys=True)
