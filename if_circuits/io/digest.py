"""Content hashes: of files, and of configuration values with arrays inside."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import cast

import numpy as np


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def value_sha256(value: object) -> str:
    """SHA-256 of a configuration value: (frozen) dataclasses, arrays, sequences and plain values, nested at
    will.

    Two values of equal types and contents have equal hashes in every process. Raises TypeError for anything
    else, whose `repr` might hold a memory address.
    """
    digest = hashlib.sha256()
    for piece in _pieces(value):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: object) -> Iterator[bytes]:
    yield f"<{type(value).__qualname__}>".encode()
    if isinstance(value, np.ndarray):
        array = cast("np.ndarray", value)
        yield f"{array.dtype.str}{array.shape}".encode()
        yield np.ascontiguousarray(array).tobytes()
    elif is_dataclass(value):
        for field in fields(value):
            yield field.name.encode()
            yield from _pieces(getattr(value, field.name))
    elif isinstance(value, tuple | list):
        items = cast("Sequence[object]", value)
        yield str(len(items)).encode()
        for item in items:
            yield from _pieces(item)
    elif value is None or isinstance(value, str | bytes | bool | int | float):
        yield repr(value).encode()
    else:
        raise TypeError(
            f"cannot hash a {type(value).__qualname__}: expected dataclasses, arrays, plain values"
        )
