"""Directions in files: the same numbers come back, into the same model and, unless forced, no other."""

from pathlib import Path

import numpy as np
import pytest

from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.leace import Leace
from if_circuits.errors import InputError
from if_circuits.interventions.control_vector import save_control_vector
from if_circuits.interventions.fitted import FittedErasure, FittedSubspace
from if_circuits.interventions.saved import load_direction
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel


class Activations:
    """What `acts.at` gives, made up."""

    def __init__(self, model: LoadedModel) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.arange(40) % 2 == 0
        self.X = rng.standard_normal((40, model.d_model)) + np.outer(self.labels, np.ones(model.d_model))
        self.groups = np.arange(40) // 2
        self.layer, self.position = 2, "along the response"
        self.fingerprint, self.tasks = model.fingerprint, ("topic",)


@pytest.mark.parametrize("method", [DifferenceInMeans(), Leace()])
def test_a_fit_comes_back_with_its_numbers_and_its_place(
    method: DifferenceInMeans | Leace, llama: LoadedModel, tmp_path: Path
) -> None:
    fitted = method.fit(Activations(llama))
    fitted.save(tmp_path / "it.safetensors")
    again = load_direction(tmp_path / "it.safetensors", llama)
    assert type(again) is type(fitted) and repr(again) == repr(fitted)
    assert again.read_at is not None and fitted.read_at is not None
    assert (again.read_at.tasks, again.read_at.layer) == (("topic",), 2)
    for name in ("left", "right", "mean") if isinstance(fitted, FittedErasure) else ("basis", "mean"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fitted, name))
    np.testing.assert_array_equal(again.read_at.step, fitted.read_at.step)
    assert again.steer(by=2.0).layers == (2,)


def test_another_model_refuses_it_unless_forced_and_one_of_another_width_always(
    llama: LoadedModel, tmp_path: Path
) -> None:
    path = tmp_path / "it.safetensors"
    foreign = Activations(llama)
    foreign.fingerprint = "0" * 64
    DifferenceInMeans.fit(foreign).save(path)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=r"fingerprint 000000000000, and .* force=True"):
        load_direction(path, llama)
    assert isinstance(load_direction(path, llama, force=True), FittedSubspace)

    numbers = np.random.default_rng(0).standard_normal((20, llama.d_model + 1))
    DifferenceInMeans().fit(numbers, np.arange(20) % 2 == 0, groups=np.arange(20)).save(path)
    with pytest.raises(InputError, match=f"d_model = {llama.d_model + 1}"):
        load_direction(path, llama, force=True)


def test_what_was_fitted_to_plain_numbers_names_no_model(llama: LoadedModel, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).standard_normal((20, llama.d_model))
    path = tmp_path / "it.safetensors"
    DifferenceInMeans().fit(numbers, np.arange(20) % 2 == 0, groups=np.arange(20)).save(path)
    with pytest.raises(InputError, match="names no model"):
        load_direction(path, llama)
    assert load_direction(path, llama, force=True).read_at is not None
    # The subspace alone can be read too.
    assert Subspace.load(path).rank == 1


def test_other_files_are_refused(llama: LoadedModel, tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    Subspace(basis=np.eye(llama.d_model)[:1], mean=np.zeros(llama.d_model), name="plain").save(plain)
    with pytest.raises(InputError, match="no direction that this library saved"):
        load_direction(plain, llama)
    (tmp_path / "text").write_text("no tensors")
    for missing in ("text", "nothing"):
        with pytest.raises(InputError, match="cannot be read as a direction"):
            load_direction(tmp_path / missing, llama)
    fitted = DifferenceInMeans.fit(Activations(llama))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="cannot write"):
        fitted.save(tmp_path / "no folder" / "it")


def test_a_control_vector_holds_what_steering_adds(llama: LoadedModel, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    fitted = DifferenceInMeans.fit(Activations(llama))  # pyright: ignore[reportArgumentType]
    path = tmp_path / "it.gguf"
    save_control_vector(fitted, path, llama, by=1.5, layers=[1, 2])
    read = gguf.GGUFReader(path)
    assert read.get_field("general.architecture").contents() == "controlvector"
    assert read.get_field("controlvector.model_hint").contents() == "llama"
    assert read.get_field("controlvector.layer_count").contents() == 2
    vectors = {tensor.name: tensor.data for tensor in read.tensors}
    assert list(vectors) == ["direction.1", "direction.2"]
    assert fitted.read_at is not None
    np.testing.assert_allclose(vectors["direction.2"], 1.5 * fitted.read_at.step, rtol=1e-6)
    with pytest.raises(InputError, match="behind blocks 1 to 2"):
        save_control_vector(fitted, path, llama, layers=0)
