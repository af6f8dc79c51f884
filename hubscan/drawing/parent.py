"""Start the process that draws the sample, follow it, and end it if it stands still."""

from __future__ import annotations

import json
import logging
import queue
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil

from hubscan import allowance, errors, sample_file
from hubscan.drawing.ahead import started
from hubscan.drawing.names import LABELS, WITH_INPUTS
from hubscan.errors import DatasetError, HubscanError
from hubscan.hub import rate_limits
from hubscan.processes import DAMAGED
from hubscan.records import Modality, Sample, SampleRequest
from hubscan.secret_text import without_secrets

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.5
ADVICE: Final = "convert the data, or pass a smaller part of it"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sample on disk, of which only the labels are in memory."""

    sample: Sample  # with the modalities, but no inputs
    file: Path  # with the inputs
    examples: tuple[str, ...]  # two rows in words


class Drawing:
    """The process that draws one sample."""

    def __init__(self, request: SampleRequest, place: Path, stall_seconds: float) -> None:
        """Give the request to a process.

        Args:
            request: which rows to draw.
            place: a folder for the sample's files.
            stall_seconds: the process is ended when it stands still for longer.
        """
        self._name = without_secrets(str(request.dataset))
        self._place = place
        self._stall_seconds = stall_seconds
        self._most_bytes: int | None = None
        self._started = started()
        self._child, self._messages = self._started.child, self._started.messages
        self._child.send(json.dumps({"place": str(place.absolute()), "request": asdict(request)}))

    def opened(self) -> None:
        """Return once the dataset is open and its columns are known.

        Raises:
            HubscanError: what was raised in the process, or why it ended.
        """
        self._await("opened")

    def drawn(self) -> Drawn:
        """Return what was drawn, once it is on disk.

        Raises:
            HubscanError: what was raised in the process, or why it ended.
        """
        message = self._await("drawn")
        try:
            sample = sample_file.read(self._place / LABELS)
            modalities: list[Modality] = message["modalities"]
            examples = tuple(map(str, message["examples"]))
        except (LookupError, TypeError, ValueError, OSError) as error:
            raise self._failed(DAMAGED) from error
        sample = replace(sample, inputs=dict.fromkeys(modalities, ()))
        return Drawn(sample, self._place / WITH_INPUTS, examples)

    def close(self) -> None:
        """End the process; may be called twice."""
        self._started.close()

    def _await(self, kind: str) -> dict[str, Any]:
        """Return the message of this kind; handle those that come before it."""
        moved, before = time.monotonic(), None
        while True:
            try:
                message = self._messages.get(timeout=POLL_SECONDS)
            except queue.Empty:
                now = self._activity()
                if now != before:
                    moved, before = max(moved, time.monotonic()), now
                elif time.monotonic() - moved > self._stall_seconds:
                    raise self._failed(f"no progress for {self._stall_seconds:.0f} s") from None
                continue
            if message is None:
                raise self._failed(allowance.why_ended(self._child.reason(), self._most_bytes))
            if message["kind"] == kind:
                return message
            try:
                moved = max(moved, time.monotonic()) + self._heard(message)
            except (LookupError, TypeError, ValueError) as error:
                raise self._failed(DAMAGED) from error

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

    def _failed(self, reason: str) -> DatasetError:
        return DatasetError(f"{self._name}: cannot be read: {reason}; {ADVICE}")


def _error(message: dict[str, Any]) -> HubscanError:
    kind = getattr(errors, str(message["error"]), HubscanError)
    known = isinstance(kind, type) and issubclass(kind, HubscanError)
    return (kind if known else HubscanError)(str(message["text"]))
