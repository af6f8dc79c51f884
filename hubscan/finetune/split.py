"""Split a sample into train, validation and test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hubscan.errors import RankingError

if TYPE_CHECKING:
    from hubscan.records import Rows, Sample

PATTERN: Final = "THTSTHTTTHTSTHTTTHTS"
"""How every twenty rows of similar label are split: 12 train (T), 3 validation (S) and 5 test rows (H)."""


class Split(NamedTuple):
    """Row numbers; each row is in one part only."""

    train: Rows
    validation: Rows
    test: Rows


def split_rows(sample: Sample, seed: int, pattern: str = PATTERN) -> Split:
    """Return the split of *sample*: 60, 15 and 25 % of each class, the same for every checkpoint.

    Rows are sorted by label, shuffled within equal labels, and assigned in turn by *pattern*, so every part
    has its share of each class, or of each range of a number. Rows of a group, such as the words of a
    sentence, stay together, and the label of the first row counts; large groups are assigned before small
    ones, so that the shares of rows stay close to those of groups. With several labels per row, the labels
    are ignored. Another *pattern* of T, S and H gives other shares.

    Raises:
        RankingError: if there are too few groups to fill every part.
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
            f"the rows form {len(names)} groups, too few to train, validate and test on different groups; "
            "raise --samples, or leave out --group-column"
        )
    return Split(*(np.flatnonzero(dealt[of_row] == part) for part in "TSH"))
