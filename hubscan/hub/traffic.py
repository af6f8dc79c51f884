"""Count the bytes and responses that the Hub's client receives, whichever part of hubscan asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan.hub.rate_limits import interruptible

COUNTED_APART: Final = "hubscan.counted_apart"  # marks a request whose caller counts the bytes as they arrive

_lock = threading.Lock()
_counting: list[Traffic] = []


@dataclass
class Traffic:
    """Bytes of bodies that the Hub's client received, and the number of responses."""

    bytes_read: int = 0
    requests: int = 0


@contextmanager
def counted(traffic: Traffic | None = None) -> Iterator[Traffic]:
    """Count what arrives over the network while the block runs, added to *traffic* if given."""
    traffic = traffic or Traffic()
    with _lock:
        _counting.append(traffic)
    try:
        with interruptible():
            yield traffic
    finally:
        with _lock:
            _counting[:] = [other for other in _counting if other is not traffic]


def count(response: httpx.Response) -> None:
    """Add *response* to everything that is being counted; a hook of the client's session."""
    request = response.request
    here = request.method == "GET" and not request.extensions.get(COUNTED_APART)
    size = response.headers.get("Content-Length", "") if here else ""
    with _lock:
        for traffic in _counting:
            traffic.requests += 1
            traffic.bytes_read += int(size) if size.isdecimal() else 0
