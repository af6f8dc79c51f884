"""Strata in, half of the rows of each out, drawn without replacement."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


def half_of_each_class(classes: Rows, rng: np.random.Generator) -> Rows:
    """Return the places of half the rows of each class (the larger half of an odd number)."""
    counts = np.bincount(classes)
    shuffled = rng.permutation(len(classes))
    in_classes = shuffled[np.argsort(classes[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = np.arange(len(classes)) - starts[classes[in_classes]]
    kept: Rows = in_classes[place < (counts[classes[in_classes]] + 1) // 2].astype(np.int64)
    return kept
