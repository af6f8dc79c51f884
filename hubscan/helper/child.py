"""The part of a helper that talks to the process that started it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

from hubscan import allowance, disk, environment
from hubscan import errors as known
from hubscan.errors import HubscanError
from hubscan.processes import MemoryLimit, Messages, Warnings, end_with_parent, private_stdout


def serve(work: Callable[[Messages], None]) -> None:
    """Call *work* with a function that sends messages; an error of hubscan is sent to the parent."""
    end_with_parent()
    say = Messages(private_stdout())
    logging.getLogger().addHandler(Warnings(say))
    try:
        with environment.explained(), disk.explained():
            work(say)
    except HubscanError as error:
        say("failed", error=_class(error), text=str(error))


def requests() -> Iterator[dict[str, Any]]:
    """Yield what the parent sends, until it closes the connection."""
    for line in sys.stdin:
        yield json.loads(line)


def limit_memory(say: Messages, needed: int) -> None:
    """Let this process use `HUBSCAN_MEMORY` from now on, or by default *needed* bytes; tell the parent."""
    most = allowance.most(needed)
    MemoryLimit(watched=False).set(most)
    say("limit", bytes=most)


def _class(error: HubscanError) -> str:
    """Return the name of the most special class of *error* that the parent knows."""
    return next(kind.__name__ for kind in type(error).__mro__ if hasattr(known, kind.__name__))
