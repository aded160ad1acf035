"""Debiased similarity on planted truth: nothing, everything, and a known share in common."""

import numpy as np
import pytest

from if_circuits.similarity.compare import Similarity, compare_all
from if_circuits.similarity.halves import PairedHalves, pair_halves
from if_circuits.similarity.measures import MEASURES, pwcca
from if_circuits.similarity.reduction import default_components, reduce

NAMES = tuple(MEASURES)


Rows = tuple[np.ndarray, np.ndarray]  # activations, and the group of each row


def independent(rng: np.random.Generator, n_groups: int, d: int, per_group: int = 2) -> Rows:
    groups = np.repeat(np.arange(n_groups), per_group)
    return rng.normal(size=(len(groups), d)), groups


def observed(rng: np.random.Generator, latent: np.ndarray, *, per_group: int = 4, noise: float = 0.5) -> Rows:
    """Noisy views of one latent row per group, in coordinates of their own."""
    groups = np.repeat(np.arange(len(latent)), per_group)
    X = latent[groups] + noise * rng.normal(size=(len(groups), latent.shape[1]))
    return X @ np.linalg.qr(rng.normal(size=(latent.shape[1],) * 2))[0], groups


def similarity(first: Rows, second: Rows, **options) -> Similarity:
    halves = pair_halves({"a": first[0], "b": second[0]}, {"a": first[1], "b": second[1]}, seed=0)
    return compare_all(halves, **options)["a", "b"]


@pytest.mark.parametrize("measure", NAMES)
@pytest.mark.parametrize(("n_groups", "d"), [(64, 64), (64, 6), (200, 20), (800, 8), (100, 1)])
def test_independent_gaussians_are_not_similar(measure: str, n_groups: int, d: int) -> None:
    rng = np.random.default_rng([n_groups, d])
    runs = [
        similarity(
            independent(rng, n_groups, d),
            independent(rng, n_groups, d),
            measure=measure,
            n_permutations=100,
            seed=run,
        )
        for run in range(20)
    ]
    inside = sum(run.null_low <= run.debiased <= run.null_high for run in runs)
    assert inside >= 16  # of 20 at 95 %: fewer happens once in 390 such tests
    debiased = np.array([run.debiased for run in runs])
    spread = np.mean([run.null_high - run.null_low for run in runs]) / 4
    assert abs(debiased.mean()) < 4 * spread / np.sqrt(len(runs))


def test_the_bias_that_is_taken_away() -> None:
    rng = np.random.default_rng(0)

    def raw(n: int, k: int) -> float:
        x, y = (reduce(rng.normal(size=(n, 128)), k=k) for _ in range(2))
        return float(pwcca(x, y, np.arange(n)[None])[0])

    assert raw(2 * 128, 128) == pytest.approx(0.64, abs=0.02)
    assert raw(10 * 128, 128) == pytest.approx(0.27, abs=0.02)
    assert raw(256, default_components(256)) < 0.35


@pytest.mark.parametrize("measure", NAMES)
def test_one_representation_seen_twice_reaches_its_ceiling(measure: str) -> None:
    rng = np.random.default_rng(1)
    latent = rng.normal(size=(200, 8))
    result = similarity(observed(rng, latent), observed(rng, latent), measure=measure, k=8, seed=0)
    assert result.ratio == pytest.approx(1.0, abs=0.05)
    assert result.debiased > result.null_high and result.p == pytest.approx(1 / 201)
    assert result.ceiling < 0.95, "noise keeps the ceiling below 1"
    assert result.debiased == pytest.approx(result.raw - result.null_mean)
    assert (result.k, result.n) == (8, 200)
    beyond_the_rank = similarity(observed(rng, latent), observed(rng, latent), measure=measure, k=30, seed=0)
    assert beyond_the_rank.k == 8


@pytest.mark.parametrize("measure", NAMES)
@pytest.mark.parametrize("shared", [2, 4, 6])
def test_the_share_of_a_common_subspace_is_recovered(measure: str, shared: int) -> None:
    rng = np.random.default_rng(2)
    latent = rng.normal(size=(1000, 16))
    # Eight latent dimensions each, `shared` of them the same ones.
    first, second = latent[:, :8], latent[:, 8 - shared : 16 - shared]
    result = similarity(observed(rng, first), observed(rng, second), measure=measure, k=8, seed=0)
    assert result.ratio == pytest.approx(shared / 8, abs=0.08)


def test_noise_lowers_the_raw_value_but_not_the_ratio() -> None:
    rng = np.random.default_rng(3)
    latent = rng.normal(size=(600, 6))
    clean, noisy = (
        similarity(
            observed(rng, latent, noise=noise), observed(rng, latent, noise=noise), measure="cka", k=6, seed=0
        )
        for noise in (0.3, 1.0)
    )
    assert noisy.raw < clean.raw - 0.2
    assert noisy.ratio == pytest.approx(clean.ratio, abs=0.06)


def test_a_task_without_any_structure_has_no_ceiling_and_no_ratio() -> None:
    rng = np.random.default_rng(4)
    noise = independent(rng, 100, 10)
    structured = observed(rng, rng.normal(size=(100, 10)))
    result = similarity(noise, structured, measure="cka", seed=0)
    assert np.isnan(result.ceiling) and np.isnan(result.ratio) and np.isfinite(result.debiased)


def test_every_pair_once_in_the_order_of_the_tasks() -> None:
    rng = np.random.default_rng(5)
    latent = rng.normal(size=(120, 6))
    tasks = {name: observed(rng, latent, noise=noise) for name, noise in (("b", 0.1), ("a", 0.5), ("c", 1.0))}
    halves = pair_halves({t: X for t, (X, _) in tasks.items()}, {t: g for t, (_, g) in tasks.items()}, seed=0)
    results = compare_all(halves, measure="cka", k=6, n_permutations=50, seed=0)
    assert list(results) == [("b", "a"), ("b", "c"), ("a", "c")]
    assert results["b", "a"].ceiling > results["b", "c"].ceiling > results["a", "c"].ceiling
    pair = PairedHalves(halves.groups, {task: halves.activations[task] for task in ("a", "c")})
    alone = compare_all(pair, measure="cka", k=6, n_permutations=50, seed=0)
    assert alone == {("a", "c"): results["a", "c"]}
