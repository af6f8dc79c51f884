"""Files that are read once, from the first byte to the last: counted, hashed, unpacked on the way.

The readers of `datasets` open them by an address of their own, `hubscan-sequential://`, so that a csv
at any URL gives what the same csv gives on this disk, and each byte is known.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import itertools
import lzma
from collections.abc import Callable, Sequence
from typing import IO, Any, ClassVar, Final, cast
from weakref import WeakValueDictionary

import fsspec

from hubscan.errors import DatasetError
from hubscan.hub.stream import RemoteStream
from hubscan.sample.sources.files import StoredFile, Window

PROTOCOL: Final = "hubscan-sequential"
AHEAD_BYTES: Final = 2**22  # where each reading is a request
KEPT_BYTES: Final = 2**24  # from the beginning: readers look at it, and begin again
BUFFER_BYTES: Final = 2**18
UNPACKED: Final[tuple[tuple[bytes, Callable[..., Any]], ...]] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
)


class SequentialFile:
    """A file at an http(s) URL or anywhere that fsspec knows."""

    def __init__(self, address: str, limit: int) -> None:
        """Look at nothing yet.

        Args:
            address: where the file lies.
            limit: bytes, behind which nothing is read; a reader that wants rows in parts is ended
                long before.
        """
        self.name = address
        self._limit = limit
        self._live: RemoteStream | Window | None = None
        self._stored = None if address.startswith(("http://", "https://")) else StoredFile(address)
        self._before = 0  # bytes that came in readings that were begun anew
        self._first: bytes | None = b""  # all that came so far, while it is little
        self.position = 0
        self._ended = False
        self._hash = hashlib.sha256()

    @property
    def passed(self) -> int:
        """Bytes given out so far, but for a file on this disk: the same number whatever the line does."""
        return 0 if self._stored is not None and self._stored.local else self.position

    @property
    def bytes_read(self) -> int:
        """Bytes that came over the network."""
        if self._stored is not None:
            return self._stored.bytes_read
        return self._before + (self._live.received if isinstance(self._live, RemoteStream) else 0)

    @property
    def requests(self) -> int:
        """Requests that did not go through the Hub's client."""
        return self._stored.requests if self._stored is not None else 0

    def pin(self) -> str:
        """Return what tells this file from another: its content, as far as it was read.

        Where the end was not reached, also what the server says of the file: its length and its tag.
        """
        content = f"{self.position} {self._hash.hexdigest()}"
        if self._ended or self._live is None:
            return content
        if isinstance(self._live, RemoteStream):
            return f"{content} of {self._live.size} {self._live.tag}"
        assert self._stored is not None
        return f"{content} of {self._stored.size}"

    def open(self) -> IO[bytes]:
        """Return the file from its first byte on, unpacked if it is packed."""
        if self._first is None:
            self._begin()
        raw = io.BufferedReader(_SequentialReader(self), BUFFER_BYTES)
        start = raw.peek(BUFFER_BYTES)[:1024]
        if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DatasetError(f"{self.name}: is a web page; pass the address of the data file itself")
        unpack = next((opener for magic, opener in UNPACKED if start.startswith(magic)), None)
        return cast(IO[bytes], raw if unpack is None else io.BufferedReader(unpack(raw), BUFFER_BYTES))

    def bytes_from(self, at: int, count: int) -> bytes:
        """Return up to *count* bytes from *at* on, which is where the last ones ended, or in what is kept."""
        if self._first is not None and at < len(self._first):
            return bytes(self._first[at : at + count])
        if at != self.position:
            raise OSError("this reading was given up")
        if at > self._limit:
            raise DatasetError(
                f"{self.name}: rows do not come one by one, {at / 1e6:,.0f} MB are read (--max-bytes) and "
                "none is there; download it and pass the path"
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
    """Return *count* bytes, or fewer at the end only: how much is read must not hang on the line."""
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


class _SequentialFiles(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """Sequential files as `datasets` opens them: `hubscan-sequential://<number>/rows`."""

    protocol = PROTOCOL
    cachable = False
    numbers = itertools.count()
    known: ClassVar[WeakValueDictionary[str, SequentialFile]] = WeakValueDictionary()

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        path = self._strip_protocol(path)
        if path not in self.known:
            raise FileNotFoundError(path)
        return {"name": path, "size": None, "type": "file"}

    def _open(self, path: str, mode: str = "rb", **_: Any) -> IO[bytes]:
        return self.known[path].open()


fsspec.register_implementation(PROTOCOL, _SequentialFiles, clobber=True)


def addresses(files: Sequence[SequentialFile], ending: str) -> list[str]:
    """Return addresses at which `datasets` can open *files*, for as long as these are kept."""
    found = []
    for file in files:
        path = f"{next(_SequentialFiles.numbers)}/rows{ending}"
        _SequentialFiles.known[path] = file
        found.append(f"{PROTOCOL}://{path}")
    return found
