import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from if_circuits.erasure.leace import Leace
from if_circuits.errors import InputError
from if_circuits.interventions.operations import Add, Erase, MeanReplace, Operation, ProjectOut, Zero
from if_circuits.interventions.scope import Window
from if_circuits.interventions.subspace import AffineErasure, Subspace
from tests.precision import rounding

D = 12
WINDOW = Window(torch.arange(5).repeat(3, 1), torch.tensor([2, 2, 2]), torch.arange(3))
seeds = st.integers(0, 2**32 - 1)


def subspace(seed: int, rank: int = 3) -> Subspace:
    generator = np.random.default_rng(seed)
    return Subspace.orthonormalise(
        generator.normal(size=(rank, D)), mean=generator.normal(size=D), name="river"
    )


def stream(seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed + 1).normal(size=(3, 5, D)) * 4).float()


def run(operation: Operation, x: Tensor) -> Tensor:
    before = x.clone()
    y = operation.transform(1, torch.device("cpu"))(x, WINDOW)
    assert torch.equal(x, before), "an operation must not write into its input"
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    return y


def near(a: Tensor, b: Tensor, *, size: float) -> bool:
    """To the rounding of three projections in float32 of vectors no longer than `size`.

    A coordinate is a sum of D products, which is put back along as many directions as the subspace has: with
    unit directions neither adds up to more than the length of the vector.
    """
    return bool((a - b).abs().max() <= rounding(3 * (D + 3), size, np.float32))


def length(*vectors: Tensor | np.ndarray) -> float:
    """Of the longest vector, for a bound on what comes of adding and projecting them."""
    return sum(float(np.linalg.norm(np.asarray(each), axis=-1).max()) for each in vectors)


@given(seeds)
def test_projecting_out_is_the_subspaces_own_removal(seed: int) -> None:
    s, x = subspace(seed), stream(seed)
    for alpha, leading in ((1.0, None), (2.0, None), (0.3, 2), (1.0, 0)):
        expected = torch.from_numpy(s.remove(x.numpy(), alpha=alpha, leading=leading)).float()
        found = run(ProjectOut(s, alpha=alpha, leading=leading), x)
        assert near(found, expected, size=2 * length(x, s.mean))


@given(seeds)
def test_projecting_out_twice_is_once_and_reflecting_twice_is_nothing(seed: int) -> None:
    s, x = subspace(seed), stream(seed)
    once = run(ProjectOut(s), x)
    assert near(run(ProjectOut(s), once), once, size=length(x, s.mean))
    twice = run(ProjectOut(s, alpha=2.0), run(ProjectOut(s, alpha=2.0), x))
    assert near(twice, x, size=4 * length(x, s.mean))
    assert torch.equal(run(ProjectOut(s, alpha=0.0), x), x)


@given(seeds)
def test_components_become_what_the_operation_says_and_the_rest_stays(seed: int) -> None:
    s, x = subspace(seed), stream(seed)
    basis = torch.tensor(s.basis).float()
    other = np.random.default_rng(seed + 2).normal(size=D)
    for operation, target in (
        (ProjectOut(s), s.mean),
        (Zero(s), np.zeros(D)),
        (MeanReplace(s, other), other),
    ):
        y = run(operation, x)
        size = length(x, target)
        assert near(y @ basis.T, (basis @ torch.tensor(target).float()).expand(3, 5, 3), size=size)
        assert near(y - y @ basis.T @ basis, x - x @ basis.T @ basis, size=size)


@given(seeds)
def test_replacing_by_the_subspaces_own_mean_is_projecting_out(seed: int) -> None:
    s, x = subspace(seed), stream(seed)
    assert near(run(MeanReplace(s, s.mean), x), run(ProjectOut(s), x), size=length(x, s.mean))


@given(seeds, st.floats(-5, 5))
def test_adding_and_taking_away_is_nothing(seed: int, multiple: float) -> None:
    direction, x = np.random.default_rng(seed).normal(size=D), stream(seed)
    moved = run(Add(direction, multiple), x)
    step = multiple * direction
    assert near(moved - x, torch.from_numpy(step).float().expand(3, 5, D), size=length(x, step))
    assert near(run(Add(direction, -multiple), moved), x, size=length(x, step))


@given(seeds)
def test_erasing_is_the_erasures_own_removal_and_twice_is_once(seed: int) -> None:
    generator = np.random.default_rng(seed)
    y = np.arange(60) % 2 == 0
    X = generator.normal(size=(60, D)) + y[:, None] * generator.normal(size=D)
    leace, x = Leace().fit(X, y, groups=np.arange(60), seed=0), stream(seed)
    once = run(Erase(leace), x)
    # Oblique: a coordinate may be longer than the vector by the lengths of both sides of the projection.
    size = length(x, leace.mean) * (1 + length(leace.left) * length(leace.right))
    assert near(once, torch.from_numpy(leace.remove(x.numpy())).float(), size=size)
    assert near(run(Erase(leace), once), once, size=size * length(leace.left) * length(leace.right))


@given(seeds, st.floats(-3, 3))
def test_steering_in_deviations_moves_by_as_many(seed: int, multiple: float) -> None:
    """Along the direction, by that multiple of the spread of the activations; across it not at all."""
    generator = np.random.default_rng(seed)
    X, direction, x = generator.normal(size=(40, D)) * 7, generator.normal(size=D), stream(seed)
    with_gaps = np.vstack([X, np.full(D, np.nan)])
    move = (run(Add.in_deviations(direction, with_gaps, multiple=multiple), x) - x)[0, 0].double().numpy()
    unit = direction / np.linalg.norm(direction)
    step = multiple * (X @ unit).std(ddof=1)
    # What is added is rounded, and the sum once more, in float32.
    bound = rounding(2 * D, length(x) + abs(step), np.float32)
    assert move @ unit == pytest.approx(step, abs=bound)
    assert np.abs(move - (move @ unit) * unit).max() <= bound


def test_precision_of_the_model_is_kept_but_not_computed_in() -> None:
    s, x = subspace(0), stream(0).bfloat16()
    exact = run(ProjectOut(s), x.float()).bfloat16()
    assert torch.equal(run(ProjectOut(s), x), exact)
    assert torch.equal(run(ProjectOut(s, alpha=0.0), x), x)


def test_operations_print_what_they_do() -> None:
    s = subspace(0)
    assert str(ProjectOut(s, alpha=2.0, leading=1)) == "ProjectOut(river, rank 3, alpha=2, leading=1)"
    assert str(Zero(s)) == "Zero(river, rank 3)"
    assert str(MeanReplace(s, s.mean)) == "MeanReplace(river, rank 3)"
    assert str(Add(s.mean, -1.5, name="formal")) == "Add(formal, multiple=-1.5)"
    erasure = AffineErasure(s.mean, s.mean, s.mean, "LEACE")
    deviations = Add.in_deviations(s.mean, np.eye(D), multiple=2.0, name="formal")
    assert repr([Erase(erasure), deviations]) == (
        "[Erase(LEACE), Add(formal in standard deviations, multiple=2)]"
    )


def test_values_that_cannot_work_are_refused() -> None:
    s = subspace(0)
    with pytest.raises(InputError, match="rank 3"):
        ProjectOut(s, leading=4)
    with pytest.raises(InputError, match="shape"):
        MeanReplace(s, np.zeros(D + 1))
    with pytest.raises(InputError, match="finite"):
        Add(np.full(D, np.nan), 1.0)
    with pytest.raises(InputError, match="other than zero"):
        Add.in_deviations(np.zeros(D), np.eye(D), multiple=1.0)
    with pytest.raises(InputError, match="1 rows without NaN"):
        Add.in_deviations(s.mean, np.eye(D)[:1], multiple=1.0)
