"""Read any byte range of a file at any address, also through Python's file interface."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import unquote

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from hubscan.errors import DatasetError
from hubscan.hub.ranges import RemoteFile, ahead

AHEAD_BYTES: Final = 2**20  # bytes per read for readers that go from the beginning to the end


class File(Protocol):
    """A file of which any bytes can be read."""

    name: str

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* up to *stop*. Safe to call from many threads at once."""
        ...


class StoredFile:
    """A file in any place that fsspec supports, such as this disk, memory, s3 or gcs."""

    def __init__(self, address: str) -> None:
        self.name = address
        self.bytes_read = 0  # stays zero for a local file
        self.requests = 0
        self._lock = threading.Lock()
        protocol = address.partition("://")[0]
        with _backend_errors(address, f"cannot read {protocol}:// here"):
            self._system, self._path = _place(address)
        self.local = isinstance(self._system, LocalFileSystem)

    @property
    def size(self) -> int:
        """Length in bytes.

        Raises:
            DatasetError: if there is no such file.
        """
        with _backend_errors(self.name, "cannot be read"):
            return int(self._system.info(self._path)["size"])

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* up to *stop*.

        Raises:
            DatasetError: if they cannot be read.
        """
        with _backend_errors(self.name, "cannot be read"):
            found = bytes(self._system.cat_file(self._path, start=start, end=stop)) if stop > start else b""
        if len(found) != stop - start:
            raise DatasetError(f"{self.name}: the file ends before byte {stop}; check that it is complete")
        if not self.local:
            with self._lock:
                self.bytes_read += len(found)
                self.requests += 1
        return found


def _place(address: str) -> tuple[Any, str]:
    """Return the file system of *address* and the path in it. A path is a path, whatever its characters."""
    if "://" not in address:
        return LocalFileSystem(), address
    system, path = url_to_fs(address)
    if address.startswith("file://") and not Path(path).exists() and Path(unquote(path)).exists():
        path = unquote(path)
    return system, path


def names_like(pattern: str) -> list[str]:
    """Return the addresses that match a pattern with `*`, sorted; no other character is special.

    Raises:
        DatasetError: if the files cannot be listed.
    """
    with _backend_errors(pattern, "cannot be listed"):
        system, path = url_to_fs(pattern)
        if system.isfile(path):
            return [pattern]
        literal = path.replace("[", "[[]").replace("?", "[?]")
        return [system.unstrip_protocol(name) for name in sorted(system.glob(literal))]


@contextmanager
def _backend_errors(address: str, problem: str) -> Iterator[None]:
    """Turn any exception of an fsspec backend into a one-line `DatasetError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{address}: no such file; check --dataset") from error
    except Exception as error:  # botocore and gcsfs raise types of their own, not OSError
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise DatasetError(
            f"{address}: {problem}: {reason}; check --dataset and your access to it"
        ) from error


def open_file(address: str) -> File:
    """Return the file at *address*: `hf://`, http(s), anything fsspec supports, or a path."""
    remote = address.startswith(("hf://", "http://", "https://"))
    return RemoteFile(address) if remote else StoredFile(address)


class Window(io.RawIOBase):
    """A seekable file that holds prefetched ranges in memory and reads the rest on demand."""

    def __init__(self, file: File, *, read_ahead: int = 0) -> None:
        self._file = file
        self._size = file.size
        self._at = 0
        self._read_ahead = read_ahead
        self._held: list[tuple[int, bytes]] = []  # start and bytes

    def fetch(self, ranges: Iterable[tuple[int, int]], hole: int = 0) -> None:
        """Fetch and hold only *ranges* (start, stop), merging those at most *hole* bytes apart."""
        wanted = coalesced(ranges, hole)
        self._held = list(zip([start for start, _ in wanted], self._parts(wanted), strict=True))

    @property
    def holds(self) -> bool:
        """Return whether ranges are held in memory."""
        return bool(self._held)

    def at(self, start: int, stop: int) -> bytes:
        """Return the bytes between two positions."""
        return self._bytes(start, min(stop, self._size))

    def hold(self, start: int, content: bytes) -> None:
        """Hold *content*, which starts at byte *start*."""
        self._held.append((start, content))

    def _parts(self, wanted: list[tuple[int, int]]) -> list[bytes]:
        if len(wanted) == 1:
            return [self._file.read(*wanted[0])]
        return list(ahead(lambda part: self._file.read(*part), wanted))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to *offset*, and return the new position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return the next *size* bytes, or fewer at the end."""
        stop = self._size if size is None or size < 0 else min(self._at + size, self._size)
        found = self._bytes(self._at, stop) if stop > self._at else b""
        self._at += len(found)
        return found

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill *buffer* with the next bytes, and return their number."""
        found = self.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _bytes(self, start: int, stop: int) -> bytes:
        for held, content in self._held:
            if held <= start and stop <= held + len(content):
                return content[start - held : stop - held]
        if not self._read_ahead:
            return self._file.read(start, stop)
        more = min(max(stop, start + self._read_ahead), self._size)
        self._held = [(start, self._file.read(start, more))]
        return self._held[0][1][: stop - start]


def coalesced(ranges: Iterable[tuple[int, int]], hole: int) -> list[tuple[int, int]]:
    """Return *ranges* in order, with those merged that are at most *hole* bytes apart.

    >>> coalesced([(30, 40), (0, 10), (12, 20)], hole=2)
    [(0, 20), (30, 40)]
    """
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if joined and start - joined[-1][1] <= hole:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined
