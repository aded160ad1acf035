"""A model in memory, with all that a study needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from if_circuits.models.chat import ChatTokenizer
from if_circuits.models.fingerprint import fingerprint
from if_circuits.models.presets import DType, ModelPreset

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import PreTrainedModel


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in memory, with all that a study needs to know of it."""

    name: str
    """As the user called it."""
    bridge: TransformerBridge
    chat: ChatTokenizer
    preset: ModelPreset
    device: str
    dtype: DType
    device_map: str | None = None
    """How the device was chosen; None where it was asked for by name."""
    source: str | None = None
    """The directory, GGUF file or hub name that it was loaded from; None for a bridge that was in hand."""
    dequantised_from: str | None = None
    """What most of its weights were quantised by in their GGUF file, such as "Q4_1"; None for weights as they
    were trained.
    """

    @property
    def fingerprint(self) -> str:
        """Hash of configuration, weights as they are now, tokenizer and template; reads every weight."""
        return fingerprint(self.hf, self.chat.tokenizer)

    @property
    def hf(self) -> PreTrainedModel:
        """The Hugging Face model inside the bridge; calling it fires the bridge's hooks."""
        return cast("PreTrainedModel", self.bridge.original_model)

    @property
    def n_layers(self) -> int:
        """The number of blocks."""
        return int(self.bridge.cfg.n_layers)

    @property
    def d_model(self) -> int:
        """The width of the residual stream."""
        return int(self.bridge.cfg.d_model)

    @property
    def context_length(self) -> int:
        """The most tokens, prompt and response together, that the model was made for."""
        return int(self.bridge.cfg.n_ctx)

    def __repr__(self) -> str:
        weights = "" if self.dequantised_from is None else f", dequantised from {self.dequantised_from}"
        return (
            f"LoadedModel({self.name}: {self.n_layers} blocks, d_model {self.d_model}, {self.dtype} on "
            f"{self.device}{weights})"
        )
