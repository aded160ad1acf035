"""What a checkpoint directory must hold; says what is wrong with one that cannot be loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from if_circuits.errors import InputError

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")


def check_checkpoint(directory: Path) -> None:
    """Raise InputError for missing, unreadable or truncated files, naming the file and what it should be."""
    config = _read_json(directory / "config.json", what="the model's configuration")
    if "model_type" not in config:
        raise InputError(f"{directory / 'config.json'} has no 'model_type', so the architecture is unknown")
    if not any((directory / name).is_file() for name in _TOKENIZERS):
        raise InputError(f"{directory} holds no tokenizer: expected one of {', '.join(_TOKENIZERS)}")
    weights = _weight_files(directory)
    if not weights:
        raise InputError(f"{directory} holds no weights: expected model.safetensors or shards with an index")
    for path in weights:
        _check_weights(path)


def _weight_files(directory: Path) -> list[Path]:
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        shards: dict[str, str] = _read_json(index, what="the index of weight shards").get("weight_map", {})
        return [directory / name for name in sorted(set(shards.values()))]
    return sorted(directory.glob("*.safetensors")) or sorted(directory.glob("pytorch_model*.bin"))


def _check_weights(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path} is missing, although the index of weight shards names it")
    if path.suffix != ".safetensors":
        return
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = list(file.keys())
    except (SafetensorError, OSError) as error:
        start = path.open("rb").read(7)
        hint = "a Git LFS pointer, fetch the file itself" if start == b"version" else "truncated or damaged"
        raise InputError(f"{path} is no readable safetensors file ({error}): {hint}") from error
    if not tensors:
        raise InputError(f"{path} holds no tensors")


def _read_json(path: Path, *, what: str) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path} is missing: it holds {what}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); it should hold {what}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} should hold {what} as a JSON object, it holds a {type(content).__name__}")
    return content
