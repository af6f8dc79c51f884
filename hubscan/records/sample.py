"""The rows that every checkpoint of a scan reads (`Sample`), and their description (`SampleInfo`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hubscan.records.kinds import Input, LabelKind, Modality

if TYPE_CHECKING:
    from hubscan.records.kinds import Labels, Rows


TOLERANCE: Final = 0.01 + 1e-9  # largest difference of a class share if representative; 1e-9: rounding


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """The description of a sample, without its rows; every result contains it."""

    dataset: str  # the canonical id, or the local path
    revision: str  # the commit; for local data "sha256:" and a hash over its files
    config: str | None
    split: str
    columns: Mapping[str, str]  # role to column: {"text": "review", "label": "sentiment"}
    label_kind: LabelKind
    classes: Mapping[str, int]  # class, label or tag to its number of rows, in label order; {} for numbers
    rows: int  # if every word has a label, the number of words
    seed: int
    rows_seen: int  # rows of the split whose label was read, or that were read in one pass
    dropped: Mapping[str, int]  # reason to number of rows: {"empty input": 3}
    bytes_read: int  # from the network
    fingerprint: str  # hash of everything that decides the rows; equal exactly if the rows are the same
    duplicates: int = 0  # rows whose input is a byte-for-byte copy of another row's
    requests: int = 0  # requests sent over the network
    groups: int = 0  # row groups of the split; 0 if it was read in one pass
    groups_read: int = 0  # row groups from which more than the label was read
    block_rows: int = 1  # rows of a class that were drawn together; 1: each independently
    notes: tuple[str, ...] = ()  # what the user should know about how the rows were read, one sentence each
    group_count: int | None = None  # groups of the sample by the group column; None without one
    split_shares: Mapping[str, float] | None = None  # class to its share of the split, if that is known

    @property
    def local(self) -> bool:
        """Return whether the data is on this disk, so that `revision` is a hash over its files."""
        return self.revision.startswith("sha256:")

    @property
    def representative(self) -> bool:
        """Return whether every class has the same share in the sample as in the split, to one point.

        False if the split's shares are not known. True for numbers, whose values do not affect which rows are
        drawn.
        """
        if self.label_kind == "number":
            return True
        shares = self.split_shares
        return shares is not None and all(
            abs(self.classes.get(name, 0) / max(self.rows, 1) - shares.get(name, 0.0)) <= TOLERANCE
            for name in {*shares, *self.classes}
        )

    @property
    def majority_share(self) -> float | None:
        """Return the share of rows with the most frequent class or label; None for numbers."""
        return max(self.classes.values()) / max(self.rows, 1) if self.classes else None

    @property
    def split_majority_share(self) -> float | None:
        """Return the same share for the whole split; None if its shares are not known."""
        return max(self.split_shares.values()) if self.split_shares else None

    @property
    def origin(self) -> dict[str, object]:
        """Return what decides the content of a row: the split at its commit, and the input columns."""
        read = {role: column for role, column in self.columns.items() if is_input(role)}
        return {
            "dataset": None if self.local else self.dataset,  # the revision of local data is its content
            "revision": self.revision,
            "config": self.config,
            "split": self.split,
            "columns": read,
            "words": self.label_kind == "token",
        }


def is_input(role: str) -> bool:
    """Return whether *role*, a key of `SampleInfo.columns`, is that of an input column."""
    return role.partition("_")[0] not in ("label", "group")


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows that every checkpoint reads, in this order; the first n are the sample of n rows."""

    draw: SampleInfo
    inputs: Mapping[Modality, tuple[Input, ...]]  # n inputs per modality; with `places`, the sentences
    #                 instead, in the order of their first appearance there
    labels: Labels  # "class" and "token": (n,) int64, indices into `draw.classes`; "number": (n,) float64;
    #                 "multilabel": (n, L) uint8, 0 or 1 for each of `draw.classes`
    row_ids: Rows  # (n,) position of the row in the split
    places: Rows | None = None  # (n, 2), only for "token": index of the sentence, index of the word in it
    group_numbers: Rows | None = None  # (n,) as drawn or read from a file; use `groups` instead

    @property
    def groups(self) -> Rows | None:
        """Return the group number (n,) of each row; None if every row is its own group.

        Rows of a group are not independent, so intervals, folds and splits keep them together. Groups are
        the connected components of three relations: words of one sentence, rows with the same value in the
        group column, and rows whose inputs are exact copies. Numbers follow the order of first appearance
        and reveal no value. The first n rows of a larger sample have the same numbers as a sample of n rows,
        unless a later row connects two of their groups. In files written before group numbers existed, only
        sentences are groups.
        """
        import numpy as np

        numbers = self.group_numbers
        if numbers is None and self.places is not None:
            numbers = self.places[:, 0]
        return None if numbers is None or len(np.unique(numbers)) == len(numbers) else numbers

    @property
    def keys(self) -> Rows:
        """Return the row of the split and the index of the word (0 unless rows are words): (n, 2)."""
        import numpy as np

        words = np.zeros_like(self.row_ids) if self.places is None else self.places[:, 1]
        return np.stack([self.row_ids, words], axis=1)

    def only(self, rows: Rows) -> Sample:
        """Return the sample restricted to *rows* (m,), with only the inputs that they need."""
        import numpy as np

        used, places = rows, None
        if self.places is not None:
            used, numbers = np.unique(self.places[rows, 0], return_inverse=True)
            places = np.stack([numbers, self.places[rows, 1]], axis=1)
        return replace(
            self,
            inputs={
                name: tuple(values[row] for row in used.tolist()) for name, values in self.inputs.items()
            },
            labels=self.labels[rows],
            row_ids=self.row_ids[rows],
            places=places,
            group_numbers=None if self.group_numbers is None else self.group_numbers[rows],
        )


def content(value: Input) -> bytes:
    """Return *value* as bytes, prefixed with their length so that different inputs give different bytes."""
    if isinstance(value, tuple):
        joined = b"".join(map(content, value))
    else:
        joined = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return len(joined).to_bytes(8, "little") + joined
