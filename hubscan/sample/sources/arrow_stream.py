"""Read Arrow files that are not on this disk as a `Stream`, from the first record batch to the last."""

from __future__ import annotations

import io
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.sample.column_types import family
from hubscan.sample.plain_types import plain_table
from hubscan.sample.sources.arrow import FILE_MAGIC, validated
from hubscan.sample.sources.declared import declared_features, ignored_note
from hubscan.sample.sources.read_errors import damage

if TYPE_CHECKING:
    from datasets import Features

HEAD_ROWS: Final = 100
BATCH_ROWS: Final = 1000
Opener = Callable[[], io.BufferedReader]


class ArrowStream:
    """The rows of Arrow files, in the stream format or the file format."""

    def __init__(self, files: Sequence[tuple[str, Opener]], declared: Features | None = None) -> None:
        """Read the first rows, and keep the stream open so they are not downloaded twice.

        Args:
            files: the name of each file, and a function that opens it from its first byte.
            declared: the features that the dataset declares, if any.

        Raises:
            DatasetError: if there are no rows, or they cannot be read.
        """
        self._files = files
        self._begun: Iterator[tuple[str, pa.Table]] | None = self._read()
        self._first = next(self._begun, None)
        if self._first is None:
            raise DatasetError(f"{files[0][0]}: the split has no rows; check --dataset")
        self._head = self._first[1].slice(0, HEAD_ROWS)
        self.features, self._ignored = declared_features(self._head.schema, declared)
        self.notes: Sequence[str] = ()

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        counts = Counter(self._head.schema.names)
        unique = [name for name in columns if counts[name] == 1]
        found = plain_table(self._head.select(unique))
        nulls = pa.nulls(self._head.num_rows)
        return pa.table({name: found[name] if name in unique else nulls for name in columns})

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches.

        Raises:
            DatasetError: if not all rows can be read, or a file has other columns.
        """
        self.notes = [ignored_note(name, self._ignored[name]) for name in columns if name in self._ignored]
        begun, self._begun = self._begun, None
        first, self._first = self._first, None
        rows = itertools.chain([first] if first else [], begun) if begun is not None else self._read()
        for name, table in rows:
            self._check(table.schema, columns, name)
            yield plain_table(validated(table.select(list(columns)), name))

    def _check(self, schema: pa.Schema, columns: Sequence[str], file: str) -> None:
        for name in columns:
            if (count := schema.names.count(name)) != 1:
                raise DatasetError(
                    f"{file}: {count or 'no'} columns are called {name!r}; write the file with one of them"
                )
            kind, expected = schema.field(name).type, self._head.schema.field(name).type
            known = not (pa.types.is_null(kind) or pa.types.is_null(expected))
            if known and family(kind) != family(expected):
                raise DatasetError(
                    f"{file}: column {name!r} holds {kind} values, but in the first file {expected}; "
                    "write all files with one type"
                )

    def _read(self) -> Iterator[tuple[str, pa.Table]]:
        for name, opened in self._files:
            with damage(name):
                for batch in _batches(opened()):
                    for start in range(0, batch.num_rows, BATCH_ROWS):
                        yield name, pa.Table.from_batches([batch.slice(start, BATCH_ROWS)])


def _batches(file: io.BufferedReader) -> Iterator[Any]:
    if file.peek(len(FILE_MAGIC)).startswith(FILE_MAGIC):
        file.read(len(FILE_MAGIC))
    yield from pa.ipc.open_stream(file)
