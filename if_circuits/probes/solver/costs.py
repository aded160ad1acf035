"""Which way to many probes costs least, counted in multiplications: over the features, or over Gram matrices.

The constants are such that the way chosen was the fastest, or near it, at 120 to 5,400 rows and 64 to 2,304
features, on one thread.
"""

from __future__ import annotations

from collections.abc import Sequence

from if_circuits.probes.solver.spectrum import SMALL

PRODUCTS = 150
"""Products with the design matrix that a solution takes: some 40, and those of few problems are slow."""
SPECTRUM = 768
"""The same for the spectrum of a design matrix, which a Gram matrix gives almost for nothing."""
SHARED_ROWS = 1.1
"""Rows a feature from which problems on several sets of rows share the features instead of a Gram matrix."""
BY_ROW = 40
"""Products with its own Gram matrix that a problem takes."""
BY_SHARED_ROW = 56
"""The same with a shared one."""
A_GROUP = 1e8
"""Multiplications in the time that one more Gram matrix takes whatever its size, some milliseconds."""


def by_row_pays(n: int, d: int, m: int) -> bool:
    """Whether a Gram matrix for m problems on the same n rows costs less than it saves in products."""
    saved = PRODUCTS * m * (4 * d - 2 * n) + SPECTRUM * d
    return d > SMALL and n < d and n * d < saved


def a_gram_matrix_may_pay(n: int, d: int) -> bool:
    """Whether problems on several sets of n rows should have Gram matrices at all."""
    return d > SMALL and n <= SHARED_ROWS * d


def sharing_pays(n: int, d: int, *, sets: Sequence[tuple[int, int]]) -> bool:
    """Whether one Gram matrix of n rows costs less than one for each set, of so many rows and problems."""
    of_each = d + SPECTRUM
    alone = sum(A_GROUP + rows**2 * (of_each + BY_ROW * problems) for rows, problems in sets)
    return n**2 * (of_each + BY_SHARED_ROW * sum(problems for _, problems in sets)) < alone
