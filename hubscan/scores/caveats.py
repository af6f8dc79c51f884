"""A score and the sample it came from in, what a reader should know before trusting it out."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.sample_size import rows_needed
from hubscan.scores.targets import kind_of

FEW_ROWS: Final = 5  # in a class: below, its mean is mostly noise
WIDE: Final = 0.5  # half an interval, as a share of what the labels tell


def notes(score: Score, labels: npt.NDArray[Any]) -> tuple[str, ...]:
    """Return one sentence for each weakness of *score*; none if the sample bears it.

    The number of rows in a note is that at which the interval would be half as wide as what the
    labels tell: intervals shrink with the square root of the rows.
    """
    caveats = (_few_rows(labels), _unsettled(labels), _too_small(score, len(labels)))
    return tuple(note for note in caveats if note)


def _few_rows(labels: npt.NDArray[Any]) -> str | None:
    if kind_of(labels) != "classes":
        return None
    counts = np.unique(labels, return_counts=True)[1]
    few = int((counts < FEW_ROWS).sum())
    if not few:
        return None
    return f"{few} of {len(counts)} classes have fewer than {FEW_ROWS} rows: draw more"


def _unsettled(labels: npt.NDArray[Any]) -> str | None:
    counts = {"classes": len(np.unique(labels)), "multilabel": labels.shape[-1], "numbers": 0}
    needed = rows_needed(counts[kind_of(labels)])
    if len(labels) >= needed:
        return None
    return f"other rows may give another order, which settles from {needed:,} on; here are {len(labels):,}"


def _too_small(score: Score, rows: int) -> str | None:
    low, high = score.interval
    told, half = score.value - score.chance, (high - low) / 2
    if not math.isfinite(told) or half <= WIDE * told:
        return None
    if told <= half / 10:
        return f"the interval is wide, and nothing is left that {rows:,} rows could show"
    needed = math.ceil(rows * (half / (WIDE * told)) ** 2 / 100) * 100
    return f"the interval is wide: draw at least {needed:,} rows"
