"""Sizes of classes in, an orthonormal basis of all that the classes can tell out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hubscan.scores.linalg.backend import Backend, Block
from hubscan.scores.targets import Matrix64


@dataclass(frozen=True, slots=True)
class Frame:
    """C (m, K−1): an orthonormal basis of the centred span of the indicators of K classes of m rows.

    C = E·T, where E (m, K) holds the indicators, each to length 1, and T (K, K−1) the columns but the
    first of the reflection that takes the first axis to √(counts/m), in which E tells nothing: T is
    the identity's columns less a·bᵀ, so that products with it cost no more than reading.
    """

    counts: Matrix64  # (K,)
    a: Matrix64  # (K,)
    b: Matrix64  # (K−1,)

    def turned(self, sums: Block, algebra: Backend) -> Block:
        """Return CᵀA (K−1, q) from the *sums* EᵀA·√counts (K, q) of the rows of A (m, q) by class."""
        units = sums * algebra.block(1.0 / np.sqrt(self.counts))[:, None]
        return units[1:] - algebra.block(self.b)[:, None] * (algebra.block(self.a) @ units)[None, :]

    def turned_vector(self, numbers: Matrix64) -> Matrix64:
        """Return Tᵀx for *numbers* x (K,)."""
        turned: Matrix64 = numbers[1:] - self.b * (self.a @ numbers)
        return turned

    def turned_diagonal(self, numbers: Matrix64) -> Matrix64:
        """Return Tᵀ·diag(x)·T for *numbers* x (K,)."""
        mixed = np.outer(numbers[1:] * self.a[1:], self.b)
        turned: Matrix64 = (self.a * self.a) @ numbers * np.outer(self.b, self.b) - mixed - mixed.T
        turned.flat[:: len(turned) + 1] += numbers[1:]
        return turned


def frame(counts: Matrix64) -> Frame:
    """Return the frame of classes of *counts* (K,) rows, none of them 0."""
    mirror = np.sqrt(counts / counts.sum())
    mirror[0] += 1.0
    return Frame(counts, mirror, mirror[1:] / mirror[0])
