from dataclasses import dataclass

import numpy as np
import pytest

from if_circuits.cli import main as cli
from if_circuits.erasure.base import erasure_methods
from if_circuits.erasure.rehearsal import rehearse
from if_circuits.errors import InputError
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.evaluate import out_of_fold


@pytest.mark.parametrize("name", ["inlp", "mean_difference", "random"])
def test_methods_that_fit_a_subspace_may_ablate(name: str, monkeypatch: pytest.MonkeyPatch):
    """The method is fitted once, to data of both labels in whole groups, before it is let through."""
    method, fits = erasure_methods.get(name)(), []

    class Watched:
        name = method.name

        def fit(self, X, y, *, groups, seed):
            fits.append((X, y, groups))
            return method.fit(X, y, groups=groups, seed=seed)

    monkeypatch.setattr(erasure_methods, "get", {name: Watched}.get)
    rehearse(name)
    ((X, y, groups),) = fits
    assert len(X) == len(y) == len(groups)
    assert min(y.sum(), (~y).sum()) >= 50
    assert len(set(groups)) < len(groups)
    # A method that could not find this label, two standard deviations apart, would find none in a study.
    assert out_of_fold(X, y, groups, n_folds=5, seed=0).auroc > 0.85


def test_every_method_that_comes_with_the_library_is_let_through_or_refused_by_what_it_fits():
    refused = []
    for name in erasure_methods.names():
        try:
            rehearse(name)
        except InputError:
            refused.append(name)
    assert refused == ["leace"]


def test_an_oblique_projection_is_refused_before_a_study_begins(tmp_path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "study"
    assert cli.main(["run", "if-tiny", "--out", str(out), "--erasure", "leace"]) == 2
    assert "'leace' fits no subspace but another map" in capsys.readouterr().err
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
