"""Start the process that draws a sample, if possible before the modules that ask for it are imported."""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hubscan.processes import Child, Message, start, temporary_folder


@dataclass(frozen=True)
class Started:
    """A process that waits for its request."""

    child: Child
    messages: queue.Queue[Message]
    folder: tempfile.TemporaryDirectory[str]  # for its temporary files

    def close(self) -> None:
        """End the process and remove its files; may be called twice."""
        self.child.close()
        self.folder.cleanup()


_waiting: list[Started] = []


@contextmanager
def ahead() -> Iterator[None]:
    """Start a process now, whose imports take seconds, for the first drawing in the block."""
    started = _start()
    _waiting.append(started)
    try:
        yield
    finally:
        _waiting[:] = [other for other in _waiting if other is not started]
        started.close()


def started() -> Started:
    """Return a process that was started ahead, or else a new one."""
    try:
        return _waiting.pop()
    except IndexError:
        return _start()


def _start() -> Started:
    folder, messages = temporary_folder(), queue.Queue[Message]()
    child = start("hubscan.drawing.child", folder=Path(folder.name), hear=messages.put)
    return Started(child, messages, folder)
