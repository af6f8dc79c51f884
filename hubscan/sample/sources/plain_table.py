"""Give a `Table` plain types, and refuse columns that are there twice or change their type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.sample.plain_types import plain_table, plain_type
from hubscan.sample.sources.declared import declared_features, ignored_note
from hubscan.sample.sources.protocols import Rows, Table

if TYPE_CHECKING:
    from datasets import Features


class StoredTable(Table, Protocol):
    """A table with any of Arrow's types."""

    schema: pa.Schema
    differing: Mapping[str, tuple[str, str]]  # column to a file that has none or another type, and the type


class PlainTable:
    """The rows of a stored table, whose declared features are used where they fit."""

    def __init__(self, stored: StoredTable, name: str, declared: Features | None = None) -> None:
        self._stored = stored
        self._name = name
        self.features, self._ignored = declared_features(stored.schema, declared)
        self.starts: Rows = stored.starts
        self.total_bytes = stored.total_bytes
        self.notes: Sequence[str] = stored.notes

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*; those of a column that is there twice are null."""
        counts = Counter(self._stored.schema.names)
        unique = [name for name in columns if counts[name] == 1]
        found = self._plain(self._stored.head(unique), unique)
        nulls = pa.nulls(found.num_rows)
        return pa.table({name: found[name] if name in unique else nulls for name in columns})

    def labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield *columns* of each row group, in order.

        Raises:
            DatasetError: if one of them is there twice, is missing in a file, or changes its type.
        """
        self._check(columns)
        for table in self._stored.labels(columns):
            yield self._plain(table, columns)

    def costs(self, columns: Sequence[str]) -> Rows:
        """Return the cost (G,), in bytes, of reading *columns* of each row group."""
        return self._stored.costs(columns)

    def take(self, wanted: Mapping[int, Rows], columns: Sequence[str]) -> Iterator[tuple[Rows, pa.Table]]:
        """Yield the wanted rows of each group.

        Raises:
            DatasetError: if a column is there twice, is missing in a file, or changes its type.
        """
        self._check(columns)
        for rows, table in self._stored.take(wanted, columns):
            yield rows, self._plain(table, columns)

    def _check(self, columns: Sequence[str]) -> None:
        names = self._stored.schema.names
        for name in columns:
            if why := self._ignored.pop(name, None):
                self.notes = [*self.notes, ignored_note(name, why)]
            if names.count(name) > 1:
                raise DatasetError(
                    f"{self._name}: {names.count(name)} columns are called {name!r}; rename all but one"
                )
            file, kind = self._stored.differing.get(name, ("", ""))
            if file and not kind:
                raise DatasetError(
                    f"{file}: has no column {name!r}, which the first file of the split has; add it"
                )
            if file:
                raise DatasetError(
                    f"{file}: column {name!r} holds {kind} values, but in the first file "
                    f"{self._stored.schema.field(name).type} values; write all files with one type"
                )

    def _plain(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        found = plain_table(table.select(list(columns)))
        for place, name in enumerate(columns):
            kind = plain_type(self._stored.schema.field(name).type)
            if pa.types.is_null(found[name].type) and not pa.types.is_null(kind):
                found = found.set_column(place, name, found[name].cast(kind))
        return found
