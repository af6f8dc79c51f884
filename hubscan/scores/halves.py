"""Strata in, halves of the rows out, drawn without replacement and alike in their strata."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Strata = npt.NDArray[np.integer[Any]]
Half = npt.NDArray[np.bool_]


def half_of_each_class(classes: Strata, rng: np.random.Generator) -> Rows:
    """Return the places of half the rows of each class (the larger half of an odd number)."""
    counts = np.bincount(classes)
    shuffled = rng.permutation(len(classes))
    in_classes = shuffled[np.argsort(classes[shuffled], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = np.arange(len(classes)) - starts[classes[in_classes]]
    kept: Rows = in_classes[place < (counts[classes[in_classes]] + 1) // 2].astype(np.int64)
    return kept


def pair_of_halves(strata: Strata, rng: np.random.Generator) -> tuple[Half, Half]:
    """Return which rows (n,) are in either of two halves; a stratum of one row is in both."""
    order = np.lexsort((rng.random(len(strata)), strata))
    one = np.zeros(len(strata), bool)
    one[order[::2]] = True
    alone = np.bincount(strata)[strata] == 1
    return one | alone, ~one | alone
