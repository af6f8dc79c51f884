"""Read rows from tar files in the WebDataset format, from the beginning to the end.

Files whose names agree up to the first dot make one row; the rest of the name is the column: `jpg`, `cls`,
`txt`. The keys of a `json` file are columns of their own.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import Any, Final, cast

import pyarrow as pa
from datasets import Audio, Features, Image

from hubscan.errors import DatasetError
from hubscan.sample.budgets import BATCH_BYTES, MOST_COLUMNS, MOST_FILE_BYTES, MOST_ROW_CHARACTERS
from hubscan.sample.column_types import features_of
from hubscan.sample.sources.files import AHEAD_BYTES, File, Window
from hubscan.sample.sources.json_files.values import held_by
from hubscan.sample.sources.unpacked import BUFFER_BYTES, POINTER_BYTES, refuse_lfs_pointer, unpacked
from hubscan.untrusted import Malformed, json_of

IMAGES: Final = frozenset(["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm"])
AUDIO: Final = frozenset(["wav", "flac", "mp3", "ogg", "opus", "m4a"])
MOST_JSON_BYTES: Final = 2**22
MOST_NAME_BYTES: Final = 2**20
LONG_NAMES: Final = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
WHOLE_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
UNREADABLE: Final = (tarfile.TarError, EOFError, OSError, zlib.error, LZMAError)
END_BYTES: Final = 512
MOST_COUNTED: Final = 1000  # files that are left out
HEAD_ROWS: Final = 100
BATCH_ROWS: Final = 100
STORED: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

Row = dict[str, Any]
Measured = tuple[Row, int]  # with about how many bytes of memory it takes


class TarStream:
    """The tar files of a split, in order."""

    def __init__(self, files: Sequence[File]) -> None:
        """Read the first rows, which determine the columns.

        Raises:
            DatasetError: if there are no rows.
        """
        self._files = files
        self._left_out: dict[str, None] = {}
        first = next(_batches(self._rows(), HEAD_ROWS), [])
        if not first:
            name = files[0].name if files else "the split"
            raise DatasetError(
                f"{name}: no files that make rows, such as 0001.jpg and 0001.cls; check --dataset"
            )
        self._schema = _schema(first)
        if len(self._schema) > MOST_COLUMNS:
            raise DatasetError(
                f"{files[0].name}: over {MOST_COLUMNS:,} keys in json files; give all rows the same keys"
            )
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

    @property
    def notes(self) -> Sequence[str]:
        """Return what was left out, for `SampleInfo.notes`."""
        first = next(iter(self._left_out), None)
        return [
            f"files beyond {MOST_FILE_BYTES / 1e6:.0f} MB in a row are left out: {len(self._left_out):,}, of "
            f"which the first is {first!r}"
        ][: len(self._left_out)]

    def head(self, columns: Sequence[str]) -> pa.Table:
        """Return the first rows of *columns*."""
        return self._head.select(list(columns))

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield all rows, in batches."""
        for batch in _batches(self._rows(), BATCH_ROWS):
            yield self._table(batch).select(list(columns))

    def _rows(self) -> Iterator[Measured]:
        for file in self._files:
            row: Row = {}
            key, held = None, 0
            for name, size, read in _members(file):
                this, _, kind = name.rpartition("/")[2].partition(".")
                this = f"{name.rpartition('/')[0]}/{this}"
                if this != key and row:
                    yield row, held
                    row, held = {}, 0
                key = this
                if held + size > MOST_FILE_BYTES:
                    self._leave_out(name)
                    continue
                fields, more = _fields(kind.lower(), read(), PurePosixPath(name).name)
                row |= fields
                held += more
            if row:
                yield row, held

    def _leave_out(self, name: str) -> None:
        if len(self._left_out) < MOST_COUNTED:
            self._left_out[name] = None

    def _table(self, rows: Sequence[Row]) -> pa.Table:
        return pa.table(
            {field.name: _column([row.get(field.name) for row in rows], field.type) for field in self._schema}
        )


class _Member(tarfile.TarInfo):
    """A file in a tar, whose name is not read if it is no name."""

    def _proc_member(self, tar: tarfile.TarFile) -> Any:
        if self.type in LONG_NAMES and self.size > MOST_NAME_BYTES:
            raise tarfile.ReadError(f"a name of {self.size:,} bytes")
        return super()._proc_member(tar)  # type: ignore[misc]


def _members(file: File) -> Iterator[tuple[str, int, Callable[[], bytes]]]:
    """Yield the name and the size of each file in a tar, and a function that reads it."""
    try:
        raw = io.BufferedReader(Window(file, read_ahead=AHEAD_BYTES), BUFFER_BYTES)
        opened = unpacked(raw, file.name)
        with tarfile.open(fileobj=cast(Any, opened), mode="r|", tarinfo=_Member) as tar:
            for member in tar:
                if member.isfile():
                    yield (
                        member.name,
                        member.size,
                        partial(_content, tar, member),
                    )
        # A tar truncated between two files looks whole except for its missing end mark.
        if file.name.partition("?")[0].endswith(".tar") and any(file.read(file.size - END_BYTES, file.size)):
            raise DatasetError(f"{file.name}: not a tar file, or damaged: it is truncated; replace the file")
    except UNREADABLE as error:
        refuse_lfs_pointer(file.read(0, min(file.size, POINTER_BYTES)), file.name)
        raise DatasetError(f"{file.name}: not a tar file, or damaged: {error}; replace the file") from error


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the content of *member*; nothing is written to disk."""
    opened = tar.extractfile(member)
    return opened.read() if opened else b""


def _batches(rows: Iterator[Measured], most: int) -> Iterator[list[Row]]:
    """Yield up to *most* rows at a time, fewer if they take much memory."""
    batch, held = list[Row](), 0
    for row, size in rows:
        batch.append(row)
        held += size
        if len(batch) == most or held > BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _fields(kind: str, content: bytes, name: str) -> Measured:
    """Return the columns that the content of a file makes, and about how many bytes of memory they take."""
    last = kind.rpartition(".")[2]
    if last in IMAGES or last in AUDIO:
        return {kind: {"bytes": content, "path": name}}, len(content)
    if last not in ("txt", "text", "cls", "json") or len(content) > MOST_ROW_CHARACTERS:
        return {}, 0
    try:
        if last == "json":
            found = json_of(content, most_bytes=MOST_JSON_BYTES)
            return (dict(found), held_by(content.decode())) if isinstance(found, dict) else ({}, 0)
        text = content.decode("utf-8").strip()
    except (Malformed, UnicodeDecodeError):
        return {}, 0
    is_number = last == "cls" and WHOLE_NUMBER.fullmatch(text)
    return {kind: int(text) if is_number else text}, len(text)


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
