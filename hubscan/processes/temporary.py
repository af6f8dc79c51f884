"""Temporary folders that the next scan removes if this one is killed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

NAME: Final = re.compile(r"hubscan-(\d+)-\w+")


def temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new temporary folder; remove those of this user's processes that have ended."""
    place = Path(tempfile.gettempdir())
    with suppress(OSError):
        for folder in place.glob("hubscan-*"):
            named = NAME.fullmatch(folder.name)
            if named and not _runs(int(named[1])) and _is_ours(folder):
                shutil.rmtree(folder, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=f"hubscan-{os.getpid()}-", ignore_cleanup_errors=True)


def _runs(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
