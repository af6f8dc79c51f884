"""The part of a child process that talks to its parent."""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import IO, Any


class Messages:
    """Sends messages to the parent, each as a line."""

    def __init__(self, answers: IO[str]) -> None:
        self._answers = answers
        self._lock = threading.Lock()  # threads that download report that they wait

    def __call__(self, kind: str, **content: Any) -> None:
        """Send one message."""
        with self._lock:
            self._answers.write(json.dumps({"kind": kind, **content}) + "\n")
            self._answers.flush()

    def waits(self, reason: str, seconds: float) -> None:
        """Report that a server limits requests."""
        self("waiting", reason=reason, seconds=seconds)


class Warnings(logging.Handler):
    """Sends warnings to the parent, which shows them: nobody sees the stderr of a child."""

    def __init__(self, say: Messages) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Send *record*."""
        self._say("warning", text=self.format(record))


def private_stdout() -> IO[str]:
    """Return the real stdout, reserved for messages; redirect what libraries print to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers
