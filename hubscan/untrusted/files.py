"""Open the files that data names: regular files of bounded size inside an allowed folder, nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final, Literal

MOST_BYTES: Final = 2**28
Links = Literal["inside", "none"]
"""Which symbolic links are followed: those that stay inside the folder, or none."""

_FLAGS: Final = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
)
_NOT_FOLLOWED: Final = getattr(os, "O_NOFOLLOW", 0)


class Refused(OSError):
    """A file may not be opened; the message is a reason of one line, without the file's name."""


def open_inside(
    root: str | Path, name: str | Path, *, links: Links = "inside", most_bytes: int = MOST_BYTES
) -> BinaryIO:
    """Open the file *name* for reading.

    Args:
        root: the folder that it must be in; *root* itself may be a link, since the user named it.
        name: relative to *root*, or an absolute path inside it.
        links: which symbolic links below *root* are followed.
        most_bytes: of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        Refused: if it is outside *root*, not a regular file, too large, or reached by a link that is not
            followed.
        OSError: if it cannot be read.
    """
    path = _inside(Path(root), name, links)
    try:
        return _opened(path, _FLAGS | _NOT_FOLLOWED, most_bytes)
    except OSError as error:
        if path.is_symlink():
            raise Refused("a symbolic link") from error
        raise


def bytes_inside(
    root: str | Path, name: str | Path, *, links: Links = "inside", most_bytes: int = MOST_BYTES
) -> bytes:
    """Return the content of the file *name*; see `open_inside`."""
    with open_inside(root, name, links=links, most_bytes=most_bytes) as file:
        return _whole(file, most_bytes)


def bytes_of(path: Path, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of the file at *path*, which the user or the Hub's client chose; links are followed.

    Raises:
        FileNotFoundError: if there is no such file.
        Refused: if it is not a regular file, or too large.
        OSError: if it cannot be read.
    """
    with _opened(path, _FLAGS, most_bytes) as file:
        return _whole(file, most_bytes)


def _opened(path: Path, flags: int, most_bytes: int) -> BinaryIO:
    opened = os.open(path, flags)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise Refused("not a regular file")
        if found.st_size > most_bytes:
            raise Refused(f"larger than {most_bytes:,} bytes")
    except BaseException:
        os.close(opened)
        raise
    return os.fdopen(opened, "rb")


def _whole(file: BinaryIO, most_bytes: int) -> bytes:
    content = file.read(most_bytes + 1)  # it may grow while it is read
    if len(content) > most_bytes:
        raise Refused(f"larger than {most_bytes:,} bytes")
    return content


def _inside(root: Path, name: str | Path, links: Links) -> Path:
    """Return the path of *name* below the resolved *root*, with the links that may be followed resolved."""
    base = root.resolve()
    relative = _relative(root, base, name)
    if links == "none":
        _refuse_links(base, relative)
        return base / relative
    resolved = (base / relative).resolve()
    if not resolved.is_relative_to(base):
        raise Refused("a link that leads out of the folder")
    return resolved


def _relative(root: Path, base: Path, name: str | Path) -> Path:
    path = Path(name)
    if "\0" in str(name):
        raise Refused("a name with a null character")
    for start in (base, root.absolute()):
        if path.is_absolute() and path.is_relative_to(start):
            path = path.relative_to(start)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise Refused("outside the folder")
    return path


def _refuse_links(base: Path, relative: Path) -> None:
    place = base
    for part in relative.parts:
        if (place := place / part).is_symlink():
            raise Refused(
                "a symbolic link" if place == base / relative else "in a folder that is a symbolic link"
            )
