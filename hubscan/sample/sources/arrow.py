"""Read local Arrow files as a `Table`, memory-mapped so that only the sampled rows are read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.sample.budgets import BATCH_BYTES
from hubscan.sample.column_types import family, features_of
from hubscan.sample.plain_size import refuse_repeated, table_bytes
from hubscan.sample.plain_types import plain_table
from hubscan.sample.sources.arrow_buffers import unpacked_bytes
from hubscan.sample.sources.expansion import refuse_bomb
from hubscan.sample.sources.protocols import Rows
from hubscan.sample.sources.unpacked import POINTER_BYTES, refuse_lfs_pointer

if TYPE_CHECKING:
    from datasets import Features

GROUP_ROWS: Final = 10_000
HEAD_ROWS: Final = 100
FEATHER_V1: Final = b"FEA1"
FILE_MAGIC: Final = b"ARROW1\x00\x00"  # begins the file format; what follows is the stream format
HELD_BYTES: Final = 2**27  # of compressed data, unpacked; more is kept in a temporary file


class ArrowTable:
    """An Arrow table, whose rows can be read one by one at no cost."""

    def __init__(self, table: pa.Table, features: Features | None = None, name: str = "the split") -> None:
        """Read nothing yet; *name* names the table in messages."""
        self._table = table
        self._name = name
        self.notes: Sequence[str] = ()
        self.schema: pa.Schema = table.schema
        self.differing: Mapping[str, tuple[str, str]] = {}
        self.features = features or features_of(table.schema)
        self.starts: Rows = np.append(np.arange(0, table.num_rows, GROUP_ROWS), table.num_rows)
        self.total_bytes = int(table.nbytes)

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        table = validated(self._table.select(list(columns)).slice(0, HEAD_ROWS), self._name)
        while table.num_rows > 1 and table_bytes(table) > BATCH_BYTES:
            table = table.slice(0, table.num_rows // 2)
        return table

    def labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield *columns* of each group of rows."""
        table = self._table.select(list(columns))
        for start in self.starts[:-1].tolist():
            found = validated(table.slice(start, GROUP_ROWS), self._name)
            refuse_repeated(found, f"{self._name}, row {start} and later")
            yield found

    def costs(self, columns: Sequence[str]) -> Rows:
        """Return zeros (G,): nothing is downloaded, and rows are read one by one."""
        return np.zeros(len(self.starts) - 1, np.int64)

    def take(self, wanted: Mapping[int, Rows], columns: Sequence[str]) -> Iterator[tuple[Rows, pa.Table]]:
        """Yield the wanted rows of each group."""
        table = self._table.select(list(columns))
        for group in sorted(wanted):
            rows = self.starts[group] + wanted[group]
            for first, found in _batches(plain_table(self._row(table, row)) for row in rows.tolist()):
                yield rows[first : first + len(found)], pa.concat_tables(found).combine_chunks()

    def _row(self, table: pa.Table, row: int) -> pa.Table:
        found = validated(table.slice(row, 1), self._name)
        refuse_repeated(found, f"{self._name}, row {row}")
        return found


def _batches(rows: Iterator[pa.Table]) -> Iterator[tuple[int, list[pa.Table]]]:
    """Yield a few of *rows* at a time, with the place of the first."""
    batch, held, first = list[pa.Table](), 0, 0
    for row in rows:
        batch.append(row)
        held += row.nbytes
        if held > BATCH_BYTES:
            yield first, batch
            batch, held, first = [], 0, first + len(batch)
    if batch:
        yield first, batch


def validated(table: pa.Table, name: str) -> pa.Table:
    """Return *table* if its offsets are valid; reading through an invalid one would crash the process.

    *name* names the file in the message.

    Does not check that text is UTF-8: a row whose text is not is dropped, and counted, when it is read.

    Raises:
        DatasetError: if an offset points outside the table.
    """
    try:
        for column in table.columns:
            _bare(column).validate(full=True)
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{name}: the Arrow data is corrupt: {reason}; replace the file") from error
    return table


def _bare(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kinds = {
        pa.string(): pa.binary(),
        pa.large_string(): pa.large_binary(),
        pa.string_view(): pa.binary_view(),
    }
    return column.cast(kinds[column.type]) if column.type in kinds else column


def mapped(files: Sequence[Path]) -> pa.Table:
    """Return the concatenated rows of Arrow files, in the stream format or the file format.

    Raises:
        DatasetError: if one is not an Arrow file, or is corrupt.
    """
    tables = [_opened(file) for file in files]
    if all(table.schema.equals(tables[0].schema) for table in tables):
        return pa.concat_tables(tables)
    for table, file in zip(tables, files, strict=True):
        _refuse_other_types(table.schema, tables[0].schema, file)
    try:
        return pa.concat_tables(map(plain_table, tables), promote_options="permissive")
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{files[0]}: the files differ in their columns: {reason}; write all with the same columns"
        ) from error


def _refuse_other_types(schema: pa.Schema, first: pa.Schema, file: Path) -> None:
    for field in schema:
        there = first.types[first.names.index(field.name)] if field.name in first.names else pa.null()
        known = not (pa.types.is_null(field.type) or pa.types.is_null(there))
        if known and family(field.type) != family(there):
            raise DatasetError(
                f"{file}: column {field.name!r} holds {field.type} values, but in the first file {there}; "
                "write all files with one type"
            )


def spooled(tables: Iterator[pa.Table], name: str) -> pa.Table:
    """Return *tables* as one table, kept in an unnamed temporary file and not in memory.

    Raises:
        DatasetError: if there are none; *name* names the split in the message.
    """
    file = tempfile.NamedTemporaryFile(prefix="hubscan-rows-", suffix=".arrow")  # noqa: SIM115 - mapped below
    writer = None
    for table in tables:
        writer = writer or pa.ipc.new_stream(file, table.schema)
        writer.write_table(table)
    if writer is None:
        raise DatasetError(f"{name}: the split has no rows; check --dataset and --split")
    writer.close()
    file.flush()
    found = pa.ipc.open_stream(pa.memory_map(file.name)).read_all()
    file.close()  # the mapping stays valid
    return found


def _unpacked(file: Path, start: bytes) -> int:
    """Return how many bytes the compressed data in *file*, which begins with *start*, unpacks to.

    Raises:
        DatasetError: if that is far more than any data does.
    """
    source = pa.memory_map(str(file))
    source.seek(len(FILE_MAGIC) if start.startswith(FILE_MAGIC) else 0)
    total = 0
    for message in pa.ipc.MessageReader.open_stream(source):
        found = unpacked_bytes(message)
        refuse_bomb(str(file), message.body.size if message.body else 0, found)
        total += found
    return total


def _each_batch(file: Path, start: bytes) -> Iterator[list[Any]]:
    source = pa.memory_map(str(file))
    if start.startswith(FILE_MAGIC):
        opened = pa.ipc.open_file(source)
        yield from ([opened.get_batch(number)] for number in range(opened.num_record_batches))
    else:
        yield from ([batch] for batch in pa.ipc.open_stream(source))


def _opened(file: Path) -> pa.Table:
    with file.open("rb") as begun:
        start = begun.read(POINTER_BYTES)
    refuse_lfs_pointer(start, str(file))
    if start.startswith(FEATHER_V1):
        raise DatasetError(f"{file}: Feather of version 1, which is no longer read; save it as version 2")
    try:
        if _unpacked(file, start) > HELD_BYTES:
            return spooled(map(pa.Table.from_batches, _each_batch(file, start)), str(file))
        source = pa.memory_map(str(file))
        try:
            return pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{file}: not an Arrow file, or corrupt: {reason}; replace the file") from error
