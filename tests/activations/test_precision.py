"""How numbers are stored: as torch rounds them, and never silently as infinity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.torch import load_file

from if_circuits.activations.capture import capture
from if_circuits.activations.dtypes import stored_dtype
from if_circuits.activations.precision import from_stored, to_stored
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel, load_model
from tests.activations.sequences import make_sequences

ROWS = make_sequences(5)
LARGEST = float(torch.finfo(torch.bfloat16).max)


def as_torch_has_them(numbers: np.ndarray) -> np.ndarray:
    return torch.from_numpy(numbers).bfloat16().float().numpy()


@given(arrays(np.uint32, 64, elements=st.integers(0, 2**32 - 1)))
def test_bfloat16_rounds_as_torch_does_whatever_the_bits(bits: np.ndarray) -> None:
    numbers = bits.view(np.float32)
    numbers = numbers[~(np.isfinite(numbers) & (np.abs(numbers) > LARGEST))]
    rounded = from_stored(to_stored(numbers, "bfloat16", layer=0), "bfloat16")
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded, as_torch_has_them(numbers))
    defined = ~np.isnan(numbers)
    np.testing.assert_array_equal(np.signbit(rounded[defined]), np.signbit(numbers[defined]))


def test_ties_go_to_the_even_number() -> None:
    step = 2.0**-7  # between bfloat16 numbers from 1 to 2
    ties = np.array([1 + step / 2, 1 + 3 * step / 2, -1 - step / 2], dtype=np.float32)
    rounded = from_stored(to_stored(ties, "bfloat16", layer=0), "bfloat16")
    assert rounded.tolist() == [1.0, 1 + 2 * step, -1.0]


@pytest.mark.parametrize(("dtype", "too_large"), [("float16", 7e4), ("bfloat16", 3.4e38)])
def test_a_number_beyond_the_type_is_refused_and_infinity_is_kept(dtype: str, too_large: float) -> None:
    finite = np.array([[1.0, too_large]], dtype=np.float32)
    with pytest.raises(InputError, match=f"layer 7 reach .*{dtype} cannot hold: store them as float32"):
        to_stored(finite, dtype, layer=7)  # type: ignore[arg-type]
    broken = np.array([[np.inf, -np.inf, np.nan]], dtype=np.float32)
    kept = from_stored(to_stored(broken, dtype, layer=7), dtype)  # type: ignore[arg-type]
    np.testing.assert_array_equal(kept, broken)


def test_shards_of_bfloat16_are_ordinary_safetensors_files_of_half_the_size(
    llama: LoadedModel, tmp_path: Path
) -> None:
    exact = capture(llama, ROWS, path=tmp_path / "exact")
    half = capture(llama, ROWS, path=tmp_path / "half", dtype="bfloat16")
    shard = tmp_path / "half" / "shard-00000.safetensors"
    tensors = load_file(shard)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}
    for layer in half.layers:
        for position in half.positions:
            read = half.features(layer, position)
            np.testing.assert_array_equal(read, as_torch_has_them(exact.features(layer, position)))
            rows = half.store.index["row"]  # type: ignore[attr-defined]
            np.testing.assert_array_equal(tensors[f"{layer}/{position}"].float().numpy()[rows], read)
    with shard.open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    assert shard.stat().st_size == header + 2 * sum(tensor.numel() for tensor in tensors.values())


def test_a_model_in_bfloat16_loses_nothing_in_its_own_type(llama: LoadedModel, tmp_path: Path) -> None:
    model = load_model(llama.name, dtype="bfloat16")
    exact = capture(model, ROWS)
    own = capture(model, ROWS, path=tmp_path, dtype="model")
    assert own.store.key.dtype == "bfloat16"
    for layer in own.layers:
        np.testing.assert_array_equal(own.features(layer, "last"), exact.features(layer, "last"))


def test_a_truncated_shard_of_bfloat16_is_named(llama: LoadedModel, tmp_path: Path) -> None:
    captured = capture(llama, ROWS, path=tmp_path, layers=[0], dtype="bfloat16")
    shard = tmp_path / "shard-00000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"shard-00000.safetensors cannot be read .*run the capture again"):
        captured.features(0, "last")


def test_model_is_the_type_of_the_models_weights(llama: LoadedModel) -> None:
    assert [stored_dtype("model", of_model=own) for own in ("float32", "bfloat16")] == ["float32", "bfloat16"]
    assert stored_dtype("float16", of_model="bfloat16") == "float16"
    assert capture(llama, ROWS, layers=[0], dtype="model").store.key.dtype == "float32"
    with pytest.raises(InputError, match="float32, bfloat16, float16 or model, not as 'int8'"):
        capture(llama, ROWS, dtype="int8")  # type: ignore[arg-type]
