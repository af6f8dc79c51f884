"""Read the files that cells name: beside the data on this disk, in a dataset of the Hub, or in a zip file."""

from __future__ import annotations

import os
import posixpath
import re
import threading
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from hubscan.errors import HubscanError
from hubscan.hub.ranges import RemoteFile
from hubscan.sample.budgets import MOST_FILE_BYTES
from hubscan.sample.cells import LargeFile
from hubscan.sample.sources.files import AHEAD_BYTES, Window, open_file
from hubscan.untrusted import open_inside

IN_ZIP: Final = re.compile(r"zip://(?P<member>.+)::(?P<archive>.+)")
ENDINGS: Final = (
    *(".jpg", ".jpeg", ".png", ".JPG", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".wav", ".mp3", ".flac"),
)  # of names without an ending
MOST_ARCHIVE_BYTES: Final = 2**50  # of a zip file, of which only members are read
MOST_MISSED: Final = 5  # files looked for on the Hub


class NamedFiles:
    """The files beside the data, which cells name relative to it; `fetch` and `locate` read and find them."""

    def __init__(self, root: str, data: str = "", *, listed: Iterable[str] = ()) -> None:
        """Read nothing yet.

        Args:
            root: the folder of the dataset: a path, or an `hf://` address that ends in a slash.
            data: a file of the dataset, whose own folder comes before the root.
            listed: paths of files that were found in the folder, perhaps behind links of the user's own.
        """
        self._root = root if root.endswith("/") else root + "/"
        inside = data.startswith(self._root)
        self._folders = list(dict.fromkeys([data.rpartition("/")[0] + "/"] * inside + [self._root]))
        self._remote = root.startswith("hf://")
        self._listed = frozenset(listed)
        self._missed = 0
        self._archives: dict[str, zipfile.ZipFile] = {}
        self._lock = threading.Lock()

    def fetch(self, name: str) -> bytes:
        """Return the content of the file *name*, which may be in a zip file.

        Raises:
            FileNotFoundError: if there is no such file, or it is not beside the data.
            LargeFile: if it is too large.
        """
        packed = IN_ZIP.fullmatch(name)
        if packed:
            return self._member(packed["member"], packed["archive"])
        address = self._address(name)
        if address is None:
            raise FileNotFoundError(name)
        if self._remote:
            file = RemoteFile(address)
            _refuse_large(name, file.size)
            return file.read(0, file.size)
        with self._opened(address) as opened:
            _refuse_large(name, os.fstat(opened.fileno()).st_size)
            return opened.read(MOST_FILE_BYTES)

    def locate(self, name: str) -> str | None:
        """Return where `fetch` would find *name*, or None if it would not; on the Hub, give up soon."""
        if self._remote and (self._missed >= MOST_MISSED or not posixpath.splitext(name)[1]):
            return None
        address = self._address(name)
        self._missed += address is None
        return address

    def _address(self, name: str) -> str | None:
        """Return the path or the address of a regular file, or None if it is not beside the data.

        On this disk, a name may lack its ending.
        """
        if name in self._listed:
            return name if self._exists(name) else None
        if self._remote and name.startswith(self._root):
            rest = name.removeprefix(self._root)
            return name if _beside(rest) == rest else None
        for folder in self._folders:
            for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
                beside = _beside(spelling.removeprefix(folder))
                if beside is None:
                    continue
                endings = ("",) if self._remote or posixpath.splitext(beside)[1] else ("", *ENDINGS)
                for address in (folder + beside + ending for ending in endings):
                    if self._exists(address):
                        return address
        return None

    def _exists(self, address: str) -> bool:
        if not self._remote:
            with suppress(OSError, ValueError), self._opened(address):
                return True
            return False
        with suppress(HubscanError, OSError):
            return RemoteFile(address).size >= 0
        return False

    def _opened(self, address: str) -> BinaryIO:
        """Open a regular file that was listed, or that is inside the folder with all links resolved."""
        root = str(Path(address).resolve().parent) if address in self._listed else self._root
        return open_inside(root, Path(address).resolve(), most_bytes=MOST_ARCHIVE_BYTES)

    def _member(self, member: str, archive: str) -> bytes:
        address = self._address(archive)
        if address is None:
            raise FileNotFoundError(archive)
        with self._lock:
            if address not in self._archives:
                self._archives[address] = opened_zip(address)
            return _content(self._archives[address], member)


def member(address: str) -> bytes:
    """Return the content of a file in a zip file, given as `zip://name::archive`.

    Raises:
        FileNotFoundError: if there is no such file, or it is damaged.
        LargeFile: if it is too large.
    """
    found = IN_ZIP.fullmatch(address)
    if found is None:
        raise FileNotFoundError(address)
    with opened_zip(found["archive"]) as opened:
        return _content(opened, found["member"])


def _content(archive: zipfile.ZipFile, member: str) -> bytes:
    """Return the content of *member*, never more bytes than it declares."""
    try:
        found = archive.getinfo(member)
        _refuse_large(member, found.file_size)
        return archive.read(found)
    except (KeyError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FileNotFoundError(member) from error


def opened_zip(address: str) -> zipfile.ZipFile:
    """Return the zip file at a path or an `hf://` address.

    Raises:
        zipfile.BadZipFile: if it is no zip file.
    """
    return zipfile.ZipFile(cast(Any, Window(open_file(address), read_ahead=AHEAD_BYTES)))


def _refuse_large(name: str, size: int) -> None:
    """Raise `LargeFile` for the size of a file as its folder, its server or its zip file declares it."""
    if size > MOST_FILE_BYTES:
        raise LargeFile(name)


def _beside(name: str) -> str | None:
    """Return the relative path *name* in its shortest form, or None if it leads out of the folder."""
    path = posixpath.normpath(name)
    out = path.startswith(("../", "/")) or path in ("..", ".") or "://" in name or "\0" in name
    return None if out else path


def from_nowhere(name: str) -> bytes:
    """Refuse to read any file."""
    raise FileNotFoundError(name)


def nowhere(name: str) -> None:
    """Return that there is no such file."""
    return
