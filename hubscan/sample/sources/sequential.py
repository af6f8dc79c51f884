"""Read a file once, from the first byte to the last, while counting, hashing and decompressing it.

So a csv at any URL gives the same rows as on this disk, and every byte is counted.
"""

from __future__ import annotations

import hashlib
import io
from typing import Final

from hubscan.errors import DatasetError
from hubscan.hub.stream import RemoteStream
from hubscan.sample.sources.files import StoredFile, Window
from hubscan.sample.sources.unpacked import AHEAD_BYTES, BUFFER_BYTES, unpacked

KEPT_BYTES: Final = 2**24  # first bytes kept, since readers inspect them and start over


class SequentialFile:
    """A file at an http(s) URL or anywhere that fsspec supports."""

    def __init__(self, address: str, limit: int) -> None:
        """Read nothing yet.

        Args:
            address: the URL of the file.
            limit: bytes after which reading is an error; only a reader that yields no rows until then
                comes so far.
        """
        self.name = address
        self._limit = limit
        self._live: RemoteStream | Window | None = None
        self._stored = None if address.startswith(("http://", "https://")) else StoredFile(address)
        self._before = 0  # bytes received before the current reading
        self._first: bytes | None = b""  # all bytes so far, up to KEPT_BYTES
        self.position = 0
        self._ended = False
        self._hash = hashlib.sha256()

    @property
    def passed(self) -> int:
        """Bytes delivered so far, 0 for a local file; does not depend on broken connections."""
        return 0 if self._stored is not None and self._stored.local else self.position

    @property
    def bytes_read(self) -> int:
        """Bytes received over the network."""
        if self._stored is not None:
            return self._stored.bytes_read
        return self._before + (self._live.received if isinstance(self._live, RemoteStream) else 0)

    @property
    def requests(self) -> int:
        """Requests that did not go through the Hub client."""
        return self._stored.requests if self._stored is not None else 0

    def pin(self) -> str:
        """Return an identifier of this file: a hash of its content as far as it was read.

        If the end was not reached, the length and tag that the server gives are part of it.
        """
        content = f"{self.position} {self._hash.hexdigest()}"
        if self._ended or self._live is None:
            return content
        if isinstance(self._live, RemoteStream):
            return f"{content} of {self._live.size} {self._live.tag}"
        assert self._stored is not None
        return f"{content} of {self._stored.size}"

    def open(self) -> io.BufferedReader:
        """Return the file from its first byte, decompressed if it is compressed."""
        if self._first is None:
            self._begin()
        raw = io.BufferedReader(_SequentialReader(self), BUFFER_BYTES)
        return unpacked(raw, self.name)

    def bytes_from(self, at: int, count: int) -> bytes:
        """Return up to *count* bytes from *at*, which is where the last read ended, or in the kept bytes."""
        if self._first is not None and at < len(self._first):
            return bytes(self._first[at : at + count])
        if at != self.position:
            raise OSError("this reading was abandoned")
        if at > self._limit:
            raise DatasetError(
                f"{self.name}: no rows in the first {at / 1e6:,.0f} MB (twice --max-bytes), so this file "
                "cannot be read row by row; download it and pass its path"
            )
        if self._live is None:
            stored = self._stored
            self._live = RemoteStream(self.name) if stored is None else Window(stored, read_ahead=AHEAD_BYTES)
        found = _full(self._live, count)
        self.position += len(found)
        self._hash.update(found)
        self._ended = not found
        if self._first is not None:
            self._first = self._first + found if self.position <= KEPT_BYTES else None
        return found

    def _begin(self) -> None:
        self._before = self.bytes_read
        if self._live is not None:
            self._live.close()
        self._live, self._first, self.position, self._ended = None, b"", 0, False
        self._hash = hashlib.sha256()


def _full(live: RemoteStream | Window, count: int) -> bytes:
    """Return *count* bytes, or fewer at the end: the amount may not depend on the connection."""
    parts = []
    while count and (part := live.read(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class _SequentialReader(io.RawIOBase):
    """One reading of a sequential file."""

    def __init__(self, file: SequentialFile) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        found = self._file.bytes_from(self._at, len(buffer))
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)
