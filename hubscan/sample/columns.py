"""The columns of a split in; which one is the input and which one the label, out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from datasets import ClassLabel, Features, Image, IterableDataset, Value

from hubscan.errors import DatasetError
from hubscan.records import Modality

INPUT_NAMES: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("text", "sentence", "content", "review", "document", "body", "tweet", "title"),
    "image": ("image", "img", "picture", "photo", "pixels"),
}
LABEL_NAMES: Final = ("label", "labels", "class", "category", "target", "sentiment", "y")
LABEL_KINDS: Final = frozenset({"class", "integer", "boolean", "text"})
PEEKED_ROWS: Final = 100


@dataclass(frozen=True)
class Columns:
    """The decision: one input column, one label column, and the names of the classes if declared."""

    input: str
    label: str
    class_names: tuple[str, ...] | None  # of a ClassLabel; its numbers index these


def find(
    rows: IterableDataset, modality: Modality, asked_input: str | None, asked_label: str | None
) -> Columns:
    """Return the input and label columns of *rows*, the asked ones or those that stand out.

    Raises:
        DatasetError: naming the candidates and the flag to pass, when none stands out.
    """
    features = rows.features
    kinds = _kinds_of_features(features) if features else _kinds_of_schema(_peek(rows))
    label = asked_label or _the_label(kinds)
    _check(label, kinds, LABEL_KINDS, "--label-column", "class labels")
    others = {name: kind for name, kind in kinds.items() if name != label}
    column = asked_input or _the_input(others, modality)
    _check(column, others, {modality}, "--input-column", f"{modality}s")
    declared = features.get(label) if features else None
    names = tuple(declared.names) if isinstance(declared, ClassLabel) else None
    return Columns(column, label, names)


def modality_of(rows: IterableDataset) -> Modality:
    """Return what the split holds: images if it has a column of them, else texts."""
    features = rows.features or {}
    return "image" if any(isinstance(feature, Image) for feature in features.values()) else "text"


def _the_label(kinds: Mapping[str, str]) -> str:
    declared = [name for name, kind in kinds.items() if kind == "class"]
    if len(declared) == 1:
        return declared[0]
    usable = [name for name, kind in kinds.items() if kind in LABEL_KINDS]
    named = [name for name in LABEL_NAMES if name in (declared or usable)]
    if named:
        return named[0]
    if not (declared or _numbered(kinds)):
        raise DatasetError(f"no column of class labels; there are: {_listed(kinds)}; pass --label-column")
    raise DatasetError(f"which column is the label? pass --label-column; there are: {_listed(kinds)}")


def _the_input(kinds: Mapping[str, str], modality: Modality) -> str:
    fitting = [name for name, kind in kinds.items() if kind == modality]
    named = [name for name in INPUT_NAMES[modality] if name in fitting]
    if len(fitting) == 1 or named:
        return named[0] if named else fitting[0]
    if not fitting:
        raise DatasetError(f"no column of {modality}s; there are: {_listed(kinds)}")
    raise DatasetError(f"which column is the {modality}? pass --input-column; there are: {_listed(kinds)}")


def _check(
    column: str, kinds: Mapping[str, str], fitting: set[str] | frozenset[str], flag: str, what: str
) -> None:
    if column not in kinds:
        raise DatasetError(f"{flag} {column}: no such column; there are: {_listed(kinds)}")
    if kinds[column] not in fitting:
        raise DatasetError(
            f"{flag} {column}: holds {kinds[column]} values, not {what}; there are: {_listed(kinds)}"
        )


def _numbered(kinds: Mapping[str, str]) -> bool:
    return any(kind in ("integer", "boolean") for kind in kinds.values())


def _listed(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in kinds.items())


def _kinds_of_features(features: Features) -> dict[str, str]:
    return {name: _kind_of_feature(feature) for name, feature in features.items()}


def _kind_of_feature(feature: object) -> str:
    if isinstance(feature, ClassLabel):
        return "class"
    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, Value):
        return _kind_of_type(feature.dtype)
    return type(feature).__name__.lower()


def _kinds_of_schema(schema: pa.Schema) -> dict[str, str]:
    return {field.name: _kind_of_type(str(field.type)) for field in schema}


def _kind_of_type(name: str) -> str:
    """Return the kind of a type by its name, which Arrow and `datasets` share."""
    for pattern, kind in (
        (r"(large_)?string(_view)?", "text"),
        (r"u?int\d+", "integer"),
        (r"bool", "boolean"),
        (r"(half)?(float|double|decimal).*", "number"),
    ):
        if re.fullmatch(pattern, name):
            return kind
    return name.split("<")[0]


def _peek(rows: IterableDataset) -> pa.Schema:
    """Return the schema of the first rows: a csv or jsonl stream declares no features."""
    for table in rows.with_format("arrow").iter(batch_size=PEEKED_ROWS):
        return table.schema
    raise DatasetError("the split has no rows")
