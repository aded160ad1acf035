"""Activations on disk, read one (layer, position) at a time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from if_circuits.activations.manifest import INDEX_FILE, MANIFEST_FILE, CaptureKey, Manifest, read_manifest
from if_circuits.activations.shards import read_tensor
from if_circuits.errors import InputError
from if_circuits.io.digest import file_sha256


@dataclass(frozen=True, eq=False)
class ActivationStore:
    """A finished capture, opened with `ActivationStore.open`. Only the index is held in memory."""

    directory: Path
    manifest: Manifest
    index: pd.DataFrame
    """One row per response: `response_id`, `shard`, `row`, and per position its index in prompt + response.
    """

    @classmethod
    def open(cls, directory: Path) -> "ActivationStore":
        """Open a store. Raises InputError when it is missing, unfinished, damaged or of another format."""
        manifest = read_manifest(directory)
        if not manifest.complete:
            raise InputError(
                f"the activations in {directory} are unfinished ({len(manifest.shards)} of "
                f"{manifest.n_shards} shards): run the same capture again to finish them"
            )
        path = directory / INDEX_FILE
        if not path.is_file() or file_sha256(path) != manifest.index_sha256:
            raise InputError(f"{path} is missing or damaged: run the same capture again to replace it")
        return cls(directory, manifest, pd.read_parquet(path))

    @property
    def key(self) -> CaptureKey:
        """All that decided the numbers."""
        return self.manifest.key

    @property
    def response_ids(self) -> tuple[str, ...]:
        """Ids of the responses, in the order of the rows of `read`."""
        return tuple(self.index["response_id"])

    @property
    def layers(self) -> tuple[int, ...]:
        """Captured layers; -1 is `embed`."""
        return self.manifest.key.layers

    @property
    def positions(self) -> tuple[str, ...]:
        """Captured positions."""
        return self.manifest.key.positions

    @property
    def n_layers(self) -> int:
        """Blocks of the model."""
        return self.manifest.key.n_layers

    def read(self, layer: int, position: str) -> Float[np.ndarray, "n d_model"]:
        """Residual stream of every response at a layer and position, float32, in the order of `response_ids`.

        Rows of responses without the position are NaN. Raises InputError for a layer or position that was not
        captured, and for a shard that cannot be read.
        """
        check_captured(self.key, layer, position)
        shards, rows = self.index["shard"].to_numpy(), self.index["row"].to_numpy()
        activations = np.empty((len(self.index), self.manifest.key.d_model), dtype=np.float32)
        for number, shard in enumerate(self.manifest.shards):
            here = np.flatnonzero(shards == number)
            tensor = read_tensor(self.directory / shard.file, layer=layer, position=position)
            activations[here] = tensor[rows[here]]
        return activations

    def token_indices(self, position: str) -> Int[np.ndarray, " n"]:
        """Absolute place of a position in prompt + response, from 0; -1 where a response lacks it."""
        return self.index[position].to_numpy()

    @property
    def not_finite(self) -> tuple[str, ...]:
        """Ids of the responses with an infinite or undefined number at some layer and position."""
        lists = [(number, shard.not_finite) for number, shard in enumerate(self.manifest.shards)]
        broken = {(number, row) for number, rows in lists for row in rows}
        places = zip(self.response_ids, self.index["shard"], self.index["row"], strict=True)
        return tuple(name for name, shard, row in places if (shard, row) in broken)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of the store."""
        names = (MANIFEST_FILE, INDEX_FILE, *(shard.file for shard in self.manifest.shards))
        return tuple(self.directory / name for name in names)

    def damaged_files(self) -> tuple[str, ...]:
        """Names of the files that are missing or do not have the content they were written with."""
        expected = [(shard.file, shard.sha256) for shard in self.manifest.shards]
        expected.append((INDEX_FILE, self.manifest.index_sha256))
        return tuple(name for name, sha256 in expected if not is_intact(self.directory / name, sha256))


def check_captured(key: CaptureKey, layer: int, position: str) -> None:
    """Raise InputError for a layer or position that was not captured."""
    if layer not in key.layers or position not in key.positions:
        raise InputError(
            f"no activations of layer {layer} at {position!r}: captured were layers "
            f"{', '.join(map(str, key.layers))} at {', '.join(key.positions)}"
        )


def is_intact(path: Path, sha256: str) -> bool:
    """Whether the file is there with the content of that hash."""
    return path.is_file() and file_sha256(path) == sha256


def discard(directory: Path) -> None:
    """Remove a store's files, and no others. Only for a directory that is the caller's own."""
    for path in (directory / MANIFEST_FILE, directory / INDEX_FILE, *directory.glob("shard-*")):
        path.unlink(missing_ok=True)


def discard_unreadable(directory: Path) -> None:
    """Remove the files of a store whose manifest is missing or unreadable: nothing vouches for its shards.

    Only for a directory that is the caller's own. Files that are not a store's are left alone.
    """
    if not directory.is_dir():
        return
    try:
        read_manifest(directory)
    except InputError:
        discard(directory)
