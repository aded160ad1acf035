"""One shard of an activation store: a safetensors file with one tensor [rows, d_model] per "layer/position".

The layout of a shard is known before its content, so rows are written straight to their place in the file
as they come from the model, and nothing but the current batch is ever held in memory. A reader of one
(layer, position) touches only that tensor's bytes.
"""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped
from safetensors import SafetensorError, safe_open

from if_circuits.activations.dtypes import StoredDtype
from if_circuits.activations.manifest import CaptureKey
from if_circuits.activations.precision import from_stored, held_as, to_stored
from if_circuits.errors import InputError
from if_circuits.io.durable import durable_file

_SAFETENSORS_DTYPE: dict[StoredDtype, str] = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def tensor_name(layer: int, position: str) -> str:
    """Key of a tensor in a shard."""
    return f"{layer}/{position}"


class ShardWriter:
    """Writes batches of rows into one shard. Made by `write_shard`."""

    def __init__(self, descriptor: int, key: CaptureKey, *, data_start: int, n_rows: int) -> None:
        self._descriptor = descriptor
        self._key = key
        self._data_start = data_start
        self._n_rows = n_rows

    def write(
        self, activations: Float[np.ndarray, "batch position d_model"], *, layer: int, row: int
    ) -> None:
        """Store one layer's activations of a batch, at all positions, from row number `row` of the shard.

        Raises InputError when a number does not fit the stored type.
        """
        by_position = to_stored(activations.transpose(1, 0, 2), self._key.dtype, layer=layer)
        stored = np.ascontiguousarray(by_position)
        stride = self._n_rows * stored[0, 0].nbytes
        first = self._key.layers.index(layer) * len(self._key.positions)
        for number, block in enumerate(stored):
            offset = self._data_start + (first + number) * stride + row * stored[0, 0].nbytes
            _write_all(self._descriptor, block.data, offset)


@contextmanager
def write_shard(path: Path, key: CaptureKey, *, n_rows: int) -> Generator[ShardWriter]:
    """Open a shard for writing; it appears at `path` once the block ends without an error."""
    names = [tensor_name(layer, position) for layer in key.layers for position in key.positions]
    header, size = shard_header(names, key, n_rows)
    with durable_file(path) as partial:
        descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        try:
            # Reserved at once, so that a full disk is found before the model runs and not after.
            os.posix_fallocate(descriptor, 0, len(header) + size)
            _write_all(descriptor, header, 0)
            yield ShardWriter(descriptor, key, data_start=len(header), n_rows=n_rows)
        finally:
            os.close(descriptor)


def read_tensor(path: Path, *, layer: int, position: str) -> Float[np.ndarray, "rows d_model"]:
    """One tensor of a shard, in the type it is stored in; bfloat16, which numpy lacks, as float32.

    Raises InputError naming a file that cannot be read.
    """
    name = tensor_name(layer, position)
    try:
        with safe_open(path, framework="numpy") as shard:
            if shard.get_slice(name).get_dtype() != _SAFETENSORS_DTYPE["bfloat16"]:
                return shard.get_tensor(name)
        return from_stored(_bits(path, name), "bfloat16")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}): run the capture again to replace it") from error


def _bits(path: Path, name: str) -> Shaped[np.ndarray, "rows d_model"]:
    """A bfloat16 tensor of a file that safetensors has found sound, as bits."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        tensor = json.loads(file.read(length))[name]
        start, end = tensor["data_offsets"]
        file.seek(8 + length + start)
        bits = held_as("bfloat16")
        return np.fromfile(file, bits, (end - start) // bits.itemsize).reshape(tensor["shape"])


def shard_header(names: list[str], key: CaptureKey, n_rows: int) -> tuple[bytes, int]:
    """Header of the safetensors format (length, JSON padded to 8 bytes), and how many bytes follow it."""
    size = n_rows * key.d_model * held_as(key.dtype).itemsize
    tensors = {
        name: {
            "dtype": _SAFETENSORS_DTYPE[key.dtype],
            "shape": [n_rows, key.d_model],
            "data_offsets": [number * size, (number + 1) * size],
        }
        for number, name in enumerate(names)
    }
    text = json.dumps(tensors, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, len(names) * size


def _write_all(descriptor: int, data: bytes | memoryview, offset: int) -> None:
    """`os.pwrite` may write less than it was given; go on until all is written."""
    view = memoryview(data).cast("B")
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
