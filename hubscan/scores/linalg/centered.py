"""Centre and scale features block by block.

If there are many rows, neither this module nor its callers copy all of them at once, so features on disk
(`numpy.load(..., mmap_mode="r")`) can be larger than memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hubscan.scores.linalg.backend import Backend, Block
from hubscan.scores.linalg.choose import backend_of
from hubscan.scores.targets import Classes, Matrix64, check_matrix, is_tensor

BLOCK_NUMBERS = 2**22  # per block, 32 MiB; fewer numbers are a single block


@dataclass(frozen=True)
class Rows:
    """n rows of q numbers each, centred and scaled so that the largest number is 1."""

    source: Any  # (n, q) array or tensor of real numbers
    algebra: Backend
    unit: float  # the largest number of the source
    start: Block  # (q,) the first row of source/unit; a constant column equals it exactly
    mean: Block  # (q,) mean of source/unit − start
    spread: Block  # (q,) the largest number after centring; ∞ for a column constant up to rounding

    def __len__(self) -> int:
        """Return n."""
        return int(self.source.shape[0])

    @property
    def width(self) -> int:
        """Return q."""
        return int(self.source.shape[1])

    @property
    def constant(self) -> bool:
        """Return whether all columns are constant."""
        return not np.isfinite(self.spreads).any()

    @property
    def scale(self) -> float:
        """Return the divisor of the numbers of the source; 1 if no column varies."""
        return self.unit * float(self.spreads[np.isfinite(self.spreads)].max(initial=0.0) or 1.0)

    @property
    def spreads(self) -> Matrix64:
        """Return `spread` as a numpy array, (q,)."""
        return self.algebra.host(self.spread)

    @property
    def means(self) -> Matrix64:
        """Return the means of source/unit, (q,)."""
        return self.algebra.host(self.start + self.mean)

    def take(self, rows: Classes | slice) -> Block:
        """Return the given *rows*, (m, q)."""
        if self._small():
            return self._whole[rows]
        return self._made(self.source[rows])

    def blocks(self) -> Iterator[tuple[slice, Block]]:
        """Yield all rows as pairs of a slice and its block; a single block unless there are many rows."""
        if self._small():
            yield slice(0, len(self)), self._whole
            return
        for places in blocks_of(len(self), self.width):
            yield places, self._made(self.source[places])

    def _small(self) -> bool:
        return len(self) * self.width <= BLOCK_NUMBERS

    @cached_property
    def _whole(self) -> Block:
        return self._made(self.source)

    def _made(self, source: Any) -> Block:
        numbers = self.algebra.double(source) / self.unit
        numbers -= self.start
        numbers -= self.mean
        numbers /= self.spread
        return numbers


def rows_of(features: object) -> Rows:
    """Return the rows of *features*, a real array or torch tensor (n, d) of any precision.

    Columns that are constant up to rounding become exactly zero. Scaling by the largest number keeps the
    squares of 1e-200 and of 1e200 within float64.

    Raises:
        ValueError: if they are not a matrix with at least one row and one column, or not finite.
    """
    source: Any = features if is_tensor(features) else np.asarray(features)
    check_matrix(source)
    algebra = backend_of(source)
    extremes = [algebra.extremes(algebra.double(source[at])) for at in blocks_of(*source.shape)]
    low, high = np.min([low for low, _ in extremes], axis=0), np.max([high for _, high in extremes], axis=0)
    # The extremes are NaN or infinite if any number is, without a mask of n·d bytes.
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise ValueError("features contain NaN or infinite numbers")
    unit = float(max(np.abs(low).max(), np.abs(high).max())) or 1.0
    start = algebra.double(source[:1])[0] / unit
    blocks = blocks_of(*source.shape)
    mean = sum((algebra.double(source[at]) / unit - start).sum(axis=0) for at in blocks) / len(source)
    spread = _spread(low / unit, high / unit, algebra.host(start), algebra.host(mean))
    return Rows(source, algebra, unit, start, mean, algebra.block(spread))


def centred(features: Matrix64) -> Matrix64:
    """Return *features* (n, d) minus their column means, scaled by the largest number, as a new array.

    Raises:
        ValueError: as `rows_of`.
    """
    rows = rows_of(features)
    return rows.algebra.host(rows.take(slice(None)))


def blocks_of(count: int, width: int) -> Iterator[slice]:
    """Yield slices that divide *count* items of *width* numbers each into blocks."""
    step = max(1, BLOCK_NUMBERS // width)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def _spread(low: Matrix64, high: Matrix64, start: Matrix64, mean: Matrix64) -> Matrix64:
    """Return the divisor of each centred column, (d,)."""
    spread = np.maximum(np.abs(low - start - mean), np.abs(high - start - mean))
    rounding = 8 * np.finfo(np.float64).eps * np.maximum(np.abs(low), np.abs(high))
    divisor: Matrix64 = np.where(spread > rounding, spread.max(), np.inf)
    return divisor
