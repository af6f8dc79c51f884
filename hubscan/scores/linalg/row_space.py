"""Centred rows in, coordinates for them that no label has touched out: the common ground of TransRate.

One eigendecomposition of the smaller Gram matrix serves the score, every shuffle of the labels and
every half of the sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hubscan.scores.linalg.backend import Backend, Block
from hubscan.scores.linalg.centered import Rows
from hubscan.scores.targets import Classes, Matrix64

RESOLUTION = 1e-11  # directions with less than this share of the largest variance are rounding
SLACK = 1e-7  # ... and with less than this share come out of the Gram matrix not quite orthogonal
FREE = 0.2  # of the rows: how many dimensions the ridge leaves free at most


@dataclass(frozen=True)
class RowSpace:
    """X = U·√w·Rᵀ for a rotation R, and a ridge Λ for it.

    Of many rows U is made block by block, when it is asked for; of fewer than 2r it is there.
    """

    rows: Rows  # X (n, d)
    variances: Matrix64  # (r,) w, the eigenvalues of XᵀX above 0, descending
    ridge: float  # Λ
    turn: Block  # (d, r) U = X·turn, or None where d > n
    u: Block  # (n, r) orthonormal columns of mean 0; None where they are many more than wide
    gram: Block  # of the coordinates, XᵀX (d, d) or diag(w) (r, r)

    @property
    def algebra(self) -> Backend:
        """Return where all this lies."""
        return self.rows.algebra

    @property
    def rank(self) -> int:
        """Return r."""
        return len(self.variances)

    @property
    def width(self) -> int:
        """Return how many coordinates a row has."""
        return int(self.gram.shape[0])

    @property
    def kept(self) -> Matrix64:
        """Return what the ridge leaves of each direction, w/(w + Λ), (r,)."""
        kept: Matrix64 = self.variances / (self.variances + self.ridge)
        return kept

    def blocks(self) -> Iterator[tuple[slice, Block]]:
        """Yield the rows of U, as places and numbers (m, r)."""
        if self.u is not None:
            yield slice(0, len(self.rows)), self.u
            return
        for places, block in self.rows.blocks():
            yield places, block @ self.turn

    def coordinates(self, rows: Classes | slice) -> Block:
        """Return the given rows of X, perhaps turned: (m, d), or (m, r) where that is narrower."""
        if self.turn is not None:
            return self.rows.take(rows)
        return self.u[rows] * self.algebra.block(np.sqrt(self.variances))


def row_space(rows: Rows) -> RowSpace:
    """Return the row space of *rows*, and its ridge.

    Λ is the smallest ridge that leaves no more than (n − 1)/5 dimensions free, tr X(XᵀX + ΛI)⁻¹Xᵀ:
    zero where there are no more than that.
    """
    n, d = len(rows), rows.width
    algebra = rows.algebra
    if d <= n:
        gram = sum(algebra.gram(block) for _, block in rows.blocks())
    else:
        gram = algebra.gram(rows.take(slice(None)).T)
    variances, vectors = algebra.eigh(gram)
    kept = np.flatnonzero(variances > RESOLUTION * variances[-1])[::-1].copy()
    variances, vectors = variances[kept], vectors[:, kept]
    ridge = _ridge(variances, FREE * (n - 1))
    if d > n:
        return RowSpace(rows, variances, ridge, None, vectors, algebra.block(np.diag(variances)))
    turn = _turn(rows, variances, vectors)
    u = rows.take(slice(None)) @ turn if len(variances) > n // 2 else None
    return RowSpace(rows, variances, ridge, turn, u, gram)


def _turn(rows: Rows, variances: Matrix64, vectors: Block) -> Block:
    """Return T such that X·T has orthonormal columns, those of less variance clear of those of more."""
    turn = vectors / rows.algebra.block(np.sqrt(variances))
    if variances[-1] > SLACK * variances[0]:
        return turn
    products = sum(rows.algebra.gram(block @ turn) for _, block in rows.blocks())
    return turn @ rows.algebra.orthonormal(products)


def _ridge(variances: Matrix64, free: float) -> float:
    if len(variances) <= free:
        return 0.0
    from scipy.optimize import brentq  # half a second to import, and no metric may be asked for

    def excess(log_ridge: float) -> float:
        return float((variances / (variances + np.exp(log_ridge))).sum()) - free

    # At the upper end every dimension keeps less than free/r of itself, at the lower one nearly all.
    low, high = np.log(variances[-1]) - 40.0, np.log(variances[0] * len(variances) / free)
    return float(np.exp(brentq(excess, low, high, xtol=1e-14, rtol=1e-14)))
