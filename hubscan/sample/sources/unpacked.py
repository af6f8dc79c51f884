"""Open a file of text from its first byte, decompressed, and refuse what is not the data itself."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from typing import Any, Final, cast
from zipfile import BadZipFile, ZipFile

import pyarrow as pa

from hubscan.errors import DatasetError
from hubscan.lfs_pointer import is_lfs_pointer
from hubscan.sample.sources.expansion import Expanded, refuse_bomb
from hubscan.sample.sources.files import Window, open_file
from hubscan.sample.sources.formats import is_hidden

AHEAD_BYTES: Final = 2**22  # bytes per read if each read is a request
BUFFER_BYTES: Final = 2**18
POINTER_BYTES: Final = 200  # more than a pointer needs to be recognised
ZIP: Final = b"PK\x03\x04"
BOM: Final = b"\xef\xbb\xbf"


def _by_arrow(codec: str) -> Callable[..., Any]:
    return lambda raw: pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), codec)


UNPACKED: Final[tuple[tuple[bytes, Callable[..., Any]], ...]] = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
    (b"\x28\xb5\x2f\xfd", _by_arrow("zstd")),
    (b"\x04\x22\x4d\x18", _by_arrow("lz4")),
)


def open_bytes(address: str) -> io.BufferedReader:
    """Return the file at *address*, which is `hf://`, a path or anything fsspec supports.

    Raises:
        DatasetError: if there is no such file, or it is a web page or a Git LFS pointer.
        HubError: if it cannot be read from the Hub.
    """
    window = Window(open_file(address), read_ahead=AHEAD_BYTES)
    return unpacked(io.BufferedReader(window, BUFFER_BYTES), address)


def unpacked(raw: io.BufferedReader[Any], name: str) -> io.BufferedReader:
    """Return *raw*, decompressed if its first bytes say that it is compressed.

    Raises:
        DatasetError: if it is a web page or a Git LFS pointer.
    """
    start = raw.peek(BUFFER_BYTES)[:1024]
    if start.removeprefix(BOM).lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise DatasetError(f"{name}: this is a web page; pass the address of the data file itself")
    refuse_lfs_pointer(start, name)
    if start.startswith(ZIP):
        return _only_member(raw, name)
    unpack = next((opener for magic, opener in UNPACKED if start.startswith(magic)), None)
    if unpack is None:
        return raw
    return io.BufferedReader(Expanded(raw, unpack, name), BUFFER_BYTES)


def _only_member(raw: io.BufferedReader[Any], name: str) -> io.BufferedReader:
    if not raw.seekable():
        raise DatasetError(f"{name}: a zip file, which cannot be read from here; download and unpack it")
    try:
        members = ZipFile(raw)
        inside = [one for one in members.infolist() if not (one.is_dir() or is_hidden(one.filename))]
        if len(inside) == 1:
            refuse_bomb(name, inside[0].compress_size, inside[0].file_size)
            return io.BufferedReader(cast(io.RawIOBase, members.open(inside[0])), BUFFER_BYTES)
    except (BadZipFile, RuntimeError, NotImplementedError) as error:  # damaged, encrypted, of another method
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(
            f"{name}: cannot be unpacked: {reason}; unpack it, and pass what is in it"
        ) from error
    raise DatasetError(f"{name}: a zip of {len(inside):,} files; unpack it, and pass the folder")


def refuse_lfs_pointer(first_bytes: bytes, name: str) -> None:
    """Raise a `DatasetError` if the file *name* begins like a Git LFS pointer."""
    if is_lfs_pointer(first_bytes):
        raise DatasetError(f"{name}: a Git LFS pointer, not the data; run git lfs pull in its repository")
