"""Derive random 64-bit keys from a seed and positions: the same on every machine and in any order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BLOCKS = np.uint64(0x5851F42D4C957F2D)  # makes the keys of blocks differ from those of rows


def row_keys(seed: int, first: int, count: int) -> Keys:
    """Return one key for each of the rows *first* … *first + count − 1*."""
    return keys_of(seed, np.arange(first, first + count, dtype=np.int64))


def keys_of(seed: int, rows: Places) -> Keys:
    """Return one key for each of *rows*, (n,) positions in the split.

    The finaliser of splitmix64 (Steele, Lea & Flood, 2014) over the row number, offset by the mixed
    seed: uniform, and distinct within a seed.
    """
    return _mixed(rows.astype(np.uint64) * _GOLDEN + _start(seed))


def block_keys(seed: int, groups: Places, numbers: Places) -> Keys:
    """Return one key for each block, given its row group (n,) and its number in that group (n,).

    The key does not depend on the class, so the blocks of all classes in a row group come early or late
    together, and reading the group for one class serves the others.
    """
    start = _mixed(_start(seed) + _BLOCKS)
    return _mixed(_mixed(groups.astype(np.uint64) * _GOLDEN + start) + numbers.astype(np.uint64) * _GOLDEN)


def fractions(seed: int, count: int) -> npt.NDArray[np.float64]:
    """Return *count* uniform numbers in [0, 1), independent of the keys of rows and blocks."""
    drawn = _mixed(np.arange(count, dtype=np.uint64) * _GOLDEN + _mixed(_start(seed) ^ _BLOCKS))
    return np.asarray((drawn >> np.uint64(11)) * 2.0**-53)


def _start(seed: int) -> Keys:
    return _mixed(np.array([seed], dtype=np.uint64) + _GOLDEN)


def _mixed(x: Keys) -> Keys:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
