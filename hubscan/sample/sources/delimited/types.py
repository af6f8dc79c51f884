"""Choose a type for each column of a csv file from its first cells, and parse cells as that type.

Only an empty cell is missing. A word such as NA or None is a text, except in a column of fractions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from datasets import ClassLabel, Features, Value

INTEGER: Final = re.compile(r"[+-]?(0|[1-9][0-9]*)")  # no leading zeros: 007 is another class than 7
NUMBER: Final = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
INFINITE: Final = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+(,[0-9]+)?")
LARGEST: Final = 2**63
LARGEST_EXACT: Final = 2**53  # beyond it, a float cannot hold every integer
TRUTH: Final = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
MISSING: Final = frozenset(
    ("NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "-NaN", "None", "none", "NULL", "Null", "null")
) | {"\\N"}  # as some databases write it
MOST_REMEMBERED: Final = 100_000

Cell = str | None  # None: the row is too short to have this cell


class Unfit(ValueError):
    """A cell does not fit the type of its column. The message says what the column holds."""


class Parsed(dict[Cell, Any]):
    """The values of cells, each parsed once."""

    def __init__(self, parse: Callable[[str], Any]) -> None:
        super().__init__({None: None, "": None})
        self._parse = parse

    def __missing__(self, cell: str) -> Any:
        value = self._parse(cell.strip(" \t")) if cell.strip() else None
        if len(self) < MOST_REMEMBERED:
            self[cell] = value
        return value


@dataclass(frozen=True)
class ColumnType:
    """What the cells of a column are."""

    arrow: pa.DataType
    values: Parsed | None  # None: texts, which stay as they are
    declared: bool = False  # rather than inferred from the first cells
    whole: bool = False  # whether its first cells are whole numbers with a decimal point, perhaps classes

    def array(self, cells: Sequence[Cell]) -> pa.Array:
        """Return *cells* with this type; as floats if there are fractions in a column of integers.

        Raises:
            Unfit: if a cell does not fit.
            UnicodeEncodeError: if a text has a lone surrogate.
        """
        if self.values is None:
            return pa.array([cell or None for cell in cells], self.arrow)
        values = [self.values[cell] for cell in cells]
        if pa.types.is_integer(self.arrow) and any(isinstance(value, float) for value in values):
            return pa.array(values, pa.float64())
        return pa.array(values, self.arrow)


def inferred(cells: Sequence[Cell], *, ended: bool) -> ColumnType:
    """Return the type of a column.

    Args:
        cells: its first cells.
        ended: whether these are all. If so, a column of empty cells has no type; else it holds texts.
    """
    values = {cell.strip(" \t") for cell in set(cells) if cell} - {""}
    if not values:
        return ColumnType(pa.null(), Parsed(_nothing)) if ended else TEXT
    if values <= set(TRUTH):
        return ColumnType(pa.bool_(), Parsed(_truth))
    if all(map(_is_integer, values)):
        return ColumnType(pa.int64(), Parsed(_integer))
    numbers = values - MISSING
    fractions = [value for value in numbers if not INTEGER.fullmatch(value)]
    if fractions and all(map(_is_number, numbers)) and any(map(NUMBER.fullmatch, fractions)):
        whole = all(float(number).is_integer() for number in numbers)
        return ColumnType(pa.float64(), Parsed(_number), whole=whole)
    return TEXT


def declared(feature: Any) -> ColumnType | None:
    """Return the type of a column with a declared *feature*, or None if it cannot be in a csv as it is."""
    if isinstance(feature, ClassLabel):
        return ColumnType(pa.int64(), Parsed(_class_of(feature.names)), declared=True)
    if not isinstance(feature, Value):
        return None
    arrow = Features({"x": feature}).arrow_schema.field("x").type
    for is_kind, parse in (
        (pa.types.is_string, None),
        (pa.types.is_large_string, None),
        (pa.types.is_boolean, _truth),
        (pa.types.is_integer, _integer),
        (pa.types.is_floating, _number),
    ):
        if is_kind(arrow):
            return ColumnType(arrow, parse and Parsed(parse), declared=True)
    return None


def has_decimal_commas(cells: Iterable[Cell]) -> bool:
    """Return whether a column of texts holds numbers such as `0,5`."""
    values = {cell.strip() for cell in set(cells) if cell} - {""} - MISSING
    return any("," in value for value in values) and all(map(DECIMAL_COMMA.fullmatch, values))


def _is_integer(text: str) -> bool:
    return bool(INTEGER.fullmatch(text)) and -LARGEST <= int(text) < LARGEST


def _is_number(text: str) -> bool:
    if INTEGER.fullmatch(text):
        return abs(int(text)) <= LARGEST_EXACT
    return bool(NUMBER.fullmatch(text) or INFINITE.fullmatch(text))


def _integer(text: str) -> int | float:
    if _is_integer(text):
        return int(text)
    if NUMBER.fullmatch(text) and "." in text:
        value = float(text)
        return int(value) if value.is_integer() and abs(value) <= LARGEST_EXACT else value
    raise Unfit("an integer")


def _number(text: str) -> float | None:
    if text in MISSING:
        return None
    if NUMBER.fullmatch(text) or INFINITE.fullmatch(text):
        return float(text)
    raise Unfit("a number")


def _truth(text: str) -> bool:
    if text not in TRUTH:
        raise Unfit("True or False")
    return TRUTH[text]


def _class_of(names: Sequence[str]) -> Callable[[str], int]:
    numbers = {name: number for number, name in enumerate(names)}

    def parse(text: str) -> int:
        if not INTEGER.fullmatch(text) and text not in numbers:
            raise Unfit("a declared class")
        return int(text) if INTEGER.fullmatch(text) else numbers[text]

    return parse


def _nothing(text: str) -> None:
    raise Unfit("empty")


TEXT: Final = ColumnType(pa.string(), None)
