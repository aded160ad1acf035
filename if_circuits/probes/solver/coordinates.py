"""Coordinates for the weights of many linear probes over one design matrix: one a feature, or one a row.

The weights that minimise a penalised loss are a combination of the rows, w = Z^T x. Where rows are fewer than
features x is the shorter unknown, and the Gram matrix of the rows, once computed, takes the place of Z in
every product: n by n instead of n by d, and one product instead of two. Each probe may divide the features by
scales of its own. By row, one Gram matrix then stands for all of theirs inside Newton steps, where nearly the
right curvature will do; predictions and gradients go through the weights, which are exact.

In every array of coordinates a row is one problem. The image of coordinates is what they add to the
predictions. Arrays in another precision than Z are for the inside of a Newton step, whose error the next
gradient corrects.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from if_circuits.probes.solver.spectrum import Gain, Precision, Spectrum


@dataclass(frozen=True, eq=False)
class ByFeature:
    """One coordinate a feature: x is w itself, on features divided by the problem's scale."""

    Z: Float[np.ndarray, "n d"]
    fast: Float[np.ndarray, "n d"]
    inverse_scale: Float[np.ndarray, "m d"]
    removed: Float[np.ndarray, "m k d"]
    """Orthonormal directions that weights are kept orthogonal to."""
    spectrum: Spectrum
    """Of Z^T Z."""

    @classmethod
    def of(
        cls,
        Z: Float[np.ndarray, "n d"],
        inverse_scale: Float[np.ndarray, "m d"],
        *,
        fast: Precision = np.float32,
    ) -> ByFeature:
        """Coordinates of one problem a row of `inverse_scale`, with no directions removed."""
        none, quick = np.zeros((len(inverse_scale), 0, Z.shape[1])), Z.astype(fast, copy=False)
        return cls(Z, quick, inverse_scale, none, Spectrum.of(quick))

    def of_problems(self, inverse_scale: Float[np.ndarray, "m d"]) -> ByFeature:
        """Those of other problems over the same features, with no directions removed."""
        removed = np.zeros((len(inverse_scale), 0, self.Z.shape[1]))
        return replace(self, inverse_scale=inverse_scale, removed=removed)

    @property
    def width(self) -> int:
        """Coordinates of one problem."""
        return self.Z.shape[1]

    def take(self, rows: Bool[np.ndarray, " m"] | Int[np.ndarray, " k"]) -> ByFeature:
        """Those of some of the problems."""
        return replace(self, inverse_scale=self.inverse_scale[rows], removed=self.removed[rows])

    def image(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m n"]:
        """What x adds to the predictions."""
        Z = self.fast if x.dtype == self.fast.dtype else self.Z
        return (x * self.inverse_scale.astype(x.dtype, copy=False)) @ Z.T

    def pull(self, r: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m d"]:
        """Derivative with respect to the weights, given that with respect to the predictions."""
        Z = self.fast if r.dtype == self.fast.dtype else self.Z
        g = (r @ Z) * self.inverse_scale.astype(r.dtype, copy=False)
        return self.kept(g)

    def norm(self, x: Float[np.ndarray, "m d"]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m d"]]:
        """Lengths of the weights, and what `smooth` needs beside x."""
        return self.length(x), x

    def length(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
        """Lengths of the weights."""
        return np.sqrt(dot(x, x))

    def inner(
        self, x: Float[np.ndarray, "m d"], y: Float[np.ndarray, "m d"], image: Float[np.ndarray, "m n"]
    ) -> Float[np.ndarray, " m"]:
        """Inner products of the weights of x and of y, whose image is given."""
        del image
        return dot(x, y)

    def smooth(
        self, r: Float[np.ndarray, "m d"], beside: Float[np.ndarray, "m d"], gain: Gain
    ) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m n"]]:
        """r preconditioned, and the image of that."""
        del beside
        z = r * gain.rest + ((r @ self.spectrum.vectors.T) * gain.leading) @ self.spectrum.vectors
        z = self.kept(z)
        return z, self.image(z)

    def rounding(self, g: Float[np.ndarray, "m d"]) -> float:
        """Lengths below which the weights of g are nothing but rounding."""
        del g
        return 0.0

    def kept(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
        """x without the directions removed."""
        return _outside(x, self.removed, self.removed)

    def remove(self, x: Float[np.ndarray, "m d"]) -> ByFeature:
        """With x, which is orthogonal to the directions removed before, among them."""
        unit = x / self.norm(x)[0][:, None]
        return replace(self, removed=np.concatenate([self.removed, unit[:, None]], axis=1))

    def weights(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
        """The weights, in units of scaled features."""
        return x


@dataclass(frozen=True, eq=False)
class ByRow:
    """One coordinate a row of Z: w = Z^T x, on features divided by the problem's scale."""

    Z: Float[np.ndarray, "n d"]
    gram: Float[np.ndarray, "n n"]
    """Of the features as they are, whatever the problems' scales."""
    fast: Float[np.ndarray, "n n"]
    inverse_scale: Float[np.ndarray, "m d"] | None
    """None: all problems take the features as they are."""
    removed: Float[np.ndarray, "m k n"]
    """Coordinates of orthonormal directions that weights are kept orthogonal to."""
    removed_images: Float[np.ndarray, "m k n"]
    spectrum: Spectrum
    """Of the Gram matrix."""
    vector_images: Float[np.ndarray, "k n"]

    @classmethod
    def of(
        cls,
        Z: Float[np.ndarray, "n d"],
        *,
        problems: int,
        fast: Precision = np.float32,
    ) -> ByRow:
        """Coordinates with no directions removed; exact in the precision of Z."""
        gram = Z @ Z.T
        quick = gram.astype(fast, copy=False)
        spectrum, none = Spectrum.of_gram(quick), np.zeros((problems, 0, len(Z)))
        return cls(Z, gram, quick, None, none, none, spectrum, spectrum.vectors @ quick)

    def of_problems(self, inverse_scale: Float[np.ndarray, "m d"]) -> ByRow:
        """Those of other problems over the same rows, with no directions removed.

        Scales of their own need Z in the precision of Newton steps, and should be near one.
        """
        none = np.zeros((len(inverse_scale), 0, len(self.Z)))
        return replace(self, inverse_scale=inverse_scale, removed=none, removed_images=none)

    @property
    def width(self) -> int:
        """Coordinates of one problem."""
        return len(self.Z)

    def take(self, rows: Bool[np.ndarray, " m"] | Int[np.ndarray, " k"]) -> ByRow:
        """Those of some of the problems."""
        inverse = None if self.inverse_scale is None else self.inverse_scale[rows]
        removed, images = self.removed[rows], self.removed_images[rows]
        return replace(self, inverse_scale=inverse, removed=removed, removed_images=images)

    def image(self, x: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m n"]:
        """What x adds to the predictions."""
        for gram in (self.fast, self.gram):
            if gram.dtype == x.dtype:
                return x @ gram
        # Through the weights: rounding of the Gram matrix counts by the length of x, even where rows cancel.
        w = self.weights(x).astype(self.Z.dtype)
        return ((w if self.inverse_scale is None else w * self.inverse_scale) @ self.Z.T).astype(x.dtype)

    def pull(self, r: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m n"]:
        """Derivative with respect to the weights, given that with respect to the predictions."""
        return self.kept(r)

    def norm(self, x: Float[np.ndarray, "m n"]) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "m n"]]:
        """Lengths of the weights, and what `smooth` needs beside x: its image."""
        image = self.image(x)
        return np.sqrt(np.maximum(dot(x, image), 0.0)), image

    def length(self, x: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
        """Lengths of the weights."""
        if x.dtype in (self.fast.dtype, self.gram.dtype):
            return self.norm(x)[0]
        w = self.weights(x)
        return np.sqrt(dot(w, w))

    def inner(
        self, x: Float[np.ndarray, "m n"], y: Float[np.ndarray, "m n"], image: Float[np.ndarray, "m n"]
    ) -> Float[np.ndarray, " m"]:
        """Inner products of the weights of x and of y, whose image is given."""
        del y
        return dot(x, image)

    def smooth(
        self, r: Float[np.ndarray, "m n"], beside: Float[np.ndarray, "m n"], gain: Gain
    ) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m n"]]:
        """r preconditioned, and the image of that."""
        leading = (r @ self.spectrum.vectors.T) * gain.leading
        z = r * gain.rest + leading @ self.spectrum.vectors
        image = beside * gain.rest + leading @ self.vector_images
        # The image of a direction reads images as its coordinates read coordinates.
        return self.kept(z), _outside(image, self.removed_images, self.removed)

    def rounding(self, g: Float[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
        """Lengths below which the weights of g are nothing but rounding."""
        return np.sqrt(np.finfo(np.float64).eps * np.trace(self.gram) * dot(g, g))

    def kept(self, x: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m n"]:
        """x without the directions removed."""
        return _outside(x, self.removed, self.removed_images)

    def remove(self, x: Float[np.ndarray, "m n"]) -> ByRow:
        """With x, which is orthogonal to the directions removed before, among them."""
        length, image = self.norm(x)
        unit, image = x / length[:, None], image / length[:, None]
        return replace(
            self,
            removed=np.concatenate([self.removed, unit[:, None]], axis=1),
            removed_images=np.concatenate([self.removed_images, image[:, None]], axis=1),
        )

    def weights(self, x: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "m d"]:
        """The weights, in units of scaled features."""
        w = x.astype(self.Z.dtype, copy=False) @ self.Z
        return (w if self.inverse_scale is None else w * self.inverse_scale).astype(np.float64, copy=False)


Coordinates = ByFeature | ByRow


def dot(x: Float[np.ndarray, "m k"], y: Float[np.ndarray, "m k"]) -> Float[np.ndarray, " m"]:
    """Inner products of rows."""
    return np.vecdot(x, y)


def _outside(
    x: Float[np.ndarray, "m k"],
    removed: Float[np.ndarray, "m r k"],
    reader: Float[np.ndarray, "m r k"],
) -> Float[np.ndarray, "m k"]:
    """x without its removed directions; products with `reader` are the parts along them."""
    if removed.shape[1] == 0:
        return x
    parts = x[:, None] @ reader.swapaxes(1, 2).astype(x.dtype, copy=False)
    return x - (parts @ removed.astype(x.dtype, copy=False))[:, 0]
