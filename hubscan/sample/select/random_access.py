"""Draw the sample from a `Table`: read all labels first, then the inputs of the chosen rows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hubscan.records import SampleRequest
from hubscan.sample.cells import Reader, Unusable
from hubscan.sample.columns import Columns
from hubscan.sample.groups import group_value
from hubscan.sample.label_codes import Coder
from hubscan.sample.select.blocks import PILOT_SEED, Blocks, Labelled, Plan, blocks_within, planned
from hubscan.sample.select.drawn_rows import DrawnRow, DrawnRows, Pick, checked, labels_of, merged
from hubscan.sample.select.label_store import LabelStore, available, strata
from hubscan.sample.select.quotas import Counts, class_order, class_weights, counted, seats
from hubscan.sample.select.token_labels import words_of
from hubscan.sample.sources.protocols import Rows, Table
from hubscan.sample_size import rows_by_default

TEXT_SHARE: Final = 0.05  # of the bytes of a split: the read budget for texts
FILE_FACTOR: Final = 3.0  # times the bytes of the sampled rows: the read budget for images and audio
FEW: Final = 10  # rows of the split per sampled row in the trial that chooses the blocks
OVER: Final = 1.1  # times the budget; reading more is worth a note
FREE_BYTES: Final = 32_000_000  # always allowed: they take seconds, and single rows are worth it


@dataclass(frozen=True, slots=True)
class _Strata:
    """The classes that rows are drawn for."""

    members: Labelled
    names: Sequence[str]  # (C,)
    there: Counts  # (C,) rows of each
    most: Counts  # (C,) rows or words of each if all are usable
    balanced: bool

    def seats(self, caps: Counts, size: int, seed: int) -> Counts:
        """Return the class of each of *size* seats, with up to *caps* (C,) per class."""
        weights = class_weights(self.most, balanced=self.balanced)
        return seats(weights, caps, size, class_order(seed, self.names))


@dataclass(slots=True)
class _ReadRows:
    """Reads rows of a table, each once, and keeps the usable ones."""

    table: Table
    columns: Columns
    coder: Coder
    reader: Reader
    usable: dict[int, DrawnRow] = field(default_factory=dict)
    unusable: set[int] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    groups: set[int] = field(default_factory=set)

    def read(self, plan: Plan) -> None:
        """Read the rows of *plan* that have not been read yet."""
        wanted: dict[int, Rows] = {}
        rows = np.setdiff1d(plan.rows, np.array(list(self.usable.keys() | self.unusable), np.int64))
        groups = np.searchsorted(self.table.starts, rows, side="right") - 1
        for group in np.unique(groups).tolist():
            first, last = np.searchsorted(groups, (group, group + 1))
            wanted[group] = rows[first:last] - self.table.starts[group]
        self.groups |= wanted.keys()
        for rows, found in self.table.take(wanted, self.columns.all):
            labels = labels_of(self.coder.again(found), self.columns.kind, found.num_rows)
            for place, (row, label) in enumerate(zip(rows.tolist(), labels, strict=True)):
                try:
                    inputs = checked(self.reader.read(found, place), label)
                except Unusable as reason:
                    self.unusable.add(row)
                    self.dropped[str(reason)] += 1
                else:
                    group = group_value(found, self.columns.group, place)
                    self.usable[row] = DrawnRow(row, label, inputs, group)


def draw_rows(
    table: Table, columns: Columns, coder: Coder, reader: Reader, request: SampleRequest
) -> DrawnRows:
    """Return the rows that *request* describes, drawn from the whole *table*.

    A row whose input is empty or unreadable is replaced by the next one of its class.

    Raises:
        AreNumbers: if the labels turn out to be numbers.
        DatasetError: if the labels are no classes, or the data is damaged.
        HubError: if a file cannot be read from the Hub.
    """
    store = LabelStore()
    try:
        for group, labels in enumerate(table.labels(columns.labels)):
            store.add(coder.coded(labels), int(table.starts[group]))
        coder.conclude()
        members = strata(store, columns.kind, coder.counts)
        names = coder.strata()
        there = available(members, len(names))
        most = coder.counts if columns.kind == "token" else there
        classes = _Strata(members, names, there, most, request.balance)
        return _drawn(_ReadRows(table, columns, coder, reader), classes, request)
    finally:
        store.close()


def _drawn(read_rows: _ReadRows, strata: _Strata, request: SampleRequest) -> DrawnRows:
    """Read the first rows of each class, then more of them until enough are usable."""
    default = rows_by_default(len(strata.names))
    size = request.samples or default
    blocks = _blocks(read_rows, strata, min(default, max(int(strata.most.sum()) // FEW, 1)))
    budget = int(_budget(read_rows, default) * max(size / default, 1))
    caps, reach = strata.most, np.zeros(len(strata.names), np.int64)
    picks: list[list[Pick]] = [[] for _ in strata.names]
    for turn in itertools.count():
        given = strata.seats(caps, size, request.seed)
        there = _lengths(picks)
        lacking = counted(given, len(caps)) - there
        if not (lacking > 0).any():
            break
        reach = np.where(lacking > 0, _further(reach, lacking, there, turn), reach)
        reach = np.minimum(reach, strata.there)
        plan = planned(strata.members, reach, request.seed, blocks)
        read_rows.read(plan)
        whole = reach == strata.there
        picks = [
            _usable(c, rows, read_rows, request.seed, bool(whole[c]))
            for c, rows in enumerate(plan.by_class(len(caps)))
        ]
        caps = np.where(whole, _lengths(picks), strata.most)
    return DrawnRows(
        picks=merged(picks, given),
        rows_seen=int(read_rows.table.starts[-1]),
        dropped=read_rows.dropped,
        groups=len(read_rows.table.starts) - 1,
        groups_read=len(read_rows.groups),
        block_rows=blocks.rows,
        notes=tuple(_notes(read_rows, blocks, budget)),
    )


def _lengths(lists: Sequence[Sequence[object]]) -> Counts:
    return np.array([len(values) for values in lists], np.int64)


def _further(reach: Counts, lacking: Counts, usable: Counts, turn: int) -> Counts:
    """Return how many rows of each class to read if *lacking* are missing and the rest is like those read.

    At most twice as many as before, and always more than in the previous turn, so there are few turns.
    """
    needed = np.ceil(lacking * reach / np.maximum(usable, 0.5)).astype(np.int64)
    return reach + np.clip(needed, np.maximum(lacking, 2**turn), np.maximum(reach, lacking + 2**turn))


def _usable(stratum: int, rows: Rows, read_rows: _ReadRows, seed: int, whole: bool) -> list[Pick]:
    """Return the usable picks among the first *rows* of a class, in order."""
    drawn = [read_rows.usable[row] for row in rows.tolist() if row in read_rows.usable]
    if read_rows.columns.kind == "token":
        return words_of(stratum, drawn, seed, whole=whole)
    return [Pick(row) for row in drawn]


def _blocks(read_rows: _ReadRows, strata: _Strata, size: int) -> Blocks:
    """Return the blocks with which *size* rows stay within the budget.

    *size* is the default sample size, or less if the default would read nearly all of the split anyway.
    The number of rows that a user requests does not change the blocks.
    """
    quotas = counted(strata.seats(strata.most, size, PILOT_SEED), len(strata.names))
    return blocks_within(
        strata.members,
        np.minimum(quotas, strata.there),
        costs=read_rows.table.costs(read_rows.columns.contents),  # groups must not change the rows
        budget=_budget(read_rows, size),
        largest_group=int(np.diff(read_rows.table.starts).max(initial=1)),
    )


def _budget(read_rows: _ReadRows, size: int) -> int:
    """Return the number of bytes allowed for reading *size* rows."""
    table, columns = read_rows.table, read_rows.columns
    inputs = table.costs(columns.contents)
    if set(columns.inputs) == {"text"}:
        labels = int(table.costs(columns.labels).sum())
        allowed = TEXT_SHARE * table.total_bytes - labels
    else:
        allowed = FILE_FACTOR * size * inputs.sum() / max(int(table.starts[-1]), 1)
    return max(int(allowed), FREE_BYTES)


def _notes(read_rows: _ReadRows, blocks: Blocks, budget: int) -> Iterator[str]:
    if blocks.rows == 1:
        return
    costs = read_rows.table.costs(read_rows.columns.all)
    price, groups = int(costs[list(read_rows.groups)].sum()), len(costs)
    rows = int(np.median(np.diff(read_rows.table.starts)))
    yield (
        f"row groups ({rows:,} rows, {_megabytes(np.median(costs))}) are read whole; to stay within the "
        f"read budget, up to {blocks.rows} rows of a class share one "
        f"({len(read_rows.groups):,} of {groups:,} groups read)"
    )
    if price > OVER * budget:
        yield f"row groups are so large that {_megabytes(price)} had to be read, more than the read budget"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"
