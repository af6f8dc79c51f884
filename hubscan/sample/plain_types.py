"""Convert the many types in which Arrow stores a value to those that the rest of `sample` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hubscan.errors import DatasetError

SIMPLER: Final[tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...]] = (
    (pa.types.is_string_view, pa.large_string()),
    (pa.types.is_binary_view, pa.large_binary()),
    (pa.types.is_float16, pa.float32()),
)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of `plain` for an array of type *kind*."""
    if kind == pa.bool8():
        return pa.bool_()
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type) if _is_plain_extension(kind) else kind
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        return pa.decimal128(kind.precision, kind.scale)
    if is_list(kind):
        make = (
            pa.large_list if pa.types.is_large_list(kind) or pa.types.is_large_list_view(kind) else pa.list_
        )
        return make(kind.value_field.with_type(plain_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type)) for field in kind])
    return next((simpler for is_kind, simpler in SIMPLER if is_kind(kind)), kind)


def plain_table(table: pa.Table) -> pa.Table:
    """Return *table* with its columns as `plain` makes them.

    Raises:
        DatasetError: if Arrow cannot convert a column; names it.
    """
    if all(plain_type(kind) == kind for kind in table.schema.types):
        return table
    columns = [
        _plain_column(column, name) for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _plain_column(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([plain(chunk) for chunk in column.chunks], plain_type(column.type))
    except pa.ArrowException as error:
        raise DatasetError(
            f"--dataset: column {name!r} has values of type {column.type}, which cannot be read; save "
            "them as text or numbers"
        ) from error


def plain(array: pa.Array) -> pa.Array:
    """Return *array* without dictionaries, runs, views, lists of fixed size and extensions.

    A view of a text becomes a text, a category its value, half precision single precision.
    """
    kind = array.type
    target = plain_type(kind)
    if target == kind:
        return array
    if isinstance(kind, pa.BaseExtensionType):
        return array.storage.cast(target) if kind == pa.bool8() else plain(array.storage)
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary).take(array.indices)  # Arrow cannot decode a dictionary of views
    if pa.types.is_run_end_encoded(kind):
        return plain(pc.run_end_decode(array))
    if is_list(kind):
        return _plain_list(array, target)
    if pa.types.is_struct(kind):
        fields = [plain(field) for field in array.flatten()]
        return pa.StructArray.from_arrays(fields, fields=list(target), mask=array.is_null())
    return array.cast(target)


def _plain_list(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Return lists of any layout as lists with offsets, from the items that are in them."""
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    large = pa.types.is_large_list(target)
    ends = pc.cumulative_sum(lengths.cast(pa.int64()))
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends]).cast(pa.int64() if large else pa.int32())
    make = pa.LargeListArray if large else pa.ListArray
    return make.from_arrays(offsets, plain(array.flatten()), type=target, mask=array.is_null())


def is_list(kind: pa.DataType) -> bool:
    """Return whether values of type *kind* are lists, in any layout."""
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_list,
            pa.types.is_large_list,
            pa.types.is_fixed_size_list,
            pa.types.is_list_view,
            pa.types.is_large_list_view,
        )
    )


def _is_plain_extension(kind: pa.DataType) -> bool:
    """Return whether the storage of an extension type means the same as its values."""
    name = getattr(kind, "extension_name", "")
    return not name.startswith(("arrow.json", "arrow.fixed_shape_tensor", "arrow.variable_shape_tensor"))
