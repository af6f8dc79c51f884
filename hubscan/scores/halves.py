"""Strata and groups of rows in, two halves of the rows out: without replacement, alike in their strata."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hubscan.scores.labels import Classes

Half = npt.NDArray[np.bool_]


def groups_of(groups: object, n: int) -> Classes | None:
    """Return the number of the group (n,) of each row, from names of any kind; None if there are none.

    Raises:
        ValueError: if they are not one for each of *n* rows, or all rows are of one group.
    """
    if groups is None:
        return None
    names = np.asarray(groups)
    if names.shape != (n,):
        raise ValueError(f"one group for each of {n} rows expected, got {names.shape}")
    found, numbers = np.unique(names, return_inverse=True)
    if len(found) < 2:
        raise ValueError("all rows are of one group: there is nothing to hold them against")
    return numbers


def strata_of_groups(strata: Classes, groups: Classes) -> Classes:
    """Return the stratum (g,) of each group: of its rows' strata the rarest one of all."""
    counts = np.bincount(strata)
    order = np.lexsort((strata, counts[strata], groups))
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return strata[order[first]]


def pair_of_halves(
    strata: Classes, rng: np.random.Generator, groups: Classes | None = None
) -> tuple[Half, Half]:
    """Return which rows (n,) are in either of two halves.

    Rows of a group stay together; a stratum that lies in one group alone (without groups: that has
    one row) is in both.
    """
    of_row = np.arange(len(strata)) if groups is None else groups
    of_group = strata if groups is None else strata_of_groups(strata, groups)
    order = np.lexsort((rng.random(len(of_group)), of_group))
    one = np.zeros(len(of_group), bool)
    one[order[::2]] = True
    alone = np.zeros(len(of_group), bool)
    alone[of_row[_in_one_group(strata, of_row)]] = True
    return (one | alone)[of_row], (~one | alone)[of_row]


def _in_one_group(strata: Classes, groups: Classes) -> Half:
    """Return which rows (n,) are of a stratum whose rows are all of one group."""
    least, largest = np.full(strata.max() + 1, len(groups)), np.full(strata.max() + 1, -1)
    np.minimum.at(least, strata, groups)
    np.maximum.at(largest, strata, groups)
    found: Half = (least == largest)[strata]
    return found
