"""A `Sample` is drawn, and its `SampleInfo` tells of it ever after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hubscan.records.kinds import Input, LabelKind, Modality

if TYPE_CHECKING:
    from hubscan.records.kinds import Labels, Rows


TOLERANCE: Final = 0.01 + 1e-9  # by which a class's share may differ in a representative sample, and rounding


@dataclass(frozen=True, slots=True)
class SampleInfo:
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
    group_count: int | None = None  # groups that the group column makes of the rows; None without one
    split_shares: Mapping[str, float] | None = None  # class to its share of the split, where that is known

    @property
    def local(self) -> bool:
        """Return whether the data lies on this disk, so that `revision` is a hash over its files."""
        return self.revision.startswith("sha256:")

    @property
    def representative(self) -> bool:
        """Return whether every class has the share in the sample that it has in the split, to one point.

        False where the split's shares are not known. True of numbers, whose values do not affect which rows
        are drawn.
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
        """Return the share of rows that have the most frequent class or label; None of numbers."""
        return max(self.classes.values()) / max(self.rows, 1) if self.classes else None

    @property
    def split_majority_share(self) -> float | None:
        """Return the same of the split; None where its shares are not known."""
        return max(self.split_shares.values()) if self.split_shares else None

    @property
    def origin(self) -> dict[str, object]:
        """Return what decides a row's content: the split at its commit, and the columns that are read."""
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
    """Return whether checkpoints read the column that has this *role* in `SampleInfo.columns`."""
    return role.partition("_")[0] not in ("label", "group")


@dataclass(frozen=True, slots=True)
class Sample:
    """The drawn rows; every checkpoint sees exactly these, in this order: the first n are a sample of n."""

    draw: SampleInfo
    inputs: Mapping[Modality, tuple[Input, ...]]  # one entry a modality, n inputs each; where there are
    #                 `places`, the sentences in the order in which these first name them
    labels: Labels  # "class" and "token" (n,) int64 into `draw.classes`, "number" (n,) float64,
    #                 "multilabel" (n, L) uint8 of 0 and 1, a column for each of `draw.classes`
    row_ids: Rows  # (n,) position of the row in the split
    places: Rows | None = None  # (n, 2) of "token": which of the inputs, and which of its words
    group_numbers: Rows | None = None  # (n,) as drawn or read from a file; `groups` is what to use

    @property
    def groups(self) -> Rows | None:
        """Return the number (n,) of the group of each row; None if every row stands alone.

        Rows of a group are no independent evidence, so intervals, folds and splits keep them together.
        Groups are the connected components of three links: words of one sentence, rows with the same
        value in the group column, and rows whose inputs are exact copies. Numbers follow the order of
        first appearance and reveal no value. The first n rows of a larger sample have the numbers of a
        sample of n, unless a row behind them links two of their groups. A file written before there
        were group numbers knows of sentences only.
        """
        import numpy as np

        numbers = self.group_numbers
        if numbers is None and self.places is not None:
            numbers = self.places[:, 0]
        return None if numbers is None or len(np.unique(numbers)) == len(numbers) else numbers

    @property
    def keys(self) -> Rows:
        """Return (n, 2) which rows of the split these are, and where rows are words the place of each."""
        import numpy as np

        words = np.zeros_like(self.row_ids) if self.places is None else self.places[:, 1]
        return np.stack([self.row_ids, words], axis=1)

    def only(self, rows: Rows) -> Sample:
        """Return the sample of the *rows* (m,) of this one, with the inputs that they need."""
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
    """Return an input as bytes that no other input has, beginning with their number."""
    if isinstance(value, tuple):
        joined = b"".join(map(content, value))
    else:
        joined = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return len(joined).to_bytes(8, "little") + joined
