"""Open the rows of a split in the best way for its format, given its builder from `datasets`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from datasets import Audio, Features, Image, IterableDataset
from datasets.packaged_modules.arrow.arrow import Arrow
from datasets.packaged_modules.csv.csv import Csv
from datasets.packaged_modules.folder_based_builder.folder_based_builder import FolderBasedBuilder
from datasets.packaged_modules.json.json import Json
from datasets.packaged_modules.parquet.parquet import Parquet
from datasets.packaged_modules.webdataset.webdataset import WebDataset

from hubscan.errors import DatasetError
from hubscan.sample.column_types import features_of
from hubscan.sample.plain_types import plain_table
from hubscan.sample.sources.arrow import ArrowTable, mapped, spooled, validated
from hubscan.sample.sources.arrow_stream import ArrowStream
from hubscan.sample.sources.delimited.metadata import TextMetadata
from hubscan.sample.sources.delimited.options import (
    declared_form,
    only_empty_is_missing,
    refuse_surplus,
    typed_form,
)
from hubscan.sample.sources.delimited.stream import DelimitedStream
from hubscan.sample.sources.files import File, open_file
from hubscan.sample.sources.json_files.rows import JsonRows
from hubscan.sample.sources.parquet import ParquetTable
from hubscan.sample.sources.plain_table import PlainTable
from hubscan.sample.sources.protocols import Stream, Table
from hubscan.sample.sources.read_errors import damage, one_line
from hubscan.sample.sources.tar import TarStream
from hubscan.sample.sources.unpacked import open_bytes

HEAD_ROWS: Final = 100
BATCH_ROWS: Final = 1000


def opened(builder: Any, split: str, separator: str | None = None) -> tuple[Table | Stream, Sequence[File]]:
    """Return the rows of *split*, and its files if hubscan reads them itself.

    The fields of csv files are separated by *separator*, or as their first lines show.
    Parquet and local Arrow files allow random access. A folder of images or audio files becomes a small
    table of file names; the files are fetched when their rows are drawn. All other formats are read once,
    from the beginning.

    Raises:
        DatasetError: if the split is empty, or a file is damaged or of another format.
        HubError: if a file cannot be read from the Hub.
    """
    addresses = [str(address) for address in builder.config.data_files[split]]
    if not addresses:
        raise DatasetError(f"--split {split}: no file fits its data_files; correct them in README.md")
    files = [open_file(address) for address in addresses]
    if isinstance(builder, Parquet):
        return PlainTable(ParquetTable(files), addresses[0], builder.info.features), files
    if isinstance(builder, WebDataset):
        return TarStream(files), files
    if isinstance(builder, Arrow) and all(Path(address).exists() for address in addresses):
        table = ArrowTable(mapped([Path(address) for address in addresses]), name=addresses[0])
        return PlainTable(table, addresses[0], builder.info.features), files
    if isinstance(builder, Csv):
        form = declared_form(builder.config, separator)
        if form and typed_form(builder.info.features):
            return DelimitedStream(files, addresses[0], form, builder.info.features), files
        only_empty_is_missing(builder.config)
        builder.config.sep = separator or builder.config.sep
    return _from_first_to_last(builder, split, addresses), ()


def _from_first_to_last(builder: Any, split: str, addresses: Sequence[str]) -> Table | Stream:
    """Return the rows of files that are read once; those of a folder as a table of file names."""
    opened_by = [(address, partial(open_bytes, address)) for address in addresses]
    if isinstance(builder, Arrow):
        return ArrowStream(opened_by, builder.info.features)
    if isinstance(builder, Json):
        return JsonRows(opened_by, builder.info.features, getattr(builder.config, "field", None))
    if hasattr(builder.config, "decode_num_threads"):
        builder.config.decode_num_threads = 0  # else `datasets` would decode files of the Hub ahead
    metadata = TextMetadata(builder) if isinstance(builder, FolderBasedBuilder) else None
    stream = DatasetStream(builder.as_streaming_dataset(split=split), addresses[0])
    if metadata:
        table = ArrowTable(spooled(stream.tables(list(stream.features)), addresses[0]), stream.features)
        table.notes = list(metadata.notes)
        return table
    if isinstance(builder, Csv):
        refuse_surplus(stream.features, addresses[0])
    return stream


class DatasetStream:
    """The rows that `datasets` streams, with images and audio not decoded."""

    def __init__(self, rows: IterableDataset, name: str) -> None:
        """Read the first rows, and keep the stream open so they are not downloaded twice.

        Args:
            rows: the split.
            name: the name of the split for error messages.

        Raises:
            DatasetError: if there are no rows, or they cannot be read.
        """
        # Do not let `datasets` decode: a corrupt image would end the stream.
        self._rows = (_as_files(rows).decode(False) if rows.features else rows).with_format("arrow")
        self._name = name
        self.notes: Sequence[str] = ()
        self._begun: Iterator[pa.Table] | None = self._read()
        first = next(self._begun, None)
        if first is None:
            raise DatasetError(f"{name}: the split has no rows; check --dataset and --split")
        self._head: pa.Table = first
        self.features = rows.features or features_of(first.schema)

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        return self._head.select(list(columns)).slice(0, HEAD_ROWS)

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches.

        Raises:
            DatasetError: if not all rows can be read.
        """
        begun, self._begun = self._begun, None
        for table in itertools.chain([self._head], begun) if begun else self._read():
            yield self._like_head(table, columns)

    def _like_head(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """Return *columns* with the types of the first rows: text readers guess types for each batch."""
        missing = [name for name in columns if name not in table.schema.names]
        if missing:
            raise DatasetError(
                f"{self._name}: column {missing[0]!r} is missing in later rows; give all files the "
                "same columns"
            )
        return pa.table({name: self._column(table[name], name) for name in columns})

    def _column(self, column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        kind = self._head.schema.field(name).type
        if column.type.equals(kind):
            return column
        try:
            return column.cast(kind)
        except pa.ArrowException as error:
            if pa.types.is_integer(kind) and pa.types.is_floating(column.type):
                return column  # floats are acceptable where integers were seen
            raise DatasetError(
                f"{self._name}: column {name!r} holds {kind} values in its first rows, but later "
                f"{column.type} ({one_line(error)}); save the column in one type"
            ) from error

    def _read(self) -> Iterator[pa.Table]:
        with damage(self._name):
            for table in self._rows.iter(BATCH_ROWS):
                yield plain_table(validated(table, self._name))


def _as_files(rows: IterableDataset) -> IterableDataset:
    """Return *rows* with their audio as plain files, in the same form as images.

    `datasets` requires torchcodec even to name an audio file.
    """
    files = {name: Image() for name, feature in rows.features.items() if isinstance(feature, Audio)}
    return rows.cast(Features({**rows.features, **files})) if files else rows
