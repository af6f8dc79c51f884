"""Read how many bytes the compressed buffers of an Arrow file unpack to, before Arrow unpacks them all.

Each compressed buffer begins with its length. Where the buffers are is in the header of its message, a
table of FlatBuffers: https://arrow.apache.org/docs/format/Columnar.html#recordbatch-message
"""

from __future__ import annotations

import struct
from typing import Final

import pyarrow as pa

DICTIONARY, BATCH = 2, 3  # the kinds of messages that have buffers
KIND, HEADER = 1, 2  # the fields of a message
BUFFERS, COMPRESSION, DATA = 2, 3, 1  # the fields of a batch, and of a dictionary the batch
LENGTH: Final = struct.Struct("<q")
BUFFER: Final = struct.Struct("<qq")  # the offset and the length


def unpacked_bytes(message: pa.ipc.Message) -> int:
    """Return how many bytes the buffers of *message* unpack to, 0 if they are not compressed.

    Raises:
        ValueError: if its header is damaged.
    """
    try:
        return _unpacked(memoryview(message.metadata), message.body)
    except (struct.error, IndexError) as error:
        raise ValueError("the header of a record batch is damaged") from error


def _unpacked(header: memoryview, body: pa.Buffer | None) -> int:
    root = _Table(header, struct.unpack_from("<I", header)[0])
    kind = header[at] if (at := root.field(KIND)) else 0
    batch = root.table(HEADER) if kind in (DICTIONARY, BATCH) else None
    if kind == DICTIONARY and batch:
        batch = batch.table(DATA)
    if batch is None or body is None or not batch.field(COMPRESSION):
        return 0
    content = memoryview(body)
    places = [(offset, length) for offset, length in batch.vector(BUFFERS) if length >= LENGTH.size]
    return sum(max(LENGTH.unpack_from(content, offset)[0], 0) for offset, length in places)


class _Table:
    """A table of FlatBuffers."""

    def __init__(self, content: memoryview, at: int) -> None:
        self._content, self._at = content, at
        self._fields = at - struct.unpack_from("<i", content, at)[0]

    def field(self, number: int) -> int:
        """Return the position of a field, 0 if it is missing."""
        (size,) = struct.unpack_from("<H", self._content, self._fields)
        place = 4 + 2 * number
        offset = struct.unpack_from("<H", self._content, self._fields + place)[0] if place < size else 0
        return self._at + offset if offset else 0

    def table(self, number: int) -> _Table | None:
        """Return the table in a field, None if it is missing."""
        at = self.field(number)
        return _Table(self._content, self._behind(at)) if at else None

    def vector(self, number: int) -> list[tuple[int, int]]:
        """Return the buffers in a field."""
        if not (at := self.field(number)):
            return []
        start = self._behind(at)
        (count,) = struct.unpack_from("<I", self._content, start)
        end = start + 4 + BUFFER.size * count
        return list(BUFFER.iter_unpack(self._content[start + 4 : end]))

    def _behind(self, at: int) -> int:
        return at + int(struct.unpack_from("<I", self._content, at)[0])
