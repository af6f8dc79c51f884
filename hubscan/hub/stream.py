"""Read a URL from the first byte to the last, resuming after a broken connection."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from huggingface_hub.utils import get_session, httpx  # type: ignore[attr-defined]

from hubscan.errors import HubError
from hubscan.hub.ranges import TIMEOUT_SECONDS, TRIES
from hubscan.hub.traffic import COUNTED_APART

PROGRESS_BYTES: Final = 2**20  # since the last break; after that much, the count of tries starts again


class RemoteStream(io.RawIOBase):
    """The content of an http(s) URL, for a sequential reader; the server need not support ranges.

    A broken connection is resumed if the server supports ranges and the file has not changed.
    """

    def __init__(self, url: str) -> None:
        """Request the file.

        Raises:
            HubError: naming the file, if the server does not send it.
        """
        self.name = url
        self.position = 0  # bytes given out
        self.received = 0
        self.size: int | None = None  # None: the server does not state it
        self.tag = ""  # identifies this version of the file: its ETag, or when it was last modified
        self._steady = False  # whether it is a strong ETag, which changes with every byte
        self._answer = ExitStack()
        self._parts: Iterator[bytes] = iter(())
        self._held = b""
        self._broke_at, self._breaks = 0, 0
        self._asked()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill *buffer* with the next bytes; return how many, 0 at the end.

        Raises:
            HubError: if the connection broke and cannot be resumed.
        """
        if not self._held:
            self._held = self._next()
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        self.position += count
        return count

    def close(self) -> None:
        """Close the connection without reading the rest."""
        self._answer.close()
        super().close()

    def _next(self) -> bytes:
        while True:
            try:
                part = next(self._parts, b"")
                if part or self.size in (None, self.received):
                    self.received += len(part)
                    return part
                reason = f"the connection ended after {self.received} of {self.size} bytes"
            except httpx.HTTPError as error:
                reason = str(error) or type(error).__name__
            if self.received - self._broke_at >= PROGRESS_BYTES:
                self._broke_at, self._breaks = self.received, 0
            self._breaks += 1
            self._wait(self._breaks, reason)
            self._asked()

    def _asked(self) -> None:
        """Request the file, or the part of it that is missing."""
        headers = {"Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            if self._steady:
                headers["If-Range"] = self.tag
        for attempt in range(1, TRIES + 1):
            failure: Exception | None = None
            try:
                answer = self._sent(headers)
                if answer.status_code < 500:
                    return self._begun(answer)
                reason = f"status {answer.status_code}"
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason, failure = str(error) or type(error).__name__, error
                if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
                    raise HubError(f"{self.name}: cannot be reached: {reason}") from error
            self._wait(attempt, reason, failure)
        raise AssertionError("the last try returns or raises")

    def _sent(self, headers: dict[str, str]) -> httpx.Response:
        self._answer.close()
        return self._answer.enter_context(
            get_session().stream(
                "GET",
                self.name,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                follow_redirects=True,
                extensions={COUNTED_APART: True},
            )
        )

    def _begun(self, answer: httpx.Response) -> None:
        headers = answer.headers
        if not self.received:
            if answer.status_code != 200:
                raise HubError(f"{self.name}: cannot be read: status {answer.status_code}")
            length = headers.get("Content-Length", "")
            self.size = int(length) if length.isdecimal() else None
            etag = headers.get("ETag", "")
            self._steady = etag.startswith('"')
            self.tag = etag or headers.get("Last-Modified", "")
        elif answer.status_code != 206 or not self._goes_on(headers):
            raise HubError(
                f"{self.name}: the connection broke after {self.received} bytes, and the server "
                "did not resume the same file; download it and pass its path"
            )
        self._parts = answer.iter_raw()

    def _goes_on(self, headers: httpx.Headers) -> bool:
        """Return whether a response starts where the last one ended, in the same version of the file."""
        said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
        same = (headers.get("ETag") or headers.get("Last-Modified", "")) == self.tag
        if said is None or int(said[1]) != self.received:
            return False
        return same and (said[2] == "*" or self.size is None or int(said[2]) == self.size)

    def _wait(self, attempt: int, reason: str, error: Exception | None = None) -> None:
        if attempt >= TRIES:
            raise HubError(
                f"{self.name}: cannot be read after {TRIES} tries: {reason}; try again later"
            ) from error
        time.sleep(0.5 * 2 ** (attempt - 1))
