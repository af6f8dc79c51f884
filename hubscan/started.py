"""Start a process, if possible before the modules that give it work are imported."""

from __future__ import annotations

import queue
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hubscan.processes import Child, Message, start, temporary_folder

DRAWS: Final = "hubscan.drawing.child"
SCORES: Final = "hubscan.scorer.child"


@dataclass(frozen=True)
class Started:
    """A process that waits for its request."""

    module: str
    child: Child
    messages: queue.Queue[Message]
    folder: tempfile.TemporaryDirectory[str]  # for its temporary files

    def close(self) -> None:
        """End the process and remove its files; may be called twice."""
        self.child.close()
        self.folder.cleanup()


_waiting: list[Started] = []


@contextmanager
def ahead(module: str) -> Iterator[None]:
    """Start *module* now, whose imports take seconds, for the first one that asks in the block."""
    found = _start(module)
    _waiting.append(found)
    try:
        yield
    finally:
        _waiting[:] = [other for other in _waiting if other is not found]
        found.close()


def started(module: str) -> Started:
    """Return a process that was started ahead, or else a new one."""
    found = next((one for one in _waiting if one.module == module), None)
    if found is None:
        return _start(module)
    _waiting.remove(found)
    return found


def _start(module: str) -> Started:
    folder, messages = temporary_folder(), queue.Queue[Message]()
    child = start(module, folder=Path(folder.name), hear=messages.put)
    return Started(module, child, messages, folder)
