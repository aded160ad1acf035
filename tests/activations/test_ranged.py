"""Activations in a store of objects: the numbers of the whole shards, from the bytes that are asked for."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from if_circuits.activations.ranged import RangedStore
from if_circuits.activations.store import ActivationStore
from if_circuits.errors import InputError
from if_circuits.io.remote import Remote
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences, stored

URL = "memory://bucket/study/activations"


@pytest.fixture
def store(llama: LoadedModel, tmp_path: Path) -> Iterator[ActivationStore]:
    """A capture of several shards, of unequal sizes, that lie at the URL as well."""
    from fsspec.implementations.memory import MemoryFileSystem

    store = stored(llama, make_sequences(), path=tmp_path / "store", batch_size=4, shard_bytes=24_000)
    assert len(store.manifest.shards) > 2
    assert len({shard.rows for shard in store.manifest.shards}) == 2
    Remote(URL).upload({path.name: path for path in store.files})
    yield store
    MemoryFileSystem.store.clear()


@pytest.fixture
def ranged(store: ActivationStore, tmp_path: Path) -> RangedStore:
    """The same, where only manifest and index are on this machine."""
    folder = tmp_path / "elsewhere"
    shutil.copytree(store.directory, folder, ignore=shutil.ignore_patterns("shard-*"))
    remote = Remote(URL)
    return RangedStore(ActivationStore.open(folder), remote, remote.listing(), tmp_path / "fetched")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Every range that is asked of the store."""
    found: list[tuple[str, int, int]] = []
    ranges = Remote.ranges

    def counted(self: Remote, wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
        found.extend(wanted)
        return ranges(self, wanted)

    monkeypatch.setattr(Remote, "ranges", counted)
    return found


def test_the_numbers_are_those_of_the_shards(store: ActivationStore, ranged: RangedStore):
    for layer in store.layers:
        for position in store.positions:
            np.testing.assert_array_equal(ranged.read(layer, position), store.read(layer, position))
    assert ranged.response_ids == store.response_ids
    assert ranged.key == store.key


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_numbers_of_another_type_are_those_of_the_shards(dtype: str, llama: LoadedModel, tmp_path: Path):
    url, options = "memory://bucket/other/activations", {"batch_size": 4, "shard_bytes": 12_000}
    store = stored(llama, make_sequences(), path=tmp_path / "store", dtype=dtype, **options)
    Remote(url).upload({path.name: path for path in store.files})
    ranged = RangedStore(store, Remote(url), Remote(url).listing(), tmp_path / "fetched")
    for layer in store.layers:
        for position in store.positions:
            np.testing.assert_array_equal(ranged.read(layer, position), store.read(layer, position))


def test_one_layer_and_position_asks_for_its_bytes_alone_and_once(
    store: ActivationStore, ranged: RangedStore, asked: list[tuple[str, int, int]]
):
    ranged.read(0, "last")
    rows = sum(shard.rows for shard in store.manifest.shards)
    lengths = [end - start for _, start, end in asked]
    headers = lengths[: len(lengths) - len(store.manifest.shards)]
    assert sum(lengths[len(headers) :]) == rows * store.key.d_model * 4
    assert len(headers) == 2 * 2, "of each layout the length of its header, and the header"
    asked.clear()
    copy.deepcopy(ranged).read(0, "last")  # as another process gets it
    assert asked == []
    ranged.read(1, "eos")
    assert [name for name, *_ in asked] == [shard.file for shard in store.manifest.shards]


def test_a_shard_that_was_replaced_or_cut_or_is_gone_is_named(store: ActivationStore, ranged: RangedStore):
    path = store.files[2]
    expected = rf"{URL}/{path.name} has changed since the study was opened"
    Remote(URL).upload({path.name: path})
    with pytest.raises(InputError, match=expected):
        ranged.read(0, "last")

    Remote(URL).write(path.name, path.read_bytes()[:-1])
    cut = RangedStore(ranged.store, ranged.remote, ranged.remote.listing(), ranged.folder)
    with pytest.raises(InputError, match=rf"{URL}/{path.name} is damaged"):
        cut.read(store.layers[-1], store.positions[-1])

    Remote(URL).remove([path.name])
    gone = RangedStore(ranged.store, ranged.remote, ranged.remote.listing(), ranged.folder)
    with pytest.raises(InputError, match=URL):
        gone.read(0, "last")


def test_a_layer_that_was_not_captured_is_refused_without_asking(
    ranged: RangedStore, asked: list[tuple[str, int, int]]
):
    with pytest.raises(InputError, match="no activations of layer 99"):
        ranged.read(99, "last")
    assert asked == []
