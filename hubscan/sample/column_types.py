"""Name the kind of each column of a dataset.

The kinds are text, image, audio, class, integer, boolean and number; texts, classes, integers, numbers and
booleans for lists of these; and the name of the type for anything else.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pyarrow as pa
from datasets import Audio, ClassLabel, Features, Image, List, Value

from hubscan.sample.plain_types import is_list, plain_type

OF_LISTS: Final = {
    "text": "texts",
    "class": "classes",
    "integer": "integers",
    "number": "numbers",
    "boolean": "booleans",
}
STORED_FILE: Final = {"bytes", "path"}  # the fields of an image or audio cell


def kinds_of(features: Features) -> dict[str, str]:
    """Return the kind of each column."""
    return {name: _kind(feature) for name, feature in features.items()}


def declared_names(feature: object) -> tuple[str, ...] | None:
    """Return the names of the classes if *feature* is a ClassLabel or a list of ClassLabels."""
    inner = _inside(feature)
    feature = feature if inner is None else inner
    return tuple(feature.names) if isinstance(feature, ClassLabel) else None


class Unreadable:
    """The feature of a column of a type that `datasets` does not know, such as a map."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def features_of(schema: pa.Schema) -> Features:
    """Return the features of a table; of columns with the same name, only the first counts."""
    kinds = first_types(schema)
    known = {kind: _of_type(kind) for kind in set(kinds.values())}  # many columns are of few types
    return Features({name: known[kind] for name, kind in kinds.items()})


def first_types(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Return the type of the first column of each name."""
    found: dict[str, pa.DataType] = {}
    for name, kind in zip(schema.names, schema.types, strict=True):
        found.setdefault(name, kind)
    return found


def family(kind: pa.DataType) -> str:
    """Return what values of type *kind* are, whatever their width: text, number, list of text."""
    kind = plain_type(kind)
    if is_list(kind):
        return f"list of {family(kind.value_type)}"
    found = _kind_of_type(str(kind))
    return "number" if found == "integer" else re.split(r"[\[(]", found.removeprefix("large_"))[0]


def _of_type(kind: pa.DataType) -> Any:
    """Return the feature of a column of type *kind*."""
    kind = plain_type(kind)
    try:
        return Features.from_arrow_schema(pa.schema([("column", kind)]))["column"]
    except (ValueError, KeyError, TypeError):
        return Unreadable(str(kind).split("<")[0])


def _kind(feature: Any) -> str:
    inner = _inside(feature)
    if inner is not None:
        kind = _kind(inner)
        return OF_LISTS.get(kind, f"list of {kind}")
    for declared, kind in ((ClassLabel, "class"), (Image, "image"), (Audio, "audio")):
        if isinstance(feature, declared):
            return kind
    if isinstance(feature, Value):
        return _kind_of_type(feature.dtype)
    if isinstance(feature, Unreadable):
        return feature.kind
    return type(feature).__name__.lower()


def _inside(feature: Any) -> Any:
    """Return the feature of the items if *feature* is a list, else None."""
    if isinstance(feature, List):
        return feature.feature
    if type(feature).__name__ in ("LargeList", "Sequence") and hasattr(feature, "feature"):
        return feature.feature
    return feature[0] if isinstance(feature, list) and len(feature) == 1 else None


def _kind_of_type(name: str) -> str:
    """Return the kind of a type. Arrow and `datasets` use the same type names."""
    for pattern, kind in (
        (r"(large_)?string(_view)?", "text"),
        (r"u?int\d+", "integer"),
        (r"bool", "boolean"),
        (r"(half)?(float|double|decimal).*", "number"),
    ):
        if re.fullmatch(pattern, name):
            return kind
    return name.split("<")[0]
