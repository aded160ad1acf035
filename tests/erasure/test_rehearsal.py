from dataclasses import dataclass

import numpy as np
import pytest

from if_circuits.cli import main as cli
from if_circuits.erasure.base import erasure_methods
from if_circuits.erasure.rehearsal import rehearse
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace


@pytest.mark.parametrize("name", ["inlp", "mean_difference", "random"])
def test_methods_that_fit_a_subspace_may_ablate(name: str):
    rehearse(name)


def test_an_oblique_projection_is_refused_before_a_study_begins(tmp_path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "study"
    assert cli.main(["run", "if-tiny", "--out", str(out), "--erasure", "leace"]) == 2
    assert "fits AffineErasure, not Subspace" in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="unknown erasure method 'soap'; expected one of inlp"):
        rehearse("soap")


@dataclass(frozen=True)
class Narrow:
    name: str = "narrow"

    def fit(self, X, y, *, groups, seed):
        del X, y, groups, seed
        return Subspace(basis=np.eye(3)[:1], mean=np.zeros(3), name=self.name)


def test_a_subspace_of_another_width_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(erasure_methods, "get", {"narrow": Narrow}.get)
    with pytest.raises(InputError, match="3 dimensions to activations of 16"):
        rehearse("narrow")
