"""Keep at most `size` rows of a stream: balanced over the classes, uniform within each class.

Every row has a random key that depends only on the seed and the row number. Each class keeps the rows
with the smallest keys, so the result does not depend on the order of the rows or the number of readers.
When the reservoir is full, the largest class loses a row: a class ends with min(its rows, an equal
share) rows, in any order of the stream. The size may grow with the number of classes, by at least one
share each; then no class loses a row to one that appears later.
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
    """The kept rows of one class as a heap, largest key on top, and the key from which rows are refused."""

    number: int
    heap: list[tuple[int, int, T]] = field(default_factory=list)  # (−key, row, value)
    limit: int = NO_LIMIT

    @property
    def rank(self) -> tuple[int, int, int]:
        """Return what orders classes: the one with the most rows first, then that with the largest key."""
        return -len(self.heap), self.heap[0][0] if self.heap else 0, self.number


class Reservoir(Generic[T]):
    """At most size(classes seen) rows, kept by class."""

    def __init__(self, size: Callable[[int], int]) -> None:
        self._size = size
        self._kept = 0
        self._classes: dict[object, _Class[T]] = {}
        self._numbered: list[_Class[T]] = []
        self._ranks: list[tuple[int, int, int]] = []  # a heap of the present and former ranks of all classes

    def takes(self, label: object, key: int) -> bool:
        """Return whether a row would be kept, so its value need not be computed if not."""
        return key < self._classes[label].limit if label in self._classes else True

    def add(self, label: object, key: int, row: int, value: T) -> None:
        """Keep the row, and drop one of the largest class if the reservoir is then too full."""
        if label not in self._classes:
            self._classes[label] = _Class(len(self._numbered))
            self._numbered.append(self._classes[label])
        kept = self._classes[label]
        if key >= kept.limit:
            return
        heapq.heappush(kept.heap, (-key, row, value))
        heapq.heappush(self._ranks, kept.rank)
        self._kept += 1
        if self._kept > self._size(len(self._classes)):
            largest = self._largest()
            dropped, _, _ = heapq.heappop(largest.heap)
            heapq.heappush(self._ranks, largest.rank)
            # Refuse later rows with a larger key than a dropped one, or late rows would be favoured.
            largest.limit = -dropped
            self._kept -= 1

    def _largest(self) -> _Class[T]:
        """Return the class that ranks first, without looking at all of them: there may be many."""
        while True:
            found = self._numbered[self._ranks[0][2]]
            if found.rank == self._ranks[0]:
                return found
            heapq.heappop(self._ranks)

    def kept(self, label: object) -> list[T]:
        """Return the kept values of a class by ascending key: those of the first of all its rows."""
        return [value for _, _, value in sorted(self._heap(label), key=lambda kept: -kept[0])]

    def has_all(self, label: object) -> bool:
        """Return whether every row of a class was kept."""
        return label not in self._classes or self._classes[label].limit == NO_LIMIT

    def _heap(self, label: object) -> list[tuple[int, int, T]]:
        return self._classes[label].heap if label in self._classes else []
