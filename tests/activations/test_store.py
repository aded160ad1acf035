"""The store: an ordinary safetensors file, and errors that name the file."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from if_circuits.activations.store import ActivationStore
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel
from tests.activations.sequences import make_sequences, stored


@pytest.fixture
def store(llama: LoadedModel, tmp_path: Path) -> ActivationStore:
    return stored(llama, make_sequences(), path=tmp_path / "store", batch_size=4)


def test_shards_are_ordinary_safetensors_files(store: ActivationStore) -> None:
    tensors = load_file(store.directory / "shard-00000.safetensors")
    assert set(tensors) == {f"{layer}/{position}" for layer in store.layers for position in store.positions}
    assert {tensor.shape for tensor in tensors.values()} == {(11, 32)}
    in_order = tensors["1/last"][store.index["row"]]
    np.testing.assert_array_equal(store.read(1, "last"), in_order)


def test_an_opened_store_equals_the_captured_one(store: ActivationStore) -> None:
    opened = ActivationStore.open(store.directory)
    assert opened.manifest == store.manifest and opened.index.equals(store.index)
    assert opened.damaged_files() == ()


def test_a_truncated_shard_is_named(store: ActivationStore) -> None:
    path = store.directory / "shard-00000.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"shard-00000.safetensors cannot be read .*run the capture again"):
        store.read(0, "last")


def test_a_missing_shard_is_named(store: ActivationStore) -> None:
    (store.directory / "shard-00000.safetensors").unlink()
    assert store.damaged_files() == ("shard-00000.safetensors",)
    with pytest.raises(InputError, match=r"shard-00000.safetensors cannot be read"):
        store.read(0, "last")


def test_a_damaged_index_is_named(store: ActivationStore) -> None:
    (store.directory / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"index.parquet is missing or damaged"):
        ActivationStore.open(store.directory)
