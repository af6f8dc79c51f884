"""Dense linear algebra on arrays in this process's memory: numpy, and LAPACK through SciPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.linalg import cholesky, eigh, lapack

from hubscan.scores.linalg.backend import Block
from hubscan.scores.targets import Classes, Matrix64


@dataclass(frozen=True, slots=True)
class NumpyBackend:
    """See `Backend`."""

    def double(self, features: Any) -> Block:
        """Return *features* in float64; no copy of what is so already."""
        return np.asarray(features).astype(np.float64, copy=False)

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return *matrix*."""
        return matrix

    def host(self, block: Block) -> Matrix64:
        """Return *block*."""
        return np.asarray(block)

    def identity(self, size: int) -> Block:
        """Return the identity matrix."""
        return np.eye(size)

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the least and the largest number of each column."""
        return block.min(axis=0), block.max(axis=0)

    def diagonal(self, matrix: Block) -> Block:
        """Return a view of the diagonal."""
        return np.einsum("ii->i", matrix)

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows; numpy sees that it is symmetric and computes half of it."""
        return rows.T @ rows

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return eigenvalues and vectors, by divide and conquer."""
        values, vectors = eigh(symmetric, driver="evd", check_finite=False)
        return values, vectors

    def inverse(self, positive: Block) -> Block:
        """Return the inverse by way of the Cholesky factor."""
        # The transpose is in LAPACK's order, so that both steps work in place.
        factor = cholesky(positive.T, lower=True, overwrite_a=True, check_finite=False)
        below: Matrix64 = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
        full = below + below.T
        self.diagonal(full)[:] /= 2.0
        return full

    def orthonormal(self, gram: Block) -> Block:
        """Return the inverse of the upper Cholesky factor."""
        return lapack.dtrtri(cholesky(gram, check_finite=False))[0]

    def half_log_det(self, positive: Block) -> Matrix64:
        """Return ½ log det by the Cholesky factors."""
        factors = np.linalg.cholesky(positive)
        halves: Matrix64 = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
        return halves

    def sums(self, rows: Block, at: Classes, classes: Classes, count: int) -> Block:
        """Return the sums as a product with the sparse indicators of the classes."""
        order = np.argsort(classes, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(classes, minlength=count))])
        indicators = sparse.csr_array((np.ones(len(at)), at[order], starts), shape=(count, len(rows)))
        return indicators @ rows
