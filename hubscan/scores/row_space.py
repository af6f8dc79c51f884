"""Features in, their rows as coordinates that no label has touched out: the common ground of TransRate.

One eigendecomposition of the smaller Gram matrix serves the score, every shuffle of the labels and
every half of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.optimize import brentq

from hubscan.scores.labels import Matrix64

RESOLUTION = 1e-11  # directions with less than this share of the largest variance are rounding
SLACK = 1e-7  # ... and with less than this share come out of the Gram matrix not quite orthogonal
FREE = 0.2  # of the rows: how many dimensions the ridge leaves free at most


@dataclass(frozen=True, slots=True)
class RowSpace:
    """X = U·√w·Rᵀ for a rotation R that is never needed again, and a ridge Λ for it."""

    u: Matrix64  # (n, r) orthonormal columns of mean 0
    variances: Matrix64  # (r,) w, the eigenvalues of XᵀX above 0, descending
    ridge: float  # Λ

    @property
    def coordinates(self) -> Matrix64:
        """Return the rows of X, turned: (n, r)."""
        turned: Matrix64 = self.u * np.sqrt(self.variances)
        return turned


def row_space(centred: Matrix64) -> RowSpace:
    """Return the row space of *centred* features (n, d), and its ridge.

    Λ is the smallest ridge that leaves no more than (n − 1)/5 dimensions free, tr X(XᵀX + ΛI)⁻¹Xᵀ:
    zero where there are no more than that.
    """
    n, d = centred.shape
    gram = centred.T @ centred if d <= n else centred @ centred.T
    variances, vectors = eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    found = np.flatnonzero(variances > RESOLUTION * variances[-1])[::-1]
    variances, vectors = variances[found], vectors[:, found]
    u = _orthonormal(centred @ vectors / np.sqrt(variances), variances) if d <= n else vectors
    return RowSpace(np.ascontiguousarray(u), variances, _ridge(variances, FREE * (n - 1)))


def _orthonormal(u: Matrix64, variances: Matrix64) -> Matrix64:
    """Return *u*, each column less what it shares with those of more variance."""
    if variances[-1] > SLACK * variances[0]:
        return u
    factor = cholesky(u.T @ u, lower=True, check_finite=False)
    turned: Matrix64 = solve_triangular(factor, u.T, lower=True, check_finite=False).T
    return turned


def _ridge(variances: Matrix64, free: float) -> float:
    if len(variances) <= free:
        return 0.0

    def excess(log_ridge: float) -> float:
        return float((variances / (variances + np.exp(log_ridge))).sum()) - free

    # At the upper end every dimension keeps less than free/r of itself, at the lower one nearly all.
    low, high = np.log(variances[-1]) - 40.0, np.log(variances[0] * len(variances) / free)
    return float(np.exp(brentq(excess, low, high, xtol=1e-14, rtol=1e-14)))
