"""Newton-CG for many L2-regularised logistic regressions over one design matrix, in GEMMs.

Problem j minimises over w and b

    sum_i a_ij log(1 + exp(-s_ij eta_ij)) + penalty_j |w|^2 / 2,   eta_ij = z_i . (w / scale_j) + b,

with s_ij = +-1: scikit-learn's objective on features divided by scale_j (a shift of the features would
only move the unpenalised b). A problem may be kept from some directions: w is then orthogonal to them,
which comes to the same as projecting them out of the features.

Each row of an array here is one problem, so the problems that still need work lie together, and the
arrays shrink as problems converge.

The intercept is eliminated from the Newton system (a Schur complement: centring under the current
curvatures). The rest is solved by conjugate gradients to an accuracy that follows the gradient
(Nocedal and Wright, Numerical Optimization, 7.1), and the step is halved until the objective falls.
The preconditioner takes the curvature as equal in all rows of a problem; the eigenvectors of Z^T Z
then diagonalise the Hessians of all problems at once.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Int

CG_LIMIT = 500
HALVINGS = 40
SMALL = 256
LEADING = 64
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where the iterations ended, one row a problem."""

    w: Float[np.ndarray, "m d"]
    """In units of features divided by the problem's scale."""
    b: Float[np.ndarray, " m"]
    gradient_norm: Float[np.ndarray, " m"]
    """Euclidean norm of the gradient with respect to w, of the objective as a sum over rows."""
    iterations: Int[np.ndarray, " m"]
    converged: Bool[np.ndarray, " m"]
    separated: Bool[np.ndarray, " m"]
    """No penalty, and the rows are separated: the objective has no minimum."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Leading eigenvectors and eigenvalues of Z^T Z, shared by the preconditioners of all problems."""

    vectors: Float[np.ndarray, "k d"]
    values: Float[np.ndarray, " k"]
    rest: float
    """Mean of the other eigenvalues; 0 when there are none."""

    @classmethod
    def of(cls, Z: Float[np.ndarray, "n d"]) -> Spectrum:
        """All of the spectrum of a small matrix, and the leading part of a large one.

        The leading part comes from two rounds of subspace iteration (Halko, Martinsson and Tropp 2011,
        algorithm 4.4): approximate, which costs a preconditioner iterations and never accuracy.
        """
        n, d = Z.shape
        if d <= SMALL:
            values, vectors = np.linalg.eigh(Z.T @ Z)
            return cls(vectors=np.ascontiguousarray(vectors.T), values=np.maximum(values, 0.0), rest=0.0)
        k = min(n, d, LEADING)
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((d, k)))[0]
        for _ in range(2):
            Q = np.linalg.qr(Z.T @ (Z @ Q))[0]
        B = Z @ Q
        values, rotation = np.linalg.eigh(B.T @ B)
        rest = np.einsum("nd,nd->", Z, Z) - values.sum()
        return cls(
            (Q @ rotation).T.copy(), np.maximum(values, 0.0), max(float(rest), 0.0) / max(min(n, d) - k, 1)
        )


@dataclass(eq=False)
class _Problems:
    """Problems at a point: what defines them, the point, and the derivatives of the data term there."""

    sign: Float[np.ndarray, "m n"]
    a: Float[np.ndarray, "m n"]
    g: Float[np.ndarray, "m d"]
    removed: Float[np.ndarray, "m k d"]
    penalty: Float[np.ndarray, " m"]
    w: Float[np.ndarray, "m d"]
    b: Float[np.ndarray, " m"]
    eta: Float[np.ndarray, "m n"]
    loss: Float[np.ndarray, " m"]
    R: Float[np.ndarray, "m n"]
    """First derivatives with respect to eta."""
    D: Float[np.ndarray, "m n"]
    """Second derivatives with respect to eta."""

    def __len__(self) -> int:
        return len(self.b)

    def take(self, rows: Bool[np.ndarray, " m"]) -> _Problems:
        return self if rows.all() else _Problems(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: Int[np.ndarray, " k"], other: _Problems) -> None:
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)

    def move(
        self, w: Float[np.ndarray, "m d"], b: Float[np.ndarray, " m"], eta: Float[np.ndarray, "m n"]
    ) -> _Problems:
        e = np.exp(-np.abs(eta))
        q = 1.0 / (1.0 + e)
        eq = e * q
        margin = self.sign * eta
        residual = -self.sign * self.a * np.where(margin > 0, eq, q)
        curvature = self.a * eq * q
        # log1p, not -log(q): small losses need all their digits for the comparison in the line search.
        data = _dot(self.a, np.log1p(e) - np.minimum(margin, 0.0))
        loss = data + 0.5 * self.penalty * _dot(w, w)
        return _Problems(
            self.sign, self.a, self.g, self.removed, self.penalty, w, b, eta, loss, residual, curvature
        )

    def gradient(self, Z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "m d"]:
        return _project((self.R @ Z) * self.g, self.removed) + self.penalty[:, None] * self.w


def minimise(
    Z: Float[np.ndarray, "n d"],
    sign: Float[np.ndarray, "m n"],
    weights: Float[np.ndarray, "m n"],
    *,
    inverse_scale: Float[np.ndarray, "m d"],
    penalty: Float[np.ndarray, " m"],
    spectrum: Spectrum,
    tolerance: float,
    max_iterations: int,
    removed: Float[np.ndarray, "m k d"] | None = None,
) -> Solution:
    """Minimise every problem; the module's docstring has the objective.

    `removed` holds k orthonormal directions for each problem, in the units of w.

    The error of w is at most |gradient| / penalty, so a problem has converged when its gradient is at
    most `tolerance` * penalty * |w|: w is then right to that share of its length. Every problem
    needs positive weight in both classes.
    """
    m, d = inverse_scale.shape
    total = weights.sum(axis=1)
    positive = _dot(weights, np.maximum(sign, 0.0)) / total
    b = np.log(positive) - np.log1p(-positive)
    w, eta = np.zeros((m, d)), np.repeat(b[:, None], len(Z), axis=1)
    removed = np.zeros((m, 0, d)) if removed is None else removed
    live = _Problems(sign, weights, inverse_scale, removed, penalty, w, b, eta, b, eta, eta).move(w, b, eta)
    G = live.gradient(Z)
    rounding = EPS * total * np.sqrt(d)
    floor = np.maximum(1e-9 * np.linalg.norm(G, axis=1), rounding)

    flags = np.zeros((2, m), dtype=bool)
    out = Solution(np.zeros((m, d)), np.zeros(m), np.zeros(m), np.zeros(m, dtype=int), flags[0], flags[1])
    index = np.arange(m)
    for iteration in range(max_iterations + 1):
        norm, ridge = np.linalg.norm(G, axis=1), live.penalty * np.linalg.norm(live.w, axis=1)
        goal = np.maximum(tolerance * ridge, floor[index])
        intercept_goal = 0.01 * tolerance * live.D.sum(axis=1) + rounding[index]
        separated = live.penalty == 0
        if separated.any():
            separated &= ((live.sign * live.eta > 0) | (live.a == 0)).all(axis=1)
        done = (norm <= goal) & (np.abs(live.R.sum(axis=1)) <= intercept_goal) & ~separated
        staying = ~(done | separated) & (iteration < max_iterations)
        rows, left = index[~staying], live.take(~staying)
        out.w[rows], out.b[rows], out.iterations[rows] = left.w, left.b, iteration
        out.gradient_norm[rows], out.converged[rows], out.separated[rows] = (
            norm[~staying],
            done[~staying],
            separated[~staying],
        )
        if not staying.any():
            break
        live, index, G = live.take(staying), index[staying], G[staying]
        norm, ridge, goal = norm[staying], ridge[staying], goal[staying]
        forcing = np.minimum(0.1, np.sqrt(norm / (norm + ridge)))
        dw = _newton_direction(Z, live, G, spectrum, np.maximum(forcing * norm, 0.5 * goal))
        live = _descend(Z, live, G, dw)
        G = live.gradient(Z)
    return out


def _newton_direction(
    Z: Float[np.ndarray, "n d"],
    at: _Problems,
    G: Float[np.ndarray, "m d"],
    spectrum: Spectrum,
    target: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "m d"]:
    """Newton directions of w with the intercept eliminated, to residual norms `target`."""
    total = at.D.sum(axis=1)
    curvature = total[:, None] / len(Z) * spectrum.values
    # Without a penalty, null directions still need a positive preconditioner.
    least = np.maximum(at.penalty, 1e-6 * curvature.mean(axis=1))
    floor = (least + total / len(Z) * spectrum.rest)[:, None]
    gain = 1.0 / (curvature + least[:, None]) - 1.0 / floor

    def precondition(r: Float[np.ndarray, "k d"], rows: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k d"]:
        z = r / floor[rows] + ((r @ spectrum.vectors.T) * gain[rows]) @ spectrum.vectors
        return _project(z, at.removed[rows])

    found = np.zeros_like(G)
    rows, D, g, removed, penalty = np.arange(len(at)), at.D, at.g, at.removed, at.penalty[:, None]
    x = np.zeros_like(G)
    r = _project((D @ Z) * g, removed) * (at.R.sum(axis=1) / total)[:, None] - G
    p = precondition(r, rows)
    rz = _dot(r, p)
    for _ in range(CG_LIMIT):
        t = (p * g) @ Z.T
        t -= (_dot(D, t) / total[rows])[:, None]
        t *= D
        q = _project((t @ Z) * g, removed) + penalty * p
        pq = _dot(p, q)
        length = np.divide(rz, pq, out=np.zeros_like(rz), where=pq > 0)[:, None]
        x = x + length * p
        r = r - length * q
        going = (np.linalg.norm(r, axis=1) > target[rows]) & (pq > 0)
        if not going.all():
            found[rows[~going]] = x[~going]
            if not going.any():
                return found
            rows, D, g, removed, penalty = rows[going], D[going], g[going], removed[going], penalty[going]
            x, r, p, rz = x[going], r[going], p[going], rz[going]
        z = precondition(r, rows)
        before, rz = rz, _dot(r, z)
        p = z + (rz / before)[:, None] * p
    found[rows] = x
    return found


def _descend(
    Z: Float[np.ndarray, "n d"], at: _Problems, G: Float[np.ndarray, "m d"], dw: Float[np.ndarray, "m d"]
) -> _Problems:
    """Step along dw and the matching intercept, halved until the objective falls (Armijo)."""
    change = (dw * at.g) @ Z.T
    excess = at.R.sum(axis=1)
    db = -(excess + _dot(at.D, change)) / at.D.sum(axis=1)
    change += db[:, None]
    slope = _dot(G, dw) + excess * db
    accepted = at.loss + EPS * 10 * np.abs(at.loss)
    step = 1.0
    trial = at.move(at.w + dw, at.b + db, at.eta + change)
    fell = trial.loss <= accepted + 1e-4 * slope
    if fell.all():
        return trial
    pending = ~fell
    for _ in range(HALVINGS):
        step *= 0.5
        part = at.take(pending)
        shorter = part.move(
            part.w + step * dw[pending], part.b + step * db[pending], part.eta + step * change[pending]
        )
        trial.put(np.flatnonzero(pending), shorter)
        pending = ~(trial.loss <= accepted + step * 1e-4 * slope)
        if not pending.any():
            return trial
    trial.put(np.flatnonzero(pending), at.take(pending))
    return trial


def _dot(x: Float[np.ndarray, "m k"], y: Float[np.ndarray, "m k"]) -> Float[np.ndarray, " m"]:
    return np.einsum("mk,mk->m", x, y)


def _project(x: Float[np.ndarray, "m d"], removed: Float[np.ndarray, "m k d"]) -> Float[np.ndarray, "m d"]:
    """Each row without its removed directions."""
    if removed.shape[1] == 0:
        return x
    return x - ((x[:, None, :] @ removed.swapaxes(1, 2)) @ removed)[:, 0]
