"""Tell how much memory values take once they are plain: one value may be stored once for all rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hubscan.errors import DatasetError
from hubscan.sample.budgets import MOST_PLAIN_BYTES
from hubscan.sample.plain_types import is_list, plain_type

VIEW_INTEGERS: Final = 4  # of 32 bits in each view, of which the first is the length
SCALAR_BYTES: Final = 16
WIDENED: Final = 4  # times its size that a small decimal takes as a plain one


def refuse_repeated(table: pa.Table, where: str) -> None:
    """Raise a `DatasetError` if the plain values of a column take too much memory; *where* is the place."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if sum(map(plain_bytes, column.chunks)) > MOST_PLAIN_BYTES:
            raise DatasetError(
                f"{where}, column {name!r}: long values that are repeated too often to hold; choose another "
                "column"
            )


def table_bytes(table: pa.Table) -> int:
    """Return about how many bytes *table* takes once it is plain."""
    return sum(plain_bytes(chunk) for column in table.columns for chunk in column.chunks)


def plain_bytes(array: pa.Array) -> int:
    """Return about how many bytes `plain` makes of *array*."""
    kind = array.type
    if plain_type(kind) == kind or not len(array):
        return int(array.nbytes)
    if isinstance(kind, pa.BaseExtensionType):
        return plain_bytes(array.storage)
    if pa.types.is_dictionary(kind):
        return _total(_lengths(array.dictionary).take(array.indices))
    if pa.types.is_run_end_encoded(kind):
        lengths = pa.RunEndEncodedArray.from_arrays(array.run_ends, _lengths(array.values))
        return _total(pc.run_end_decode(lengths.slice(array.offset, len(array))))
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        each = plain_bytes(array.values) // max(len(array.values), 1)
        return _total(pc.list_value_length(array)) * (each + 1)
    if is_list(kind):
        return plain_bytes(array.flatten())
    if pa.types.is_struct(kind):
        return sum(map(plain_bytes, array.flatten()))
    return _total(_lengths(array)) if _is_view(kind) else WIDENED * int(array.nbytes)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def _lengths(values: pa.Array) -> pa.Array:
    """Return the length in bytes of each of *values*."""
    kind = values.type
    if _is_view(kind):
        views = np.frombuffer(values.buffers()[1], np.int32)[::VIEW_INTEGERS]
        return pa.array(views[values.offset : values.offset + len(values)].astype(np.int64))
    textual = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    if any(is_kind(kind) for is_kind in textual):
        return pc.binary_length(values).cast(pa.int64())
    each = SCALAR_BYTES if pa.types.is_primitive(kind) else plain_bytes(values) // max(len(values), 1)
    return pa.array(np.full(len(values), each, np.int64))


def _total(lengths: pa.Array) -> int:
    return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
