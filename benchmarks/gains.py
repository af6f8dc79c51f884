"""How much does fine-tuning add to the accuracy of a linear head on the frozen features?

Both are accuracies on rows that were not trained on. Fine-tuning trained on 300 rows. The head is fitted to
300, and to the 1,000 of a default scan, which gives it an advantage.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from lists import Array, List
from tables import print_table, signed

from hubscan.scores import linear_head
from hubscan.scores.accuracy import head_accuracy

ROWS = (300, 1_000)


def print_gains(lists: Sequence[List], samples: int) -> None:
    """Print fine-tuned accuracy minus that of the head, for pretrained and randomly initialised weights."""
    gains = [np.stack([gains_of(one, n, samples) for n in ROWS], axis=1) for one in lists]
    untrained = [np.array([cell["untrained"] for cell in one.cells.values()]) for one in lists]
    points, initialised = np.concatenate(gains), np.concatenate(untrained)
    lines = [
        _line("all lists, pretrained", points[~initialised]),
        _line("all lists, randomly initialised", points[initialised]),
        *(
            _line(f"{one.name}, pretrained", of_list[~of_untrained])
            for one, of_list, of_untrained in zip(lists, gains, untrained, strict=True)
        ),
    ]
    print_table(["checkpoints", "number", *(f"head on {n:,} rows: median (range)" for n in ROWS)], lines)


def gains_of(one: List, n: int, samples: int) -> Array:
    """Return fine-tuned accuracy minus the head's in points, (checkpoints,), the mean over samples."""
    orders = [np.random.default_rng(seed).permutation(len(one.labels))[:n] for seed in range(samples)]
    heads = [[_head(x[rows], one.labels[rows]) for rows in orders] for x in one.features]
    return np.asarray(100 * (one.accuracies - np.mean(heads, axis=1)))


def _head(features: Array, labels: Array) -> float:
    return head_accuracy(linear_head(features, labels), labels, representative=True).value


def _line(title: str, points: Array) -> list[str]:
    """Return a line for *points* (checkpoints, rows of the head)."""
    cells = [
        f"{signed(np.median(one))} ({signed(one.min())} to {signed(one.max())})"
        for one in points.T
        if len(one)
    ]
    return [title, str(len(points)), *cells]
