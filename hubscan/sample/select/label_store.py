"""The labels of a split in, its members out as often as they are asked for; on disk in between.

Eight bytes a row lie in a file without a name, so that memory does not grow with the split.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator
from typing import IO, Final

import numpy as np

from hubscan.records import LabelKind
from hubscan.sample.label_codes import NO_LABEL, Coded, Codes
from hubscan.sample.select.blocks import Labelled, Members
from hubscan.sample.select.quotas import Counts

CHUNK_ROWS: Final = 2**16


class LabelStore:
    """Coded labels of the row groups of a split, written in their order."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="hubscan-labels-")  # noqa: SIM115 - lives on
        self._pairs = array("q")  # of each group
        self._first = array("q")

    def add(self, coded: Coded, first_row: int) -> None:
        """Write the labels of the next row group, whose rows begin at *first_row* of the split."""
        self._first.append(first_row)
        self._pairs.append(len(coded.codes))
        self._file.write(coded.places.astype(np.int32).tobytes())
        self._file.write(coded.codes.astype(np.int32).tobytes())

    def chunks(self) -> Iterator[Members]:
        """Yield the pairs of row and label, some row groups at a time."""
        self._file.seek(0)
        waiting: list[Members] = []
        held = 0
        for group, (first, count) in enumerate(zip(self._first, self._pairs, strict=True)):
            places, codes = np.frombuffer(self._file.read(8 * count), np.int32).reshape(2, count)
            rows = places.astype(np.int64) + first
            waiting.append(Members(rows, codes, np.full(count, group, np.int32)))
            held += count
            if held >= CHUNK_ROWS:
                yield _joined(waiting)
                waiting, held = [], 0
        if waiting:
            yield _joined(waiting)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


def strata(store: LabelStore, kind: LabelKind, counts: Counts) -> Labelled:
    """Return the members to plan with: each row with the class that it can be drawn for.

    A row of several labels stands for the rarest of them, and for a class of its own, the last, if
    it has none. A sentence stands for each of its tags, once.
    """
    if kind == "multilabel":
        return lambda: (_rarest(members, counts) for members in store.chunks())
    if kind == "token":
        return lambda: (_distinct(members) for members in store.chunks())
    return store.chunks


def available(members: Labelled, classes: int) -> Counts:
    """Return how many rows could be drawn for each of *classes*."""
    counts = np.zeros(classes, np.int64)
    for part in members():
        counts += np.bincount(part.classes, minlength=classes)
    return counts


def rarest(codes: Codes, counts: Counts) -> int:
    """Return the label by which one row is drawn: its rarest, or the number behind the last for none."""
    known = codes[codes >= 0]
    return int(known[np.argmin(counts[known])]) if len(known) else len(counts)


def _rarest(members: Members, counts: Counts) -> Members:
    rarity = np.append(counts, np.iinfo(np.int64).max)
    codes = np.where(members.classes == NO_LABEL, len(counts), members.classes).astype(np.int32)
    order = np.lexsort((codes, rarity[codes], members.rows))
    first = order[np.unique(members.rows[order], return_index=True)[1]]
    return Members(members.rows[first], codes[first], members.groups[first])


def _distinct(members: Members) -> Members:
    order = np.lexsort((members.classes, members.rows))
    rows, classes = members.rows[order], members.classes[order]
    new = (np.diff(rows, prepend=-1) != 0) | (np.diff(classes, prepend=-1) != 0)
    return Members(rows[new], classes[new], members.groups[order][new])


def _joined(parts: list[Members]) -> Members:
    return Members(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.groups for part in parts]),
    )
