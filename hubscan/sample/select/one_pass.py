"""Rows that come in one pass in, the drawn ones out, until the budget of bytes is spent.

A reservoir keeps rows in equal shares of the classes. Where classes are to keep their proportions, or
labels are numbers, a second one keeps rows whatever their class; how many of each class to draw is
known at the end of the pass, and the rows that both have kept fill it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from hubscan.records import SampleRequest
from hubscan.sample.cells import Reader, Unusable
from hubscan.sample.columns import Columns
from hubscan.sample.label_codes import Coder
from hubscan.sample.select.drawn_rows import DrawnRow, DrawnRows, Label, checked, labels_of
from hubscan.sample.select.label_store import rarest
from hubscan.sample.select.quotas import shares
from hubscan.sample.select.random_keys import row_keys
from hubscan.sample.select.reservoir import Reservoir
from hubscan.sample.sources.protocols import Stream
from hubscan.sample_size import rows_by_default

Stratum = int


class OnePass:
    """What is kept while the rows go by."""

    def __init__(self, columns: Columns, coder: Coder, reader: Reader, request: SampleRequest) -> None:
        self._columns, self._coder, self._reader, self._request = columns, coder, reader, request
        self._dropped: Counter[str] = Counter()
        self._size = request.samples or rows_by_default(len(columns.names or ()))
        self._balanced = Reservoir[DrawnRow](lambda classes: request.samples or rows_by_default(classes))
        self._uniform = Reservoir[DrawnRow](lambda _: self._size)
        self._counts: Counter[Stratum] = Counter()
        self._proportional = columns.kind == "number" or not request.balance
        self.seen = 0

    def take(self, table: pa.Table) -> None:
        """Offer the rows of one batch; inputs are read only of a row that a reservoir takes."""
        keys = row_keys(self._request.seed, self.seen, table.num_rows).tolist()
        coded = self._coder.coded(table)
        labels = labels_of(coded, self._columns.kind, table.num_rows)
        for place in np.unique(coded.places).tolist():
            self._offer(table, place, keys[place], labels[place])
        self.seen += table.num_rows

    def drawn_rows(self, notes: Iterable[str]) -> DrawnRows:
        """Return what was drawn."""
        pairs = self._by_stratum()
        rows = {kept.row: kept for _, kept in pairs}
        return DrawnRows(
            rows=[rows[row] for row in sorted(rows)],
            rows_seen=self.seen,
            dropped=self._dropped,
            strata=sorted((kept.row, stratum) for stratum, kept in pairs),
            notes=tuple(notes),
        )

    def _offer(self, table: pa.Table, place: int, key: int, label: Label) -> None:
        strata = self._strata(label)
        for stratum in strata:
            self._counts[stratum] += 1
        places: list[tuple[Reservoir[DrawnRow], Any]] = [(self._balanced, stratum) for stratum in strata]
        if self._proportional:
            places.append((self._uniform, None))
        taking = [(reservoir, stratum) for reservoir, stratum in places if reservoir.takes(stratum, key)]
        if not taking:
            return
        try:
            kept = DrawnRow(self.seen + place, label, checked(self._reader.read(table, place), label))
        except Unusable as reason:
            self._dropped[str(reason)] += 1
            return
        for reservoir, stratum in taking:
            reservoir.add(stratum, key, kept.row, kept)

    def _strata(self, label: Label) -> list[Stratum]:
        if self._columns.kind == "number":
            return [0]
        if self._columns.kind == "multilabel":
            return [rarest(np.array(label.codes, np.int32), self._coder.counts) if label.codes else -1]
        return list(dict.fromkeys(label.codes))

    def _by_stratum(self) -> list[tuple[Stratum, DrawnRow]]:
        """Return the rows with what they were drawn for."""
        if not self._proportional:
            return [(stratum, kept) for stratum, _, kept in self._balanced]  # type: ignore[misc]
        found: dict[Stratum, dict[int, DrawnRow]] = {}
        for stratum, row, kept in self._balanced:
            found.setdefault(stratum, {})[row] = kept  # type: ignore[arg-type]
        for _, row, kept in self._uniform:
            for stratum in self._strata(kept.label):
                found.setdefault(stratum, {})[row] = kept
        strata = sorted(found)
        counts = np.array([self._counts[s] for s in strata], np.int64)
        quotas = shares(counts, self._columns, self._request, self._size)
        return [
            (stratum, kept)
            for stratum, quota in zip(strata, quotas.tolist(), strict=True)
            for kept in _first(found[stratum], quota, self._request.seed)
        ]


def draw_rows(
    stream: Stream,
    columns: Columns,
    coder: Coder,
    reader: Reader,
    request: SampleRequest,
    spent: Callable[[], int],
) -> DrawnRows:
    """Return the rows that *request* asks for out of one pass over *stream*.

    The pass ends with the batch after which *spent*, the bytes that came over the network, is above
    the request's `max_bytes`; a note then says so.
    """
    one_pass = OnePass(columns, coder, reader, request)
    notes = []
    for table in stream.tables(columns.all):
        one_pass.take(table)
        if spent() > request.max_bytes:
            notes.append(
                "this split can only be read from its beginning; reading ended after "
                f"{spent() / 1e6:,.1f} MB (--max-bytes) and {one_pass.seen:,} rows; the rest was not seen"
            )
            break
    return one_pass.drawn_rows(notes)


def _first(rows: dict[int, DrawnRow], count: int, seed: int) -> list[DrawnRow]:
    return [rows[row] for row in sorted(rows, key=lambda row: int(row_keys(seed, row, 1)[0]))[:count]]
