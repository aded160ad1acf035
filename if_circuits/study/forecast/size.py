"""How large a model is, from its configuration: no weights are loaded, and no network is asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from if_circuits.errors import InputError
from if_circuits.models.places import locate
from if_circuits.models.presets import find_preset

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True)
class Size:
    """What of a model decides the work of a pass and the room that it takes."""

    name: str
    parameters: int
    n_layers: int
    d_model: int
    vocabulary: int
    """Rows of the embedding."""
    query_width: int
    """Attention heads times their dimension."""
    kv_width: int
    """Key-value heads times their dimension."""
    tied: bool
    """Whether the unembedding is the embedding."""

    @property
    def unembedding(self) -> int:
        """Parameters that turn the last residual stream into logits."""
        return self.vocabulary * self.d_model

    @property
    def block_parameters(self) -> int:
        """Parameters that every token meets; the embedding is looked up."""
        return self.parameters - self.unembedding * (1 if self.tied else 2)

    def kv_bytes(self, itemsize: int) -> int:
        """Keys and values of one token, all layers together."""
        return 2 * self.n_layers * self.kv_width * itemsize


PUBLISHED: dict[str, Size] = {
    size.name: size
    for size in (
        Size("llama-3.1-8b", 8_030_261_248, 32, 4096, 128_256, 4096, 1024, tied=False),
        Size("llama-3.1-70b", 70_553_706_496, 80, 8192, 128_256, 8192, 1024, tied=False),
        Size("gemma-2-2b", 2_614_341_888, 26, 2304, 256_000, 2048, 1024, tied=True),
        Size("qwen2.5-0.5b", 494_032_768, 24, 896, 151_936, 896, 128, tied=True),
        Size("smollm2-135m", 134_515_008, 30, 576, 49_152, 576, 192, tied=True),
    )
}
"""Sizes as their makers published them, so that gated models can be planned for without being fetched."""


def find_size(model: str) -> Size:
    """The size of a published model, a preset, a folder with config.json, or what the Hugging Face cache has.

    Raises InputError where there is no configuration at hand.

    Example:
        >>> find_size("Llama-3.1-8B").n_layers
        32
    """
    preset = find_preset(model)
    for name in (model, model.rpartition("/")[2], preset.name if preset else ""):
        plain = name.lower().removesuffix("-instruct").removesuffix("-it")
        if plain in PUBLISHED:
            return PUBLISHED[plain]
    place = locate(model)
    if place.kind == "gguf":
        raise InputError(f"{model} is a GGUF file, whose size is not read without its weights; {_known()}")
    return size_of(_configuration(model, place.source), name=model)


def size_of(configuration: PretrainedConfig, *, name: str) -> Size:
    """The size of what a configuration describes, counted on a model without storage."""
    import torch
    from transformers import AutoModelForCausalLM

    text: Any = configuration.get_text_config()
    try:
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(configuration)
        heads = int(text.num_attention_heads)
        width = int(getattr(text, "head_dim", None) or text.hidden_size // heads)
        read_in, read_out = (
            each.weight for each in (model.get_input_embeddings(), model.get_output_embeddings())
        )
        return Size(
            name=name,
            parameters=sum(each.numel() for each in model.parameters()),
            n_layers=int(text.num_hidden_layers),
            d_model=int(text.hidden_size),
            vocabulary=int(read_in.shape[0]),
            query_width=heads * width,
            kv_width=int(getattr(text, "num_key_value_heads", None) or heads) * width,
            tied=read_out is read_in or bool(text.tie_word_embeddings),
        )
    except (AttributeError, ValueError) as error:
        raise InputError(
            f"the configuration of {name} is of no language model that can be planned: {error}"
        ) from error


def _configuration(model: str, source: str) -> PretrainedConfig:
    from transformers import AutoConfig

    if Path(source).is_dir() and not (Path(source) / "config.json").is_file():
        raise InputError(f"{source} has no config.json, which says how large the model is")
    try:
        return AutoConfig.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"no configuration of {model!r} is at hand; {_known()}") from error


def _known() -> str:
    return f"give a folder with its config.json, or one of {', '.join(PUBLISHED)}"
