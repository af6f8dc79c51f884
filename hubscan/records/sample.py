"""A `Sample` is drawn, and its `Draw` tells of it ever after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubscan.records.kinds import Input, LabelKind, Modality

if TYPE_CHECKING:
    from hubscan.records.kinds import Labels, Rows


@dataclass(frozen=True, slots=True)
class Draw:
    """What was drawn, without the rows themselves; it stands in every result."""

    dataset: str  # the canonical id, or the local path
    revision: str  # the commit; for local data "sha256:" and a hash over its files
    config: str | None
    split: str
    columns: Mapping[str, str]  # role to column: {"text": "review", "label": "sentiment"}
    label_kind: LabelKind
    classes: Mapping[str, int]  # class, label or tag to rows that have it, in label order; {} of numbers
    rows: int  # of words where every word has a label
    seed: int
    rows_seen: int  # rows of the split whose label the draw looked at, or which came by in one pass
    dropped: Mapping[str, int]  # reason to number of rows: {"empty input": 3}
    bytes_read: int  # bytes that came over the network
    fingerprint: str  # hash of all that decides the rows; equal exactly when two scans saw the same rows
    duplicates: int = 0  # drawn rows whose input another drawn row has already, byte for byte
    requests: int = 0  # requests sent over the network
    groups: int = 0  # row groups of the split; 0 where rows came in one pass
    groups_read: int = 0  # those of which more than the label was read
    block_rows: int = 1  # rows of a class that were drawn together; 1: each by itself
    notes: tuple[str, ...] = ()  # what a reader should know of how the rows came, one sentence each

    @property
    def local(self) -> bool:
        """Return whether the data lies on this disk, so that `revision` is a hash over its files."""
        return self.revision.startswith("sha256:")


@dataclass(frozen=True, slots=True)
class Sample:
    """The drawn rows; every checkpoint sees exactly these, in this order."""

    draw: Draw
    inputs: Mapping[Modality, tuple[Input, ...]]  # one entry a modality, n inputs each unless `places` says
    labels: Labels  # "class" and "token" (n,) int64 into `draw.classes`, "number" (n,) float64,
    #                 "multilabel" (n, L) uint8 of 0 and 1, a column for each of `draw.classes`
    row_ids: Rows  # (n,) position of the row in the split
    places: Rows | None = None  # (n, 2) of "token": which of the inputs, and which of its words; sorted

    @property
    def groups(self) -> Rows | None:
        """Return (n,) what each row belongs to where rows are words: its sentence; else None."""
        return None if self.places is None else self.places[:, 0]
