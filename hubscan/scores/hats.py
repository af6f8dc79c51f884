"""A row space in, what a ridge regression on it fits out: H = X(XᵀX + ΛI)⁻¹Xᵀ, of all rows or of some.

Three forms of the same matrix, each with its trace f = tr H, with tr H², and with CᵀHC and CᵀḢC for
a frame C. Ḣ = H − H² is how fast H falls as log Λ grows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.linalg import blas, cholesky, lapack

from hubscan.scores.labels import Classes, Matrix64
from hubscan.scores.row_space import RowSpace

PINCH = 1e-11  # of a dimension that all rows have, for those that may lack it

Onto = Callable[[Matrix64], Matrix64]  # a matrix A (m, q) to CᵀA (k, q), for a frame C (m, k)


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

    def seen_in(self, onto: Onto) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC, both (k, k)."""
        ...


@dataclass(frozen=True, slots=True)
class WholeHat:
    """H = U·diag(kept)·Uᵀ of all rows."""

    u: Matrix64  # (n, r)
    kept: Matrix64  # (r,) w/(w + Λ)

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float(self.kept.sum())

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        return float(np.square(self.kept).sum())

    @property
    def leverages(self) -> tuple[Matrix64, Matrix64]:
        """Return the diagonals of H and of Ḣ, (n,) each."""
        squares = np.square(self.u)
        return squares @ self.kept, squares @ (self.kept * (1.0 - self.kept))

    def seen_in(self, onto: Onto) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC."""
        columns = onto(self.u)
        kept = columns * self.kept
        return kept @ columns.T, (kept * (1.0 - self.kept)) @ columns.T


@dataclass(frozen=True, slots=True)
class InnerHat:
    """H = A·(AᵀA + Λ/w)⁻¹·Aᵀ of m rows A of U, centred, where there are fewer dimensions than rows."""

    rows: Matrix64  # (m, r) those of U, not centred: frames are
    inverse: Matrix64  # (r, r) lower triangle of (AᵀA + Λ/w)⁻¹
    shrinkage: Matrix64  # (r,) Λ/w

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float((1.0 - self.inverse.diagonal() * self.shrinkage).sum())

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        lost = self.inverse.diagonal() * self.shrinkage
        below = self.shrinkage @ np.square(self.inverse) @ self.shrinkage
        return float((1.0 - 2.0 * lost - np.square(lost)).sum() + 2.0 * below)

    def seen_in(self, onto: Onto) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC."""
        columns = onto(self.rows)
        solved = blas.dsymm(1.0, self.inverse, columns.T, lower=1)
        return columns @ solved, solved.T @ (self.shrinkage[:, None] * solved)


@dataclass(frozen=True, slots=True)
class OuterHat:
    """H (m, m) itself, of m rows, where there are more dimensions than rows."""

    matrix: Matrix64

    @property
    def trace(self) -> float:
        """Return f = tr H."""
        return float(np.trace(self.matrix))

    @property
    def trace_squared(self) -> float:
        """Return tr H²."""
        return float(np.square(self.matrix).sum())

    def seen_in(self, onto: Onto) -> tuple[Matrix64, Matrix64]:
        """Return CᵀHC and CᵀḢC."""
        half = onto(self.matrix)
        whole = onto(half.T)
        return whole, whole - half @ half.T


def whole_hat(space: RowSpace) -> WholeHat:
    """Return the hat matrix of all rows."""
    return WholeHat(space.u, space.variances / (space.variances + space.ridge))


def pair_of_hats(space: RowSpace, one: Classes, other: Classes) -> tuple[Hat, Hat]:
    """Return the hat matrices of two sets of rows, each centred on its own mean, with the same ridge.

    Where they share out the rows, the Gram matrix of the one gives that of the *other*: UᵀU = I.
    """
    if len(space.variances) > len(one):
        return _outer(space, one), _outer(space, other)
    u, v = space.u[one], space.u[other]
    gram = _gram(u)
    if len(one) + len(other) == len(space.u):
        rest = -gram
        rest.flat[:: len(rest) + 1] += 1.0
    else:
        rest = _gram(v)
    return _inner(space, u, gram), _inner(space, v, rest)


def _inner(space: RowSpace, u: Matrix64, gram: Matrix64) -> InnerHat:
    mean = u.mean(axis=0)
    shrinkage = space.ridge / space.variances
    gram -= np.outer(len(u) * mean, mean)
    gram.flat[:: len(gram) + 1] += shrinkage + PINCH
    return InnerHat(u, _inverse(gram), shrinkage)


def _outer(space: RowSpace, rows: Classes) -> OuterHat:
    x = space.u[rows] * np.sqrt(space.variances)
    x -= x.mean(axis=0)
    gram = _gram(np.asfortranarray(x).T)
    gram.flat[:: len(gram) + 1] += space.ridge
    below = _inverse(gram) * -space.ridge
    below.flat[:: len(below) + 1] = (below.diagonal() + 1.0) / 2.0
    return OuterHat(below + below.T)


def _gram(u: Matrix64) -> Matrix64:
    """Return the lower triangle of uᵀu, in the order that LAPACK wants."""
    gram: Matrix64 = blas.dsyrk(1.0, u.T, lower=1)
    return gram


def _inverse(matrix: Matrix64) -> Matrix64:
    """Return that of the inverse of the positive definite *matrix*, given by its lower triangle and used up.

    Above its diagonal are zeros.
    """
    factor = cholesky(matrix, lower=True, overwrite_a=True, check_finite=False)
    inverse: Matrix64 = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
    return inverse


def leverages_of(hat: Hat, whole: tuple[Matrix64, Matrix64]) -> tuple[Matrix64, Matrix64]:
    """Return the diagonals of H and Ḣ, (m,) each, for some rows with these in the *whole* sample.

    Exact for an `OuterHat`. For an `InnerHat` that would cost as much again as the rest: the odds
    h/(1 − h), which is how far a row lies from the others, are scaled until the traces are right.
    """
    if isinstance(hat, OuterHat):
        diagonal = hat.matrix.diagonal()
        return diagonal, diagonal - np.einsum("ij,ij->i", hat.matrix, hat.matrix)
    h, h_falling = whole[0].clip(max=1.0 - 1e-9), whole[1]
    m = len(h)
    mean, wanted, falling = h.mean(), hat.trace / m, (hat.trace - hat.trace_squared) / m
    odds = h / (1.0 - h) * (wanted / (1.0 - wanted) * (1.0 - mean) / mean)
    h = odds / (1.0 + odds)
    return h + (wanted - h.mean()), h_falling * (falling / max(h_falling.mean(), 1e-300))
