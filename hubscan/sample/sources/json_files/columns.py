"""Turn the values of a JSON column into Arrow arrays of one type, and find values of another type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import pyarrow as pa

SCALARS: Final = ("text", "integer", "number", "boolean")
KINDS: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}
TYPES: Final[dict[str, pa.DataType]] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}


def kind_of_value(value: Any) -> str | None:
    """Return the kind of *value*, None if it is null or NaN, which Python writes for missing values."""
    return None if value is None or is_nan(value) else KINDS.get(type(value), "object")


def is_nan(value: Any) -> bool:
    """Return whether *value* is a float that is no number."""
    return type(value) is float and value != value


def same_kind(kind: str, other: str) -> bool:
    """Return whether values of the two kinds are values of one column: integers are numbers."""
    return kind == other or {kind, other} == {"integer", "number"}


def main_kind(values: Iterable[Any]) -> str | None:
    """Return the kind of most of *values*, None if all are null."""
    counts, fractions = Counter[str | None](), 0
    for value in values:
        counts[kind_of_value(value)] += 1
        fractions += type(value) is float and not (value.is_integer() or is_nan(value))
    del counts[None]
    if not counts:
        return None
    if counts["number"]:  # 1 among 2.5 is a number, and 1.0 among 2 is an integer
        kind, other = ("integer", "number") if counts["integer"] and not fractions else ("number", "integer")
        counts[kind] += counts.pop(other, 0)
    return max(counts, key=counts.__getitem__)


def type_of(values: Sequence[Any]) -> pa.DataType:
    """Return the Arrow type of the first values of a column: that of most of them."""
    kind = main_kind(values)
    if kind is None:
        return pa.null()
    if kind == "text" and _dates(values):
        return pa.timestamp("s")
    if kind == "integer":
        return _integers(values)
    if kind in SCALARS:
        return TYPES[kind]
    if kind == "list":
        items = [item for value in values if isinstance(value, list) for item in value]
        return pa.list_(pa.string() if main_kind(items) == "text" else type_of(items))
    try:
        return pa.array([value for value in values if isinstance(value, dict)]).type
    except (pa.ArrowException, UnicodeError, OverflowError):
        return pa.struct([])


def _integers(values: Sequence[Any]) -> pa.DataType:
    whole = [int(value) for value in values if type(value) in (int, float) and not is_nan(value)]
    least, most = min(whole), max(whole)
    if most < 2**63 and least >= -(2**63):
        return pa.int64()
    return pa.uint64() if least >= 0 and most < 2**64 else pa.decimal256(76)


def _dates(values: Sequence[Any]) -> bool:
    """Return whether all texts are dates or times: such a column is neither a text nor a label."""
    texts = [value for value in values if isinstance(value, str)]
    if not (texts[0][:4].isdecimal() and texts[0][4:5] == "-"):
        return False
    try:
        text_array(texts).cast(pa.timestamp("s"))
    except pa.ArrowException:
        return False
    return True


def stray(values: Iterable[Any], kind: str) -> int | None:
    """Return the place of the first value that is neither null nor of *kind*; None if there is none."""
    for place, value in enumerate(values):
        other = kind_of_value(value)
        if other is not None and not same_kind(other, kind):
            return place
    return None


def column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Return *values*, which are null or fit *kind*, as an Arrow array.

    Floats are acceptable where integers were seen. Texts may hold what is not UTF-8; then reading that
    cell raises `UnicodeDecodeError`.

    Raises:
        ValueError: if a value does not fit; the type and the range of scalars are checked by the caller.
    """
    if pa.types.is_string(kind) or pa.types.is_timestamp(kind):
        return text_array(values)
    if pa.types.is_integer(kind) and any(type(value) is float for value in values):
        if all(type(value) is not float or value.is_integer() for value in values):
            values = [int(value) if type(value) is float else value for value in values]
        else:
            kind = pa.float64()
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return _lists_of_texts(values)
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, UnicodeError, OverflowError) as error:
        if pa.types.is_list(kind) and pa.types.is_integer(kind.value_type):
            return column(values, pa.list_(pa.float64()))
        raise ValueError(" ".join(str(error).split())[:200]) from error


def text_array(values: Sequence[str | None]) -> pa.Array:
    """Return *values* as an array of strings, also those that hold surrogates."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return _viewed(pa.array([None if value is None else _bytes(value) for value in values], pa.binary()))


def texts_and_others(values: Sequence[Any]) -> pa.Array:
    """Return *values* as a union of texts and of booleans that stand for whatever is not a text."""
    is_text = [value is None or isinstance(value, str) for value in values]
    texts = [value for value, text in zip(values, is_text, strict=True) if text]
    others = [False] * (len(values) - len(texts))
    counts = [0, 0]
    offsets = []
    for text in is_text:
        offsets.append(counts[not text])
        counts[not text] += 1
    return pa.UnionArray.from_dense(
        pa.array([int(not text) for text in is_text], pa.int8()),
        pa.array(offsets, pa.int32()),
        [text_array(texts), pa.array(others, pa.bool_())],
    )


def _lists_of_texts(values: Sequence[list[Any] | None]) -> pa.Array:
    flat = [item for value in values for item in value or ()]
    if (place := stray(flat, "text")) is not None:
        raise ValueError(f"a list holds a {kind_of_value(flat[place])} beside texts")
    ends, mask = [0], []
    for value in values:
        ends.append(ends[-1] + len(value or ()))
        mask.append(value is None)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), text_array(flat), mask=pa.array(mask))


def _viewed(content: pa.Array) -> pa.Array:
    return pa.Array.from_buffers(pa.string(), len(content), content.buffers(), content.null_count)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
