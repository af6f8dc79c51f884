"""Hide secrets in text: passwords and signatures in URLs, and tokens.

The messages of libraries quote URLs, headers and environment variables. `hubscan.plain_text` hides the
secrets in everything that is shown.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

HIDDEN: Final = "…"
SHORTEST: Final = 6  # characters of a secret that is looked for; a shorter one would hide ordinary words

TOKENS: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_ID_TOKEN")
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
ADDRESSES: Final = ("HF_ENDPOINT", *PROXIES, *(name.upper() for name in PROXIES))
# What a URL has before its host, and after its path. No part contains a space.
_USER: Final = re.compile(r"(?<=://)[^\s/?#]{1,1000}@")
_QUERY: Final = re.compile(r"(://[^\s?#]{1,4000}\?)[^\s'\"<>`)]+")
_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{16,}|(?<=Bearer )[^\s'\"]+")
_from_files: Final[list[str]] = []


def without_secrets(text: str) -> str:
    """Return *text* with an ellipsis for each secret, and for the queries of URLs, which sign them.

    >>> without_secrets("http://me:pass@host/x.csv?X-Amz-Signature=1f: status 403")
    'http://…@host/x.csv?… status 403'
    """
    for secret in own_secrets():
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))
    return _TOKEN.sub(HIDDEN, text) if "hf_" in text or "Bearer " in text else text


def hide(secret: str) -> None:
    """From now on hide *secret*, which was read from a file."""
    if len(secret) >= SHORTEST and secret not in _from_files:
        _from_files.append(secret)


def own_secrets() -> Iterator[str]:
    """Yield the user's tokens, and the passwords in the addresses of the Hub and of proxies."""
    yield from values_of(TOKENS)
    yield from _from_files
    for address in values_of(ADDRESSES):
        yield from _passwords(address)


def values_of(variables: Iterable[str]) -> Iterator[str]:
    """Yield the values of environment variables that are set to something long enough for a secret."""
    values = (os.environ.get(name, "").strip() for name in variables)
    yield from (value for value in values if len(value) >= SHORTEST)


@lru_cache(maxsize=32)
def _passwords(address: str) -> tuple[str, ...]:
    """Return the password in *address* as it is written and as it is sent, and with the user."""
    before, _, after = address.partition("://")
    user = (after or before).rpartition("@")[0]
    password = user.partition(":")[2]
    if not password:  # a user alone is a name, which occurs elsewhere
        return ()
    sent = b64encode(unquote(user).encode()).decode()
    found = dict.fromkeys((user, unquote(user), sent, password, unquote(password)))  # the longer ones first
    return tuple(form for form in found if len(form) >= SHORTEST)


def unquoted(error: Exception) -> str:
    """Return the message of *error* without what it quotes, which may be part of an address.

    >>> unquoted(ValueError("Port could not be cast to integer value as 'pass'"))
    'Port could not be cast to integer value as …'
    """
    return re.sub(r"'.*'|\".*\"", HIDDEN, str(error)) or type(error).__name__


def public_url(url: str) -> str:
    """Return *url* without the user, password, query and fragment, which may be or sign a secret.

    >>> public_url("https://me:pass@host:8443/x.csv?sig=1f#rows")
    'https://host:8443/x.csv'

    Raises:
        ValueError: if the host or the port is not one, as where a password contains a slash.
    """
    parts = urlsplit(url)
    _ = parts.port
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
