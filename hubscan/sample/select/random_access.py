"""A `Table` in, the drawn rows out: all labels are read first, then of the inputs what is to be drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from hubscan.records import Input, Modality, SampleRequest
from hubscan.sample.cells import Reader, Unusable
from hubscan.sample.columns import Columns
from hubscan.sample.label_codes import Coder
from hubscan.sample.select.blocks import SINGLE, Blocks, Labelled, Plan, blocks_within, planned
from hubscan.sample.select.drawn_rows import DrawnRow, DrawnRows, Label, checked, labels_of
from hubscan.sample.select.label_store import LabelStore, available, strata
from hubscan.sample.select.quotas import Counts, shares
from hubscan.sample.sources.protocols import Rows, Table
from hubscan.sample_size import rows_by_default

TEXT_SHARE: Final = 0.05  # of a split's bytes: what a draw of texts may read
FILE_FACTOR: Final = 3.0  # times the bytes of the drawn rows: what a draw of images may read
OVER: Final = 1.1  # how far a draw may be over its budget before that is said
FREE_BYTES: Final = 32_000_000  # a few seconds on most lines: rows that lie together are worth less than that
ROUNDS: Final = 8  # of replacing rows that turn out to be unusable


@dataclass(slots=True)
class _Seen:
    """What is known of the rows that were looked at."""

    usable: dict[int, tuple[Label, Mapping[Modality, Input]]] = field(default_factory=dict)
    unusable: set[int] = field(default_factory=set)
    dropped: Counter[str] = field(default_factory=Counter)
    groups: set[int] = field(default_factory=set)


def draw_rows(
    table: Table, columns: Columns, coder: Coder, reader: Reader, request: SampleRequest
) -> DrawnRows:
    """Return the rows that *request* asks for, drawn from all over *table*.

    A row whose input is empty or cannot be read gives way to the next one of its class.

    Raises:
        DatasetError: if the columns do not hold what they should.
        HubError: if a file cannot be had.
    """
    store = LabelStore()
    try:
        for group, labels in enumerate(table.labels(columns.labels)):
            store.add(coder.coded(labels), int(table.starts[group]))
        members = strata(store, columns.kind, coder.counts)
        return _drawn(table, columns, coder, reader, request, members)
    finally:
        store.close()


def _drawn(
    table: Table, columns: Columns, coder: Coder, reader: Reader, request: SampleRequest, members: Labelled
) -> DrawnRows:
    count = 1 if columns.kind == "number" else len(coder.counts) + (columns.kind == "multilabel")
    there = available(members, count)
    size = request.samples or rows_by_default(count)
    costs, budget = table.costs(columns.all), _budget(table, columns, size)
    largest = int(np.diff(table.starts).max(initial=1))
    seen, spoilt = _Seen(), np.zeros(count, np.int64)
    blocks = SINGLE
    for turn in range(ROUNDS):
        quotas = shares(there - spoilt, columns, request, size)
        if turn == 0:
            blocks = blocks_within(members, quotas, costs=costs, budget=budget, largest_group=largest)
        plan = planned(members, quotas + spoilt, request.seed, blocks)
        if not _read(table, columns, coder, reader, plan, seen):
            break
        is_unusable = np.isin(plan.rows, list(seen.unusable))
        spoilt = np.maximum(spoilt, np.bincount(plan.classes[is_unusable], minlength=count))
    chosen = list(_usable(plan, quotas, seen))
    rows = sorted({row for row, _ in chosen})
    return DrawnRows(
        rows=[DrawnRow(row, *seen.usable[row]) for row in rows],
        rows_seen=int(table.starts[-1]),
        dropped=seen.dropped,
        strata=chosen,
        groups=len(costs),
        groups_read=len(seen.groups),
        block_rows=blocks.rows,
        notes=tuple(_notes(plan, blocks, costs, budget, table)),
    )


def _read(table: Table, columns: Columns, coder: Coder, reader: Reader, plan: Plan, seen: _Seen) -> bool:
    """Read the rows of *plan* that were not looked at yet; return whether one of them was unusable."""
    any_unusable = False
    wanted: dict[int, Rows] = {}
    known = seen.usable.keys() | seen.unusable
    rows = np.setdiff1d(plan.rows, np.array(list(known), np.int64))
    groups = np.searchsorted(table.starts, rows, side="right") - 1
    for group in np.unique(groups).tolist():
        first, last = np.searchsorted(groups, (group, group + 1))
        wanted[group] = rows[first:last] - table.starts[group]
        seen.groups.add(group)
    for rows, found in table.take(wanted, columns.all):
        labels = labels_of(coder.again(found), columns.kind, found.num_rows)
        for place, (row, label) in enumerate(zip(rows.tolist(), labels, strict=True)):
            try:
                seen.usable[row] = label, checked(reader.read(found, place), label)
            except Unusable as reason:
                any_unusable = True
                seen.unusable.add(row)
                seen.dropped[str(reason)] += 1
    return any_unusable


def _usable(plan: Plan, quotas: Counts, seen: _Seen) -> Iterator[tuple[int, int]]:
    """Yield (row, stratum) of the plan's usable rows, no more of a stratum than its quota."""
    left = quotas.copy()
    for row, stratum in zip(plan.rows.tolist(), plan.classes.tolist(), strict=True):
        if row in seen.usable and left[stratum] > 0:
            left[stratum] -= 1
            yield row, stratum


def _budget(table: Table, columns: Columns, size: int) -> int:
    """Return the bytes that reading *size* rows may cost."""
    inputs = table.costs(columns.all)
    if set(columns.inputs) == {"text"}:
        labels = int(table.costs(columns.labels).sum())
        allowed = TEXT_SHARE * table.total_bytes - labels
    else:
        allowed = FILE_FACTOR * size * inputs.sum() / max(int(table.starts[-1]), 1)
    return max(int(allowed), FREE_BYTES)


def _notes(plan: Plan, blocks: Blocks, costs: Counts, budget: int, table: Table) -> Iterator[str]:
    if blocks.rows == 1:
        return
    price, groups = int(costs[plan.touched].sum()), len(costs)
    rows = int(np.median(np.diff(table.starts)))
    yield (
        f"row groups of {rows:,} rows and {_megabytes(np.median(costs))} are read as a whole, so up to "
        f"{blocks.rows} rows of a class were drawn together, from {len(plan.touched):,} of {groups:,}"
    )
    if price > OVER * budget:
        yield f"the row groups are so large that {_megabytes(price)} of them had to be read"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"
