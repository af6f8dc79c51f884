"""Find the rows in a JSON document that is neither a list of objects nor one object per line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hubscan.errors import DatasetError

RECORDS: Final = "save it with df.to_json(..., orient='records', lines=True)"
MOST_NAMED: Final = 5  # keys that a message lists
Objects = Iterable[dict[str, Any]]


class Repeated(dict[str, Any]):
    """An object in which a key occurs more than once; it has the last value of each."""

    keys_repeated: frozenset[str] = frozenset()


def rows_of(document: Any, name: str, field: str | None = None) -> tuple[Objects, Sequence[str]]:
    """Return the rows of *document*, and notes about what was decided.

    Known are rows under the only key that holds a list of objects, columns as lists, and every form that
    pandas writes but lists without names.

    Args:
        document: the parsed file.
        name: the file, for messages.
        field: the key that holds the rows, if the dataset declares it.

    Raises:
        DatasetError: if the rows cannot be found; says what the file contains.
    """
    if field is not None:
        return _under_field(document, name, field), ()
    if not isinstance(document, dict):
        raise DatasetError(f"{name}: {described(document)}, not rows; {RECORDS}")
    twice = next((one for one in (document, *document.values()) if isinstance(one, Repeated)), None)
    if twice is not None:
        raise DatasetError(f"{name}: several values for the keys {_names(twice.keys_repeated)}; rename them")
    if set(document) in ({"columns", "data"}, {"columns", "index", "data"}) and _lists(document["data"]):
        return _split(document, name), ()
    values = list(document.values())
    if not any(isinstance(value, dict | list) for value in values):
        return [document], ()  # a single row
    if values and all(isinstance(value, dict) for value in values):
        return _of_objects(document, name)
    lengths = {len(value) for value in values if isinstance(value, list)}
    columns = len(values) > 1 and all(isinstance(value, list) for value in values) and len(lengths) == 1
    if columns and not all(_objects(value) for value in values):
        return _transposed(document), ()
    return _under_a_key(document, name)


def described(value: Any) -> str:
    """Return what kind of value *value* is, with the value if it is short."""
    if isinstance(value, dict):
        return f"an object with the keys {_names(value)}"
    if isinstance(value, list):
        inner = {_kind(one) for one in value[:1000]}
        return f"a list of {' and '.join(sorted(inner))}" if inner else "an empty list"
    return f"{_article(value)} {_shown(value)}".strip()


def _kind(value: Any) -> str:
    if value is None:
        return "nulls"
    names = {bool: "booleans", int: "numbers", float: "numbers", str: "texts", list: "lists"}
    return names.get(type(value), "objects")


def _article(value: Any) -> str:
    names = {bool: "the boolean", int: "the number", float: "the number", str: "the text"}
    return names.get(type(value), "")


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    shown = repr(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= 40 else f"{shown[:38]}…"


def _names(keys: Iterable[str]) -> str:
    listed = [repr(key) if len(key) <= 40 else repr(f"{key[:39]}…") for key in keys]
    more = ["…"] if len(listed) > MOST_NAMED else []
    return ", ".join([*listed[:MOST_NAMED], *more]) or "none"


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, list) for one in value)


def _under_field(document: Any, name: str, field: str) -> Objects:
    if isinstance(document, dict) and _objects(document.get(field)):
        found: list[dict[str, Any]] = document[field]
        return found
    raise DatasetError(f"{name}: no rows under the key {field!r}, which the dataset declares; check its card")


def _under_a_key(document: Mapping[str, Any], name: str) -> tuple[Objects, Sequence[str]]:
    there = {key: value for key, value in document.items() if _objects(value)}
    if not there:
        raise DatasetError(f"{name}: {described(document)}, of which none holds rows; {RECORDS}")
    if len(there) > 1:
        counts = ", ".join(f"{key!r} ({len(rows):,})" for key, rows in list(there.items())[:MOST_NAMED])
        raise DatasetError(
            f"{name}: several lists of rows under the keys {counts}; save each of them as a file of its own"
        )
    key, rows = next(iter(there.items()))
    schema = document.get("schema")
    if len(document) == 2 and isinstance(schema, dict) and "fields" in schema:  # pandas, orient="table"
        index = {str(column) for column in schema.get("primaryKey", ())}
        return [{column: cell for column, cell in row.items() if column not in index} for row in rows], ()
    others = [other for other in document if other != key]
    if not others:
        return rows, ()
    note = (
        f"the rows are those under the key {key!r}, and other keys are ignored ({_names(others)}); to read "
        "others, save them as a file of their own"
    )
    return rows, (note,)


def _split(document: Mapping[str, Any], name: str) -> Objects:
    """Return the rows of what pandas writes with orient="split"."""
    columns = [str(column) for column in document["columns"]]
    rows: list[dict[str, Any]] = []
    for number, cells in enumerate(document["data"], 1):
        if len(cells) != len(columns):
            raise DatasetError(
                f"{name}, row {number}: {len(cells)} cells, but there are {len(columns)} columns; {RECORDS}"
            )
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def _transposed(columns: Mapping[str, Sequence[Any]]) -> Objects:
    names = list(columns)
    return (dict(zip(names, cells, strict=True)) for cells in zip(*columns.values(), strict=True))


def _of_objects(document: Mapping[str, Mapping[str, Any]], name: str) -> tuple[Objects, Sequence[str]]:
    """Return the rows of an object of objects: columns of cells by index, or rows by index.

    pandas writes the first by default and the second with orient="index". Which it is can be told if the
    names of the index are numbers or more than the columns.
    """
    lists = [
        f"{key}.{inner}" for key, value in document.items() for inner, rows in value.items() if _objects(rows)
    ]
    if lists:
        raise DatasetError(
            f"{name}: the lists of objects are under {_names(lists)}; save one as a file of its own"
        )
    outer, inner = list(document), list(dict.fromkeys(key for value in document.values() for key in value))
    if _numbers(inner) and not _numbers(outer):
        by_column = True
    elif _numbers(outer) and not _numbers(inner):
        by_column = False
    elif len(outer) == len(inner) or _numbers(outer):
        raise DatasetError(
            f"{name}: an object with the keys {_names(outer)}, each with the keys {_names(inner)}, of which "
            f"either may be the columns; {RECORDS}"
        )
    else:
        by_column = len(outer) < len(inner)
    guess = () if _numbers(inner if by_column else outer) else (_note(outer if by_column else inner),)
    if not by_column:
        return [dict(row) for row in document.values()], guess
    return ({column: document[column].get(index) for column in outer} for index in inner), guess


def _note(columns: Sequence[str]) -> str:
    return (
        f"the columns of the JSON object are taken to be {_names(columns)}; to change that, "
        "save it with orient='records'"
    )


def _numbers(keys: Sequence[str]) -> bool:
    return bool(keys) and all(key.removeprefix("-").isdecimal() for key in keys)
