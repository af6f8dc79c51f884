"""Reduce a symmetric matrix to a band matrix with the same spectrum, which is cheap to solve for many shifts.

LogME needs log det(A + λI) and bᵀ(A + λI)⁻¹b at many λ. Eigenvectors give that after about 9 m³ operations,
half of them limited by memory bandwidth. Orthogonal reduction to a band takes 4/3 m³, nearly all in matrix
products, and then O(m) for each λ (the first stage of Bischof, Lang & Sun, ACM TOMS 26, 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas, lapack

from hubscan.scores.targets import Matrix64

WIDTH = 64  # a wider band makes the products more efficient, a narrower one makes each λ cheaper


@dataclass(frozen=True, slots=True)
class Band:
    """QᵀAQ and QᵀB for an orthogonal Q that is never formed."""

    diagonals: Matrix64  # (width + 1, m), LAPACK's lower storage: row i is the i-th diagonal below
    columns: Matrix64  # (m, K) QᵀB

    def shifted(self, shift: float) -> tuple[float, Matrix64, float]:
        """Return log det(A + shift·I), diag(Bᵀ(A + shift·I)⁻¹B) (K,), and roughly 1 / condition number.

        If A + shift·I has no Cholesky factor because of rounding, all three are NaN.
        """
        ab = self.diagonals.copy(order="F")
        ab[0] += shift
        largest = ab[0].max()
        factor, info = lapack.dpbtrf(ab, lower=1, overwrite_ab=1)
        if info != 0:
            return np.nan, np.full(self.columns.shape[1], np.nan), np.nan
        half, _ = lapack.dtbtrs(factor, self.columns, uplo="L")
        pivots = np.square(factor[0])
        return float(np.log(pivots).sum()), np.square(half).sum(axis=0), float(pivots.min() / largest)


def banded(a: Matrix64, b: Matrix64, width: int = WIDTH) -> Band:
    """Return the band form of the symmetric *a* (m, m) and of *b* (m, K).

    Each step zeroes one panel of columns below the band with a reflection from both sides:
    with Q = I − VTVᵀ and Y = AVT, QᵀAQ = A − XVᵀ − VXᵀ where X = Y − ½V(TᵀVᵀY).
    """
    rest, columns = np.asfortranarray(a.T), np.array(b, order="F")
    diagonals = np.zeros((min(width, len(a) - 1) + 1, len(a)))
    start = 0
    while len(rest) > width + 1:
        v, t, corner = _reflector(rest[width:, :width])
        _store(diagonals[:, start : start + width], np.vstack([np.tril(rest[:width, :width]), corner]))
        rest = np.array(rest[width:, width:], order="F")
        start += width
        y = blas.dsymm(1.0, rest, v @ t, lower=1)
        x = y - v @ (0.5 * t.T @ (v.T @ y))
        rest = blas.dsyr2k(-1.0, x, v, beta=1.0, c=rest, lower=1, overwrite_c=1)
        columns[start:] -= v @ (t.T @ (v.T @ columns[start:]))
    _store(diagonals[:, start:], rest)
    return Band(diagonals, columns)


def _reflector(panel: Matrix64) -> tuple[Matrix64, Matrix64, Matrix64]:
    """Return V (m, k), T (k, k) and R (k, w) with (I − VTVᵀ)ᵀ panel = [R; 0], panel (m, w)."""
    rank = min(panel.shape)
    packed, t, _ = lapack.dgeqrt(rank, panel)
    v = np.asfortranarray(np.tril(packed[:, :rank], -1))
    np.fill_diagonal(v, 1.0)
    return v, np.triu(t), np.triu(packed[:rank])


def _store(diagonals: Matrix64, block: npt.NDArray[np.float64]) -> None:
    """Write the diagonals on and below the main one of *block* (rows, w) into *diagonals* (width + 1, w)."""
    for i, row in enumerate(diagonals):
        entries = np.diagonal(block, -i)
        row[: len(entries)] = entries
