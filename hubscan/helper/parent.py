"""Start a helper, follow what it tells, and end it if it stands still."""

from __future__ import annotations

import json
import logging
import queue
import time
from typing import Any, Final

import psutil

from hubscan import allowance, errors
from hubscan.errors import HubscanError
from hubscan.hub import rate_limits
from hubscan.processes import DAMAGED
from hubscan.started import started

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5


class Ended(Exception):
    """A helper can give no answer; the message is the reason, in words."""


class Helper:
    """A process that gets requests and sends answers."""

    def __init__(self, module: str, stall_seconds: float) -> None:
        """Start *module*, or take the process that was started ahead.

        Args:
            module: its main function calls `hubscan.helper.child.serve`.
            stall_seconds: the process is ended when it stands still for longer.
        """
        self._started = started(module)
        self._child, self._messages = self._started.child, self._started.messages
        self._stall_seconds = stall_seconds
        self._most_bytes: int | None = None

    def send(self, **request: Any) -> None:
        """Send a request."""
        self._child.send(json.dumps(request))

    def answer(self, *kinds: str) -> dict[str, Any]:
        """Return the next message of one of these *kinds*; handle those that come before it.

        Raises:
            HubscanError: what was raised in the process.
            Ended: if the process has ended, stood still, or sent something else.
        """
        moved, before = time.monotonic(), None
        while True:
            try:
                message = self._messages.get(timeout=POLL_SECONDS)
            except queue.Empty:
                now = self._activity()
                if now != before:
                    moved, before = max(moved, time.monotonic()), now
                elif time.monotonic() - moved > self._stall_seconds:
                    raise Ended(f"no progress for {self._stall_seconds:.0f} s") from None
                continue
            if message is None:
                raise Ended(allowance.why_ended(self._child.reason(), self._most_bytes))
            if message["kind"] in kinds:
                return message
            try:
                moved = max(moved, time.monotonic()) + self._heard(message)
            except (LookupError, TypeError, ValueError) as error:
                raise Ended(DAMAGED) from error

    def close(self) -> None:
        """End the process; may be called twice."""
        self._started.close()

    def _heard(self, message: dict[str, Any]) -> float:
        """Pass on what the process tells in between; return for how many seconds it will be silent."""
        match message["kind"]:
            case "failed":
                raise _error(message)
            case "limit":
                self._most_bytes = int(message["bytes"])
            case "warning":
                log.warning("%s", message["text"])
            case "waiting":
                seconds = float(message["seconds"])
                rate_limits.tell(str(message["reason"]), seconds)
                return seconds
            case unknown:
                raise ValueError(unknown)
        return 0.0

    def _activity(self) -> object:
        """Return what changes while the process reads, receives or waits, but not in an endless loop."""
        try:
            process = psutil.Process(self._child.process.pid)
            read = process.io_counters() if hasattr(process, "io_counters") else None
            return read, process.num_ctx_switches().voluntary
        except psutil.Error:  # it has ended, which a message says
            return None


def _error(message: dict[str, Any]) -> HubscanError:
    kind = getattr(errors, str(message["error"]), HubscanError)
    known = isinstance(kind, type) and issubclass(kind, HubscanError)
    return (kind if known else HubscanError)(str(message["text"]))
