"""Split rows into stratified halves or folds that keep groups together."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hubscan.scores.targets import Classes, Matrix64, Targets

Half = npt.NDArray[np.bool_]


def groups_of(groups: object, n: int) -> Classes | None:
    """Return the number of each row's group (n,), from names of any type; None if *groups* is None.

    Raises:
        ValueError: if there is not one name for each of *n* rows, or all rows are in one group.
    """
    if groups is None:
        return None
    names = np.asarray(groups)
    if names.shape != (n,):
        raise ValueError(f"groups of shape {names.shape}: one group for each of {n} rows expected")
    distinct, numbers = np.unique(names, return_inverse=True)
    if len(distinct) < 2:
        raise ValueError("all rows are in one group: at least two groups are needed")
    return numbers


def strata_of_groups(strata: Classes, groups: Classes) -> Classes:
    """Return the stratum (g,) of each group: the rarest among the strata of its rows."""
    counts = np.bincount(strata)
    order = np.lexsort((strata, counts[strata], groups))
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    return strata[order[first]]


def pair_of_halves(
    strata: Classes, rng: np.random.Generator, groups: Classes | None = None
) -> tuple[Half, Half]:
    """Return two halves of the rows, as masks (n,), stratified and drawn without replacement.

    Rows of a group stay together. A stratum that occurs in only one group (without groups: in only one row)
    is in both halves.
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
    """Return which rows (n,) belong to a stratum whose rows are all in one group."""
    least, largest = np.full(strata.max() + 1, len(groups)), np.full(strata.max() + 1, -1)
    np.minimum.at(least, strata, groups)
    np.maximum.at(largest, strata, groups)
    alone: Half = (least == largest)[strata]
    return alone


FOLDS: Final = 5


def folds(z: Matrix64, targets: Targets, groups: Classes | None) -> Classes:
    """Return the fold (n,) of each row of the centred features *z* (n, d).

    Folds are stratified by class, by quantile of a number, or by the rarest label of a row, and within that
    by distance from the mean: sorted in this way, rows go to the folds in turn. Therefore the folds do not
    depend on the order of the rows (unless distances are equal), on the names of the classes, or on shifting
    the features or multiplying them by a number. A class with fewer rows than folds is in as many folds as it
    has rows. Rows of one group (*groups* (n,)), such as the words of a sentence, go into one fold, chosen by
    the mean of their features.
    """
    stratum = _strata(targets)
    return _dealt(z, stratum) if groups is None else _dealt_by_group(z, stratum, groups)


def _dealt(z: Matrix64, stratum: Classes) -> Classes:
    place = np.empty(len(z), np.int64)
    place[np.argsort(np.square(z).sum(axis=1), kind="stable")] = np.arange(len(z))
    first = np.full(stratum.max() + 1, len(z))
    np.minimum.at(first, stratum, place)  # orders strata by their nearest row, not by name
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
