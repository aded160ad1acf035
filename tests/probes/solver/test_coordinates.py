import numpy as np

from if_circuits.probes.solver.coordinates import ByFeature, ByRow
from tests.precision import assert_within, rounding
from tests.probes.planted import planted, solve, space_of


def test_removed_directions_are_as_if_projected_out_of_the_features():
    X, y = planted(150, 20)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    removed = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 3)))[0].T
    kept_away = solve(space_of(Z, removed=removed), y)
    projected = solve(space_of(Z - Z @ removed.T @ removed), y)
    assert kept_away.converged[0]
    np.testing.assert_allclose(kept_away.x, projected.x, atol=1e-7)
    np.testing.assert_allclose(kept_away.x @ removed.T, 0.0, atol=1e-12)


def test_coordinates_by_row_find_what_those_by_feature_find():
    X, y = planted(60, 150)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    rows = ByRow.of(Z, problems=1)
    a, b = solve(space_of(Z), y), solve(rows, y)
    assert b.converged[0]
    np.testing.assert_allclose(rows.weights(b.x), a.x, atol=1e-7)
    np.testing.assert_allclose(b.b, a.b, atol=1e-7)
    first, second = rows.remove(b.x), space_of(Z, removed=a.x / np.linalg.norm(a.x))
    a, b = solve(second, y), solve(first, y)
    np.testing.assert_allclose(rows.weights(b.x), a.x, atol=1e-7)
    np.testing.assert_allclose(rows.weights(b.x) @ second.removed[0].T, 0.0, atol=1e-7)


def test_probes_by_row_may_each_scale_the_features_as_probes_by_feature_do():
    X, _ = planted(40, 90)
    rng = np.random.default_rng(0)
    Z, inverse = (X - X.mean(axis=0)).astype(np.float32), rng.uniform(0.8, 1.2, size=(3, 90))
    rows, features = ByRow.of(Z, problems=0).of_problems(inverse), ByFeature.of(Z, inverse)
    x = rng.normal(size=(3, 40))
    w = rows.weights(x)
    sizes, images, eps = np.abs(x) @ np.abs(Z), features.image(w), np.finfo(np.float32).eps
    # Weights are products of 40 terms in float32, after x is rounded to it; images round them once more.
    bound = rounding(len(Z), sizes * inverse, np.float32)
    assert_within(w, (x @ Z.astype(np.float64)) * inverse, bound)
    assert_within(rows.image(x), images, eps * np.abs(w * inverse) @ np.abs(Z).T)
    assert_within(rows.length(x), features.length(w), rounding(90, features.length(w)))
    inner = rows.inner(x, x, rows.image(x))
    assert_within(inner, features.inner(w, w, images), np.vecdot(np.abs(w), bound + eps * np.abs(w)))
    one = rows.take(np.array([2])).image(x[2:])
    assert_within(one, rows.image(x)[2:], (bound * inverse @ np.abs(Z).T)[2:])
