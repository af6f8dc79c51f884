"""Hold a run folder while a scan or a verification writes to it, so that no other one writes there too.

The lock is one of the operating system, which ends with the process: a killed scan leaves none. The file that
carries it says who holds it. Reading a run takes no lock.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from hubscan import run_files
from hubscan.errors import RunError
from hubscan.untrusted import Malformed, json_of

HOLDER: Final = "in-use.json"
MOST_BYTES: Final = 4096
PLACE: Final = 2**30  # of the locked byte: on Windows, nobody can read a byte that is locked
NO_LOCKS: Final = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # some network file systems


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold *folder*, which is created if need be, and removed afterwards if nothing was written to it.

    Raises:
        RunError: if another process holds it; the message says which, where and since when.
        OSError: if the folder cannot be written.
    """
    made = [path for path in (folder, *folder.absolute().parents) if not os.path.lexists(path)]
    folder.mkdir(parents=True, exist_ok=True)
    file = _locked(folder)
    try:
        _write_holder(file)
        yield
    finally:
        # Removed before it is released: otherwise this could remove the file of the next holder.
        with suppress(OSError):
            run_files.remove(folder, HOLDER)
        file.close()
        with suppress(OSError):  # the folder is in use
            for path in made:  # the innermost first
                path.rmdir()


def _locked(folder: Path) -> BinaryIO:
    """Return the open file that carries the lock."""
    while True:
        file = run_files.opened_to_write(folder, HOLDER)
        try:
            _lock(file)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                file.close()
                raise RunError(_in_use(folder)) from error
        if _is_current(file, folder / HOLDER):
            return file
        file.close()  # its holder removed it between our opening and our locking it


def _is_current(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _lock(file: BinaryIO) -> None:
    """Lock *file* without waiting; closing it, or the end of the process, unlocks it.

    Raises:
        OSError: if another process has locked it, or the file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(PLACE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_holder(file: BinaryIO) -> None:
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    holder = {"process": os.getpid(), "machine": platform.node(), "since": since}
    file.seek(0)
    file.truncate()
    os.write(
        file.fileno(), json.dumps(holder).encode()
    )  # not buffered: closing a file on a full disk would raise


def _in_use(folder: Path) -> str:
    holder = _holder(folder)
    return f"{folder}: in use by {holder}; wait until it ends, end it, or pass another folder with --run"


def _holder(folder: Path) -> str:
    """Return in words who holds *folder*, as far as its file says."""
    try:
        found = json_of(run_files.read(folder, HOLDER, most_bytes=MOST_BYTES))
        return f"process {int(found['process'])} on {found['machine']} since {found['since']}"
    except (OSError, RunError, Malformed, ValueError, KeyError, TypeError):  # it is just being written
        return "another process"
