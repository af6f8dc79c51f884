"""The labels of a sample in; the rows to train on, to validate on and to test on, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hubscan.errors import RankingError

if TYPE_CHECKING:
    from hubscan.records import Rows, Sample

PATTERN: Final = "THTSTHTTTHTSTHTTTHTS"
"""What every twenty rows of like label become: 12 to train on, 3 that say when to stop, 5 held out."""


class Split(NamedTuple):
    """Numbers of rows, each in one part only."""

    train: Rows
    validation: Rows
    test: Rows


def split_rows(sample: Sample, seed: int, pattern: str = PATTERN) -> Split:
    """Return the parts of *sample*, 60, 15 and 25 % of each class, the same for every checkpoint.

    Rows are put in the order of their labels, in random order among equal ones, and dealt out: so
    classes have their shares in every part, and so have the ranges of a number. Rows of a group, such as
    the words of a sentence, go to one part together, by the label of the first; large groups are dealt
    before small ones, so that the shares of rows stay close to those of groups. With several labels a row,
    groups are dealt without regard to them. Another *pattern* of T, S and H gives other shares.

    Raises:
        RankingError: if there are so few groups that a part would be empty.
    """
    groups = np.arange(len(sample.labels)) if sample.groups is None else sample.groups
    names, first, of_row, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    chance = np.random.default_rng(seed).permutation(len(names))
    labels = sample.labels[first]
    order = np.lexsort((chance, -sizes, labels) if labels.ndim == 1 else (chance, -sizes))
    dealt = np.empty(len(names), dtype="U1")
    dealt[order] = np.resize(np.array(list(pattern)), len(names))
    if sample.groups is not None and set(dealt.tolist()) < set(pattern):
        raise RankingError(
            f"the rows form {len(names)} groups, too few to train, validate and test on different ones; "
            "draw more --samples, or leave --group-column out"
        )
    return Split(*(np.flatnonzero(dealt[of_row] == part) for part in "TSH"))
