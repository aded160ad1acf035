"""A small model whose labels stand in its prompts, as the subject of a monitor."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation.response_directions import fit_response_directions
from if_circuits.analyses.shared.token_probes import fit_token_probes
from if_circuits.models.loading import LoadedModel
from if_circuits.models.settings import RunSettings
from if_circuits.monitor.probing import LiveProbes
from if_circuits.monitor.subject import Subject
from tests.analyses.word_study import word_study


@pytest.fixture(scope="session")
def subject(load: Callable[[str], LoadedModel], tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """One for all tests of the monitor."""
    model = load("llama")
    source = word_study(model, tmp_path_factory.mktemp("monitor") / "study")
    probes = fit_token_probes(source, AnalysisSettings(n_folds=4))
    directions, _ = fit_response_directions(source, seed=0)
    settings = RunSettings.of(model.preset, max_new_tokens=8)
    return Subject(
        model, settings, probes, LiveProbes(probes, model.device), directions, directions.reasons, 1, 0
    )
