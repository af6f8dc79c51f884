"""Read parts of a remote file with HTTP range requests, retrying when a connection fails.

The Hub's client resolves a file on the Hub once. After that, its bytes come from the resolved URL, so a
read costs neither a redirect nor a part of the Hub's rate limit. If a mirror does not support ranges, the
whole file is downloaded once, into the client's cache.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, get_session, httpx  # type: ignore[attr-defined]

from hubscan.errors import HubError
from hubscan.hub import settings
from hubscan.hub.client import explained

T = TypeVar("T")
S = TypeVar("S")

TRIES: Final = 5
READERS: Final = 8  # threads; a small range takes as long as the round trip
TIMEOUT_SECONDS: Final = 30.0
HUB_PATH: Final = re.compile(r"hf://datasets/(?P<repo>[^/]+/[^/@]+)@(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass(frozen=True, slots=True)
class _Place:
    """The URL that serves a file's bytes, the number of bytes, and the headers to send."""

    url: str
    size: int
    headers: dict[str, str]


class _Temporary(Exception):
    """A failure that may not occur again."""

    def __init__(self, reason: str, *, moved: bool = False) -> None:
        super().__init__(reason)
        self.moved = moved  # the URL may have expired: resolve the file again


class _WholeOnly(Exception):
    """The server ignores ranges and sends the file from its beginning."""


class RemoteFile:
    """A file at `hf://datasets/<id>@<commit>/<path>` or at an http(s) URL; safe to read from many threads."""

    def __init__(self, address: str) -> None:
        self.name = address
        self._lock = threading.Lock()
        self._known: _Place | None = None
        self._copy: Path | None = None  # a local copy, if the server does not support ranges

    @property
    def size(self) -> int:
        """Length in bytes.

        Raises:
            HubError: if the file does not exist or cannot be reached.
        """
        return self._place().size

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from *start* up to *stop*.

        Broken connections, busy servers and expired links are retried.

        Raises:
            HubError: naming the file, after `TRIES` failures.
        """
        wait = 0.5
        for attempt in range(1, TRIES + 1):
            try:
                return self._range(start, stop) if self._copy is None else self._copied(start, stop)
            except _WholeOnly:
                return self._copied(start, stop)
            except (_Temporary, httpx.HTTPError) as error:
                reason = str(error) or type(error).__name__
                if attempt == TRIES:
                    raise HubError(
                        f"{self.name}: cannot be read after {TRIES} tries: {reason}; try again later"
                    ) from error
                time.sleep(wait)
                wait *= 2
                if isinstance(error, _Temporary) and error.moved:
                    self._known = None
        raise AssertionError("the last try returns or raises")

    def _range(self, start: int, stop: int) -> bytes:
        if stop <= start:
            return b""
        place = self._place()
        headers = {**place.headers, "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
        body = bytearray()
        with get_session().stream(
            "GET", place.url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True
        ) as answer:
            _check(answer, whole=start == 0 and stop == place.size)
            for part in answer.iter_raw():
                body += part
                if len(body) > stop - start:
                    raise _Temporary("the server sent more bytes than requested")
        if len(body) < stop - start:
            raise _Temporary(f"the connection ended after {len(body)} of {stop - start} bytes")
        return bytes(body)

    def _copied(self, start: int, stop: int) -> bytes:
        with self._lock:
            if self._copy is None:
                self._copy = _downloaded(self.name)
        with self._copy.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)

    def _place(self) -> _Place:
        with self._lock:
            if self._known is None:
                self._known = _on_hub(self.name) if self.name.startswith("hf://") else _on_web(self.name)
            return self._known


def ahead(call: Callable[[S], T], items: Iterable[S], workers: int = READERS) -> Iterator[T]:
    """Yield call(item) for each of *items*, in order, while *workers* threads run the next calls."""
    left = iter(items)
    with ThreadPoolExecutor(workers) as pool:
        running: list[Future[T]] = [pool.submit(call, item) for item in islice(left, workers)]
        try:
            while running:
                yield running.pop(0).result()
                running += [pool.submit(call, item) for item in islice(left, 1)]
        finally:
            for future in running:
                future.cancel()


def _check(answer: httpx.Response, *, whole: bool) -> None:
    status = answer.status_code
    if status == 206 or (status == 200 and whole):
        return
    if status == 200:
        raise _WholeOnly
    raise _Temporary(f"status {status}", moved=status < 500)


def _on_hub(address: str) -> _Place:
    match = HUB_PATH.fullmatch(address)
    if match is None or {"", ".", ".."} & {*match["path"].split("/"), *match["repo"].split("/")}:
        raise HubError(f"{address}: not an address of a dataset's file at a commit")
    url = hf_hub_url(match["repo"], match["path"], repo_type="dataset", revision=match["revision"])
    with explained(f"dataset {match['repo']}, {match['path']}"):
        metadata = get_hf_file_metadata(url, timeout=TIMEOUT_SECONDS)
    # Only the Hub gets the token: URLs elsewhere are already signed.
    ours = metadata.location.startswith(f"{constants.ENDPOINT}/")
    return _Place(metadata.location, int(metadata.size or 0), build_hf_headers() if ours else {})


def _downloaded(address: str) -> Path:
    match = HUB_PATH.fullmatch(address)
    if match is None:
        raise HubError(f"{address}: the server does not support range requests")
    with explained(f"dataset {match['repo']}, {match['path']}"):
        return Path(
            hf_hub_download(match["repo"], match["path"], repo_type="dataset", revision=match["revision"])
        )


def _on_web(url: str) -> _Place:
    headers = {"Range": "bytes=0-0", "Accept-Encoding": "identity"}
    try:
        with get_session().stream(
            "GET", url, headers=headers, timeout=TIMEOUT_SECONDS, follow_redirects=True
        ) as answer:
            said = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
            if answer.status_code != 206 or said is None:
                ranges = "the server does not support range requests"
                why = ranges if answer.is_success else f"status {answer.status_code}"
                raise HubError(f"{url}: cannot be read: {why}")
            return _Place(str(answer.url), int(said[1]), {})
    except httpx.HTTPError as error:
        raise HubError(f"{url}: cannot be reached: {str(error) or type(error).__name__}") from error
    except OfflineModeIsEnabled as error:
        raise HubError(f"{url}: not read, as {settings.offline_because()} is set; unset it") from error
