"""Newton-CG for many L2-regularised logistic regressions over one design matrix, in GEMMs.

Problem j minimises over w and b

    sum_i a_ij log(1 + exp(-s_ij eta_ij)) + penalty_j |w|^2 / 2,   eta_ij = z_i . (w / scale_j) + b,

with s_ij = +-1: scikit-learn's objective on features divided by scale_j (a shift of the features would
only move the unpenalised b). A problem may be kept from some directions: w is then orthogonal to them,
which comes to the same as projecting them out of the features.

Each row of an array here is one problem, so the problems that still need work lie together, and the
arrays shrink as problems converge. What stands for w are its `coordinates`.

The intercept is eliminated from the Newton system (a Schur complement: centring under the current
curvatures). The rest is solved by conjugate gradients to an accuracy that follows the gradient
(Nocedal and Wright, Numerical Optimization, 7.1), in float32 where the coordinates say so, and the step is
halved until the objective falls. The preconditioner takes the curvature as equal in all rows of a problem;
the eigenvectors of Z^T Z then diagonalise the Hessians of all problems at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.probes.solver.coordinates import Coordinates, dot
from if_circuits.probes.solver.spectrum import Gain

CG_LIMIT = 500
HALVINGS = 40
FORCING = 0.15
"""Share of the gradient that a Newton step may leave, far from the solution."""
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the iterations ended, one row a problem."""

    x: Float[np.ndarray, "m k"]
    """Coordinates of the weights."""
    b: Float[np.ndarray, " m"]
    gradient_norm: Float[np.ndarray, " m"]
    """Euclidean norm of the gradient with respect to w, of the objective as a sum over rows."""
    iterations: Int[np.ndarray, " m"]
    converged: Bool[np.ndarray, " m"]
    separated: Bool[np.ndarray, " m"]
    """No penalty, and the rows are separated: the objective has no minimum."""

    def take(self, rows: Int[np.ndarray, " k"]) -> Solution:
        """Those of some of the problems."""
        return Solution(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(eq=False)
class _Problems:
    """Problems at a point: what defines them, the point, and the derivatives of the data term there."""

    space: Coordinates
    sign: Float[np.ndarray, "m n"]
    a: Float[np.ndarray, "m n"]
    penalty: Float[np.ndarray, " m"]
    x: Float[np.ndarray, "m k"]
    b: Float[np.ndarray, " m"]
    eta: Float[np.ndarray, "m n"]
    loss: Float[np.ndarray, " m"]
    R: Float[np.ndarray, "m n"]
    """First derivatives with respect to eta."""
    D: Float[np.ndarray, "m n"]
    """Second derivatives with respect to eta."""

    @classmethod
    def at(
        cls,
        space: Coordinates,
        sign: Float[np.ndarray, "m n"],
        a: Float[np.ndarray, "m n"],
        penalty: Float[np.ndarray, " m"],
        x: Float[np.ndarray, "m k"],
        b: Float[np.ndarray, " m"],
        eta: Float[np.ndarray, "m n"],
    ) -> _Problems:
        e = np.exp(-np.abs(eta))
        q = 1.0 / (1.0 + e)
        eq = e * q
        margin = sign * eta
        residual = -sign * a * np.where(margin > 0, eq, q)
        # log1p, not -log(q): small losses need all their digits for the comparison in the line search.
        data = dot(a, np.log1p(e) - np.minimum(margin, 0.0))
        found = cls(space, sign, a, penalty, x, b, eta, data, residual, a * eq * q)
        found.loss = data + 0.5 * penalty * found.squared_length
        return found

    @property
    def squared_length(self) -> Float[np.ndarray, " m"]:
        return np.maximum(self.space.inner(self.x, self.x, self.eta - self.b[:, None]), 0.0)

    def __len__(self) -> int:
        return len(self.b)

    def take(self, rows: Bool[np.ndarray, " m"]) -> _Problems:
        if rows.all():
            return self
        return _Problems(
            self.space.take(rows), *(getattr(self, field.name)[rows] for field in fields(self)[1:])
        )

    def put(self, rows: Int[np.ndarray, " k"], other: _Problems) -> None:
        for field in fields(self)[1:]:
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def step(
        self, dx: Float[np.ndarray, "m k"], db: Float[np.ndarray, " m"], change: Float[np.ndarray, "m n"]
    ) -> _Problems:
        x, b, eta = self.x + dx, self.b + db, self.eta + change
        return _Problems.at(self.space, self.sign, self.a, self.penalty, x, b, eta)

    def gradient(self) -> Float[np.ndarray, "m k"]:
        return self.space.pull(self.R) + self.penalty[:, None] * self.x


def minimise(
    space: Coordinates,
    sign: Float[np.ndarray, "m n"],
    weights: Float[np.ndarray, "m n"],
    *,
    penalty: Float[np.ndarray, " m"],
    tolerance: float,
    max_iterations: int,
    start: Solution | None = None,
    rough: bool = False,
) -> Solution:
    """Minimise every problem; the module's docstring has the objective.

    The error of w is at most |gradient| / penalty, so a problem has converged when its gradient is at
    most `tolerance` * penalty * |w|: w is then right to that share of its length. Where rounding the matrix
    to float32 may have moved w or the predictions further, it has not. A `rough` solution is one whose
    predictions and gradients were those of Newton steps, to go on from. Every problem needs positive weight
    in both classes.
    """
    m, n = sign.shape
    total = weights.sum(axis=1)
    if start is None:
        positive = dot(weights, np.maximum(sign, 0.0)) / total
        x, b = np.zeros((m, space.width)), np.log(positive) - np.log1p(-positive)
        eta = np.repeat(b[:, None], n, axis=1)
    else:
        x, b = start.x, start.b
        eta = space.image(x) + b[:, None]
    live = _Problems.at(space, sign, weights, penalty, x, b, eta)
    eps, d = float(np.finfo(space.Z.dtype).eps), space.Z.shape[1]
    floor = EPS * total * np.sqrt(d)
    largest = np.sqrt(float(space.spectrum.values.max(initial=0.0)) or 1.0)

    flags = np.zeros((2, m), dtype=bool)
    out = Solution(np.zeros_like(x), np.zeros(m), np.zeros(m), np.zeros(m, dtype=int), flags[0], flags[1])
    index, stalled = np.arange(m), np.zeros(m, dtype=bool)
    for iteration in range(max_iterations + 1):
        G = live.gradient()
        norm = live.space.length(G.astype(space.fast.dtype) if rough else G).astype(np.float64)
        if iteration == 0 and start is None:
            floor = np.maximum(floor, 1e-9 * norm)
        ridge = live.penalty * np.sqrt(live.squared_length)
        goal = np.maximum(np.maximum(tolerance * ridge, floor[index]), live.space.rounding(G))
        intercept_goal = 0.01 * tolerance * live.D.sum(axis=1) + floor[index]
        separated = live.penalty == 0
        if separated.any():
            separated &= ((live.sign * live.eta > 0) | (live.a == 0)).all(axis=1)
        # What rounding Z to `eps` does to the gradient, and so to the weights and to the predictions.
        rounding = eps * np.sqrt(d * dot(live.R, live.R))
        effect = np.linalg.norm(live.eta - live.b[:, None], axis=1)
        bound = tolerance * np.minimum(ridge, live.penalty * effect / largest)
        trusted = (rounding <= bound) | (eps == EPS)
        done = (norm <= goal) & (np.abs(live.R.sum(axis=1)) <= intercept_goal) & ~separated & trusted
        stuck = stalled | (norm <= np.where(trusted, rounding, np.maximum(goal, rounding)))
        staying = ~(done | separated | stuck) & (iteration < max_iterations)
        if not staying.all():
            rows, left = index[~staying], live.take(~staying)
            out.x[rows], out.b[rows], out.iterations[rows] = left.x, left.b, iteration
            out.gradient_norm[rows], out.converged[rows], out.separated[rows] = (
                norm[~staying],
                done[~staying],
                separated[~staying],
            )
            if not staying.any():
                break
            live, index, G = live.take(staying), index[staying], G[staying]
            norm, ridge, goal = norm[staying], ridge[staying], goal[staying]
        forcing = np.minimum(FORCING, np.sqrt(norm / (norm + ridge)))
        dx, change = _newton_direction(live, G, np.maximum(forcing * norm, 0.5 * goal))
        if not rough and space.fast.dtype != G.dtype:
            dx = live.space.kept(dx)
            change = live.space.image(dx)
        moved = _descend(live, G, dx, change)
        # A step that rounding takes away would be taken away again.
        live, stalled = moved, (moved.x == live.x).all(axis=1)
    return out


def _newton_direction(
    at: _Problems, G: Float[np.ndarray, "m k"], target: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, "m k"], Float[np.ndarray, "m n"]]:
    """Newton directions of the weights with the intercept eliminated, to residual norms `target`; images."""
    space, kind = at.space, at.space.fast.dtype
    sums = at.D.sum(axis=1)
    gain = Gain.of(space.spectrum, curvature=sums / at.D.shape[1], penalty=at.penalty)
    D = at.D.astype(kind, copy=False)
    columns = np.stack([sums, at.R.sum(axis=1) / sums, at.penalty, target]).astype(kind, copy=False)
    total, excess, penalty, target = columns[0, :, None], columns[1, :, None], columns[2, :, None], columns[3]

    found, image = np.zeros(G.shape), np.zeros(D.shape)
    rows = np.arange(len(at))
    x, tx = np.zeros(G.shape, dtype=kind), np.zeros(D.shape, dtype=kind)
    r = space.pull(D) * excess - G.astype(kind, copy=False)
    p, t = space.smooth(r, space.norm(r)[1], gain)
    rz = space.inner(r, p, t)
    for _ in range(CG_LIMIT):
        u = t - dot(D, t)[:, None] / total
        u *= D
        pq = dot(t, u) + penalty[:, 0] * space.inner(p, p, t)
        length = np.divide(rz, pq, out=np.zeros_like(rz), where=pq > 0)[:, None]
        x += length * p
        tx += length * t
        r -= length * (space.pull(u) + penalty * p)
        norm, beside = space.norm(r)
        # Where features hardly vary, all that is left of r is rounding, and has no length to go on with.
        going = (norm > target) & (pq > 0) & (rz > 0)
        if not going.all():
            found[rows[~going]], image[rows[~going]] = x[~going], tx[~going]
            if not going.any():
                return found, image
            space, gain, rows = space.take(going), gain.take(going), rows[going]
            D, total = D[going], total[going]
            penalty, target, x, tx, rz = penalty[going], target[going], x[going], tx[going], rz[going]
            r, beside, p, t = r[going], beside[going], p[going], t[going]
        z, s = space.smooth(r, beside, gain)
        before, rz = rz, space.inner(r, z, s)
        ratio = (rz / before)[:, None]
        p *= ratio
        p += z
        t *= ratio
        t += s
    found[rows], image[rows] = x, tx
    return found, image


def _descend(
    at: _Problems, G: Float[np.ndarray, "m k"], dx: Float[np.ndarray, "m k"], change: Float[np.ndarray, "m n"]
) -> _Problems:
    """Step along dx and the matching intercept, halved until the objective falls (Armijo)."""
    excess = at.R.sum(axis=1)
    slope = at.space.inner(G, dx, change)
    db = -(excess + dot(at.D, change)) / at.D.sum(axis=1)
    change = change + db[:, None]
    slope = slope + excess * db
    rounding = 10 * float(np.finfo(at.space.Z.dtype).eps)
    accepted = at.loss + rounding * np.abs(at.loss)
    step = 1.0
    trial = at.step(dx, db, change)
    fell = trial.loss <= accepted + 1e-4 * slope
    if fell.all():
        return trial
    pending = ~fell
    for _ in range(HALVINGS):
        step *= 0.5
        shorter = at.take(pending).step(step * dx[pending], step * db[pending], step * change[pending])
        trial.put(np.flatnonzero(pending), shorter)
        pending = ~(trial.loss <= accepted + step * 1e-4 * slope)
        if not pending.any():
            return trial
    trial.put(np.flatnonzero(pending), at.take(pending))
    return trial
