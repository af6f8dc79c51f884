"""Read the headers of the pages of a parquet column, which say how many bytes each unpacks to.

The footer says it for the whole column only, and not at all for its dictionary, of which one entry may
stand for every row. Headers are in Thrift's compact protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 2**14  # of a header, which may hold the least and the largest value
UNPACKED, PACKED, DATA, DICTIONARY, DATA_V2 = 2, 3, 5, 7, 8  # the fields of a header that are read
VALUES: Final = 1  # the field with the number of values in what describes a page
TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
FIXED: Final = {BYTE: 1, DOUBLE: 8}  # bytes of values that are skipped
MOST_DEPTH: Final = 8

Read = Callable[[int, int], bytes]
"""Return the bytes of a file from the first position up to the second."""
Field = int | dict[int, "Field"] | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a column."""

    packed: int  # bytes
    unpacked: int
    values: int
    dictionary: bool


def pages(read: Read, start: int, stop: int) -> Iterator[Page]:
    """Yield the pages of the column between two positions of a file, up to one whose header is damaged."""
    while start < stop:
        header = _Header(read(start, min(start + HEADER_BYTES, stop)))
        try:
            found = header.struct()
            packed, unpacked = _number(found.get(PACKED)), _number(found.get(UNPACKED))
            described = next((found[kind] for kind in (DATA, DATA_V2, DICTIONARY) if kind in found), {})
            values = _number(described.get(VALUES)) if isinstance(described, dict) else 0
        except (IndexError, ValueError):
            return
        yield Page(packed, unpacked, values, DICTIONARY in found)
        start += header.at + packed


def _number(field: Field) -> int:
    """Return a length or a count.

    Raises:
        ValueError: if *field* is not a number of zero or more.
    """
    if not isinstance(field, int) or field < 0:
        raise ValueError
    return field


class _Header:
    """A struct in Thrift's compact protocol; only its integers and structs are kept."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Field]:
        """Return the fields by their numbers.

        Raises:
            IndexError: if the header is cut off.
            ValueError: if it is damaged.
        """
        if depth > MOST_DEPTH:
            raise ValueError
        found: dict[int, Field] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            found[number] = self._value(kind & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Field:
        if kind in (TRUE, FALSE):
            return None
        if kind == STRUCT:
            return self.struct(depth + 1)
        if BYTE < kind < DOUBLE:
            return self._signed()
        if kind in (LIST, SET):
            return self._items(depth)
        length = self._varint() if kind == BINARY else FIXED.get(kind)
        if length is None:
            raise ValueError
        self.at += length
        return None

    def _items(self, depth: int) -> Field:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        for _ in range(count):
            if self.at >= len(self._content):
                raise IndexError
            self._value(head & 15, depth + 1)
        return None

    def _signed(self) -> int:
        zigzag = self._varint()
        return zigzag >> 1 ^ -(zigzag & 1)

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return found
            if shift > 63:
                raise ValueError

    def _byte(self) -> int:
        self.at += 1
        return self._content[self.at - 1]
