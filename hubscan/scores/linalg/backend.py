"""The protocol of dense linear algebra for the metrics, so that they run on the device of the features."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from hubscan.scores.targets import Matrix64

Block: TypeAlias = Any
"""A float64 matrix, (rows, columns): a numpy array, or a torch tensor on its device.

Arithmetic operators, `@`, slices, `.T`, `.mT` and `.sum(axis)` mean the same for both.
"""


class Backend(Protocol):
    """Operations that the two libraries spell differently, or that one does slowly in the common spelling."""

    def double(self, features: Any) -> Block:
        """Return *features* in float64 on the device that computes."""
        ...

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return *matrix* on the device that computes."""
        ...

    def host(self, block: Block) -> Matrix64:
        """Return *block* as a numpy array."""
        ...

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the minimum and maximum of each column; NaN if the column contains one."""
        ...

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows."""
        ...

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return the eigenvalues in ascending order and the eigenvectors as columns."""
        ...

    def orthonormal(self, gram: Block) -> Block:
        """Return the upper triangular T with Tᵀ·gram·T = I; A·T is orthonormal if gram = AᵀA."""
        ...
