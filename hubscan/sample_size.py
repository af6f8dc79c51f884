"""How many classes there are in, how many rows a ranking needs before its order can be trusted out."""

from __future__ import annotations

from typing import Final

FEWEST: Final = 1_000
PER_CLASS: Final = 50
MOST: Final = 5_000  # by default: twenty checkpoints read as many rows each
LEAST_OF_CLASS: Final = 2  # rows of a class that has as many: with one it has no spread of its own


def rows_needed(classes: int) -> int:
    """Return 1,000, or 50 for each class if that is more.

    From there on more rows change the order little: that of 1,000 rows agrees with that of 2,000 by a
    weighted Kendall of .97 for two classes and .85 for ten (`benchmarks/README.md`).
    """
    return max(FEWEST, PER_CLASS * classes)


def rows_by_default(classes: int) -> int:
    """Return how many rows a scan draws unless it is told: those needed, but at most 5,000."""
    return min(rows_needed(classes), MOST)
