"""Rows, strata and groups in, which fifth each row is held out with out."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import sparse

from hubscan.scores.halves import strata_of_groups
from hubscan.scores.labels import Classes, Matrix64, Targets

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
