"""Dense linear algebra on numpy arrays, with LAPACK through SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, eigh, lapack

from hubscan.scores.linalg.backend import Block
from hubscan.scores.targets import Matrix64


@dataclass(frozen=True, slots=True)
class NumpyBackend:
    """See `Backend`."""

    def double(self, features: Any) -> Block:
        """Return *features* in float64, without a copy if they already are."""
        return np.asarray(features).astype(np.float64, copy=False)

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return *matrix*."""
        return matrix

    def host(self, block: Block) -> Matrix64:
        """Return *block*."""
        return np.asarray(block)

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the minimum and maximum of each column."""
        return block.min(axis=0), block.max(axis=0)

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows; numpy detects that it is symmetric and computes only half of it."""
        return rows.T @ rows

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return eigenvalues and eigenvectors, by divide and conquer."""
        values, vectors = eigh(symmetric, driver="evd", check_finite=False)
        return values, vectors

    def orthonormal(self, gram: Block) -> Block:
        """Return the inverse of the upper Cholesky factor."""
        return lapack.dtrtri(cholesky(gram, check_finite=False))[0]
