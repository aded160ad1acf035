"""A named erasure method reaches the verdict of behaviour, on a model whose mechanism is planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from if_circuits.analyses.base import AnalysisResult, get_analysis
from if_circuits.erasure.base import erasure_methods
from if_circuits.interventions.subspace import Subspace
from tests.analyses.causal_ablation.conftest import SETTINGS, Planted

TASKS = ("json_format", "register")


@dataclass(frozen=True)
class Inert:
    """Finds nothing to remove."""

    name: str = "inert"

    def fit(self, X, y, *, groups, seed) -> Subspace:
        del y, groups, seed
        return Subspace(basis=np.zeros((0, X.shape[1])), mean=X.mean(axis=0), name=self.name)


@pytest.fixture
def ablate(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AnalysisResult]:
    def run(erasure: str) -> AnalysisResult:
        known = erasure_methods.get
        monkeypatch.setattr(erasure_methods, "get", lambda name: Inert if name == "inert" else known(name))
        settings = replace(SETTINGS, erasure=erasure, n_random_subspaces=1, n_bootstrap=20)
        return get_analysis("causal_ablation").run(
            planted.only(*TASKS), settings, model=planted.model, run_settings=planted.run_settings
        )

    return run


def behaviour_of(result: AnalysisResult) -> pd.DataFrame:
    table = result.table[result.table["matrix"] == "behaviour"]
    return table[table["ablated"].isin(TASKS) & table["measured"].isin(TASKS)]


@pytest.mark.slow
def test_what_inlp_finds_is_removed_while_the_model_writes(ablate: Callable[[str], AnalysisResult]):
    result = ablate("inlp")
    removed = result.tables["removed"]
    assert set(removed["method"]) == {"INLP"}
    assert set(removed["task"]) == set(TASKS)
    assert (removed["rank"] >= 1).all()
    own = behaviour_of(result).query("ablated == measured").set_index("ablated")["excess"]
    assert (own > 0.25).all()
    assert any("subspaces of INLP along the response" in note for note in result.verdict.notes)
    assert set(result.tables["subspaces"]["task"]) == set(TASKS)
    assert len(result.tables["inlp"])


@pytest.mark.slow
def test_a_method_that_removes_nothing_lowers_nothing(ablate: Callable[[str], AnalysisResult]):
    result = ablate("inert")
    removed = result.tables["removed"]
    assert set(removed["method"]) == {"inert"}
    assert (removed["rank"] == 0).all()
    cells = behaviour_of(result)
    assert len(cells) == len(TASKS) ** 2
    assert (cells["excess"] == 0).all()
    assert not cells["survives"].any()
    starts = result.tables["starts"]
    assert (starts[["own_drop", "control_drop"]] == 0).all(axis=None)
