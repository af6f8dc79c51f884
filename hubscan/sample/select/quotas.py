"""Assign the seats of the sample to classes, given how many rows each class has.

Seats are assigned one after the other, independently of how many there will be: the first n seats of a
larger sample are those of a sample of n. Largest remainders would not guarantee that, since a class can
lose a seat when the sample grows by one.
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

    Every class gets one seat in turn, then a second one. After that, the next seat goes to the class with
    the largest weight / (2s + 1), where s is its number of seats so far; ties go to the class that comes
    first in *order* (the Sainte-Laguë method). With equal weights, the classes take turns. A class with
    as many seats as rows gets no more.

    Args:
        weights: (C,) rows of each class, or 1 for equal shares; positive where *caps* is.
        caps: (C,) rows available in each class.
        size: number of seats.
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
    """Return the number of *seats* (C,) of each of *classes*."""
    return np.bincount(seats, minlength=classes).astype(np.int64)


def class_weights(counts: Counts, *, balanced: bool) -> Counts:
    """Return the weights (C,) of classes with *counts* rows: equal if *balanced*, else *counts*."""
    return np.minimum(counts, 1) if balanced else counts


def class_order(seed: int, names: Sequence[str]) -> Counts:
    """Return the indices of the classes with these *names* in the random order in which they take turns."""
    digests = [hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8) for name in names]
    numbers = np.array([int.from_bytes(digest.digest(), "little") >> 1 for digest in digests], np.int64)
    return np.argsort(keys_of(seed, numbers), kind="stable")


def _enough(weights: Counts, caps: Counts, size: int) -> Counts:
    """Return an upper bound (C,) on the seats of each class among the first *size*, a little too high."""
    floor = np.minimum(caps, LEAST_OF_CLASS)

    def within(wait: float, more: int) -> Counts:
        reached = np.floor((wait * weights - 1) / 2).astype(np.int64) + 1
        return np.clip(reached + more, floor, caps)

    low, high = 0.0, float(np.max((2 * caps + 1) / np.maximum(weights, 1), initial=0.0))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if within(middle, 0).sum() >= size else (middle, high)
    return within(high, 1)  # one more per class, since the wait is rounded
