"""Decompose centred rows once, for the score, its shuffles and the linear head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hubscan.scores.linalg.backend import Backend, Block
from hubscan.scores.linalg.centered import Rows
from hubscan.scores.targets import Classes, Matrix64

RESOLUTION = 1e-11  # directions with a smaller share of the largest variance are rounding errors
SLACK = 1e-7  # directions with a smaller share, computed from the Gram matrix, are not quite orthogonal


@dataclass(frozen=True)
class RowSpace:
    """The singular value decomposition X = U·√w·Rᵀ of n centred rows, without R.

    U is kept in memory if X has more columns than rows, or nearly as many; otherwise it is computed from X
    block by block, so X can stay on disk.
    """

    rows: Rows  # X (n, d)
    variances: Matrix64  # (r,) w, the non-zero eigenvalues of XᵀX, descending
    turn: Block  # (d, r) with U = X·turn, or None if d > n
    u: Block  # (n, r) orthonormal columns of mean 0, or None if computed block by block

    @property
    def algebra(self) -> Backend:
        """Return the backend that computes with U."""
        return self.rows.algebra

    @property
    def rank(self) -> int:
        """Return r."""
        return len(self.variances)

    def blocks(self) -> Iterator[tuple[slice, Block]]:
        """Yield the rows of U, as pairs of a slice and its block (m, r)."""
        if self.u is not None:
            yield slice(0, len(self.rows)), self.u
            return
        for places, block in self.rows.blocks():
            yield places, block @ self.turn

    def take(self, rows: Classes) -> Block:
        """Return the given *rows* (m,) of U, (m, r)."""
        return self.u[rows] if self.u is not None else self.rows.take(rows) @ self.turn


def row_space(rows: Rows) -> RowSpace:
    """Return the row space of *rows*, computed from the eigenvectors of the smaller Gram matrix."""
    n, d = len(rows), rows.width
    algebra = rows.algebra
    if d <= n:
        gram = sum(algebra.gram(block) for _, block in rows.blocks())
    else:
        gram = algebra.gram(rows.take(slice(None)).T)
    variances, vectors = algebra.eigh(gram)
    kept = np.flatnonzero(variances > RESOLUTION * variances[-1])[::-1].copy()
    variances, vectors = variances[kept], vectors[:, kept]
    if d > n:
        return RowSpace(rows, variances, None, vectors)
    turn = _turn(rows, variances, vectors)
    u = rows.take(slice(None)) @ turn if len(variances) > n // 2 else None
    return RowSpace(rows, variances, turn, u)


def _turn(rows: Rows, variances: Matrix64, vectors: Block) -> Block:
    """Return T such that X·T has orthonormal columns, also in the directions of little variance."""
    turn = vectors / rows.algebra.block(np.sqrt(variances))
    if variances[-1] > SLACK * variances[0]:
        return turn
    products = sum(rows.algebra.gram(block @ turn) for _, block in rows.blocks())
    return turn @ rows.algebra.orthonormal(products)
