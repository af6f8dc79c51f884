"""Bind a child process to its parent, and limit its memory."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

CGROUP: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
POLL_SECONDS: Final = 0.2
EXCEEDED: Final = 137  # the exit code of a process that was watched; what the kernel's killing looks like


def end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, if it can.

    Elsewhere than on Linux, a process that is busy ends when it next sends or awaits a message.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def machine_bytes() -> int:
    """Return the memory of this machine, or of the container if that is less."""
    import psutil

    found = [int(psutil.virtual_memory().total)]
    for file in CGROUP:
        with suppress(OSError, ValueError):  # "max" is no number
            found.append(int(file.read_text()))
    return min(found)


def resident_bytes() -> int:
    """Return the memory that this process uses."""
    import psutil

    return int(psutil.Process().memory_info().rss)


class MemoryLimit:
    """The memory that this process may use, which can be changed as often as needed.

    On Linux the kernel enforces it, with `RLIMIT_DATA`: an allocation beyond it fails.
    A CUDA driver reserves far more than it uses, and other systems have no such limit. There, a thread
    watches the memory in use, and ends the process.
    """

    def __init__(self, *, watched: bool) -> None:
        """Limit nothing yet; *watched* processes are not limited by the kernel."""
        self.bytes: int | None = None
        self._by_kernel = sys.platform == "linux" and not watched
        self._watch: threading.Thread | None = None

    def set(self, most: int) -> None:
        """Let this process use *most* bytes from now on."""
        self.bytes = most
        if self._by_kernel:
            # The kernel counts what is allocated, of which a part is never used.
            _limit_data(_data_bytes() + max(0, most - resident_bytes()))
        elif self._watch is None:
            self._watch = threading.Thread(target=self._watched, daemon=True)
            self._watch.start()

    def _watched(self) -> None:
        while True:
            if self.bytes is not None and resident_bytes() > self.bytes:
                os.write(2, b"out of memory\n")
                os._exit(EXCEEDED)
            time.sleep(POLL_SECONDS)


def _limit_data(most: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_bytes() -> int:
    match = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) * 1024 if match else 0
