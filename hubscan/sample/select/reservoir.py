"""Labelled rows in, at most `size` of them kept: balanced over the classes, uniform within each.

Every row has a random key that depends on the seed and its number alone. Of each class the rows
with the smallest keys are kept, so the result is the same in whatever order or from however many
readers the rows come. When the reservoir is full, the largest class gives way: a class ends with
min(its rows, an equal share) rows, whatever the order of the stream. The size may grow with the
classes, by a share or more for each: nobody then has given way to a class that came later.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

NO_LIMIT = 2**64


@dataclass
class _Class(Generic[T]):
    """The kept rows of one class as a heap, largest key on top, and the key from which on none is taken."""

    heap: list[tuple[int, int, T]] = field(default_factory=list)  # (−key, row, what was kept)
    limit: int = NO_LIMIT


class Reservoir(Generic[T]):
    """At most *size* rows, of the number of classes seen, kept by class."""

    def __init__(self, size: Callable[[int], int]) -> None:
        self._size = size
        self._kept = 0
        self._classes: dict[object, _Class[T]] = {}

    def takes(self, label: object, key: int) -> bool:
        """Return whether a row would be kept, so that nothing is made of one that would not."""
        return key < self._classes[label].limit if label in self._classes else True

    def add(self, label: object, key: int, row: int, value: T) -> None:
        """Keep the row, and let the largest class give way if that is one too many."""
        kept = self._classes.setdefault(label, _Class())
        if key >= kept.limit:
            return
        heapq.heappush(kept.heap, (-key, row, value))
        self._kept += 1
        if self._kept > self._size(len(self._classes)):
            largest = max(self._classes.values(), key=lambda c: (len(c.heap), -c.heap[0][0] if c.heap else 0))
            dropped, _, _ = heapq.heappop(largest.heap)
            # What was dropped may not be followed by a larger key, or late rows would be favoured.
            largest.limit = -dropped
            self._kept -= 1

    def kept(self, label: object) -> list[T]:
        """Return what was kept of a class, by the keys: the first of all its rows."""
        return [value for _, _, value in sorted(self._heap(label), key=lambda kept: -kept[0])]

    def has_all(self, label: object) -> bool:
        """Return whether no row of a class was given up."""
        return label not in self._classes or self._classes[label].limit == NO_LIMIT

    def _heap(self, label: object) -> list[tuple[int, int, T]]:
        return self._classes[label].heap if label in self._classes else []
