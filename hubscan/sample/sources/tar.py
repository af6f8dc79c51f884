"""Read rows from tar files in the WebDataset format, from the beginning to the end.

Files whose names agree up to the first dot make one row; the rest of the name is the column: `jpg`, `cls`,
`txt`. The keys of a `json` file are columns of their own.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import PurePosixPath
from typing import Any, Final, cast

import pyarrow as pa
from datasets import Audio, Features, Image

from hubscan.errors import DatasetError
from hubscan.sample.column_types import features_of
from hubscan.sample.sources.files import AHEAD_BYTES, File, Window
from hubscan.sample.sources.unpacked import POINTER_BYTES, refuse_lfs_pointer

IMAGES: Final = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm"])
AUDIO: Final = frozenset(["wav", "flac", "mp3", "ogg", "opus", "m4a"])
MOST_FILE_BYTES: Final = 2**28  # of one file in a tar; a larger one is left out of its row
END_BYTES: Final = 512
HEAD_ROWS: Final = 100
BATCH_ROWS: Final = 100
STORED: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Row = dict[str, Any]


class TarStream:
    """The tar files of a split, in order."""

    def __init__(self, files: Sequence[File]) -> None:
        """Read the first rows, which determine the columns.

        Raises:
            DatasetError: if there are no rows.
        """
        self._files = files
        self.notes: Sequence[str] = ()
        first = list(islice(self._rows(), HEAD_ROWS))
        if not first:
            name = files[0].name if files else "the split"
            raise DatasetError(
                f"{name}: no files that make rows, such as 0001.jpg and 0001.cls; check --dataset"
            )
        self._schema = _schema(first)
        if set(self._schema.types) == {STORED}:
            raise DatasetError(
                f"{files[0].name}: a tar file whose images or audio have no labels in files of the same "
                "name, such as 0001.cls; unpack it, and pass the folder"
            )
        self._head = self._table(first)
        self.features: Features = features_of(self._schema)
        for name in self._schema.names:
            if name in AUDIO:
                self.features[name] = Audio(decode=False)
            elif name in IMAGES:
                self.features[name] = Image(decode=False)

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        return self._head.select(list(columns))

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches."""
        rows = self._rows()
        while batch := list(islice(rows, BATCH_ROWS)):
            yield self._table(batch).select(list(columns))

    def _rows(self) -> Iterator[Row]:
        for file in self._files:
            row: Row = {}
            key = None
            for name, content in _members(file):
                this, _, kind = name.rpartition("/")[2].partition(".")
                this = f"{name.rpartition('/')[0]}/{this}"
                if this != key and row:
                    yield row
                    row = {}
                key = this
                row |= _fields(kind.lower(), content, PurePosixPath(name).name)
            if row:
                yield row

    def _table(self, rows: Sequence[Row]) -> pa.Table:
        return pa.table(
            {field.name: _column([row.get(field.name) for row in rows], field.type) for field in self._schema}
        )


def _members(file: File) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=cast(Any, Window(file, read_ahead=AHEAD_BYTES)), mode="r|*") as tar:
            for member in tar:
                if member.isfile() and member.size <= MOST_FILE_BYTES:
                    opened = tar.extractfile(member)  # into memory: nothing is written to disk
                    yield member.name, opened.read() if opened else b""
        # A tar truncated between two files looks whole except for its missing end mark.
        if file.name.partition("?")[0].endswith(".tar") and any(file.read(file.size - END_BYTES, file.size)):
            raise DatasetError(f"{file.name}: not a tar file, or damaged: it is truncated; replace the file")
    except (tarfile.TarError, EOFError, OSError) as error:
        refuse_lfs_pointer(file.read(0, min(file.size, POINTER_BYTES)), file.name)
        raise DatasetError(f"{file.name}: not a tar file, or damaged: {error}; replace the file") from error


def _fields(kind: str, content: bytes, name: str) -> Row:
    last = kind.rpartition(".")[2]
    if last in IMAGES or last in AUDIO:
        return {kind: {"bytes": content, "path": name}}
    if last not in ("txt", "text", "cls", "json"):
        return {}
    try:
        text = content.decode("utf-8")
        if last == "json":
            found = json.loads(text)
            return dict(found) if isinstance(found, dict) else {}
    except ValueError:
        return {}
    return {kind: int(text) if last == "cls" and text.strip().lstrip("-").isdecimal() else text.strip()}


def _schema(rows: Sequence[Row]) -> pa.Schema:
    """Return the type of each column, from the first row that has a value in it."""
    kinds: dict[str, pa.DataType] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, Mapping) and set(value) == {"bytes", "path"}:
                kinds.setdefault(name, STORED)
            elif (kind := _type(value)) is not None:
                kinds.setdefault(name, kind)
    return pa.schema(list(kinds.items()))


def _type(value: Any) -> pa.DataType | None:
    try:
        found = pa.infer_type([value])
    except pa.ArrowException:
        return None
    simple = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
    inner = found.value_type if pa.types.is_list(found) else found
    return found if any(is_kind(inner) for is_kind in simple) else None


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return *values* as one type, with null for values that do not fit it."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, TypeError, OverflowError):
        return pa.concat_arrays([_single(value, kind) for value in values])


def _single(value: Any, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array([value], kind)
    except (pa.ArrowException, TypeError, OverflowError):
        return pa.nulls(1, kind)
