"""GGUF files: what they hold, and their model with its weights dequantised to plain numbers.

Transformers reads them with the package `gguf`. The model that comes of it is like any other: its blocks of
quantised weights are gone, and with them the settings that forbid to save it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, redirect_stderr
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from if_circuits.errors import InputError
from if_circuits.models.pretrained import check_complete

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_MAGIC = b"GGUF"
_PLAIN = ("F64", "F32", "F16", "BF16")
"""Types of tensors that are numbers, not blocks of quantised ones."""


def check_gguf(path: Path) -> None:
    """Raise InputError where the package `gguf` is missing, or where the file is no GGUF file."""
    try:
        import gguf  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise InputError(f"{path} is a GGUF file, which the package gguf reads: pip install gguf") from error
    with path.open("rb") as file:
        start = file.read(7)
    if start[:4] != _MAGIC:
        hint = "a Git LFS pointer, fetch the file itself" if start == b"version" else "another kind of file"
        raise InputError(f"{path} is no GGUF file, which begins with {_MAGIC.decode()}: {hint}")


@contextmanager
def read_once() -> Generator[None]:
    """Within it the package `gguf` reads each file once, and names an architecture's tensors once.

    Transformers asks for the file three times to load a model, and for the names again for each module: of
    SmolLM2's 32 CPU seconds that took 20.
    """
    import gguf

    with ExitStack() as stack:
        for name in ("GGUFReader", "get_tensor_name_map"):
            asked = getattr(gguf, name)
            setattr(gguf, name, cache(asked))
            stack.callback(setattr, gguf, name, asked)
        yield


def quantisation(path: Path) -> str | None:
    """What most of the file's numbers are quantised by, such as "Q4_1"; None where most are plain."""
    import gguf

    sizes: Counter[str] = Counter()
    for tensor in gguf.GGUFReader(str(path)).tensors:
        sizes[tensor.tensor_type.name] += int(tensor.n_elements)
    if not sizes:
        raise InputError(f"{path} holds no tensors")
    (most, _), *_ = sizes.most_common(1)
    return None if most in _PLAIN else most


def load_gguf_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer that the file describes, with its chat template."""
    from transformers import PreTrainedTokenizerFast

    # AutoTokenizer would read the whole file once more, for a class that makes no difference.
    return PreTrainedTokenizerFast.from_pretrained(path.parent, gguf_file=path.name)


def load_gguf(path: Path, *, dtype: torch.dtype, **placement: Any) -> PreTrainedModel:
    """The model of the file, in eager attention, with every weight dequantised to `dtype`.

    Raises InputError for weights that are missing, which transformers would initialise at random.
    """
    import transformers

    # Newer versions may keep weights in their blocks, and say so in the configuration.
    config = getattr(transformers, "GgufConfig", None)
    options = placement if config is None else {"quantization_config": config(dequantize=True), **placement}
    with redirect_stderr(StringIO()):  # a bar that no setting silences
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent,
            gguf_file=path.name,
            dtype=dtype,
            attn_implementation="eager",
            output_loading_info=True,
            **options,
        )
    model, report = loaded
    check_complete(str(path), report)
    # What says that it is quantised, which it is no more.
    for name in ("quantization_config", "_pre_quantization_dtype"):
        if hasattr(model.config, name):
            delattr(model.config, name)
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        vars(model).pop(name, None)
    if not model.config.architectures:
        model.config.architectures = [type(model).__name__]
    return model
