"""An analysis of the model that was interrupted goes on where it was, to the same tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.activations.captured import CapturedActivations
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation import analysis as causal_ablation
from if_circuits.analyses.causal_ablation import answers
from if_circuits.analyses.localisation import analysis as localisation
from if_circuits.analyses.localisation import compared, experiment, subspaces
from if_circuits.erasure.das import train_das
from if_circuits.io.kept import Kept
from if_circuits.models.loading import LoadedModel

pytestmark = pytest.mark.slow

SETTINGS = AnalysisSettings(n_bootstrap=50, n_permutations=50, n_random_subspaces=2)


@pytest.fixture(scope="module")
def study() -> tuple[LoadedModel, CapturedActivations]:
    model = ifc.load_model("if-tiny-compositional")
    asked = ifc.prompts(["sentiment"], n=80, counterparts=True)
    rows = ifc.respond(model, asked, progress=False)
    return model, ifc.capture(model, rows, layers=[2], progress=False)


@pytest.mark.parametrize(
    ("analysis", "modules", "name", "dies_at"),
    [
        (causal_ablation, [answers], "responses_under", 3),
        # Of the task's map three parts, of the comparison one of two, then the dependencies.
        (localisation, [experiment, compared], "apply_interchanges", 6),
    ],
)
def test_it_goes_on_where_it_was_to_the_same_tables(
    study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, analysis, modules, name: str, dies_at: int
) -> None:
    model, source = study
    monkeypatch.setattr(subspaces, "train_das", partial(train_das, epochs=1))  # cheaper, and as deterministic
    monkeypatch.setattr(localisation, "TOKENS", 8)
    calls, dies, real = [0], [0], getattr(modules[0], name)

    def counted(*args, **options):
        calls[0] += 1
        if calls[0] == dies[0]:
            raise KeyboardInterrupt
        return real(*args, **options)

    for module in modules:
        monkeypatch.setattr(module, name, counted)
    whole, in_all = analysis.run(source, SETTINGS, model=model), calls[0]
    assert in_all > dies_at
    calls[0], dies[0], kept = 0, dies_at, Kept(tmp_path / "parts")
    with pytest.raises(KeyboardInterrupt):
        analysis.run(source, SETTINGS, model=model, kept=kept)
    calls[0], dies[0] = 0, 0
    resumed = analysis.run(source, SETTINGS, model=model, kept=kept)
    assert calls[0] == in_all - (dies_at - 1)
    assert str(resumed.verdict) == str(whole.verdict)
    pd.testing.assert_frame_equal(resumed.table, whole.table)
    for title, table in whole.tables.items():
        pd.testing.assert_frame_equal(resumed.tables[title], table)
