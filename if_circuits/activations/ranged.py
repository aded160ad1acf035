"""Activations at a URL, of which only the bytes that are read are fetched.

The tensor of a layer and position is one range of bytes in each shard. A range is fetched when it is first
asked for, and kept as a shard of one tensor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from jaxtyping import Float, Int

from if_circuits.activations.manifest import CaptureKey, ShardEntry
from if_circuits.activations.precision import held_as
from if_circuits.activations.shards import shard_header, tensor_name
from if_circuits.activations.store import ActivationStore, check_captured
from if_circuits.errors import InputError
from if_circuits.io.durable import durable_file
from if_circuits.io.remote import Listed, Remote

_LENGTH = 8
"""Bytes at the start of a safetensors file that say how long its header is."""


@dataclass(frozen=True, eq=False)
class RangedStore:
    """A finished capture whose manifest and index lie here, and whose shards lie at a URL. It holds no
    activations: another process gets a copy that reads the same.

    A range is as long as it must be, and the objects are those that were listed. The hash of a shard is over
    all of it, so of a range it cannot be checked.
    """

    store: ActivationStore
    remote: Remote
    """The folder of the shards."""
    listed: Mapping[str, Listed]
    """Every shard as it was when the study was opened."""
    folder: Path
    """Where ranges are kept; it is this capture's alone."""

    @property
    def key(self) -> CaptureKey:
        """All that decided the numbers."""
        return self.store.key

    @property
    def response_ids(self) -> tuple[str, ...]:
        """Ids of the responses, in the order of the rows of `read`."""
        return self.store.response_ids

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Ids of the responses with an infinite or undefined number at some layer and position."""
        return self.store.not_finite

    def token_indices(self, position: str) -> Int[np.ndarray, " n"]:
        """Absolute place of a position in prompt + response, from 0; -1 where a response lacks it."""
        return self.store.token_indices(position)

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """As `ActivationStore.read`, once the ranges are here.

        Raises InputError where a shard is not what was listed, or the URL cannot be reached.
        """
        check_captured(self.key, layer, position)
        place = self.folder / f"{layer}_{position}"
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / f".{place.name}.lock"):
            shards = self.store.manifest.shards
            if missing := [shard for shard in shards if not (place / shard.file).is_file()]:
                self._fetch(missing, tensor_name(layer, position), place)
        return replace(self.store, directory=place).read(layer, position)

    def _fetch(self, shards: Sequence[ShardEntry], name: str, place: Path) -> None:
        with FileLock(self.folder / ".layouts.lock"):
            spans = {rows: self._span(rows, name) for rows in {shard.rows for shard in shards}}
        wanted = [(shard.file, *spans[shard.rows]) for shard in shards]
        contents = self._as_listed(wanted)
        for (file, start, end), content in zip(wanted, contents, strict=True):
            if len(content) != end - start:
                raise InputError(f"{self.remote.url}/{file} is damaged: it ends before the bytes of {name}")
        for shard, content in zip(shards, contents, strict=True):
            header, _ = shard_header([name], self.key, shard.rows)
            with durable_file(place / shard.file) as partial:
                partial.write_bytes(header + content)

    def _span(self, rows: int, name: str) -> tuple[int, int]:
        """Where the tensor lies in a shard of so many rows: all of these have one layout."""
        kept = self.folder / f"layout-{rows}.json"
        if not kept.is_file():
            file = next(shard.file for shard in self.store.manifest.shards if shard.rows == rows)
            (length,) = self._as_listed([(file, 0, _LENGTH)])
            end = _LENGTH + int.from_bytes(length, "little")
            if len(length) < _LENGTH or end > self._size(file):
                raise InputError(f"{self.remote.url}/{file} is damaged: it has no header")
            (header,) = self._as_listed([(file, _LENGTH, end)])
            with durable_file(kept) as partial:
                partial.write_bytes(length + header)
        content = kept.read_bytes()
        try:
            tensor: dict[str, Any] = json.loads(content[_LENGTH:])[name]
            start, end = (len(content) + int(offset) for offset in tensor["data_offsets"])
        except (ValueError, KeyError, TypeError) as error:
            kept.unlink()
            raise InputError(f"{self.remote.url} has a shard with a damaged header ({error})") from error
        if end - start != rows * self.key.d_model * held_as(self.key.dtype).itemsize:
            raise InputError(f"{self.remote.url} has a shard with a damaged header: {name} lacks rows")
        return start, end

    def _as_listed(self, wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Ranges of objects that are those that were listed, after they were read as well."""
        contents, now = self.remote.ranges(wanted), self.remote.listing()
        for file, *_ in wanted:
            if now.get(file) != self.listed.get(file):
                raise InputError(
                    f"{self.remote.url}/{file} has changed since the study was opened: open it anew"
                )
        return contents

    def _size(self, file: str) -> int:
        return self.listed[file].size if file in self.listed else 0
