"""Use the features that a dataset declares where they fit what is stored, and say which do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pyarrow as pa
from datasets import Audio, ClassLabel, Features, Image, Value

from hubscan.sample.column_types import family, features_of, first_types, kinds_of
from hubscan.sample.plain_types import is_list, plain_type
from hubscan.untrusted import json_of

KEY: Final = b"huggingface"  # of the metadata that `datasets` writes
UNKNOWN: Final = "has a type that this version of `datasets` does not know"
READS: Final = (ValueError, TypeError, KeyError, AttributeError)  # by which it says so


def declared_features(schema: pa.Schema, declared: Features | None) -> tuple[Features, dict[str, str]]:
    """Return the features of the columns in *schema*, and why a declared one is not used, by column.

    Args:
        schema: of the stored table, perhaps with features in its metadata.
        declared: the features that the card of the dataset declares, which come first.
    """
    found, kinds = features_of(schema), first_types(schema)
    in_file, ignored = _in_metadata(schema.metadata or {})
    for name, stored in found.items():
        feature = (declared or {}).get(name) or in_file.get(name)
        if feature is None:
            continue
        kind = plain_type(kinds[name])
        if _fits(feature, kind):
            found[name] = feature
            ignored.pop(name, None)
        elif kinds_of(Features({name: feature})) != kinds_of(Features({name: stored})):
            ignored[name] = f"does not fit the {kind} values"
    return found, {name: why for name, why in ignored.items() if name in found}


def ignored_note(name: str, why: str) -> str:
    """Return the note that the declared type of column *name* is not used."""
    return (
        f"the declared type of column {name!r} is ignored, since it {why}; to use it, update `datasets` or "
        "correct the metadata"
    )


@contextmanager
def readable_features() -> Iterator[None]:
    """While the block runs, let `datasets` leave out features of a card that it does not know."""
    strict = Features._from_yaml_list

    def lenient(features: list[Any]) -> Features:
        try:
            return strict(features)
        except READS:
            return Features({name: one for item in features for name, one in _alone(strict, item).items()})

    Features._from_yaml_list = staticmethod(lenient)
    try:
        yield
    finally:
        Features._from_yaml_list = strict


def _alone(strict: Any, feature: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = strict([feature])
        return found
    except READS:
        return {}


def _in_metadata(metadata: Mapping[bytes, bytes]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the features in the metadata of a file that can be read, and the columns of the others."""
    try:
        listed = dict(json_of(metadata[KEY])["info"]["features"] or {})
    except (*READS, UnicodeDecodeError):
        return {}, {}
    found, unknown = {}, {}
    for name, feature in listed.items():
        try:
            found[name] = Features.from_dict({name: feature})[name]
        except READS:
            unknown[name] = UNKNOWN
    return found, unknown


def _fits(feature: Any, kind: pa.DataType) -> bool:
    """Return whether values of type *kind* can be read as *feature*."""
    if isinstance(feature, ClassLabel):
        return bool(pa.types.is_integer(kind) or pa.types.is_null(kind))
    if isinstance(feature, Image | Audio):
        return bool(pa.types.is_struct(kind)) or family(kind) in ("text", "binary", "null")
    if isinstance(feature, Value):
        return kinds_of(Features({"": feature})) == kinds_of(features_of(pa.schema([("", kind)])))
    inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else None)
    if inner is not None and not isinstance(feature, dict):
        return is_list(kind) and _fits(inner, plain_type(kind.value_type))
    return True
