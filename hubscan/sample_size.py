"""How many rows a ranking needs, given the number of classes, until its order is stable."""

from __future__ import annotations

from typing import Final

FEWEST: Final = 1_000
PER_CLASS: Final = 50
MOST: Final = 5_000  # by default, because each of some twenty checkpoints reads all of them
LEAST_OF_CLASS: Final = 2  # if the class has two rows: from one, no within-class variance can be estimated


def rows_needed(classes: int) -> int:
    """Return the larger of 1,000 and 50 per class.

    More rows change the order little: the orders of 1,000 and 2,000 rows agree with a weighted Kendall of
    .97 for two classes and .85 for ten (`benchmarks/README.md`).
    """
    return max(FEWEST, PER_CLASS * classes)


def rows_by_default(classes: int) -> int:
    """Return the default number of rows: those needed, but at most 5,000."""
    return min(rows_needed(classes), MOST)
