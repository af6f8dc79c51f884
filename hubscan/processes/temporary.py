"""Temporary folders that the next scan removes if this one is killed."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"hubscan-(?P<owner>\d+-[0-9a-f]{8})-\w+")
OWNER: Final = re.compile(r"(?P<process>\d+)-(?P<machine>[0-9a-f]{8})")


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new temporary folder; remove those of this user's processes that have ended."""
    place = Path(tempfile.gettempdir())
    with suppress(OSError):
        for folder in place.glob("hubscan-*"):
            named = NAME.fullmatch(folder.name)
            if named and has_ended(named["owner"]) and _is_ours(folder):
                shutil.rmtree(folder, ignore_errors=True)
    prefix = f"hubscan-{owner()}-"
    return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)


def owner() -> str:
    """Return what the name of a file says that only this process writes."""
    return f"{os.getpid()}-{_machine()}"


def has_ended(owner: str) -> bool:
    """Return whether the process that *owner* names was one of this machine, and has ended."""
    named = OWNER.fullmatch(owner)
    return named is not None and named["machine"] == _machine() and not _runs(int(named["process"]))


@cache
def _machine() -> str:
    """Return 8 digits for where process numbers count: a container that shares the folder has its own."""
    with suppress(OSError, AttributeError):
        return _digits(f"{platform.node()} {os.readlink('/proc/self/ns/pid')}")  # noqa: PTH115 - not a path
    return _digits(platform.node())


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _runs(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
