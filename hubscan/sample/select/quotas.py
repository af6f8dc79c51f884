"""How many rows each class has and the size of the sample in; how many to draw of each out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubscan.records import SampleRequest
from hubscan.sample.columns import Columns
from hubscan.sample.select.random_keys import keys_of

Counts = npt.NDArray[np.int64]

FEWEST = 2  # rows of a class that has as many: with one it has no spread of its own


def equal(available: Counts, size: int, order: Counts) -> Counts:
    """Return equal shares of *size*, (C,): min(available, share), and all of *size* if there are so many.

    What the shares leave over goes, one row each, to the classes that come first in *order*, (C,)
    a permutation of the classes that have rows left.
    """
    low, high = 0, int(available.max(initial=0))
    while low < high:  # the largest share that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(available, middle).sum() <= size else (low, middle - 1)
    quotas = np.minimum(available, low)
    left = size - int(quotas.sum())
    wanting = order[available[order] > low][: max(left, 0)]
    quotas[wanting] += 1
    return quotas


def proportional(available: Counts, size: int, order: Counts) -> Counts:
    """Return shares of *size* in proportion to *available*, (C,), by largest remainders.

    A class that has two rows gets two, if *size* allows that for all of them.
    """
    size = min(size, int(available.sum()))
    floor = np.minimum(available, FEWEST)
    if floor.sum() > size:
        return equal(available, size, order)
    free = available - floor
    exact = free * ((size - floor.sum()) / max(int(free.sum()), 1))
    quotas: Counts = floor + exact.astype(np.int64)
    remainders = exact - exact.astype(np.int64)
    first = order[np.argsort(-remainders[order], kind="stable")]
    first = first[quotas[first] < available[first]]
    quotas[first[: size - int(quotas.sum())]] += 1
    return quotas


def shares(counts: Counts, columns: Columns, request: SampleRequest, size: int) -> Counts:
    """Return how many rows of each stratum to draw, *size* in all."""
    order = np.argsort(keys_of(request.seed, np.arange(len(counts))))
    balanced = request.balance and columns.kind != "number"
    return (equal if balanced else proportional)(counts, size, order)
