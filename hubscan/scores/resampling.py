"""Strata and groups of rows in, two halves of the rows out: without replacement, alike in their strata."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hubscan.scores.targets import Classes, Matrix64, Targets

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
    distinct, numbers = np.unique(names, return_inverse=True)
    if len(distinct) < 2:
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
    first = np.zeros(len(of_group), bool)
    first[order[::2]] = True
    alone = np.zeros(len(of_group), bool)
    alone[of_row[_in_one_group(strata, of_row)]] = True
    return (first | alone)[of_row], (~first | alone)[of_row]


def _in_one_group(strata: Classes, groups: Classes) -> Half:
    """Return which rows (n,) are of a stratum whose rows are all of one group."""
    least, largest = np.full(strata.max() + 1, len(groups)), np.full(strata.max() + 1, -1)
    np.minimum.at(least, strata, groups)
    np.maximum.at(largest, strata, groups)
    alone: Half = (least == largest)[strata]
    return alone


FOLDS: Final = 5


def folds(z: Matrix64, targets: Targets, groups: Classes | None) -> Classes:
    """Return the fold (n,) of each row of *z* (n, d), centred.

    Folds are stratified, by class, by quantile of a number, or by the rarest label of a row, and within
    that by distance from the mean; rows are dealt to them in that order. So the order of the rows,
    unless they are equally far, and the names of the classes do not matter, nor do moving the features
    or multiplying all by a number. A class of fewer rows than folds is dealt to as many as it has rows.
    Rows of one of *groups* (n,), as the words of a sentence, go into one fold, by the mean of theirs.
    """
    stratum = _strata(targets)
    return _dealt(z, stratum) if groups is None else _dealt_by_group(z, stratum, groups)


def _dealt(z: Matrix64, stratum: Classes) -> Classes:
    place = np.empty(len(z), np.int64)
    place[np.argsort(np.square(z).sum(axis=1), kind="stable")] = np.arange(len(z))
    first = np.full(stratum.max() + 1, len(z))
    np.minimum.at(first, stratum, place)  # strata by their nearest row, whatever they are called
    fold = np.empty(len(z), np.int64)
    fold[np.lexsort((place, first[stratum]))] = np.arange(len(z)) % FOLDS
    return fold


def _dealt_by_group(z: Matrix64, stratum: Classes, groups: Classes) -> Classes:
    counts = np.bincount(groups)
    members = sparse.csr_array((1.0 / counts[groups], (groups, np.arange(len(z)))))
    return _dealt(members @ z, strata_of_groups(stratum, groups))[groups]


def _strata(targets: Targets) -> Classes:
    if targets.kind != "multilabel":
        return targets.classes
    rarity = targets.columns / targets.weights
    rarest = np.where(rarity.any(axis=1), rarity.argmax(axis=1), targets.columns.shape[1])
    return np.asarray(rarest, dtype=np.int64)
