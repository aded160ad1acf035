from dataclasses import dataclass

import numpy as np
import pytest

from if_circuits.activations.captured import CapturedActivations
from if_circuits.activations.teacher_forcing import read_positions
from if_circuits.analyses.causal_ablation import rebuilding
from if_circuits.analyses.causal_ablation.rebuilding import measure_rebuilding
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.interventions.subspace import Subspace
from if_circuits.models.loading import LoadedModel
from tests.analyses.planted import SETTINGS
from tests.analyses.word_study import word_study


@dataclass(frozen=True)
class Nothing:
    """A method that finds nothing to remove."""

    name: str = "nothing"

    def fit(self, X, y, *, groups, seed) -> Subspace:
        del y, groups, seed
        return Subspace(basis=np.zeros((0, X.shape[1])), mean=X.mean(axis=0), name=self.name)


@pytest.fixture(scope="module")
def study(load, tmp_path_factory: pytest.TempPathFactory) -> CapturedActivations:
    return word_study(load("llama"), tmp_path_factory.mktemp("activations") / "store")


def rebuild(model: LoadedModel, study: CapturedActivations, method):
    fits = fit_response_directions(study, seed=SETTINGS.seed)
    found = measure_rebuilding(model, study, fits, method, settings=SETTINGS)
    return found.set_index("layer_probed")


def test_removing_nothing_leaves_every_layer_as_it_was(llama: LoadedModel, study: CapturedActivations):
    found = rebuild(llama, study, Nothing())
    np.testing.assert_allclose(found["auroc_ablated"], found["auroc_intact"], atol=1e-6)
    assert (found["rank"] == 0).all()
    assert list(found.index) == [layer for layer in range(llama.n_layers) if layer >= found.index[0]]


def test_what_the_untouched_prompt_says_is_read_again_above_the_removal(
    llama: LoadedModel, study: CapturedActivations
):
    found = rebuild(llama, study, DifferenceInMeans())
    at = found["layer_ablated"].iloc[0]
    above = found.loc[found.index > at]
    assert found.loc[at, "auroc_intact"] > 0.9
    assert found.loc[at, "auroc_ablated"] < found.loc[at, "auroc_intact"] - 0.2
    assert len(above)
    assert (above["low"] > 0.6).all()
    assert (found["low"] <= found["auroc_ablated"]).all()
    assert (found["auroc_ablated"] <= found["high"]).all()
    assert not any(point.fwd_hooks for point in llama.bridge.hook_dict.values())


def test_no_task_with_enough_labels_gives_no_rows(
    llama: LoadedModel, study: CapturedActivations, monkeypatch
):
    monkeypatch.setattr("if_circuits.analyses.causal_ablation.rebuilding.ROWS_PER_CLASS", 5)
    fits = fit_response_directions(study, seed=SETTINGS.seed)
    assert measure_rebuilding(llama, study, fits, DifferenceInMeans(), settings=SETTINGS).empty


def test_a_model_in_training_is_read_as_it_writes_and_progress_is_told(
    llama: LoadedModel, study: CapturedActivations, monkeypatch: pytest.MonkeyPatch
):
    modes: list[bool] = []
    told: list[float] = []

    def read(model: LoadedModel, *args, **kwargs):
        modes.append(model.bridge.training or model.hf.training)
        return read_positions(model, *args, **kwargs)

    monkeypatch.setattr(rebuilding, "read_positions", read)
    fits = fit_response_directions(study, seed=SETTINGS.seed)
    llama.hf.train()
    try:
        measure_rebuilding(
            llama,
            study,
            fits,
            DifferenceInMeans(),
            settings=SETTINGS,
            progress=lambda done, total: told.append(done / total),
        )
        assert llama.hf.training
    finally:
        llama.hf.eval()
    assert modes
    assert not any(modes)
    assert told == sorted(told)
    assert told[-1] == 1.0
