"""The Hub's client, set up once: its failures become sentences here, and its bytes are counted.

The client reads `HF_ENDPOINT` and its cache folders when it is imported; nothing here changes them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    get_session,
    hf_raise_for_status,
    httpx,
)

from hubscan import __version__
from hubscan.errors import HubError

T = TypeVar("T")

RATE_LIMIT_TRIES = 4
ASKING_SECONDS = 10.0
LONGEST_WAIT = 300.0  # seconds: the Hub's rate limits count in windows of five minutes
COUNTED_APART: Final = "hubscan.counted_apart"  # a request whose bytes are counted as they come


def api() -> HfApi:
    """Return the client, which says who is calling."""
    return HfApi(library_name="hubscan", library_version=__version__)


SENTENCES: Final[tuple[tuple[type[Exception], str], ...]] = (
    # Order matters: the first that fits speaks, and the earlier ones derive from the later.
    (GatedRepoError, "gated; accept its terms on its page and log in with `hf auth login`"),
    (RepositoryNotFoundError, "not on the Hub, or private and you are not logged in"),
    (RevisionNotFoundError, "no such revision"),
    (HFValidationError, "not a valid repository id (expected `org/name`)"),
    (OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, and it is not in the cache"),
    (LocalEntryNotFoundError, "{endpoint} cannot be reached, and it is not in the cache"),
    (HfHubHTTPError, "{endpoint} answered: {reason}"),
    (httpx.HTTPError, "{endpoint} cannot be reached: {reason}"),  # no OSError in this client
)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the client's failures inside the block into a `HubError` that names *what* was asked for."""
    try:
        yield
    except tuple(kind for kind, _ in SENTENCES) as error:
        sentence = next(sentence for kind, sentence in SENTENCES if isinstance(error, kind))
        lines = (line.strip() for line in str(error).splitlines())
        reason = next(filter(None, lines), type(error).__name__)
        raise HubError(f"{what}: {sentence.format(endpoint=constants.ENDPOINT, reason=reason)}") from error


def ask_once() -> None:
    """Ask the Hub for a listing of one, where the client's own listings try again for half a minute.

    Raises:
        HubError: saying that it cannot be reached, or what it answered.
    """
    listing = f"{constants.ENDPOINT}/api/models"
    headers = build_hf_headers(library_name="hubscan", library_version=__version__)
    with explained("the Hub"):
        answer = get_session().get(
            listing, params={"limit": 1}, headers=headers, timeout=ASKING_SECONDS, follow_redirects=True
        )
        hf_raise_for_status(answer)


def patient(call: Callable[[], T]) -> T:
    """Return call(), waiting out the rate limit: the client itself does so for listings only."""
    for attempt in range(1, RATE_LIMIT_TRIES):
        try:
            return call()
        except HfHubHTTPError as error:
            response = error.response
            if response is None or response.status_code != 429:
                raise
            asked = response.headers.get("Retry-After", "")
            time.sleep(min(float(asked) if asked.isdecimal() else 2.0**attempt, LONGEST_WAIT))
    return call()


@dataclass
class Traffic:
    """What the Hub's client received: bytes of bodies, and answers of any kind."""

    bytes_read: int = 0
    requests: int = 0


@contextmanager
def counted(traffic: Traffic | None = None) -> Iterator[Traffic]:
    """Count what arrives over the network while the block runs, on top of *traffic* if it is given."""
    traffic, lock = traffic or Traffic(), threading.Lock()

    def count(response: httpx.Response) -> None:
        with lock:
            traffic.requests += 1
            apart = response.request.extensions.get(COUNTED_APART)
            if response.request.method == "GET" and not apart:
                traffic.bytes_read += int(response.headers.get("Content-Length") or 0)

    session = get_session()
    hooks = session.event_hooks
    session.event_hooks = {**hooks, "response": [*hooks.get("response", []), count]}
    try:
        yield traffic
    finally:
        session.event_hooks = hooks
