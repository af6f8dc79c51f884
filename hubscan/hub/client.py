"""Set up the Hub's client, turn its exceptions into one-line errors, and count the bytes that it receives.

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
COUNTED_APART: Final = "hubscan.counted_apart"  # marks a request whose caller counts the bytes as they arrive


def api() -> HfApi:
    """Return the client; its user agent names hubscan and its version."""
    return HfApi(library_name="hubscan", library_version=__version__)


def is_unknown(error: HubError) -> bool:
    """Return whether *error* says that the Hub does not know the repository, or does not show it to us."""
    return isinstance(error.__cause__, RepositoryNotFoundError)


SENTENCES: Final[tuple[tuple[type[Exception], str], ...]] = (
    # Order matters: the first match counts, and some earlier classes derive from later ones.
    (GatedRepoError, "gated; accept the terms on its page and log in with `hf auth login`"),
    (RepositoryNotFoundError, "not on the Hub, or private and you are not logged in"),
    (RevisionNotFoundError, "no such revision"),
    (HFValidationError, "not a valid repository id (expected `org/name`)"),
    (OfflineModeIsEnabled, "not in the cache, and HF_HUB_OFFLINE is set"),
    (LocalEntryNotFoundError, "not in the cache, and {endpoint} cannot be reached"),
    (HfHubHTTPError, "{endpoint} answered: {reason}"),
    (httpx.HTTPError, "{endpoint} cannot be reached: {reason}"),  # not an OSError in this client
)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the client's exceptions in the block into a `HubError` that names *what* was requested."""
    try:
        yield
    except tuple(kind for kind, _ in SENTENCES) as error:
        sentence = next(sentence for kind, sentence in SENTENCES if isinstance(error, kind))
        lines = (line.strip() for line in str(error).splitlines())
        reason = next(filter(None, lines), type(error).__name__)
        raise HubError(f"{what}: {sentence.format(endpoint=constants.ENDPOINT, reason=reason)}") from error


def ask_once() -> None:
    """Request a listing of one model once; the client's own listings retry for half a minute.

    Raises:
        HubError: if the Hub cannot be reached, or answers with an error.
    """
    listing = f"{constants.ENDPOINT}/api/models"
    headers = build_hf_headers(library_name="hubscan", library_version=__version__)
    with explained("the Hub"):
        answer = get_session().get(
            listing, params={"limit": 1}, headers=headers, timeout=ASKING_SECONDS, follow_redirects=True
        )
        hf_raise_for_status(answer)


def patient(call: Callable[[], T]) -> T:
    """Return call(), retrying while the Hub limits the rate; the client itself retries only listings."""
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
    """Bytes of bodies that the Hub's client received, and the number of responses."""

    bytes_read: int = 0
    requests: int = 0


@contextmanager
def counted(traffic: Traffic | None = None) -> Iterator[Traffic]:
    """Count what arrives over the network while the block runs, added to *traffic* if given."""
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
