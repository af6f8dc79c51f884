"""Read parquet files as a `Table`: the footers first, then only the columns and row groups needed."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hubscan.errors import DatasetError
from hubscan.hub.ranges import ahead
from hubscan.sample.budgets import BATCH_BYTES
from hubscan.sample.column_types import family, features_of
from hubscan.sample.plain_size import refuse_repeated
from hubscan.sample.plain_types import plain_table
from hubscan.sample.sources.expansion import refuse_bomb
from hubscan.sample.sources.files import File, Window
from hubscan.sample.sources.parquet_pages import pages
from hubscan.sample.sources.protocols import Rows
from hubscan.sample.sources.unpacked import POINTER_BYTES, ZIP, refuse_lfs_pointer

FOOTER_BYTES: Final = 2**16  # read at the end of a file, usually enough for its whole footer
MOST_FOOTER_BYTES: Final = 2**29
HEAD_ROWS: Final = 100
PAGES_BYTES: Final = 2**20  # per request for the first rows
BUFFER_BYTES: Final = 2**16
BATCH_ROWS: Final = 64
HOLES: Final = 0.01  # of a split: bytes that may be read between label chunks to save requests
FREE_HOLES: Final = 4_000_000  # bytes allowed for any split: many requests would take longer
LONGEST_BOUND: Final = 32  # characters: some writers truncate the bounds of long texts
GROUPS_AHEAD: Final = 4
PORTION_BYTES: Final = 2**22  # bytes of labels fetched at once
TEXTS: Final = "BYTE_ARRAY"  # the type of texts and bytes
FETCHED_BYTES: Final = 2**26  # of a row group; a larger one is read page by page, in parts of
PART_BYTES: Final = 2**22
LOOKED_AT: Final = 2  # pages of a column that is not fetched: its dictionary and the first page of data


class ParquetTable:
    """The shards of a split, in order, as one table.

    Memory holds the shard and the column sizes of each row group. The footers are in a temporary file;
    each is parsed when its shard is read.
    """

    def __init__(self, files: Sequence[File], features: Any = None) -> None:
        """Read the footers of *files*.

        Args:
            files: the shards.
            features: the features that the dataset declares, if any.

        Raises:
            DatasetError: if there are no files, one is not parquet, or one lacks a column of the first.
            HubError: if one cannot be read from the Hub.
        """
        if not files:
            raise DatasetError("--split: the split has no files; check --dataset and --split")
        self._files = files
        self.notes: Sequence[str] = ()
        self.schema: pa.Schema = pa.schema([])  # of the first file
        self.differing: Mapping[str, tuple[str, str]] = {}
        self._footers: IO[bytes] = tempfile.TemporaryFile(prefix="hubscan-footers-")  # noqa: SIM115 - lives on
        self._reading = threading.Lock()
        self._footer_places: list[tuple[int, int]] = []
        shards, rows, sizes = array("q"), array("q"), array("q")
        hashed = hashlib.sha256()
        for number, footer in enumerate(ahead(_footer, files)):
            self._footer_places.append((self._footers.tell(), len(footer)))
            self._footers.write(footer)
            hashed.update(footer)
            metadata = _parsed(footer, files[number].name)
            schema = _schema(metadata, files[number].name)
            if number == 0:
                self.schema = schema
            else:
                self._compare(schema, files[number].name)
            for group in range(metadata.num_row_groups):
                shards.append(number)
                rows.append(metadata.row_group(group).num_rows)
                sizes.extend(_column_bytes(metadata.row_group(group), self.schema.names))
        self._shards = np.array(shards, np.int64)
        self._sizes = np.array(sizes, np.int64).reshape(len(shards), len(self.schema.names))
        self.footer_hash = hashed.hexdigest()  # identifies the split if there is no commit
        self.features = features or features_of(self.schema)
        self.starts: Rows = np.concatenate([[0], np.cumsum(np.array(rows, np.int64))])
        self.total_bytes = sum(file.size for file in files)
        self._metadata = lru_cache(maxsize=2)(self._read_metadata)

    def _compare(self, schema: pa.Schema, name: str) -> None:
        """Find columns of the first file that this one has not, or with values of another kind."""
        for place, field in enumerate(self.schema):
            here = schema.get_all_field_indices(field.name)
            kind = schema.types[here[0]] if here else None
            if kind is None:
                self.differing = {field.name: (name, ""), **self.differing}
            elif pa.types.is_null(field.type):
                self.schema = self.schema.set(place, field.with_type(kind))
            elif not pa.types.is_null(kind) and family(kind) != family(field.type):
                self.differing = {field.name: (name, str(kind)), **self.differing}

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*, reading little more than their pages."""
        filled = np.flatnonzero(np.diff(self.starts))[:1]
        for group in filled.tolist():
            shard = int(self._shards[group])
            name, metadata = self._files[shard].name, self._metadata(shard)
            most = _most_bytes(metadata, self._within(group), columns, name)
            at_once = HEAD_ROWS if most * HEAD_ROWS <= BATCH_BYTES else 1
            window = Window(self._files[shard], read_ahead=PAGES_BYTES)
            with (
                _corrupt(name),
                pq.ParquetFile(
                    window,
                    metadata=metadata,
                    buffer_size=BUFFER_BYTES,
                    pre_buffer=False,
                    read_dictionary=_texts(metadata, columns, in_lists=True),
                ) as opened,
            ):
                batches = opened.iter_batches(
                    at_once, row_groups=[self._within(group)], columns=list(columns), use_threads=False
                )
                if first := list(_first_rows(batches)):
                    found = pa.Table.from_batches(first)
                    refuse_repeated(found, name)
                    return plain_table(found)
        return self.schema.empty_table().select(list(columns))

    def labels(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield *columns* of each row group, fetching several row groups of a shard at a time.

        If the footer shows that all rows of a row group have the same value, as in a split sorted by
        label, nothing is fetched for it.
        """
        hole = int(max(HOLES * self.total_bytes, FREE_HOLES) / max(len(self._shards), 1))
        for shard, file in enumerate(self._files):
            metadata = self._metadata(shard)
            window = self._window(shard)
            texts = _texts(metadata, columns)
            with (
                _corrupt(file.name),
                pq.ParquetFile(window, metadata=metadata, read_dictionary=texts) as opened,
            ):
                for groups in _portions(metadata, columns):
                    known = {group: _constant(metadata, group, self.schema, columns) for group in groups}
                    unknown = [group for group in groups if known[group] is None]
                    window.fetch([r for group in unknown for r in _chunk(metadata, group, columns)], hole)
                    for group in groups:
                        values = known[group]
                        if values is None:
                            _rows_at_once(window, _chunks(metadata, group, columns), file.name)
                            found = opened.read_row_group(group, columns=list(columns), use_threads=False)
                            refuse_repeated(found, f"{file.name}, row group {group}")
                            yield found
                        else:
                            rows = metadata.row_group(group).num_rows
                            yield pa.table({name: pa.repeat(values[name], rows) for name in columns})

    def costs(self, columns: Sequence[str]) -> Rows:
        """Return the cost (G,), in bytes, of reading *columns* of each row group."""
        places = [self.schema.names.index(name) for name in columns]
        return np.asarray(self._sizes[:, places].sum(axis=1))

    def take(self, wanted: Mapping[int, Rows], columns: Sequence[str]) -> Iterator[tuple[Rows, pa.Table]]:
        """Yield the wanted rows, fetching a few row groups ahead."""
        groups = sorted(wanted)
        windows = ahead(lambda group: self._fetched(group, columns), groups, GROUPS_AHEAD)
        for group, window in zip(groups, windows, strict=True):
            file = self._files[self._shards[group]]
            with _corrupt(file.name):
                for first, table in self._batches(group, window, columns):
                    places = wanted[group][
                        (wanted[group] >= first) & (wanted[group] < first + table.num_rows)
                    ]
                    if len(places):
                        yield self.starts[group] + places, plain_table(table).take(pa.array(places - first))

    def _batches(self, group: int, window: Window, columns: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
        first, shard = 0, self._shards[group]
        metadata = self._metadata(shard)
        name, within = self._files[shard].name, self._within(group)
        at_once = _rows_at_once(window, _chunks(metadata, within, columns), name)
        buffer = 0 if window.holds else PART_BYTES  # 0: the whole column
        lists = _texts(metadata, columns, in_lists=True)
        with pq.ParquetFile(window, metadata=metadata, buffer_size=buffer, read_dictionary=lists) as opened:
            for batch in opened.iter_batches(
                at_once, row_groups=[within], columns=list(columns), use_threads=False
            ):
                table = pa.Table.from_batches([batch])
                refuse_repeated(table, f"{name}, row {self.starts[group] + first}")
                yield first, table
                first += batch.num_rows

    def _fetched(self, group: int, columns: Sequence[str]) -> Window:
        shard = int(self._shards[group])
        window = self._window(shard)
        ranges = _chunk(self._metadata(shard), self._within(group), columns)
        if sum(stop - start for start, stop in ranges) <= FETCHED_BYTES:
            window.fetch(ranges)
        return window

    def _window(self, shard: int) -> Window:
        return Window(self._files[shard])

    def _within(self, group: int) -> int:
        """Return the index of a row group in its shard."""
        return group - int(np.searchsorted(self._shards, self._shards[group]))

    def _read_metadata(self, shard: int) -> Any:
        start, length = self._footer_places[shard]
        with self._reading:  # several threads fetch row groups
            self._footers.seek(start)
            footer = self._footers.read(length)
        return _parsed(footer, self._files[shard].name)


def _footer(file: File) -> bytes:
    """Return the end of a parquet file, from the start of its metadata."""
    size = file.size
    tail = file.read(max(0, size - FOOTER_BYTES), size)
    if len(tail) < 12 or tail[-4:] != b"PAR1":
        start = file.read(0, min(size, POINTER_BYTES))
        refuse_lfs_pointer(start, file.name)
        if start.startswith(ZIP):
            raise DatasetError(f"{file.name}: a zip file; unpack it, and pass the file or folder in it")
        if tail[-4:] == b"PARE":
            raise DatasetError(f"{file.name}: an encrypted parquet file; save it without encryption")
        raise DatasetError(f"{file.name}: not a parquet file, or cut off; check --dataset")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > min(size, MOST_FOOTER_BYTES):
        raise DatasetError(
            f"{file.name}: corrupt: the length of its footer is given as {length} bytes; replace the file"
        )
    return tail[-length:] if length <= len(tail) else file.read(size - length, size - len(tail)) + tail


def _parsed(footer: bytes, name: str) -> Any:
    with _corrupt(name):
        metadata = pq.read_metadata(pa.BufferReader(b"PAR1" + footer))
        for group in range(metadata.num_row_groups):
            # Arrow does not check the column index against the schema, and would crash the process.
            if metadata.row_group(group).num_columns != metadata.num_columns:
                raise DatasetError(
                    f"{name}: corrupt: row group {group} does not match the schema; replace the file"
                )
    return metadata


def _schema(metadata: Any, name: str) -> pa.Schema:
    """Return the schema of a file: that of Arrow if it is readable, else that of parquet."""
    with _corrupt(name):
        return metadata.schema.to_arrow_schema()


def _column_bytes(group: Any, names: Sequence[str]) -> list[int]:
    """Return the compressed size of each top-level column in bytes."""
    found = dict.fromkeys(names, 0)
    for number in range(group.num_columns):
        chunk = group.column(number)
        top = chunk.path_in_schema.split(".")[0]
        name = top if top in found else next((n for n in names if chunk.path_in_schema.startswith(n)), None)
        if name is not None:
            found[name] += max(chunk.total_compressed_size, 0)
    return [found[name] for name in names]


def _portions(metadata: Any, columns: Sequence[str]) -> Iterator[list[int]]:
    """Yield lists of row groups of a shard with about PORTION_BYTES of *columns* each."""
    groups: list[int] = []
    held = 0
    for group in range(metadata.num_row_groups):
        groups.append(group)
        held += sum(stop - start for start, stop in _chunk(metadata, group, columns))
        if held >= PORTION_BYTES:
            yield groups
            groups, held = [], 0
    if groups:
        yield groups


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Where the values of a column are in a row group."""

    start: int
    stop: int
    in_lists: bool


def _chunk(metadata: Any, group: int, columns: Sequence[str]) -> list[tuple[int, int]]:
    """Return the byte ranges of *columns* in a row group."""
    return [(chunk.start, chunk.stop) for chunk in _chunks(metadata, group, columns)]


def _chunks(metadata: Any, group: int, columns: Sequence[str]) -> list[_Chunk]:
    """Return where *columns* are in a row group."""
    found = []
    described = metadata.row_group(group)
    for number in range(described.num_columns):
        chunk = described.column(number)
        path = chunk.path_in_schema
        if any(path == name or path.startswith(f"{name}.") for name in columns):
            offset = chunk.dictionary_page_offset
            start = chunk.data_page_offset if offset is None else min(offset, chunk.data_page_offset)
            in_lists = metadata.schema.column(number).max_repetition_level > 0
            found.append(_Chunk(start, start + chunk.total_compressed_size, in_lists))
    return found


def _most_bytes(metadata: Any, group: int, columns: Sequence[str], name: str) -> int:
    """Return how many bytes the largest of *columns* in a row group unpacks to, as the footer of *name* says.

    Raises:
        DatasetError: if the texts of one unpack to far more than any do.
    """
    described, wanted = metadata.row_group(group), set(columns)
    chunks = [described.column(number) for number in range(described.num_columns)]
    read = [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in wanted]
    for chunk in read:
        if chunk.physical_type == TEXTS:  # lists of zeros are small, too
            refuse_bomb(name, chunk.total_compressed_size, chunk.total_uncompressed_size)
    return max((chunk.total_uncompressed_size for chunk in read), default=0)


def _first_rows(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches of up to 100 rows, fewer if they take much memory."""
    rows = held = 0
    for batch in batches:
        yield batch
        rows, held = rows + batch.num_rows, held + batch.nbytes
        if rows >= HEAD_ROWS or held > BATCH_BYTES:
            return


def _rows_at_once(window: Window, chunks: Sequence[_Chunk], name: str) -> int:
    """Return how many rows of *chunks* take little memory, as the headers of their pages say.

    Raises:
        DatasetError: if a page unpacks to far more than any data does.
    """
    fitting = BATCH_ROWS
    for chunk in chunks:
        looked_at = None if window.holds else LOOKED_AT
        for page in islice(pages(window.at, chunk.start, chunk.stop), looked_at):
            refuse_bomb(name, page.packed, page.unpacked)
            fitting_pages = BATCH_BYTES // max(page.unpacked, 1)
            one_a_page = page.dictionary or chunk.in_lists  # then a row may take as much as a page
            fitting = min(fitting, fitting_pages if one_a_page else (fitting_pages - 1) * page.values)
    return max(fitting, 1)


def _texts(metadata: Any, columns: Sequence[str], *, in_lists: bool = False) -> list[str]:
    """Return the paths of the texts in *columns*, or only of those in lists."""
    schema, wanted = metadata.schema, set(columns)
    described = [schema.column(number) for number in range(metadata.num_columns)]
    return [
        column.path
        for column in described
        if column.physical_type == TEXTS
        and column.path.split(".")[0] in wanted
        and (column.max_repetition_level or not in_lists)
    ]


def _constant(
    metadata: Any, group: int, schema: pa.Schema, columns: Sequence[str]
) -> dict[str, pa.Scalar] | None:
    """Return the only value of each of *columns* in a row group, or None unless the footer shows them all."""
    described = metadata.row_group(group)
    chunks = [described.column(number) for number in range(described.num_columns)]
    found = {}
    for name in columns:
        chunk = next((chunk for chunk in chunks if chunk.path_in_schema == name), None)
        if chunk is None or chunk.num_values != described.num_rows:
            return None
        value = _only_value(chunk, schema.field(name).type)
        if value is None:
            return None
        found[name] = value
    return found


def _only_value(chunk: Any, kind: pa.DataType) -> pa.Scalar | None:
    """Return the value that all rows of a column chunk share; None if they differ or it is not recorded."""
    if not any(is_kind(kind) for is_kind in (pa.types.is_integer, pa.types.is_boolean, pa.types.is_string)):
        return None
    bounds = chunk.statistics
    if bounds is None or not (bounds.has_min_max and bounds.has_null_count) or bounds.null_count:
        return None
    if bounds.min != bounds.max or (isinstance(bounds.min, str) and len(bounds.min) >= LONGEST_BOUND):
        return None
    return pa.scalar(bounds.min, kind)


@contextmanager
def _corrupt(name: str) -> Iterator[None]:
    """Turn Arrow's exceptions into a one-line `DatasetError` that names the file."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{name}: corrupt, encrypted or not a parquet file: {reason}; check the file, or write it again"
        ) from error
