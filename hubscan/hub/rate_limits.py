"""Wait while the Hub limits requests, together with all other threads and processes that meet the same limit.

Until when a limit applies is kept in hubscan's cache folder, where every process of this user sees it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from huggingface_hub.utils import httpx, parse_ratelimit_headers  # type: ignore[attr-defined]

from hubscan.environment import asked_cache_folder
from hubscan.errors import HubError

MOST_WAITS: Final = 8  # for one request; without a hint from the server they take 1, 2, 4, … 128 seconds
PATIENCE_SECONDS: Final = 900.0  # for one request: three of the Hub's windows of five minutes
MARGIN_SECONDS: Final = 0.5  # the server states whole seconds, rounded down

Key = tuple[str, str]
"""A host, and which of its limits: the Hub counts calls of its API and downloads apart."""
Listener = Callable[[str, float], None]
"""Called with the reason and the seconds when a wait begins, and with 0 seconds when it ends."""

_wake = threading.Condition()
_abandoned = 0  # how often the waits were abandoned
_listeners: list[Listener] = []
_known: dict[Key, float] = {}
_told: dict[Key, float] = {}


def key_of(url: httpx.URL) -> Key:
    """Return the limit that requests to *url* count for."""
    return f"{url.host}:{url.port or ''}", "api" if url.path.startswith("/api/") else "files"


def seconds_asked(status: int, headers: Mapping[str, str], attempt: int) -> float | None:
    """Return how long to wait before attempt number *attempt* + 1, None if the response is no limit.

    The `RateLimit` header counts first, then `Retry-After` in seconds or as a date; without either, the
    wait doubles with every attempt. A busy server (503) is waited for only if it says how long.
    """
    after = _retry_after(headers.get("Retry-After", ""))
    if status == 503:
        return None if after is None else after + MARGIN_SECONDS
    if status != 429:
        return None
    stated = parse_ratelimit_headers(headers)
    if stated is not None and stated.remaining == 0:
        return stated.reset_in_seconds + MARGIN_SECONDS
    return 2.0**attempt if after is None else after + MARGIN_SECONDS


def _retry_after(value: str) -> float | None:
    value = value.strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError):
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - time.time())


def limit(key: Key, seconds: float) -> None:
    """Let everybody wait *seconds* before the next request that counts for *key*."""
    until = time.time() + seconds
    _known[key] = max(until, _known.get(key, 0.0))
    file = _file(key)
    partial = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}")
    with suppress(OSError):  # without the file, this process waits alone
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(repr(_known[key]), encoding="ascii")
        partial.replace(file)


def wait(key: Key, name: str) -> float:
    """Wait until *key* is no longer limited; return how many seconds that took.

    Args:
        key: the limit.
        name: who limits, for the listeners.

    Raises:
        HubError: if the waits are abandoned.
    """
    begun, waited, told = time.monotonic(), False, False
    while (left := _until(key) - time.time()) > 0:
        waited, told = True, _tell(key, name, left) or told
        _sleep(left)
    if told:
        tell(f"{name} no longer limits requests", 0.0)
    return time.monotonic() - begun if waited else 0.0


@contextmanager
def heard(listener: Listener) -> Iterator[None]:
    """Call *listener* for every wait while the block runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def abandon() -> None:
    """End all waits of this process with an error."""
    global _abandoned
    with _wake:
        _abandoned += 1
        _wake.notify_all()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt of the main thread also end the waits of other threads, for which it would wait."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    changed = {number: handler for number, handler in before.items() if callable(handler)}

    def interrupt(number: int, frame: Any) -> None:
        abandon()
        changed[signal.Signals(number)](number, frame)

    for number in changed:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)


def _until(key: Key) -> float:
    """Return until when *key* is limited, in seconds since the epoch, as far as any process knows."""
    shared = 0.0
    with suppress(OSError, ValueError):
        shared = float(_file(key).read_text(encoding="ascii"))
    latest = max(_known.get(key, 0.0), shared if shared == shared else 0.0)
    return min(latest, time.time() + PATIENCE_SECONDS)


def _file(key: Key) -> Path:
    name = hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
    return asked_cache_folder() / "rate-limits" / name


def _tell(key: Key, name: str, seconds: float) -> bool:
    """Tell the listeners of a wait, once for each in this process; return whether this one was new."""
    until = time.time() + seconds
    with _wake:
        new = until - _told.get(key, 0.0) > 1.0
        _told[key] = max(until, _told.get(key, 0.0))
    if new:
        tell(f"{name} limits requests", seconds)
    return new


def tell(reason: str, seconds: float) -> None:
    """Tell the listeners that a wait begins, or has ended (0 seconds)."""
    for listener in list(_listeners):
        listener(reason, seconds)


def _sleep(seconds: float) -> None:
    with _wake:
        before = _abandoned
        if _wake.wait_for(lambda: _abandoned != before, seconds):
            raise HubError("interrupted while waiting for a rate limit to end")
