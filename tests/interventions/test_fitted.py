"""Fitted directions: what they do in a model, where they say that they were read, and when they warn."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from if_circuits.erasure.difference_in_means import DifferenceInMeans
from if_circuits.erasure.inlp import Inlp
from if_circuits.erasure.leace import Leace
from if_circuits.erasure.logistic_direction import LogisticDirection
from if_circuits.erasure.random_subspace import random_subspace
from if_circuits.errors import InputError
from if_circuits.interventions.fitted import Fitted
from if_circuits.interventions.hooks import Intervention
from if_circuits.interventions.scope import Scope, Window
from if_circuits.models.loading import LoadedModel

D = 32
METHODS = (DifferenceInMeans, Inlp, Leace, LogisticDirection)


def labelled(position: str = "50%", layer: int = 1) -> SimpleNamespace:
    """300 rows whose label stands along coordinate 3, as `acts.at` gives them."""
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.4
    X = rng.standard_normal((300, D)) * np.arange(1, D + 1) ** 0.5 + 5
    X[:, 3] += 6 * y
    return SimpleNamespace(X=X, labels=y, groups=np.arange(300) // 5, layer=layer, position=position)


def moved(intervention: Intervention, X: np.ndarray) -> np.ndarray:
    """What the intervention's operation makes of the rows of X."""
    x = torch.tensor(X[None], dtype=torch.float32)
    nothing = torch.zeros(1, len(X), dtype=torch.long)
    window = Window(nothing, torch.zeros(1, dtype=torch.long), torch.zeros(1, dtype=torch.long))
    return intervention.operation.transform(1, torch.device("cpu"))(x, window)[0].double().numpy()


@pytest.mark.parametrize("method", METHODS)
def test_a_fit_knows_where_it_was_read_and_ablates_there(method: type):
    at = labelled()
    v: Fitted = method.fit(at)
    assert "layer 1, 50%" in repr(v)
    assert v.ablate().layers == (1,)
    assert v.ablate(layers=[0, 1]).layers == (0, 1)
    # float32 arithmetic on numbers up to about 20
    np.testing.assert_allclose(moved(v.ablate(), at.X), v.remove(at.X), atol=2e-4)  # pyright: ignore
    left = moved(v.ablate(), at.X)
    before = np.linalg.norm(at.X[at.labels].mean(axis=0) - at.X[~at.labels].mean(axis=0))
    after = np.linalg.norm(left[at.labels].mean(axis=0) - left[~at.labels].mean(axis=0))
    assert after < before / 2
    np.testing.assert_allclose(moved(v.ablate(alpha=0.0), at.X), at.X, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_steering_goes_towards_satisfied_by_standard_deviations(method: type):
    at = labelled()
    step = moved(method.fit(at).steer(by=2.0), at.X) - at.X
    assert np.ptp(step, axis=0).max() < 1e-4  # the same at every row
    direction = step[0] / np.linalg.norm(step[0])
    assert direction @ (at.X[at.labels].mean(axis=0) - at.X[~at.labels].mean(axis=0)) > 0
    along = (at.X @ direction).std(ddof=1)
    assert np.linalg.norm(step[0]) == pytest.approx(2 * along, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_zero_and_mean_replace_set_what_was_fitted(method: type):
    at = labelled()
    v = method.fit(at)
    # Taking out what has been set to zero, by a removal centred at zero, changes nothing more.
    once = moved(v.zero(), at.X)
    np.testing.assert_allclose(moved(v.zero(), once), once, atol=1e-4)
    unconstrained = at.X[~at.labels].mean(axis=0)
    replaced = moved(v.mean_replace(unconstrained), at.X)
    own = moved(v.mean_replace(at.X.mean(axis=0)), at.X)
    np.testing.assert_allclose(own, moved(v.ablate(), at.X), atol=2e-4)
    assert replaced[:, 3].mean() < own[:, 3].mean()


def test_what_was_read_at_the_end_warns_when_it_is_used_at_every_token():
    at_end = DifferenceInMeans.fit(labelled("last", layer=3))
    for use in (at_end.ablate, at_end.zero, lambda: at_end.steer(4.0)):
        with pytest.warns(UserWarning, match=r"read at 'last'.*acts\.along_response\(layer=3\)") as found:
            use()
        assert found[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        at_end.ablate(scope=Scope(prompt=True, generated=False))
        for position in ("prompt_end", "50%", "along the response"):
            v = DifferenceInMeans.fit(labelled(position))
            assert f"read at layer 1, {position}" in repr(v.steer(1.0))


def test_a_method_takes_arrays_and_settings_as_before():
    at = labelled()
    v = Inlp(max_rank=1).fit(at.X, at.labels, groups=at.groups, seed=0)
    assert v.rank == 1
    assert v.ablate(layers=2).layers == (2,)
    with pytest.raises(InputError, match="say at which layers"):
        v.ablate()
    with pytest.raises(InputError, match="needs groups"):
        DifferenceInMeans.fit(at.X, at.labels)
    with pytest.raises(InputError, match=r"a label and a group for each of 300 rows"):
        DifferenceInMeans.fit(at.X, at.labels[:-1], groups=at.groups)
    with pytest.raises(InputError, match="no direction to steer along"):
        random_subspace(1, mean=np.zeros(D), seed=0).steer(1.0, layers=1)


def test_the_hooks_stand_around_any_code_and_go_away(llama: LoadedModel):
    width = llama.d_model
    v = random_subspace(4, mean=np.zeros(width), seed=0)
    ids = torch.arange(5, 11)[None]
    with torch.no_grad():
        intact = llama.hf(ids).logits
        with v.ablate(layers=[0, 1]).on(llama):
            through_bridge = llama.bridge(ids)
            through_hf = llama.hf(ids).logits
        after = llama.hf(ids).logits
    assert torch.equal(intact, after)
    assert torch.equal(through_bridge, through_hf)
    assert not torch.equal(intact, through_hf)
