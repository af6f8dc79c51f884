"""Keep the labels of a split in a temporary file, so they can be read again.

Labels take eight bytes per row in a file without a name, so memory does not grow with the split.
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
    """The label codes of a split, one row group after the other."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="hubscan-labels-")  # noqa: SIM115 - lives on
        self._pairs = array("q")  # number of row-label pairs of each row group
        self._first = array("q")

    def add(self, coded: Coded, first_row: int) -> None:
        """Append the labels of the next row group, whose first row is *first_row* of the split."""
        self._first.append(first_row)
        self._pairs.append(len(coded.codes))
        self._file.write(coded.places.astype(np.int32).tobytes())
        self._file.write(coded.codes.astype(np.int32).tobytes())

    def chunks(self) -> Iterator[Members]:
        """Yield pairs of row and label, a few row groups at a time."""
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
    """Return the members: each row with the class that it can be drawn for.

    A row with several labels counts for the rarest of them; rows without labels form a last class of
    their own. A sentence counts once for each of its tags.
    """
    if kind == "multilabel":
        return lambda: (_rarest(members, counts) for members in store.chunks())
    if kind == "token":
        return lambda: (_distinct(members) for members in store.chunks())
    return store.chunks


def available(members: Labelled, classes: int) -> Counts:
    """Return the number of rows that can be drawn for each of *classes*."""
    counts = np.zeros(classes, np.int64)
    for part in members():
        counts += np.bincount(part.classes, minlength=classes)
    return counts


def rarest(codes: Codes, counts: Counts) -> int:
    """Return the class that a row is drawn for: its rarest label, or one past the last if it has none."""
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
