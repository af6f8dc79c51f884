"""What the coding rates ask of dense linear algebra, so that it runs where the features lie."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

import numpy.typing as npt

from hubscan.scores.targets import Matrix64

Block: TypeAlias = Any
"""A float64 matrix, (rows, columns): a numpy array, or a torch tensor on its device.

Between these the signs of arithmetic, `@`, slices, `.T`, `.mT` and `.sum(axis)` mean the same.
"""


class Backend(Protocol):
    """The rest: what the two libraries spell differently, or one of them does slowly when spelt the same."""

    def double(self, features: Any) -> Block:
        """Return *features* in float64, where they are to be computed with."""
        ...

    def block(self, matrix: npt.NDArray[Any]) -> Block:
        """Return a copy of *matrix* where the features lie."""
        ...

    def host(self, block: Block) -> Matrix64:
        """Return *block* as a numpy array."""
        ...

    def extremes(self, block: Block) -> tuple[Matrix64, Matrix64]:
        """Return the least and the largest number of each column; NaN where there is one."""
        ...

    def gram(self, rows: Block) -> Block:
        """Return rowsᵀ·rows."""
        ...

    def eigh(self, symmetric: Block) -> tuple[Matrix64, Block]:
        """Return the eigenvalues, ascending, and the eigenvectors in columns."""
        ...

    def orthonormal(self, gram: Block) -> Block:
        """Return T, upper triangular, with Tᵀ·gram·T = I: what turns A into orthonormal A·T, gram = AᵀA."""
        ...
