"""How many rows each class has and the size of the sample in; which class has each seat of it out.

Seats are given one after the other, and whose the next one is does not depend on how many there will
be: the first n seats of a larger sample are those of a sample of n. Shares by largest remainders would
not do that: a class can lose a row when the sample grows by one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from hubscan.sample.select.random_keys import keys_of
from hubscan.sample_size import LEAST_OF_CLASS

Counts = npt.NDArray[np.int64]

HALVINGS: Final = 64


def seats(weights: Counts, caps: Counts, size: int, order: Counts) -> Counts:
    """Return the class (min(size, sum of caps),) of each seat of a sample, in the order of the seats.

    Every class has a seat in turn, and then a second one. From there on the next seat goes to the
    class with the largest weight / (2s + 1), where s is how many seats it has, and among equals to the
    one that comes first in *order*: the method of Sainte-Laguë. With equal weights that is taking
    turns. A class that has as many seats as rows is passed over.

    Args:
        weights: (C,) rows of each class, or ones for equal shares; positive where *caps* is.
        caps: (C,) rows that each class can give.
        size: seats.
        order: (C,) the classes in their order, which decides ties.
    """
    numbers = _enough(weights, caps, size)
    classes = np.repeat(np.arange(len(caps)), numbers)
    turns = np.arange(len(classes)) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    late = turns >= LEAST_OF_CLASS
    waits = np.where(late, (2 * turns + 1) / weights[classes], turns)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return np.asarray(classes[np.lexsort((rank[classes], waits, late))[:size]], np.int64)


def counted(seats: Counts, classes: int) -> Counts:
    """Return how many of *seats* each of *classes* has, (C,)."""
    return np.bincount(seats, minlength=classes).astype(np.int64)


def class_weights(counts: Counts, *, balanced: bool) -> Counts:
    """Return what the shares of classes of *counts* rows are in proportion to: nothing, or these."""
    return np.minimum(counts, 1) if balanced else counts


def class_order(seed: int, names: Sequence[str]) -> Counts:
    """Return the numbers of the classes of these *names* in the random order in which they take turns."""
    digests = [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8) for name in names]
    numbers = np.array([int.from_bytes(digest.digest(), "little") >> 1 for digest in digests], np.int64)
    return np.argsort(keys_of(seed, numbers), kind="stable")


def _enough(weights: Counts, caps: Counts, size: int) -> Counts:
    """Return at least as many seats of each class (C,) as it has among the first *size*, and few more."""
    floor = np.minimum(caps, LEAST_OF_CLASS)

    def within(wait: float, more: int) -> Counts:
        reached = np.floor((wait * weights - 1) / 2).astype(np.int64) + 1
        return np.clip(reached + more, floor, caps)

    low, high = 0.0, float(np.max((2 * caps + 1) / np.maximum(weights, 1), initial=0.0))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle, 0).sum() >= size else (middle, high)
    return within(high, 1)  # one more each, since the wait was rounded
