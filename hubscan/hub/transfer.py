"""Limit how slowly and how much a server may answer; a hook of the session, so it holds for every request.

A read timeout alone is not enough: a byte every few seconds never exceeds it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from huggingface_hub import constants
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

from hubscan.errors import HubError

WINDOW_SECONDS: Final = 30.0
LEAST_RATE: Final = 256  # bytes a second over a window; below it, even a listing takes minutes
MOST_OF_AN_ANSWER: Final = 2**26  # bytes of what the Hub's API says; the longest listings have a few million
READ_SECONDS: Final = {"GET": 30.0, "HEAD": 30.0}
WRITE_SECONDS: Final = 300.0  # a commit of many files takes the Hub a while
CONNECT_SECONDS: Final = 10.0


def limit_waiting(request: httpx.Request) -> None:
    """Give *request* a limit on silence if its caller gave none: the client's own listings do not."""
    silence = READ_SECONDS.get(request.method, WRITE_SECONDS)
    limits = {"connect": CONNECT_SECONDS, "read": silence, "write": WRITE_SECONDS}
    given = request.extensions.get("timeout", {})
    request.extensions = {
        **request.extensions,
        "timeout": {**given, **{name: most for name, most in limits.items() if given.get(name) is None}},
    }


def watch(response: httpx.Response) -> None:
    """Make reading the body of *response* fail when it is too slow or too long."""
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _Watched(response.stream, response.request)


class _Watched(httpx.SyncByteStream):
    """The bytes of a body, with time measured only while waiting for them."""

    def __init__(self, stream: httpx.SyncByteStream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request
        answers = str(request.url).startswith(f"{constants.ENDPOINT}/api/")
        self._most = MOST_OF_AN_ANSWER if answers else None

    def __iter__(self) -> Iterator[bytes]:
        waited, arrived, total = 0.0, 0, 0
        parts = iter(self._stream)
        while True:
            begun = time.monotonic()
            part = next(parts, None)
            if part is None:
                return
            waited += time.monotonic() - begun
            arrived += len(part)
            total += len(part)
            if waited >= WINDOW_SECONDS:
                if arrived < LEAST_RATE * waited:
                    raise httpx.ReadTimeout(
                        f"only {arrived} bytes arrived in {waited:.0f} s", request=self._request
                    )
                waited, arrived = 0.0, 0
            if self._most is not None and total > self._most:
                host = self._request.url.host
                raise HubError(f"{host}: an answer of more than {self._most:,} bytes; check HF_ENDPOINT")
            yield part

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
