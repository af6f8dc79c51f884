"""Read and write the files of a run folder, which may come from a stranger.

Only regular files of bounded size are opened, and no symbolic link is followed: neither what is read nor what
is written is ever outside the folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from hubscan.errors import RunError
from hubscan.untrusted import Refused, open_inside

MOST_BYTES: Final = 2**30  # a result takes a few thousand, so a million candidates fit
_NOT_FOLLOWED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def is_there(folder: Path, name: str) -> bool:
    """Return whether *folder* has something called *name*, even a link that leads nowhere."""
    return os.path.lexists(folder / name)


def require_file(folder: Path, name: str) -> None:
    """Check that the file *name* may be opened.

    Raises:
        FileNotFoundError: if there is no such file.
        RunError: see `opened`.
    """
    opened(folder, name).close()


def opened(folder: Path, name: str, *, most_bytes: int = MOST_BYTES) -> BinaryIO:
    """Open the file *name*, such as `heads/KEY.safetensors`, for reading.

    Raises:
        FileNotFoundError: if there is no such file.
        RunError: if it is a link, in a linked folder, not a regular file, too large, or cannot be read.
    """
    try:
        return open_inside(folder, name, links="none", most_bytes=most_bytes)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(folder / name, error) from error


def read(folder: Path, name: str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return the content of the file *name*.

    Raises:
        FileNotFoundError: if there is no such file.
        RunError: see `opened`.
    """
    with opened(folder, name, most_bytes=most_bytes) as file:
        return file.read(most_bytes)


def lines(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the complete lines of the file *name*; none if it does not exist.

    Raises:
        RunError: see `opened`.
    """
    try:
        file = opened(folder, name)
    except FileNotFoundError:
        return
    with file:
        for line in file:
            if line.endswith(b"\n"):  # else it was left by a crash
                yield line[:-1]


def opened_to_write(folder: Path, name: str) -> BinaryIO:
    """Open the file *name*, which is created if need be and keeps its content.

    Raises:
        RunError: if it is a link or not a regular file.
        OSError: if it cannot be written.
    """
    return _writing(folder, name, os.O_CREAT)


def append(folder: Path, name: str, line: bytes) -> None:
    """Append *line*, which ends the file's last line, and return once it is on disk.

    Raises:
        RunError: if the file is a link or not a regular file.
        OSError: if it cannot be written.
    """
    with _writing(folder, name, os.O_APPEND | os.O_CREAT) as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def drop_torn_line(folder: Path, name: str) -> None:
    """Remove an incomplete last line, left by a crash, from the file *name* before more are appended.

    Raises:
        RunError: see `opened`.
    """
    try:
        whole = sum(len(line) + 1 for line in lines(folder, name))
        with _writing(folder, name, 0) as file:
            file.truncate(whole)
    except FileNotFoundError:
        return


def write_whole(folder: Path, name: str, content: str | bytes) -> None:
    """Replace the file *name* atomically: a scan that is killed leaves the old file or the new one.

    A link of that name is replaced, not followed.

    Raises:
        RunError: if the folder that *name* is in is a link.
        OSError: if it cannot be written.
    """
    path = folder / name
    if path.parent != folder:
        make_folder(folder, path.parent.name)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_FOLLOWED | _BINARY
    try:
        with os.fdopen(os.open(partial, flags, 0o666), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def make_folder(folder: Path, name: str) -> None:
    """Create the folder *name* in the run folder.

    Raises:
        RunError: if it is a link or a file.
        OSError: if it cannot be created.
    """
    place = folder / name
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        found = "a symbolic link" if place.is_symlink() else "a file"
        raise RunError(f"{place}: is {found}, but must be a folder; remove it")
    place.mkdir(exist_ok=True)


def remove(folder: Path, name: str) -> None:
    """Remove the file or link *name*, if it is there.

    Raises:
        RunError: if it is a folder.
    """
    try:
        (folder / name).unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError) as error:
        if (folder / name).is_dir():
            raise RunError(f"{folder / name}: is a folder, but must be a file; remove it") from error
        raise


def _writing(folder: Path, name: str, flags: int) -> BinaryIO:
    path = folder / name
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise _unusable(path, Refused("a symbolic link" if path.is_symlink() else "not a regular file"))
    return os.fdopen(os.open(path, os.O_WRONLY | flags | _NOT_FOLLOWED | _BINARY, 0o666), "wb")


def _unusable(path: Path, error: OSError) -> RunError:
    if isinstance(error, Refused):
        return RunError(f"{path}: is {error}, so it is not used; remove it, or scan again with --fresh")
    return RunError(f"{path}: cannot be read: {error.strerror or error}")
