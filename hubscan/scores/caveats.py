"""What to know before trusting a score: too few rows, rare classes, a wide interval."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hubscan.records import Score
from hubscan.sample_size import rows_needed
from hubscan.scores.targets import kind_of

FEW_ROWS: Final = 5  # with fewer rows, the mean of a class is mostly noise
WIDE: Final = 0.5  # half an interval, as a share of the score above chance


def notes(score: Score, labels: npt.NDArray[Any], available: int | None = None) -> tuple[str, ...]:
    """Return what to know before trusting *score*, in sentences; nothing if the sample is large enough.

    At most one sentence asks for more rows, and never for more than are *available*. Where the interval is
    wide, it names the number at which half the interval would be half of the score above chance: intervals
    shrink with the square root of the rows.
    """
    sentences = (_rare_classes(labels), _few_rows(score, labels, available))
    return tuple(sentence for sentence in sentences if sentence)


def _rare_classes(labels: npt.NDArray[Any]) -> str | None:
    if kind_of(labels) != "classes":
        return None
    counts = np.unique(labels, return_counts=True)[1]
    few = int((counts < FEW_ROWS).sum())
    return f"{few} of {len(counts)} classes have fewer than {FEW_ROWS} rows." if few else None


def _few_rows(score: Score, labels: npt.NDArray[Any], available: int | None) -> str | None:
    rows, usual, wide = len(labels), _usual_rows(labels), _rows_for_interval(score, len(labels))
    if wide is not None and rows >= usual and math.isinf(wide):
        return f"The interval is wide, and more than {rows:,} rows are unlikely to narrow it enough."
    needed = max(usual, 0 if wide is None or math.isinf(wide) else int(wide))
    if rows >= needed:
        return None
    target = needed if available is None else min(needed, available)
    few = f"Only {rows:,} rows were used" if needed == usual else f"The interval is wide for {rows:,} rows"
    settle = f" Rankings usually settle at about {usual:,}" if needed == usual else ""
    if target <= rows:
        return f"{few}, and no more are available.{settle and settle + '.'}"
    return f"{few}{settle and '.' + settle}: pass `--samples {target}`."


def _usual_rows(labels: npt.NDArray[Any]) -> int:
    """Return how many rows a ranking usually needs for labels like these."""
    counts = {"classes": len(np.unique(labels)), "multilabel": labels.shape[-1], "numbers": 0}
    return rows_needed(counts[kind_of(labels)])


def _rows_for_interval(score: Score, rows: int) -> float | None:
    """Return how many rows would make the interval narrow enough: None if it is, infinity if none would."""
    low, high = score.interval
    above, half = score.value - score.chance, (high - low) / 2
    if not math.isfinite(above) or half <= WIDE * above:
        return None
    if above <= half / 10:
        return math.inf
    return math.ceil(rows * (half / (WIDE * above)) ** 2 / 100) * 100
