"""Set up the session of the Hub's client: it waits while the Hub limits requests, and counts what arrives.

It sends the token to the endpoint alone, whatever page or redirect the endpoint names.

Every call of the client and of `datasets` goes through this session, and so do hubscan's own reads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

from huggingface_hub import constants, get_token, set_client_factory
from huggingface_hub.utils import _http, httpx  # type: ignore[attr-defined]

from hubscan.errors import HubError, HubscanError
from hubscan.hub import rate_limits, settings, transfer
from hubscan.hub.traffic import count
from hubscan.plain_text import plain
from hubscan.secret_text import without_secrets

READING: Final = ("GET", "HEAD", "OPTIONS")
NAMING: Final = ("ETag", "X-Linked-ETag", "X-Repo-Commit")
PLAIN: Final = re.compile(r'(W/)?"?[\w:+=.-]*\w[\w:+=.-]*"?')
ISSUER: Final = (
    "ACTIONS_ID_TOKEN_REQUEST_URL"  # a continuous integration's own server, which gets its own token
)


def install() -> None:
    """Let the client make its sessions as hubscan needs them; the one in use is closed.

    A factory that was set before, for a proxy or certificates, still makes the session. None is made here.
    """
    made = _http._GLOBAL_CLIENT_FACTORY
    if not getattr(made, "of_hubscan", False):
        set_client_factory(_Factory(made))


class _Factory:
    """Makes sessions; a class, so that it is recognised when hubscan is imported again."""

    of_hubscan = True

    def __init__(self, made: Callable[[], httpx.Client]) -> None:
        self._made = made

    def __call__(self) -> httpx.Client:
        settings.check_token()
        settings.check_certificates()
        try:
            client = self._made()
        except HubscanError:
            raise
        except Exception as error:  # ImportError, ValueError, InvalidURL, OSError: whatever httpx2 meets
            raise settings.explain(error) from error
        hooks = client.event_hooks
        client.event_hooks = {
            "request": [*hooks.get("request", []), keep_token, transfer.limit_waiting],
            "response": [*hooks.get("response", []), count, refuse_paths, transfer.watch],
        }
        return patient(client)


def keep_token(request: httpx.Request) -> None:
    """Take the token out of *request* unless it goes to the endpoint's own scheme, host and port.

    A hook of the session, which asks it again for each redirect.
    """
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return
    allowed = (constants.ENDPOINT, os.environ.get(ISSUER))
    if not any(address and httpx.URL(address).origin == request.url.origin for address in allowed):
        del request.headers["Authorization"]


def refuse_paths(response: httpx.Response) -> None:
    """Refuse an answer of the endpoint whose hash or commit is a path: the client names files by them.

    A hook of the session.

    Raises:
        HubError: naming the header.
    """
    if httpx.URL(constants.ENDPOINT).origin != response.request.url.origin:
        return
    for name in NAMING:
        value = response.headers.get(name, "")
        if value and not PLAIN.fullmatch(value):
            raise HubError(
                f"{without_secrets(constants.ENDPOINT)} answered with a `{name}` that is not a hash: "
                f"{plain(value)}; check HF_ENDPOINT"
            )


def patient(client: httpx.Client) -> httpx.Client:
    """Return *client*, changed so that it waits while a server limits requests, and then asks again."""
    once = client.send

    def send(request: httpx.Request, **options: Any) -> httpx.Response:
        key, name = rate_limits.key_of(request.url), _name(request.url)
        waited, asked = 0.0, 0.0
        in_memory = isinstance(request.stream, httpx.ByteStream)  # once sent, another body is spent
        for attempt in range(rate_limits.MOST_WAITS + 1):
            if not constants.is_offline_mode():  # else the next line raises
                waited += rate_limits.wait(key, name)
            response = once(request, **options)
            seconds = rate_limits.seconds_asked(response.status_code, response.headers, attempt)
            # A read can be repeated; a write too if it was refused, but a busy server may have made it.
            may_repeat = request.method in READING or (response.status_code == 429 and in_memory)
            if seconds is None or not may_repeat:
                return response
            response.close()
            asked = seconds
            if waited + asked > rate_limits.PATIENCE_SECONDS:
                break
            rate_limits.limit(key, asked)
        raise HubError(_refused(name, asked, waited))

    client.send = send  # type: ignore[method-assign]
    return client


def _name(url: httpx.URL) -> str:
    return "the Hub" if str(url).startswith(f"{constants.ENDPOINT}/") else url.host


def _refused(name: str, asked: float, waited: float) -> str:
    log_in = "" if get_token() else ", or log in with `hf auth login`, which raises the limit"
    if waited:
        return f"{name} still limits requests after {waited:.0f} s; try again later{log_in}"
    return f"{name} limits requests, and asks to wait {asked:.0f} s; try again then{log_in}"
