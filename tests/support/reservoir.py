"""The rows that a reservoir keeps of a stream of labels, and the expected class shares."""

from __future__ import annotations

from hubscan.sample.select.random_keys import row_keys
from hubscan.sample.select.reservoir import Reservoir


def kept(labels: list[int], size: int, seed: int, order: list[int] | None = None) -> list[tuple[object, int]]:
    """Return the rows that a reservoir keeps of each class, in its order."""
    reservoir = Reservoir[int](lambda _: size)
    keys = row_keys(seed, 0, len(labels)).tolist()
    for row in order or range(len(labels)):
        if reservoir.takes(labels[row], keys[row]):
            reservoir.add(labels[row], keys[row], row, row)
    return [(label, row) for label in sorted(set(labels)) for row in reservoir.kept(label)]


def equal_shares(counts: list[int], size: int) -> list[int]:
    """Return class sizes after adding one row at a time to the smallest class with rows left."""
    taken = [0] * len(counts)
    for _ in range(min(size, sum(counts))):
        place = min((t, i) for i, t in enumerate(taken) if t < counts[i])[1]
        taken[place] += 1
    return sorted(taken)
