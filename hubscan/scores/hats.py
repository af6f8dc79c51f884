"""Hat matrices: of all rows, and of a half of them, each centred on its own mean, with one ridge.

H = X(XᵀX + ΛI)⁻¹Xᵀ, and Ḣ = H − H² = −dH/d log Λ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hubscan.scores.frames import frame
from hubscan.scores.linalg.backend import Backend, Block
from hubscan.scores.linalg.row_space import RowSpace
from hubscan.scores.targets import Classes, Matrix64

PINCH = 1e-11  # of a dimension that all rows have, for those that may lack it
ROUNDING = 1e-15  # of the largest variance: what a weak dimension, one that few rows have, is known to


class Hat(Protocol):
    """What a chance-adjusted rate asks of H."""

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        ...

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        ...


@dataclass(frozen=True, slots=True)
class WholeHat:
    """H = U·diag(kept)·Uᵀ of all rows."""

    algebra: Backend
    kept: Matrix64  # (r,) w/(w + Λ)

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float(self.kept.sum())

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        return float(np.square(self.kept).sum())

    def seen(self, columns: Block) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC from *columns* CᵀU (K−1, r)."""
        h = columns * self.algebra.block(np.sqrt(self.kept))
        return _products(h, self.algebra), _falling(h, 1.0 - self.kept, self.algebra)


@dataclass(frozen=True, slots=True)
class InnerHat:
    """H = A·(AᵀA + Λ/w)⁻¹·Aᵀ of m rows A of U, centred, where there are fewer dimensions than rows."""

    algebra: Backend
    inverse: Block  # (r, r) (AᵀA + Λ/w)⁻¹
    shrinkage: Matrix64  # (r,) Λ/w

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float((1.0 - self._lost()).sum())

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        root = self.algebra.block(np.sqrt(self.shrinkage))
        below = self.inverse * root * root[:, None]
        return float((1.0 - 2.0 * self._lost()).sum() + float((below * below).sum()))

    def seen(self, columns: Block) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC from *columns* CᵀA (K−1, r)."""
        solved = columns @ self.inverse
        h = self.algebra.host(solved @ columns.T)
        return h, _falling(solved, self.shrinkage, self.algebra)

    def _lost(self) -> Matrix64:
        return self.algebra.host(self.algebra.diagonal(self.inverse)) * self.shrinkage


@dataclass(frozen=True, slots=True)
class OuterHat:
    """H (m, m) itself, of m rows, where there are more dimensions than rows."""

    algebra: Backend
    matrix: Block

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float(self.algebra.diagonal(self.matrix).sum())

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        return float((self.matrix * self.matrix).sum())

    @property
    def leverages(self) -> tuple[Matrix64, Matrix64]:
        """Return the diagonals of H and of Ḣ, (m,) each."""
        h = self.algebra.host(self.algebra.diagonal(self.matrix))
        return h, h - self.algebra.host((self.matrix * self.matrix).sum(axis=1))

    def seen(self, classes: Classes, counts: Matrix64) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC for *classes* (m,) of *counts* (K,) rows."""
        half = self._onto(self.matrix, classes, counts)
        whole = self.algebra.host(self._onto(half.T, classes, counts))
        return whole, whole - _products(half, self.algebra)

    def _onto(self, matrix: Block, classes: Classes, counts: Matrix64) -> Block:
        sums = self.algebra.sums(matrix, np.arange(len(matrix)), classes, len(counts))
        return frame(counts).turned(sums, self.algebra)


def whole_hat(space: RowSpace) -> WholeHat:
    """Return the hat matrix of all rows."""
    return WholeHat(space.algebra, space.kept)


def inner_hat(space: RowSpace, gram: Block, total: Block, m: int) -> InnerHat:
    """Return the hat matrix of *m* rows A of U from *gram* AᵀA and *total* Aᵀ1 (r,)."""
    algebra = space.algebra
    shrinkage = space.ridge / space.variances
    gram = gram - total[:, None] * (total / m)
    diagonal = algebra.diagonal(gram)
    diagonal += algebra.block(shrinkage + PINCH + ROUNDING * space.variances.max() / space.variances)
    return InnerHat(algebra, algebra.inverse(gram), shrinkage)


def outer_hat(space: RowSpace, rows: Classes) -> OuterHat:
    """Return the hat matrix of some of the *rows* of U, which is there."""
    algebra = space.algebra
    x = space.u[rows] * algebra.block(np.sqrt(space.variances))
    x -= x.sum(axis=0) / len(rows)
    gram = algebra.gram(x.T)
    diagonal = algebra.diagonal(gram)
    diagonal += space.ridge
    matrix = algebra.inverse(gram) * -space.ridge
    diagonal = algebra.diagonal(matrix)
    diagonal += 1.0
    return OuterHat(algebra, matrix)


def scaled_leverages(hat: Hat, whole: tuple[Matrix64, Matrix64]) -> tuple[Matrix64, Matrix64]:
    """Return the diagonals of H and Ḣ, (m,) each, for rows with these in the *whole* sample.

    Not exact: that would cost as much again as the rest. The odds h/(1 − h), which is how far a row
    lies from the others, are scaled until the traces are right.
    """
    h, h_falling = whole[0].clip(max=1.0 - 1e-9), whole[1]
    m = len(h)
    mean, wanted, falling = h.mean(), hat.trace / m, (hat.trace - hat.trace_squared) / m
    odds = h / (1.0 - h) * (wanted / (1.0 - wanted) * (1.0 - mean) / mean)
    h = odds / (1.0 + odds)
    return h + (wanted - h.mean()), h_falling * (falling / max(h_falling.mean(), 1e-300))


def _products(rows: Block, algebra: Backend) -> Matrix64:
    return algebra.host(algebra.gram(rows.T))


def _falling(rows: Block, lost: Matrix64, algebra: Backend) -> Matrix64:
    """Return rows·diag(lost)·rowsᵀ; without a ridge nothing is lost, and nothing to be multiplied."""
    if not lost.any():
        return np.zeros((len(rows), len(rows)))
    return _products(rows * algebra.block(np.sqrt(lost)), algebra)
