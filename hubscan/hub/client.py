"""Set up the Hub's client, and turn its exceptions into one-line errors.

The client reads `HF_ENDPOINT` and its cache folders when it is imported; nothing here changes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb
from typing import Final

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
from hubscan.hub import session, settings

ASKING: Final = httpx.Timeout(30.0, connect=5.0)
"""Seconds to wait for an answer, and for a connection: without a network, the cache should be used soon."""

session.install()


def api() -> HfApi:
    """Return the client; its user agent names hubscan and its version.

    Raises:
        SettingError: if the token in the environment is not valid.
    """
    settings.check_token()
    return HfApi(library_name="hubscan", library_version=__version__)


def may_ask(allowed: bool) -> None:
    """Raise what the client raises if it may not ask the Hub, unless *allowed*."""
    if not allowed:
        raise OfflineModeIsEnabled


def is_unknown(error: HubError) -> bool:
    """Return whether *error* says that the Hub does not know the repository, or does not show it to us."""
    return isinstance(error.__cause__, RepositoryNotFoundError)


SENTENCES: Final[tuple[tuple[type[Exception], str], ...]] = (
    # Order matters: the first match counts, and some earlier classes derive from later ones.
    (GatedRepoError, "gated; accept the terms on its page and log in with `hf auth login`"),
    (RepositoryNotFoundError, "not on the Hub, or private and you are not logged in"),
    (RevisionNotFoundError, "no such revision"),
    (HFValidationError, "not a valid repository id (expected `org/name`)"),
    (
        OfflineModeIsEnabled,
        "not in the cache, and {offline} is set; unset it, or run this once with a network",
    ),
    (
        LocalEntryNotFoundError,
        "not in the cache, and {endpoint} cannot be reached; run this once with a network",
    ),
    (HfHubHTTPError, "{endpoint} answered: {reason}"),
    # Not an OSError in this client.
    (httpx.HTTPError, "{endpoint} cannot be reached{proxy}: {reason}; {advice}"),
)


def is_unreachable(error: BaseException | None) -> bool:
    """Return whether *error*, or its cause, says that nobody could be asked, not what was answered."""
    if isinstance(error, HubError) or (isinstance(error, LocalEntryNotFoundError) and error.__cause__):
        return is_unreachable(error.__cause__)
    return isinstance(error, OfflineModeIsEnabled | LocalEntryNotFoundError | httpx.TransportError)


def why_not_asked(error: HubError | None = None, place: str | None = None) -> str:
    """Return why a cache is used instead of *place*, by default the Hub; *error* came from there."""
    offline = settings.offline_because()
    if offline is None and error is not None and isinstance(error.__cause__, OfflineModeIsEnabled):
        offline = "HF_DATASETS_OFFLINE"  # which only `datasets` reads
    if offline:
        return f"{offline} is set"
    place = place or constants.ENDPOINT
    return f"{place} cannot be reached{_through(settings.proxy_for(place))}"


INCONSISTENT: Final = "Consistency check failed"  # how the client's error begins
UNREADABLE: Final = (TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError)
"""What the client raises for an answer of another form than it expects."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the client's exceptions in the block into a `HubError` that names *what* was requested."""
    try:
        yield
    except tuple(kind for kind, _ in SENTENCES) as error:
        sentence = next(sentence for kind, sentence in SENTENCES if isinstance(error, kind))
        lines = (line.strip() for line in str(error).splitlines())
        reason = next(filter(None, lines), type(error).__name__)
        proxy = settings.proxy_for(constants.ENDPOINT)
        said = sentence.format(
            endpoint=constants.ENDPOINT,
            offline=settings.offline_because() or "HF_DATASETS_OFFLINE",
            proxy=_through(proxy),
            advice=_advice(proxy, reason),
            reason=reason,
        )
        raise HubError(f"{what}: {said}") from error
    except OSError as error:
        if INCONSISTENT not in str(error):
            raise
        raise HubError(
            f"{what}: a file did not arrive with the size that {constants.ENDPOINT} states; try again later"
        ) from error
    except UNREADABLE as error:
        if not _is_of_the_client(error):
            raise
        raise HubError(
            f"{what}: {constants.ENDPOINT} answered with something that is no answer of a Hub "
            f"({type(error).__name__}); check HF_ENDPOINT, or try again later"
        ) from error


def _is_of_the_client(error: BaseException) -> bool:
    """Return whether *error* arose in the Hub's client, or in what it called to read an answer."""
    packages = [
        frame.f_globals.get("__name__", "").partition(".")[0] for frame, _ in walk_tb(error.__traceback__)
    ]
    known = [name for name in packages if name in ("huggingface_hub", "hubscan", "datasets", "fsspec")]
    return known[-1:] == ["huggingface_hub"]


def _through(proxy: str | None) -> str:
    return f" through the proxy in {proxy}" if proxy else ""


def _advice(proxy: str | None, reason: str) -> str:
    if "CERTIFICATE" in reason:
        return "set SSL_CERT_FILE to the certificates of your proxy or mirror"
    return f"check {proxy or 'the network'}"


def ask_once() -> None:
    """Request a listing of one model once; the client's own listings retry for half a minute.

    Raises:
        HubError: if the Hub cannot be reached, or answers with an error.
    """
    settings.check_token()
    listing = f"{constants.ENDPOINT}/api/models"
    headers = build_hf_headers(library_name="hubscan", library_version=__version__)
    with explained("the Hub"):
        answer = get_session().get(
            listing, params={"limit": 1}, headers=headers, timeout=ASKING, follow_redirects=True
        )
        hf_raise_for_status(answer)
