import pkgutil

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from if_circuits.activations.capture import capture
from if_circuits.activations.donors import record_donor
from if_circuits.erasure.inlp import Inlp
from if_circuits.generation.responses import GenerationConfig, generate
from if_circuits.models.loading import LoadedModel
from if_circuits.probes.evaluate import out_of_fold
from if_circuits.probes.linear import fit_linear_probe
from if_circuits.similarity.compare import compare_all
from if_circuits.similarity.halves import pair_halves
from if_circuits.statistics.bootstrap import cluster_bootstrap
from if_circuits.threads import LARGE_D_MODEL, one_thread_each, threads_for
from tests.activations.sequences import make_sequences


def counts() -> list[int]:
    return [torch.get_num_threads(), *(library["num_threads"] for library in threadpool_info())]


def test_blas_and_torch_have_one_thread_inside_and_their_own_number_again_outside():
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(limits=2):
        before = counts()
        with one_thread_each():
            assert set(counts()) == {1}
        assert counts() == before


def test_a_large_model_keeps_the_threads_it_was_given():
    with threadpool_limits(limits=2):
        before = counts()
        with threads_for(LARGE_D_MODEL):
            assert counts() == before
        with threads_for(LARGE_D_MODEL - 1):
            assert set(counts()) == {1}
        assert counts() == before


def test_a_large_model_has_them_inside_of_a_limit_too_and_the_limit_holds_again_after_it():
    with threadpool_limits(limits=2):
        before = counts()
        with one_thread_each():
            with threads_for(LARGE_D_MODEL):
                assert counts() == before
                with one_thread_each():
                    assert set(counts()) == {1}
                assert counts() == before
            with threads_for(LARGE_D_MODEL - 1):
                assert set(counts()) == {1}
            assert set(counts()) == {1}
        assert counts() == before


def test_the_limit_ends_with_an_error():
    before = counts()
    with pytest.raises(KeyError), one_thread_each():
        raise KeyError
    assert counts() == before


def test_nested_limits_end_with_the_outermost():
    with threadpool_limits(limits=2):
        before = counts()
        with one_thread_each():
            with one_thread_each():
                assert set(counts()) == {1}
            assert set(counts()) == {1}
        assert counts() == before


RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(30), 4)
Y = RNG.random(120) < 0.5
X = RNG.normal(size=(120, 6)) + Y[:, None]
HALVES = pair_halves({"topic": X, "register": -X}, {"topic": GROUPS, "register": GROUPS}, seed=0)


@pytest.mark.parametrize(
    ("work", "inside"),
    [
        (lambda: out_of_fold(X, Y, GROUPS, n_folds=3, seed=0), "if_circuits.probes.evaluate.grouped_folds"),
        (lambda: fit_linear_probe(X, Y, C=1.0), "if_circuits.probes.linear.fit_logistic"),
        (lambda: Inlp().fit(X, Y, groups=GROUPS, seed=0), "if_circuits.erasure.inlp.grouped_folds"),
        (
            lambda: compare_all(HALVES, measure="cka", n_permutations=9, seed=0),
            "if_circuits.similarity.compare.reduce",
        ),
    ],
)
def test_fits_have_one_thread_whoever_calls_them(work, inside: str, monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    original = pkgutil.resolve_name(inside)

    def watched(*arguments, **options):
        seen.extend(counts())
        return original(*arguments, **options)

    monkeypatch.setattr(inside, watched)
    assert_limited(work, seen)


def test_resamples_have_one_thread_whoever_draws_them():
    seen: list[int] = []

    def statistic(weights):
        seen.extend(counts())
        return weights @ Y / weights.sum(-1)

    assert_limited(lambda: cluster_bootstrap(GROUPS, statistic, n_resamples=9, seed=0), seen)


def test_a_small_model_has_one_thread_whoever_runs_it(llama: LoadedModel):
    seen: list[int] = []

    def watch(*_, **__):
        seen.extend(counts())

    with llama.bridge.hooks(fwd_hooks=[("blocks.0.hook_out", watch)]):
        greedy = GenerationConfig(max_new_tokens=2, temperature=0.0)
        assert_limited(lambda: generate(llama, ["Hello."], greedy), seen)
        assert_limited(lambda: capture(llama, make_sequences(3)), seen)
        assert_limited(lambda: record_donor(llama, make_sequences(3), layers=[0]), seen)


def assert_limited(work, seen: list[int]) -> None:
    """Whatever is seen while it works has one thread, and all have two again afterwards."""
    seen.clear()
    configured = torch.get_num_threads()
    with threadpool_limits(limits=2):
        torch.set_num_threads(2)
        before = counts()
        assert set(before) == {2}
        work()
        assert seen and set(seen) == {1}
        assert counts() == before
    torch.set_num_threads(configured)  # which the limits of the libraries do not give back
